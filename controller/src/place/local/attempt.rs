//! Workers of attempts: started, adopted, awaited, stopped.

use holdfast_engine::backup::Worker;
use holdfast_engine::outbox::Answer;
use holdfast_engine::report::{BackupReport, RestoreReport};
use holdfast_engine::run::Report;
use holdfast_engine::survey::Volume;
use holdfast_engine::{
    Actor, Attempt, Command, EffectId, Failure, State, Timestamp, TypedRef, Uid, backup, restore,
    run,
};
use holdfast_eventlog::Ledger;
use holdfast_executor::job::Job;

use super::volumes::Volumes;
use super::workers::{End, Workers};
use super::{Local, place};
use crate::operator::broken;
use crate::operator::dispatcher::Order;
use crate::operator::tasks::{Tasks, words_of};
use crate::place::{Task, answered};
use crate::ports::clock;
use crate::translate::job::{self, BackupOrder, Mounted, RestoreOrder};
use crate::translate::report;
use crate::worker::directory::Ended;

/// What kind of session an attempt belongs to, with what its report needs.
#[derive(Clone, Debug)]
pub(super) enum Session {
    /// A backup of these paths.
    Backup(Vec<String>),
    /// A restore.
    Restore,
}

/// Starts a worker; its end is awaited beside the runner.
pub(super) fn start(local: &Local, ledger: &Ledger, effect: EffectId, attempt: Attempt) -> Task {
    let (session, job) = prepare(local, ledger, &attempt);
    let (workers, tasks) = (local.workers.clone(), local.tasks.clone());
    Task::new(async move {
        let started = match job {
            Ok(job) => workers.start(&attempt, &job).await,
            Err(failure) => Err(failure),
        };
        let answer = match started {
            Ok(uid) => {
                let worker = Worker { job: uid, pod: uid };
                attend(&tasks, workers, attempt, worker, session);
                Answer::Worker(worker)
            }
            Err(failure) => Answer::Failed(failure),
        };
        answered(effect, answer)
    })
}

/// Stops a worker and says so once it is gone.
pub(super) fn stop(local: &Local, effect: EffectId, attempt: Attempt) -> Task {
    let workers = local.workers.clone();
    Task::new(async move {
        workers.stop(&attempt).await;
        answered(effect, Answer::Done)
    })
}

/// Attempts that have a worker and no end: what a new operator has to look after.
pub(super) fn open_attempts(state: &State) -> Vec<(Attempt, Worker, Session)> {
    let backups = state.backups.values().flat_map(|backup| {
        backup.components.iter().filter(|c| c.outcome.is_none()).filter_map(|c| {
            let attempt = attempt(backup.uid, &c.component.name, c.attempt);
            Some((attempt, c.worker?, Session::Backup(job::paths(&c.component))))
        })
    });
    let restores = state.restores.values().flat_map(|restore| {
        restore.components.iter().filter(|c| c.outcome.is_none()).filter_map(|c| {
            let attempt = attempt(restore.uid, &c.component.name, c.attempt);
            Some((attempt, c.worker?, Session::Restore))
        })
    });
    backups.chain(restores).collect()
}

fn attempt(session: Uid, component: &str, number: u32) -> Attempt {
    Attempt { session, component: component.into(), number }
}

/// Waits for a worker that an earlier operator started.
pub(super) fn adopt(local: &Local, attempt: Attempt, worker: Worker, session: Session) {
    attend(&local.tasks, local.workers.clone(), attempt, worker, session);
}

/// The command for an attempt whose worker has ended already.
pub(super) fn ended(
    workers: &Workers,
    attempt: &Attempt,
    worker: Worker,
    session: &Session,
) -> Option<Command> {
    Some(session.end(attempt, worker, workers.ended(attempt)?))
}

/// Waits for the end of a worker and reports it.
fn attend(tasks: &Tasks, workers: Workers, attempt: Attempt, worker: Worker, session: Session) {
    let inbox = tasks.inbox().clone();
    tasks.run(async move {
        let (of, waiting) = (attempt.clone(), workers.clone());
        let end = match tokio::spawn(async move { waiting.wait(&of).await }).await {
            Ok(end) => end,
            // Nobody is there any more who would hear of it.
            Err(broken) if !broken.is_panic() => return,
            Err(broken) => End::Vanished(broken::failure(&words_of(&*broken.into_panic()))),
        };
        let order = Order::new(Actor::Worker, session.end(&attempt, worker, end));
        // The directory goes once the log has the report; without an answer the next start finds both.
        if inbox.submit(vec![order]).await.is_ok()
            && let Err(error) = workers.remove(&attempt)
        {
            tracing::warn!(%error, "the directory of a finished worker stays");
        }
    });
}

impl Session {
    fn end(&self, attempt: &Attempt, worker: Worker, end: End) -> Command {
        let attempt = attempt.clone();
        let report = match (self, end) {
            (_, End::Vanished(failure)) => {
                return Command::Run(run::Command::WorkerVanished { attempt, failure });
            }
            (Self::Backup(paths), End::Reported(ended)) => {
                Report::Backup(backup_report(&ended, paths))
            }
            (Self::Restore, End::Reported(ended)) => Report::Restore(restore_report(&ended)),
        };
        Command::Run(run::Command::WorkerReported { attempt, worker, report })
    }
}

fn backup_report(ended: &Ended, paths: &[String]) -> BackupReport {
    report::backup(&ended.report, Timestamp(ended.ended_ms), paths)
}

fn restore_report(ended: &Ended) -> RestoreReport {
    report::restore(&ended.report, Timestamp(ended.ended_ms))
}

fn prepare(local: &Local, ledger: &Ledger, attempt: &Attempt) -> (Session, Result<Job, Failure>) {
    let state = ledger.state();
    if let Some(backup) = state.backups.get(&attempt.session) {
        let paths = backup.component(&attempt.component).map(|c| job::paths(&c.component));
        (Session::Backup(paths.unwrap_or_default()), backup_job(local, ledger, backup, attempt))
    } else {
        let job = match state.restores.get(&attempt.session) {
            Some(restore) => restore_job(local, ledger, restore, attempt),
            None => Err(gone(attempt)),
        };
        (Session::Restore, job)
    }
}

fn backup_job(
    local: &Local,
    ledger: &Ledger,
    backup: &backup::state::Backup,
    attempt: &Attempt,
) -> Result<Job, Failure> {
    let state = ledger.state();
    let catalog = local.catalog.get();
    let (Some(component), Some(plan)) =
        (backup.component(&attempt.component), backup.plan.as_ref())
    else {
        return Err(gone(attempt));
    };
    let places = backup
        .snapshots
        .iter()
        .map(|snapshot| {
            let repository =
                state.repositories.get(&snapshot.repository).ok_or_else(|| gone(attempt))?;
            place::for_job(ledger, &catalog, &local.volumes, repository, None)
        })
        .collect::<Result<_, _>>()?;
    let configuration = state.configurations.get(&backup.configuration);
    let key = configuration.map(|c| c.key.to_string()).unwrap_or_default();
    job::backup(BackupOrder {
        attempt,
        at: clock::now_nanos(),
        component: &component.component,
        session_name: &backup.key.name,
        session: &backup.session,
        configuration: configuration.map_or("", |c| c.key.name.as_str()),
        configuration_key: &key,
        allow_partial: plan.allow_partial,
        places,
        mounted: mounted(local, plan.target.as_ref(), &component.component.volumes)?,
    })
}

fn restore_job(
    local: &Local,
    ledger: &Ledger,
    restore: &restore::state::Restore,
    attempt: &Attempt,
) -> Result<Job, Failure> {
    let state = ledger.state();
    let component = restore.component(&attempt.component).ok_or_else(|| gone(attempt))?;
    let snapshot =
        restore.snapshot.and_then(|uid| state.snapshots.get(&uid)).ok_or_else(|| gone(attempt))?;
    let stored = snapshot
        .component(&attempt.component)
        .filter(|stored| !stored.commit.is_empty())
        .ok_or_else(|| Failure {
            reason: "ComponentNotFound".into(),
            message: format!(
                "Snapshot {} holds nothing of component {}",
                snapshot.key, attempt.component
            ),
            permanent: true,
        })?;
    let repository = state.repositories.get(&snapshot.repository).ok_or_else(|| gone(attempt))?;
    let secret = restore.spec.source.secret.as_ref();
    job::restore(RestoreOrder {
        attempt,
        at: clock::now_nanos(),
        component: &component.component,
        place: place::for_job(ledger, &local.catalog.get(), &local.volumes, repository, secret)?,
        commit: stored.commit.clone(),
        paths: stored.paths.iter().map(|path| path.path.clone()).collect(),
        mounted: mounted(local, restore.spec.target.as_ref(), &component.component.volumes)?,
    })
}

fn mounted(
    local: &Local,
    target: Option<&TypedRef>,
    volumes: &[Volume],
) -> Result<Vec<Mounted>, Failure> {
    let Some(target) = target else { return Ok(Vec::new()) };
    let catalog = local.catalog.get();
    let resolver = Volumes { catalog: &catalog, root: &local.volumes };
    volumes
        .iter()
        .map(|volume| {
            Ok(Mounted { volume: volume.clone(), directory: resolver.directory(target, volume)? })
        })
        .collect()
}

fn gone(attempt: &Attempt) -> Failure {
    Failure {
        reason: "SessionGone".into(),
        message: format!(
            "nothing is known any more of what component {} belongs to",
            attempt.component
        ),
        permanent: true,
    }
}
