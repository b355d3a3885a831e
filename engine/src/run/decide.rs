//! Decides on runs: leads what concerns a session to the backup or the restore that it is.

use alloc::vec::Vec;

use crate::draft::Draft;
use crate::hook::Run;
use crate::ids::{Attempt, Uid};
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::run::{Command, Report, Worker};
use crate::survey::Host;
use crate::{backup, restore};

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::WorkerReported { attempt, worker, report } => {
            match (kind(draft, attempt.session)?, report) {
                (Kind::Backup, Report::Backup(report)) => {
                    backup::decide::reported(draft, attempt, *worker, report)
                }
                (Kind::Restore, Report::Restore(report)) => {
                    restore::decide::reported(draft, attempt, *worker, report)
                }
                (Kind::Backup, Report::Restore(_)) => Err(Rejection::conflict(
                    attempt.session,
                    "a backup gets no report of a restore",
                )),
                (Kind::Restore, Report::Backup(_)) => Err(Rejection::conflict(
                    attempt.session,
                    "a restore gets no report of a backup",
                )),
            }
        }
        Command::WorkerVanished { attempt, failure } => match kind(draft, attempt.session)? {
            Kind::Backup => backup::decide::vanished(draft, attempt, failure),
            Kind::Restore => restore::decide::vanished(draft, attempt, failure),
        },
        Command::Cancel { session, cause } => match kind(draft, *session)? {
            Kind::Backup => backup::decide::cancel(draft, *session, cause),
            Kind::Restore => restore::decide::cancel(draft, *session, cause),
        },
        Command::Expire { session } => match kind(draft, *session)? {
            Kind::Backup => backup::decide::expire(draft, *session),
            Kind::Restore => restore::decide::expire(draft, *session),
        },
    }
}

enum Kind {
    Backup,
    Restore,
}

fn kind(draft: &Draft, session: Uid) -> Result<Kind, Rejection> {
    if draft.backup(session).is_some() {
        Ok(Kind::Backup)
    } else if draft.restore(session).is_some() {
        Ok(Kind::Restore)
    } else {
        Err(Rejection::conflict(session, "no such session"))
    }
}

/// A worker exists for an attempt. What is answered to a session that is gone concerns nobody.
pub(crate) fn started(
    draft: &mut Draft,
    attempt: &Attempt,
    worker: Worker,
) -> Result<(), Rejection> {
    match kind(draft, attempt.session) {
        Ok(Kind::Backup) => backup::decide::started(draft, attempt, worker),
        Ok(Kind::Restore) => restore::decide::started(draft, attempt, worker),
        Err(_) => Ok(()),
    }
}

/// No worker could be made for an attempt.
pub(crate) fn not_started(
    draft: &mut Draft,
    attempt: &Attempt,
    failure: &Failure,
) -> Result<(), Rejection> {
    match kind(draft, attempt.session) {
        Ok(Kind::Backup) => backup::decide::not_started(draft, attempt, failure),
        Ok(Kind::Restore) => restore::decide::not_started(draft, attempt, failure),
        Err(_) => Ok(()),
    }
}

/// The target's hosts are known, or cannot be.
pub(crate) fn surveyed(
    draft: &mut Draft,
    session: Uid,
    hosts: Result<Vec<Host>, Failure>,
) -> Result<(), Rejection> {
    match kind(draft, session) {
        Ok(Kind::Backup) => backup::decide::surveyed(draft, session, hosts),
        Ok(Kind::Restore) => restore::decide::surveyed(draft, session, hosts),
        Err(_) => Ok(()),
    }
}

/// A try of a hook ended.
pub(crate) fn hook_ended(
    draft: &mut Draft,
    session: Uid,
    run: Run,
    outcome: Outcome,
) -> Result<(), Rejection> {
    match kind(draft, session) {
        Ok(Kind::Backup) => backup::decide::hook_ended(draft, session, run, outcome),
        Ok(Kind::Restore) => restore::decide::hook_ended(draft, session, run, outcome),
        Err(_) => Ok(()),
    }
}
