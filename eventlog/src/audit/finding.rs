//! What an audit finds.

use std::fmt;

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The event that it concerns, or the last good one before it.
    pub seq: u64,
    /// What found it.
    pub check: Check,
    /// What is wrong.
    pub what: String,
}

/// The checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Frames, checksums, chain values, HEAD.
    Chain,
    /// Versions of streams, times and epochs that do not follow.
    Gaps,
    /// Events that the engine does not accept; checkpoints that a replay does not reach.
    Laws,
    /// Documents that are missing, damaged, or named by nobody; streams that nobody can read.
    Orphans,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "chain",
            Self::Gaps => "gaps",
            Self::Laws => "laws",
            Self::Orphans => "orphans",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: {}: {}", self.seq, self.check, self.what)
    }
}
