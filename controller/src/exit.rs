//! Exit codes: restic's where it has one, ours above 20. Documented in `docs/operations.md`.

use std::process::ExitCode;

use holdfast_executor::report::{FailureKind, Outcome};

use crate::history::name::NameError;
use crate::keep::PlanError;
use crate::repository::Misuse;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for is done.
    Done = 0,
    /// Something failed that has no code of its own.
    Failed = 1,
    /// The arguments were not understood, or do not go together.
    Misused = 2,
    /// The backup is there, but some entries could not be read.
    Unreadable = 3,
    /// There is no repository at that place.
    NoRepository = 10,
    /// No key slot opens with that password.
    WrongPassword = 12,
    /// Another repository lies where a known one was.
    RepositoryReplaced = 21,
    /// Bytes of a repository or a log are not what was written.
    Damaged = 22,
    /// No space left where something had to be written.
    Full = 23,
    /// The credentials or permissions do not allow it.
    Denied = 24,
    /// The store does not answer.
    Unreachable = 25,
    /// A source is missing, or had files and has none now.
    Source = 26,
    /// The repository or the log needs a newer program.
    Unsupported = 27,
    /// No snapshot, session or path of that name.
    NotFound = 28,
    /// The bucket of the repository does not exist.
    NoBucket = 29,
    /// Somebody asked to stop.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The code of a report's outcome.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded { .. } | Outcome::Superseded { .. } => Self::Done,
            Outcome::Partial { .. } => Self::Unreadable,
            Outcome::Failed(failure) => Self::of_kind(failure.kind),
        }
    }

    /// The code of a class of failure.
    #[must_use]
    pub fn of_kind(kind: FailureKind) -> Self {
        use FailureKind as K;
        match kind {
            K::RepositoryNotFound => Self::NoRepository,
            K::WrongPassphrase => Self::WrongPassword,
            K::RepositoryReplaced => Self::RepositoryReplaced,
            K::RepositoryDamaged | K::KeySlotDamaged | K::ReadBackFailed => Self::Damaged,
            K::StoreFull | K::TargetFull => Self::Full,
            K::StoreDenied => Self::Denied,
            K::StoreMissing => Self::NoBucket,
            K::StoreUnreachable => Self::Unreachable,
            K::SourceMissing | K::SourceUnreadable | K::EmptySource => Self::Source,
            K::RepositoryUnsupported => Self::Unsupported,
            K::SnapshotNotFound | K::SnapshotAmbiguous | K::PathNotFound => Self::NotFound,
            K::Interrupted => Self::Interrupted,
            K::InvalidJob
            | K::PathNotEmpty
            | K::TargetUnwritable
            | K::OvertakenByCollection
            | K::Internal => Self::Failed,
        }
    }

    /// The code of an executor's error.
    #[must_use]
    pub fn of_error(error: &holdfast_executor::error::Error) -> Self {
        Self::of_kind(holdfast_executor::failure_of(error).kind)
    }
}

impl Exit {
    /// The code of an error of the log.
    #[must_use]
    pub fn of_log(error: &holdfast_eventlog::Error) -> Self {
        use holdfast_eventlog::Error as E;
        match error {
            E::Damaged(_)
            | E::BehindAnchor { .. }
            | E::Forked { .. }
            | E::Illegal(_)
            | E::Mismatch { .. } => Self::Damaged,
            E::Absent { .. } => Self::NotFound,
            E::NoSpace { .. } => Self::Full,
            E::Key { .. } => Self::Denied,
            _ => Self::Failed,
        }
    }

    /// The code of the first error in the chain that has one of its own.
    #[must_use]
    pub fn of_chain(error: &anyhow::Error) -> Self {
        let known = error.chain().find_map(|cause| {
            if let Some(error) = cause.downcast_ref() {
                return Some(Self::of_log(error));
            }
            if let Some(error) = cause.downcast_ref() {
                return Some(Self::of_error(error));
            }
            if let Some(error) = cause.downcast_ref::<PlanError>() {
                return matches!(error, PlanError::NoRule | PlanError::Everything)
                    .then_some(Self::Misused);
            }
            if cause.is::<Misuse>() {
                return Some(Self::Misused);
            }
            cause.downcast_ref().map(|_: &NameError| Self::NotFound)
        });
        known.unwrap_or(Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_executor::report::{Failure, Grade};

    #[test]
    fn the_codes_that_scripts_know_from_restic() {
        let failed = |kind| Outcome::Failed(Failure::new(kind, "x"));
        let codes = [
            (Outcome::Succeeded { grade: Grade::ReadBack }, 0),
            (failed(FailureKind::Internal), 1),
            (Outcome::Partial { grade: Grade::ReadBack }, 3),
            (failed(FailureKind::RepositoryNotFound), 10),
            (failed(FailureKind::WrongPassphrase), 12),
            (failed(FailureKind::Interrupted), 130),
        ];
        for (outcome, code) in codes {
            assert_eq!(Exit::of(&outcome) as u8, code, "{outcome:?}");
        }
    }
    #[test]
    fn context_does_not_hide_the_class_of_an_error() {
        let absent = holdfast_eventlog::Error::Absent { dir: "/log".into() };
        let unknown = NameError::Unknown { name: "x".into() };
        let cases = [
            (anyhow::Error::new(absent).context("/log"), Exit::NotFound),
            (anyhow::Error::new(unknown).context("at that moment"), Exit::NotFound),
            (Misuse::new("x").into(), Exit::Misused),
            (anyhow::Error::new(PlanError::NoRule).context("forget"), Exit::Misused),
            (anyhow::anyhow!("something else"), Exit::Failed),
        ];
        for (error, exit) in cases {
            assert_eq!(Exit::of_chain(&error), exit, "{error:#}");
        }
    }
}
