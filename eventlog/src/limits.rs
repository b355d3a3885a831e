//! Every bound of the log, with its reason.

/// Size of a segment. Large enough that a rollover is rare (about 60,000 events), small enough to be
/// read, exported and verified as one piece.
pub const SEGMENT_BYTES: u32 = 16 * 1024 * 1024;

/// Smallest segment that can be asked for: the header, and a frame with one record of useful size.
pub const MIN_SEGMENT_BYTES: u32 = 4 * 1024;

/// Largest record, header included. Lists go one item a record, so a larger one is a mistake upstream.
pub const RECORD_BYTES: usize = 64 * 1024;

/// Largest content of a frame: what a reader has to hold at once.
pub const FRAME_CONTENT_BYTES: usize = 4 * 1024 * 1024;

/// Events between two checkpoints: replaying so many takes well under a second.
pub const CHECKPOINT_EVERY_EVENTS: u64 = 50_000;

/// Checkpoints that stay: the newest, and one to fall back to.
pub const CHECKPOINTS_KEPT: usize = 2;

/// Events in a run of positions that is large enough to stay as it is. Making one takes about 30 MiB.
pub const RUN_EVENTS: u64 = 400_000;

/// Smaller runs that are put together: a command is looked for in each run.
pub const RUNS_MERGED: usize = 8;

/// Largest state that is decoded from a checkpoint; a hostile length must not allocate more.
pub const STATE_BYTES: usize = 1024 * 1024 * 1024;

/// Largest attachment. The API server refuses objects above 1.5 MiB (3 MiB with its own overhead).
pub const ATTACHMENT_BYTES: usize = 4 * 1024 * 1024;

/// Batches that a subscriber may lag behind before it is dropped and has to read the journal.
pub const SUBSCRIBER_BATCHES: usize = 1024;

/// sled's page cache: its default of 1 GiB does not fit a pod.
pub const INDEX_CACHE_BYTES: u64 = 32 * 1024 * 1024;

/// Largest value in sled: larger ones become files of their own that no fsync covers.
pub const INDEX_VALUE_BYTES: usize = 4 * 1024;
