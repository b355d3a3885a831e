//! The operator without a cluster, put together.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use holdfast_api::Kind;
use holdfast_engine::{EffectId, Level, Once, Rejection, State, level};
use holdfast_eventlog::{Answer, Ledger, Options, Refusal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::chain_key;
use crate::narrate::{Narrator, Phases, Voice};
use crate::operator::Kernel;
use crate::operator::dispatcher::{Dispatcher, Inbox, Order, Quiet, Stopped, inbox};
use crate::operator::tasks::Tasks;
use crate::place::local::{Layout, Local};
use crate::ports::ids;
use crate::replace::{PRIVATE, replace};
use crate::watch::catalog::Shared;
use crate::watch::follow::{FollowError, Follower, submit};
use crate::watch::manifest::ObjectName;

/// How often the directory is read: soon enough for somebody who waits, seldom enough for a laptop.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Threads that wait for children, hooks and files; the data path has threads of its own in the workers.
const THREADS: usize = 2;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directory or file with the manifests.
    pub file: PathBuf,
    /// Directory for everything that has to last.
    pub state: PathBuf,
    /// File with the key of the log's chain.
    pub chain_key_file: Option<PathBuf>,
    /// End when nothing is left to do now.
    pub once: bool,
    /// JSON lines.
    pub json: bool,
    /// No lines.
    pub quiet: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything that ran Succeeded or was Skipped.
    Fine,
    /// Something did not.
    SomethingFailed,
    /// A signal ended it.
    Interrupted,
}

/// Runs the operator until it is interrupted, or once.
///
/// # Errors
/// When it cannot start, or its log cannot be written any more.
pub fn run(settings: Settings) -> anyhow::Result<End> {
    let voice = match (settings.json, settings.quiet) {
        (true, _) => Voice::Json,
        (false, true) => Voice::Quiet,
        (false, false) => Voice::Text,
    };
    let state = prepare(&settings.state)?;
    let layout = Layout::below(&state);
    let version_key = version_key(&layout)?;
    let key = chain_key::read(settings.chain_key_file.as_deref())?;
    let options = Options { key, ..Options::default() };
    let ledger = Ledger::open(&layout.log(), options).context("cannot open the log")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    let narrator = Narrator::new(voice);
    let catalog = Shared::default();
    let mut follower = Follower::new(settings.file.clone(), catalog.clone(), version_key);
    // Effects that an earlier operator left need the declared objects.
    follower.read();

    let (inbox, mail) = inbox();
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let tasks = Tasks::new(runtime.handle().clone(), inbox.clone());
    let mut place = Local::new(
        tasks.clone(),
        catalog,
        &layout,
        program,
        Box::new(narrator.clone()),
        narrator.progress(),
    );
    let left = ledger.state().outbox.clone();
    let ended = place.adopt(ledger.state());
    place.publish_all(ledger.state());
    narrator.begin();
    let kernel = Kernel::new(place, tasks, ledger.state().epoch);
    let quiet = Arc::new(watch::Sender::new(Quiet::default()));
    let looks = quiet.subscribe();
    let holder = format!("local-{}", std::process::id());
    let mut dispatcher = Dispatcher::begin(ledger, kernel, mail, &holder, quiet)?;
    // Reports first: a result that is there must not lose against its deadline.
    dispatcher.take(ended)?;
    dispatcher.carry_out(still_left(left, &dispatcher));
    let schedulers = schedulers(dispatcher.ledger().state());
    dispatcher.look_at(schedulers);
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new()
        .name("dispatcher".into())
        .spawn(move || dispatcher.run(&handle))?;

    let operator = Operator { inbox, narrator, follower, looks, waiting: BTreeSet::new() };
    let end = runtime.block_on(operator.work(settings.once));
    let closed = thread.join().map_err(|_| {
        anyhow::anyhow!("the dispatcher broke off; the log has everything that was acknowledged")
    })?;
    // Tasks that wait for workers are let go: the workers go on, and the next start takes their results.
    runtime.shutdown_background();
    closed.context("the log cannot be written any more")?;
    end
}

/// Effects of an earlier term that its successor's beginning has not settled.
fn still_left(
    mut left: BTreeMap<EffectId, Once>,
    dispatcher: &Dispatcher<Kernel<Local>>,
) -> BTreeMap<EffectId, Once> {
    let outbox = &dispatcher.ledger().state().outbox;
    left.retain(|id, _| outbox.contains_key(id));
    left
}

/// What triggers sessions is set up anew at each start: an operator may have died between the decision and
/// the deed, and only the answer lets the first backup begin.
fn schedulers(state: &State) -> Vec<Level> {
    let schedulers = |level: &Level| matches!(level, Level::Scheduler { .. });
    level::all(state).into_iter().filter(schedulers).collect()
}

fn prepare(state: &Path) -> anyhow::Result<PathBuf> {
    // The log, manifests and reports of whoever runs it are nobody else's business, whatever the umask.
    let mut private = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(private.recursive(true), 0o700)
        .create(state)
        .and_then(|()| state.canonicalize())
        .with_context(|| format!("cannot use {} for the state", state.display()))
}

/// The key under which versions of Secrets are recorded; made at the first start.
fn version_key(layout: &Layout) -> anyhow::Result<[u8; 32]> {
    let path = layout.version_key();
    match std::fs::read(&path) {
        Ok(bytes) => {
            return bytes
                .try_into()
                .map_err(|_| anyhow::anyhow!("{} is damaged; remove it", path.display()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let mut key = [0; 32];
    key[..16].copy_from_slice(&ids::uid().0);
    key[16..].copy_from_slice(&ids::uid().0);
    replace(&path, &key, PRIVATE).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}

/// The part that watches and waits.
struct Operator {
    inbox: Inbox,
    narrator: Narrator,
    follower: Follower,
    looks: watch::Receiver<Quiet>,
    /// What was said about commands that have to be asked again.
    waiting: BTreeSet<String>,
}

impl Operator {
    async fn work(mut self, once: bool) -> anyhow::Result<End> {
        let work = async {
            if once { self.once().await } else { self.follow().await.map(|()| End::Fine) }
        };
        let end = tokio::select! {
            end = work => end,
            () = signal() => Ok(End::Interrupted),
        };
        self.inbox.stop().await;
        match end {
            // The dispatcher's own error says more.
            Err(FollowError::Stopped(_)) => Ok(End::SomethingFailed),
            other => Ok(other?),
        }
    }

    /// Applies, waits until nothing is left to do, then runs what was declared to run, in the order backups,
    /// restores: a restore of the latest snapshot means the one that was just made.
    async fn once(&mut self) -> Result<End, FollowError> {
        let mut fine = true;
        let look = self.follower.compare(&self.inbox).await?;
        fine &= look.problems.is_empty() && look.changes.refused.is_empty();
        self.tell(&look.problems, &look.notices);
        for (name, message) in &look.changes.refused {
            self.narrator.problem(&format!("{name}: {message}"));
        }
        let changes = look.changes;
        for orders in [changes.objects, changes.gone, changes.backups, changes.restores] {
            for order in orders {
                fine &= self.submit(vec![order]).await?;
            }
            self.settle().await?;
        }
        Ok(if fine && all_well(&self.narrator.phases()) { End::Fine } else { End::SomethingFailed })
    }

    async fn follow(&mut self) -> Result<(), FollowError> {
        let mut ticks = tokio::time::interval(READ_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.follower.read();
            let look = self.follower.compare(&self.inbox).await?;
            self.tell(&look.problems, &look.notices);
            for (name, message) in &look.changes.refused {
                self.narrator.problem(&format!("{name}: {message}"));
            }
            let changes = look.changes;
            for orders in [changes.objects, changes.backups, changes.restores, changes.gone] {
                self.submit(orders).await?;
            }
        }
    }

    fn tell(&self, problems: &[String], notices: &[String]) {
        problems.iter().for_each(|problem| self.narrator.problem(problem));
        notices.iter().for_each(|notice| self.narrator.notice(notice));
    }

    /// Submits; false when something was refused for good.
    async fn submit(&mut self, orders: Vec<(ObjectName, Order)>) -> Result<bool, Stopped> {
        let mut fine = true;
        for (name, answer) in submit(&self.inbox, orders).await? {
            match answer {
                Answer::Recorded { .. } | Answer::Nothing => {}
                Answer::Repeated { .. } if name.own_kind() == Some(Kind::BackupSession) => {
                    self.narrator.notice(&format!(
                        "{name} was carried out before; a new run needs a new name"
                    ));
                }
                Answer::Repeated { .. } => {}
                // What cannot be now may be at the next look.
                Answer::Refused(
                    refusal @ (Refusal::Rejected(Rejection::Retry { .. }) | Refusal::NoSpace(_)),
                ) => {
                    fine = false;
                    self.follower.forget(&name);
                    let text = format!("{name}: {refusal}");
                    if self.waiting.insert(text.clone()) {
                        self.narrator.problem(&text);
                    }
                }
                Answer::Refused(refusal) => {
                    fine = false;
                    self.narrator.problem(&format!("{name}: {refusal}"));
                }
            }
        }
        Ok(fine)
    }

    /// Waits until nothing is left to do before the next deadline.
    async fn settle(&mut self) -> Result<(), Stopped> {
        let before = self.looks.borrow().look;
        // The dispatcher looks again after every question.
        self.inbox.ask(|_| ()).await?;
        self.looks.wait_for(|seen| seen.quiet && seen.look > before).await.map_err(|_| Stopped)?;
        Ok(())
    }
}

/// Whether everything that ran ended well, and everything that was declared can be used.
fn all_well(phases: &Phases) -> bool {
    phases.all().iter().all(|reached| match reached.kind {
        Kind::BackupSession => {
            !reached.now || matches!(reached.phase.as_str(), "Succeeded" | "Skipped")
        }
        Kind::RestoreSession => {
            !reached.now && reached.phase != "Pending" || reached.phase == "Succeeded"
        }
        Kind::BackupStorage | Kind::BackupConfiguration | Kind::Repository => {
            reached.phase == "Ready"
        }
        _ => true,
    })
}

/// SIGINT or SIGTERM.
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers a signal ends the process as it always did; the log is made for that.
        return std::future::pending().await;
    };
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
}
