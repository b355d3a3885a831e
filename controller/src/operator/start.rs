//! The order after a start, once, for every place.
//!
//! | Step | Why then |
//! |---|---|
//! | take the lead | whoever does not lead changes nothing, and asks nobody |
//! | begin a term in the log | what an earlier operator still sends is refused from now on |
//! | survey the attempts that it left, for a minute at most | what has ended must not lose against its deadline |
//! | take their reports | |
//! | wake deadlines, carry out what is in the outbox, publish everything anew | all that is known is in the log |
//!
//! The deadline of an attempt whose place has not answered by then sleeps until it has, at most [`HOLD`] beyond its time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::effect::Once;
use holdfast_engine::plan::{Attended, attended};
use holdfast_engine::{Actor, Attempt, State};
use holdfast_eventlog::Ledger;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::attendance::Attendance;
use super::class::Places;
use super::dispatcher::{Dispatcher, Listeners, Quiet};
use super::inbox::{self, Inbox, Order};
use super::publisher::{Audience, Desk, Marks, Publisher};
use super::runner::{Crew, GivenUp, Runner};
use super::tasks::Tasks;
use super::{Ports, leadership, level};
use crate::place::{End, Place, Standing, Trouble};
use crate::translate::report;

#[cfg(doc)]
use super::dispatcher::HOLD;

/// How long the attempts of an earlier operator are surveyed before deadlines wake (design, section 3).
pub const SURVEY_LIMIT: Duration = Duration::from_secs(60);

/// An operator that has been put together.
pub struct Started {
    /// What decides; nothing happens until it runs.
    pub dispatcher: Dispatcher,
    /// Where watchers and clients send.
    pub inbox: Inbox,
    /// How quiet it is.
    pub looks: watch::Receiver<Quiet>,
}

/// Why an operator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The place cannot be led.
    #[error("cannot take the lead")]
    Lead(#[source] Trouble),
    /// The log cannot be written.
    #[error("the log cannot be written")]
    Log(#[from] holdfast_eventlog::Error),
}

/// Starts an operator on a log that is open.
///
/// # Errors
/// When the place cannot be led, or the log not be written.
pub async fn start<P: Place>(
    place: Arc<P>,
    ledger: Ledger,
    ports: Ports,
    audience: Box<dyn Audience>,
) -> Result<Started, StartError> {
    let term = leadership::take(&*place).await.map_err(StartError::Lead)?;
    let (inbox, line, mail) = inbox::open();
    let (tasks, marks) = (Tasks::new(line.clone()), Marks::default());
    let (recorded, news) = watch::channel(0);
    let quiet = Arc::new(watch::Sender::new(Quiet::default()));
    let looks = quiet.subscribe();
    let listeners = Listeners { recorded, marks: marks.clone(), tasks: tasks.clone(), quiet };
    let mut dispatcher = Dispatcher::begin(ledger, ports.clone(), mail, listeners, &term.holder)?;

    place.tidy(&known(dispatcher.state())).await;
    let attendance = Attendance::new(Arc::clone(&place), line.clone(), tasks.clone());
    take_over(&place, &mut dispatcher, &attendance).await?;
    marks.mark(level::all(dispatcher.state()));

    let epoch = dispatcher.epoch();
    let crew = Crew {
        place: Arc::clone(&place),
        line: line.clone(),
        tasks: tasks.clone(),
        ports: ports.clone(),
        epoch,
        term: term.clone(),
        attendance,
        places: Places::default(),
        given_up: GivenUp::default(),
    };
    tokio::spawn(Runner::new(crew).run(news));
    let desk = Desk { place, line, ports, marks, tasks, audience };
    tokio::spawn(Publisher::new(desk, epoch, term.clone()).run());
    tokio::spawn(leadership::watch(term, inbox.clone()));
    Ok(Started { dispatcher, inbox, looks })
}

/// Attempts whose remains are not to be removed: somebody waits for their end, or asked for their start or stop.
fn known(state: &State) -> Vec<Attempt> {
    let asked = state.outbox.values().filter_map(|once| match once {
        Once::StartWorker { attempt } | Once::StopWorker { attempt } => Some(attempt.clone()),
        _ => None,
    });
    asked.chain(attended(state).into_iter().map(|found| found.attempt)).collect()
}

/// Looks after the attempts that an earlier operator left.
async fn take_over<P: Place>(
    place: &Arc<P>,
    dispatcher: &mut Dispatcher,
    attendance: &Attendance<P>,
) -> Result<(), StartError> {
    let left = attended(dispatcher.state());
    let (standing, silent) = survey(place, left).await;
    let mut ended = Vec::new();
    for (attended, standing) in standing {
        match standing {
            Standing::Ended(end) => ended.push((attended, end)),
            Standing::Works => attendance.attend(attended),
        }
    }
    let order = |(attended, end): &(Attended, End)| {
        Order::new(Actor::Worker, report::news(attended, end.clone()))
    };
    dispatcher.take(ended.iter().map(order).collect())?;
    for (attended, _) in &ended {
        attendance.release(&attended.attempt).await;
    }
    for attended in silent {
        tracing::warn!(attempt = ?attended.attempt, "its place has not answered yet");
        dispatcher.hold(attended.attempt.clone());
        attendance.seek(attended);
    }
    Ok(())
}

/// How attempts stand, and those whose place has not answered in time.
async fn survey<P: Place>(
    place: &Arc<P>,
    left: Vec<Attended>,
) -> (Vec<(Attended, Standing)>, Vec<Attended>) {
    let until = Instant::now() + SURVEY_LIMIT;
    let mut asked = JoinSet::new();
    for (number, attended) in left.iter().cloned().enumerate() {
        let place = Arc::clone(place);
        asked.spawn(async move {
            let standing = place.survey(&attended).await;
            (number, standing)
        });
    }
    let mut standing = Vec::new();
    while let Ok(Some(answer)) = tokio::time::timeout_at(until, asked.join_next()).await {
        // One that broke off has not answered.
        standing.extend(answer.ok());
    }
    standing.sort_by_key(|(number, _)| *number);
    let answered: BTreeSet<usize> = standing.iter().map(|(number, _)| *number).collect();
    let silent = (0..left.len()).filter(|number| !answered.contains(number));
    let silent = silent.filter_map(|number| left.get(number).cloned()).collect();
    let of = |(number, standing)| Some((left.get(number).cloned()?, standing));
    (standing.into_iter().filter_map(of).collect(), silent)
}
