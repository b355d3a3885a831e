//! What can go wrong with the log.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Something at or before HEAD that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("log damaged behind event {after}, segment {segment} at byte {offset}: {what}")]
pub struct Damage {
    /// Last sequence number that is intact.
    pub after: u64,
    /// Segment that holds the damage; zero for HEAD and BASE.
    pub segment: u32,
    /// Offset of the first frame that is not intact.
    pub offset: u64,
    /// What does not fit.
    pub what: Fault,
}

/// Kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the texts below say it")]
pub enum Fault {
    Head,
    HeadMismatch,
    Base,
    SegmentMissing,
    SegmentHeader,
    Link,
    Frame,
    Chain,
    Record,
    Payload,
    Sequence,
    Epoch,
    Checkpoint,
    Further,
    Unreadable,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "neither slot of HEAD is valid",
            Self::HeadMismatch => "HEAD names another chain value",
            Self::Base => "BASE is not valid",
            Self::SegmentMissing => "the segment is missing",
            Self::SegmentHeader => "the segment's header is not valid",
            Self::Link => "the segment does not continue the one before",
            Self::Frame => "no valid frame where HEAD says there is one",
            Self::Chain => "the frame does not continue the chain; is the key the right one?",
            Self::Record => "a record's header does not fit its frame",
            Self::Payload => "a payload of a known type cannot be decoded",
            Self::Sequence => "the sequence numbers have a gap",
            Self::Epoch => "the epoch falls",
            Self::Checkpoint => {
                "no usable checkpoint for a log whose beginning is archived; \
                                 give its export"
            }
            Self::Unreadable => "the disk does not give it",
            Self::Further => {
                "valid frames lie further on, so what is here was acknowledged; \
                                 import an export"
            }
        })
    }
}

/// Why the log refuses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory belongs to another process.
    #[error(
        "log directory {dir} is held by process {holder}; stop it first, or read without the lock"
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Process id of the holder, as it wrote it.
        holder: String,
    },
    /// There is no log.
    #[error("no log in {dir}")]
    Absent {
        /// The directory.
        dir: PathBuf,
    },
    /// The log is not as it was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The log is shorter than somebody remembers it.
    #[error(
        "log ends at event {have}, but its anchor is at {anchored}; fetch the export, or accept the gap"
    )]
    BehindAnchor {
        /// Last sequence number here.
        have: u64,
        /// Last sequence number that the anchor has seen.
        anchored: u64,
    },
    /// The log is another one than somebody remembers.
    #[error("log has another history than its anchor at event {seq}; one of them is a fork")]
    Forked {
        /// The anchor's sequence number.
        seq: u64,
    },
    /// An event in the log cannot follow the ones before it.
    #[error("log cannot be replayed")]
    Illegal(#[from] holdfast_engine::Illegal),
    /// The log has a key, and none was given; or the other way round.
    #[error("log {}", if *keyed { "has a key; give it" } else { "has no key; give none" })]
    Key {
        /// Whether the log has a key.
        keyed: bool,
    },
    /// The disk is full; nothing was written, and the next command tries again.
    #[error("no space for {path}; free some, or let archived segments go")]
    NoSpace {
        /// What could not be made.
        path: PathBuf,
    },
    /// The disk failed. The process has to end: only the next start can tell what is on it.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// An earlier call failed with [`Error::Io`].
    #[error("log is poisoned by an earlier error of the disk; end the process and start again")]
    Poisoned,
    /// A setting is out of its bounds.
    #[error("{setting} is {value}; it must be {bounds}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What was given.
        value: u64,
        /// What is allowed.
        bounds: &'static str,
    },
    /// A document is too large to be kept.
    #[error("attachment has {bytes} bytes; at most {limit} are kept")]
    AttachmentTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A file of an export, or an attachment, is not what its name says.
    #[error("{name} is not what its name says; it is damaged")]
    Mismatch {
        /// Which one.
        name: String,
    },
    /// A log would be written over another one.
    #[error("{dir} holds a log already; choose an empty directory")]
    Occupied {
        /// The directory.
        dir: PathBuf,
    },
    /// There is no HEAD to be repaired.
    #[error("HEAD of the log in {dir} is valid; there is nothing to repair")]
    HeadValid {
        /// The directory.
        dir: PathBuf,
    },
    /// A value cannot be encoded.
    #[error("cannot encode {what}: {reason}")]
    Encode {
        /// Which value.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// Whether the process has to end (rule 6 of docs/events.md).
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Poisoned)
    }
}

/// Attaches what was tried to an error of the disk, and tells a full disk from a broken one.
pub(crate) trait Context<T> {
    fn context(self, doing: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, doing: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::NoSpace { path: path.to_path_buf() }
            }
            _ => Error::Io { doing, path: path.to_path_buf(), source },
        })
    }
}
