//! Who looks over the kernel's shoulder while it works.
//!
//! | Where | What has to hold |
//! |---|---|
//! | nothing goes wrong, and it is said to be quiet | nothing is under way, all is shown as it is, and nothing has happened for a while without that having been said |
//! | much is due at once | whoever asks is answered between two batches |

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::clock::BEGINNING;
use super::place::Simulated;
use super::run::World;
use super::shown;
use crate::operator::dispatcher::Quiet;
use crate::operator::inbox::{Inbox, Stopped};

/// How long after the end of all work it has to be said at the latest.
const SAID: Duration = Duration::from_secs(1);

/// Events that a batch of deadlines may come to where [`asks`] is used: each leads to three.
const A_BATCH: u64 = 128 * 3;

/// Looks at everything as often as it gets quiet.
pub(super) async fn quiet(
    world: &World,
    inbox: &Inbox,
    place: &Simulated,
    mut looks: watch::Receiver<Quiet>,
) {
    if world.weather.is_calm() {
        while looks.wait_for(|seen| seen.quiet).await.is_ok() {
            let (busy, last) = place.activity();
            if busy {
                world.cluster.breach("it is said to be quiet while something is under way".into());
            }
            if said_so(world, inbox, last, &looks).await.is_err() {
                break;
            }
            if looks.wait_for(|seen| !seen.quiet).await.is_err() {
                break;
            }
        }
    }
    std::future::pending().await
}

async fn said_so(
    world: &World,
    inbox: &Inbox,
    last: Instant,
    looks: &watch::Receiver<Quiet>,
) -> Result<(), Stopped> {
    let (seq, recorded) = inbox.ask(|state| (state.seq, state.last_at)).await?;
    let now = world.time.passed();
    let silence = Duration::from_millis((BEGINNING + now - recorded.0).unsigned_abs());
    let silence = silence.min(last.elapsed());
    if silence > SAID {
        world.cluster.breach(format!("that it is quiet is said after {silence:?}"));
    }
    let (cluster, looks) = (Arc::clone(&world.cluster), looks.clone());
    let compare = inbox.ask(move |state| {
        // Of what happens meanwhile it is said that it does.
        if state.seq == seq && looks.borrow().quiet {
            shown::compare(&cluster, state);
        }
    });
    compare.await
}

/// Asks as often as the kernel has looked around, where a run is about that.
pub(super) async fn asks(world: &World, inbox: &Inbox, mut looks: watch::Receiver<Quiet>) {
    let mut before: Option<u64> = None;
    let span = world.weather.asks();
    if !span.is_empty() {
        world.time.until(span.start).await;
        while looks.changed().await.is_ok() && span.contains(&world.time.passed()) {
            let Ok(seq) = inbox.ask(|state| state.seq).await else { break };
            if let Some(before) = before.filter(|before| seq > before + A_BATCH) {
                world.cluster.breach(format!("nobody is answered between {before} and {seq}"));
            }
            if before.replace(seq) == Some(seq) {
                // Its own question is nothing new.
                tokio::time::sleep(Duration::from_millis(1)).await;
                looks.mark_unchanged();
            }
        }
    }
    std::future::pending().await
}
