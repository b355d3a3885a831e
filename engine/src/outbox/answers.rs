//! Leads an answer to the aggregate that asked; the outbox entry says which that is.

use crate::draft::Draft;
use crate::effect::Once;
use crate::outbox::Answer;
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::{backup, repository, run, snapshot, storage};

/// Leads an answer, whose effect has left the outbox, to whoever asked. Its kind was checked before.
pub(super) fn route(draft: &mut Draft, once: Once, answer: Answer) -> Result<(), Rejection> {
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
        Once::RemoveSnapshot { snapshot, by: None } => {
            snapshot::decide::removed(draft, snapshot, outcome);
        }
        Once::RemoveSnapshot { snapshot, by: Some(session) } => {
            backup::decide::removed(draft, session, snapshot, outcome);
        }
        // A worker that was stopped is of no interest any more; the others have answers of their own.
        Once::StopWorker { .. }
        | Once::StartWorker { .. }
        | Once::Survey { .. }
        | Once::InitializeRepository { .. } => {}
    }
    Ok(())
}
