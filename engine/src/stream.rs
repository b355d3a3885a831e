//! Streams: the events of one object, in order.

use serde::{Deserialize, Serialize};

use crate::ids::Uid;

/// Kinds of streams; the number is written to disk and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is its aggregate's own word")]
#[repr(u8)]
pub enum StreamKind {
    Lease = 1,
    Namespace = 2,
    Dependency = 3,
    Storage = 4,
    Retention = 5,
    Hook = 6,
    Configuration = 7,
    Schedule = 8,
    Repository = 9,
    Backup = 10,
    Snapshot = 11,
    Restore = 12,
    Outbox = 13,
    Reaction = 14,
    /// No stream of its own: what is bound is said in the stream of the object that it stands for.
    Binding = 15,
}

/// The events of one object, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId {
    /// What kind of object.
    pub kind: StreamKind,
    /// Which one.
    pub uid: Uid,
}
