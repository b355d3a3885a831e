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

use holdfast_engine::Once;
use holdfast_engine::plan::{Attended, attended};
use holdfast_engine::run::limit::Limits;
use holdfast_engine::usage::References;
use holdfast_engine::{Actor, Attempt, Command, State, lease, level};
use holdfast_eventlog::Ledger;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::attendance::Attendance;
use super::class::Places;
use super::dispatcher::{Dispatcher, Listeners, Quiet};
use super::inbox::{self, Inbox, Order};
use super::progress::{Heard, Overlay};
use super::publisher::{Desk, Marks, Publisher, Readers};
use super::runner::{Crew, GivenUp, Runner};
use super::stores::Stores;
use super::tasks::Tasks;
use super::{Ports, leadership};
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

/// Who hears what the operator does.
pub struct Audience {
    /// Of every object whose status may have changed.
    pub statuses: Box<dyn Readers>,
    /// Of every step of a worker.
    pub progress: Heard,
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

/// What whoever installed the operator has set; the log records it, since decisions follow from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Installed {
    /// How many workers its place may have at once.
    pub limits: Limits,
    /// How far references across namespaces go.
    pub references: References,
}

/// Starts an operator on a log that is open.
///
/// # Errors
/// When the place cannot be led, or the log not be written.
pub async fn start<P: Place>(
    place: Arc<P>,
    ledger: Ledger,
    ports: Ports,
    audience: Audience,
    installed: Installed,
) -> Result<Started, StartError> {
    let term = leadership::take(&*place).await.map_err(StartError::Lead)?;
    let (inbox, line, mail) = inbox::open();
    let (tasks, marks) = (Tasks::new(line.clone()), Marks::default());
    let (recorded, news) = watch::channel(0);
    let quiet = Arc::new(watch::Sender::new(Quiet::default()));
    let looks = quiet.subscribe();
    let listeners = Listeners { recorded, marks: marks.clone(), tasks: tasks.clone(), quiet };
    let mut dispatcher = Dispatcher::begin(ledger, ports.clone(), mail, listeners, &term.holder)?;

    let Installed { limits, references } = installed;
    let settings = [lease::Command::Limit { limits }, lease::Command::Configure { references }];
    let settings = settings.map(|one| Order::new(Actor::Operator, Command::Lease(one)));
    dispatcher.take(settings.into())?;
    place.tidy(&known(dispatcher.state())).await;
    let Audience { statuses: readers, progress } = audience;
    let overlay = Overlay::new(marks.clone(), progress);
    let attendance =
        Attendance::new(Arc::clone(&place), line.clone(), tasks.clone(), overlay.clone());
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
        stores: Stores::default(),
        given_up: GivenUp::default(),
    };
    tokio::spawn(Runner::new(crew).run(news));
    let desk = Desk { place, line, ports, marks, tasks, readers, overlay };
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
    // What the log had no room for is told again by whoever attends it.
    let open: BTreeSet<Attempt> =
        attended(dispatcher.state()).into_iter().map(|found| found.attempt).collect();
    for (attended, _) in ended {
        match open.contains(&attended.attempt) {
            true => attendance.attend(attended),
            false => attendance.release(&attended.attempt).await,
        }
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

#[cfg(test)]
mod tests {
    use holdfast_engine::Uid;
    use holdfast_engine::backup::phase::{Phase, phase};
    use holdfast_eventlog::Options;

    use super::*;
    use crate::operator::dispatcher::HOLD;
    use crate::operator::testing::furnished::{
        SESSION, TIMEOUT, backup, committed, furnished, willing,
    };
    use crate::operator::testing::{Stage, World, failure};

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A place where workers never end.
    fn stage() -> Stage {
        let ends = Box::new(|_: &Attempt| (HOUR * 1_000, vanished()));
        Stage { behaves: Box::new(willing), ends, ..Stage::default() }
    }

    fn vanished() -> End {
        End::Vanished(failure("vanished"))
    }

    async fn phase_now(world: &World) -> Phase {
        world.ask(|state| phase(&state.backups[&SESSION])).await
    }

    /// A log of an operator that was killed while two workers worked.
    async fn killed() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::start(dir.path(), stage(), 1).await;
        world.submit(furnished()).await;
        world.quiet().await;
        // What the initial backup of the configuration was is over.
        world.submit(vec![backup()]).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(phase_now(&world).await, Phase::Running);
        let attended = world.ask(|state| attended(state).len()).await;
        assert_eq!(attended, 2);
        world.crash().await;
        dir
    }

    /// What is left of the session's time, a moment before its end.
    fn nearly(dir: &tempfile::TempDir) -> Duration {
        let ledger = Ledger::open(dir.path(), Options::default()).unwrap();
        let state = ledger.state();
        let deadline = state.backups[&SESSION].deadline.unwrap();
        Duration::from_millis(deadline.since(state.last_at).0) - Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_is_taken_before_its_deadline_wakes() {
        let dir = killed().await;
        // The survey takes longer than the session has left.
        let wait = Duration::from_secs(50);
        let stands = Box::new(move |_: &Attempt| (wait, Standing::Ended(vanished())));
        let world =
            World::start_later(dir.path(), Stage { stands, ..stage() }, 2, nearly(&dir)).await;
        let why = world.ask(|state| {
            let known = &state.backups[&SESSION];
            let late = known.conditions.is_true(holdfast_engine::condition::Type::DeadlineExceeded);
            (late, known.components.iter().all(|c| c.outcome.is_some()))
        });
        assert_eq!(why.await, (false, true));
        let notes = world.stage.notes();
        let order = [
            "leads",
            "tidied",
            "surveyed pod-0",
            "surveyed pod-1",
            "released pod-0",
            "released pod-1",
        ];
        assert_eq!(notes[..order.len()], order, "{notes:?}");
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_works_is_attended_and_its_deadline_wakes() {
        let dir = killed().await;
        let mut world = World::start_later(dir.path(), stage(), 2, nearly(&dir)).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.quiet().await;
        assert_eq!(phase_now(&world).await, Phase::Failed);
        assert_eq!(world.stage.times("attended").len(), 2);
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_does_not_answer_holds_the_deadline_for_a_while() {
        for (answers_after, in_time) in [(600, true), (3 * 3_600, false)] {
            let dir = killed().await;
            let wait = Duration::from_secs(answers_after);
            let stands = Box::new(move |_: &Attempt| (wait, Standing::Ended(vanished())));
            let stage = Stage { stands, ..stage() };
            let begun = Instant::now();
            let mut world = World::start_later(dir.path(), stage, 2, nearly(&dir)).await;
            assert!(begun.elapsed() >= SURVEY_LIMIT);
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(phase_now(&world).await, Phase::Running, "its deadline sleeps");
            world.quiet().await;
            let limit = Duration::from_millis(HOLD.0);
            let exceeded = world.ask(|state| {
                let known = &state.backups[&SESSION];
                known.conditions.is_true(holdfast_engine::condition::Type::DeadlineExceeded)
            });
            assert_eq!(exceeded.await, !in_time);
            let took = begun.elapsed();
            assert!(in_time && took < limit || !in_time && took > limit, "{took:?}");
            world.stop().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_that_ends_releases_nothing_that_may_still_work() {
        let dir = killed().await;
        let stands = Box::new(|_: &Attempt| (HOUR, Standing::Works));
        let world = World::start(dir.path(), Stage { stands, ..stage() }, 2).await;
        let stage = Arc::clone(&world.stage);
        world.stop().await;
        tokio::time::sleep(HOUR * 2).await;
        assert!(stage.times("released").is_empty(), "{:?}", stage.notes());
    }

    #[tokio::test(start_paused = true)]
    async fn a_backup_goes_from_its_command_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let repository = Arc::new(std::sync::Mutex::new(Uid::default()));
        let known = Arc::clone(&repository);
        let ends = Box::new(move |_: &Attempt| {
            (Duration::from_secs(60), committed(*known.lock().unwrap()))
        });
        let mut world = World::start(dir.path(), Stage { ends, ..stage() }, 1).await;
        world.submit(furnished()).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let made = world.ask(|state| *state.repositories.keys().next().unwrap()).await;
        *repository.lock().unwrap() = made;
        world.quiet().await;
        let begun = Instant::now();
        world.submit(vec![backup()]).await;
        world.quiet().await;
        let why = world
            .ask(|state| holdfast_engine::view::phases::backup_error(&state.backups[&SESSION]));
        assert_eq!((phase_now(&world).await, why.await), (Phase::Succeeded, None));
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(60) && took < Duration::from_millis(TIMEOUT.0));
        let released = world.stage.times("released");
        assert!(!released.is_empty() && released.len() == world.stage.times("attended").len());
        world.stop().await;
    }
}
