//! What a worker reports of its attempt, in the engine's words.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::Uid;
use crate::outcome::Failure;
use crate::time::{Millis, Timestamp};

/// How an attempt at one component of a backup ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// Absent: it succeeded. A partial result is a failure with `RepositoryResult::partial` set.
    pub failure: Option<Failure>,
    /// When the worker ended, by its own elapsed time.
    pub ended: Timestamp,
    /// How long it worked.
    pub duration: Millis,
    /// One entry for each repository of the session that was reached.
    pub repositories: Vec<RepositoryResult>,
}

/// What was committed to one repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryResult {
    /// The repository.
    pub repository: Uid,
    /// Name of the commit object; empty when nothing was committed.
    pub commit: String,
    /// Committed, but not everything could be read.
    pub partial: bool,
    /// The source had no entry at all.
    pub source_empty: bool,
    /// How far the commit was proven.
    pub grade: Grade,
    /// Bytes of the whole repository after the backup; KubeStash's component size.
    pub repository_size: u64,
    /// One entry for each path, in order.
    pub paths: Vec<PathResult>,
    /// Entries that could not be read.
    pub unreadable: u64,
    /// The first of them, for people.
    pub first_unreadable: Vec<String>,
    /// Why this repository has no commit, when others have one.
    pub failure: Option<Failure>,
}

/// How far a commit is proven (design, D12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// Nothing was committed.
    None,
    /// Committed.
    Written,
    /// Committed and read back.
    ReadBack,
    /// Restored in a drill.
    Drilled,
}

/// What one path of a component came to (`resticStats[].summary`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathResult {
    /// The path as the target names it.
    pub path: String,
    /// Bytes processed.
    pub size: u64,
    /// Bytes that were new.
    pub uploaded: u64,
    /// Files processed.
    pub files: u64,
    /// Begin.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
}

/// How an attempt at one component of a restore ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReport {
    /// Absent: it succeeded.
    pub failure: Option<Failure>,
    /// When the worker ended, by its own elapsed time.
    pub ended: Timestamp,
    /// How long it worked.
    pub duration: Millis,
    /// Files restored or found equal.
    pub files: u64,
    /// Bytes restored or found equal.
    pub bytes: u64,
    /// Metadata that was skipped for lack of privilege: class and count.
    pub skipped: Vec<(String, u64)>,
}
