//! Workers: they have a duration and an end, outlive the operator, and their report waits until somebody takes it.

use std::collections::BTreeSet;

use holdfast_engine::backup::Worker;
use holdfast_engine::plan::Doomed;
use holdfast_engine::{Attempt, Failure};

/// How a worker ends, when nobody stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All is moved.
    Succeeds,
    /// Nothing is moved.
    Fails,
    /// Nothing is moved, and nothing ever will be.
    FailsForGood,
    /// All but two entries is moved.
    Partial,
    /// It is gone without a word.
    Vanishes,
    /// It works until somebody stops it.
    Hangs,
}

/// What a worker moves.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// Which component of whose session.
    pub(super) what: What,
    /// The same in words that no seed changes.
    pub(super) label: String,
    /// Repositories that are written to or read from: uid and place.
    pub(super) repositories: Vec<(String, String)>,
    /// The commit that it makes or reads.
    pub(super) commit: String,
    /// What is read.
    pub(super) paths: Vec<String>,
    /// It backs up.
    pub(super) writes: bool,
}

impl Work {
    /// What is done to a snapshot in a repository, if this is at it.
    pub(super) fn uses(&self, place: &str, snapshot: &Doomed) -> Option<&'static str> {
        if self.repositories.iter().all(|(_, other)| other != place) {
            return None;
        }
        let session = self.commit.split('.').next()?;
        match self.writes {
            true => snapshot.name.ends_with(&format!("-{session}")).then_some("written"),
            false => snapshot.commits.contains(&self.commit).then_some("read"),
        }
    }
}

/// What only one worker works at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct What {
    /// The session.
    pub(super) of: String,
    /// The component.
    pub(super) component: String,
}

/// A worker that was started.
#[derive(Clone, Debug)]
pub(super) struct Started {
    /// Its attempt.
    pub(super) attempt: Attempt,
    /// Who it is.
    pub(super) worker: Worker,
    /// What it moves.
    pub(super) work: Work,
    /// Milliseconds since the beginning.
    pub(super) begun: i64,
    /// When it ends by itself.
    pub(super) ends: i64,
    /// How.
    pub(super) ending: Ending,
    /// How it stands.
    pub(super) stands: Stands,
    /// Repositories that were not there at its end.
    pub(super) lost: BTreeSet<String>,
}

/// How a worker stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// It works.
    Works,
    /// It ended by itself, at this time.
    Ended(i64),
    /// Somebody stopped it.
    Stopped,
}

/// What is said of a worker that is gone.
pub(super) fn vanished(of: &str) -> Failure {
    Failure {
        reason: "WorkerVanished".into(),
        message: format!("the worker ended without a report; {of}"),
        permanent: false,
    }
}
