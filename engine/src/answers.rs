//! An answer to an effect is a command to whoever asked for it; the outbox says who that is.

use crate::draft::Draft;
use crate::effect::Once;
use crate::outbox::{self, Answer};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::{repository, run, snapshot, storage};

/// Takes the effect out of the outbox, and leads its answer to whoever asked.
pub(crate) fn decide(draft: &mut Draft, command: &outbox::Command) -> Result<(), Rejection> {
    let outbox::Command::Answer { effect, answer } = command;
    let once = outbox::decide::take(draft, *effect, answer)?;
    route(draft, once, answer.clone())
}

/// The kind of the answer was checked before.
fn route(draft: &mut Draft, once: Once, answer: Answer) -> Result<(), Rejection> {
    match (once, answer) {
        (Once::StartWorker { attempt }, Answer::Worker(worker)) => {
            run::decide::started(draft, &attempt, worker)
        }
        (Once::StartWorker { attempt }, Answer::Failed(failure)) => {
            run::decide::not_started(draft, &attempt, &failure)
        }
        (Once::Survey { session }, Answer::Hosts(hosts)) => {
            run::decide::surveyed(draft, session, Ok(hosts))
        }
        (Once::Survey { session }, Answer::Failed(failure)) => {
            run::decide::surveyed(draft, session, Err(failure))
        }
        (Once::InitializeRepository { repository }, Answer::Repository { id }) => {
            repository::decide::initialized(draft, repository, Ok(id))
        }
        (Once::InitializeRepository { repository }, Answer::Failed(failure)) => {
            repository::decide::initialized(draft, repository, Err(failure))
        }
        (once, Answer::Failed(failure)) => ended(draft, once, Outcome::Failed(failure)),
        (once, _) => ended(draft, once, Outcome::Succeeded),
    }
}

/// Effects that are done or not, and nothing more.
fn ended(draft: &mut Draft, once: Once, outcome: Outcome) -> Result<(), Rejection> {
    match once {
        Once::InitializeBackend { storage } => {
            storage::decide::initialized(draft, storage, outcome);
        }
        Once::WipeBackend { storage } => storage::decide::wiped(draft, storage, outcome),
        Once::WipeRepository { repository } => {
            repository::decide::wiped(draft, repository, outcome);
        }
        Once::RunHook { session, run } => {
            return run::decide::hook_ended(draft, session, run, outcome);
        }
        Once::UploadMetadata { snapshot } => {
            snapshot::decide::uploaded(draft, snapshot, outcome);
        }
        Once::RemoveSnapshot { snapshot, .. } => {
            snapshot::decide::removed(draft, snapshot, outcome);
        }
        // A worker that was stopped is of no interest any more; the others have answers of their own.
        Once::StopWorker { .. }
        | Once::StartWorker { .. }
        | Once::Survey { .. }
        | Once::InitializeRepository { .. } => {}
    }
    Ok(())
}
