//! What goes from thread to thread.

use std::path::PathBuf;
use std::sync::Arc;

use super::growing::RunEnd;
use crate::beneath::Root;
use crate::source::{SourceNumber, Trust};
use crate::trail::Trail;
use crate::tree::Node;

/// Bytes of files after which a batch is sent: what fills one block.
pub(super) const BATCH_BYTES: u64 = 1024 * 1024;

/// Entries after which a batch is sent: empty files must not make it endless.
pub(super) const BATCH_ENTRIES: usize = 1_024;

/// Number of a directory within one run.
pub(super) type DirNumber = u64;

/// Where an entry belongs.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    /// Whose entry it is; [`super::Tally::nobody`] for one that only leads to sources.
    pub(super) source: SourceNumber,
    pub(super) dir: DirNumber,
    /// Run of names of the directory: see `growing`.
    pub(super) run: u32,
    /// Whether its name ends the run.
    pub(super) ends: bool,
}

/// Where the entries of a directory are read.
pub(super) struct Place {
    pub(super) root: Arc<Root>,
    pub(super) trail: Arc<Trail>,
    /// How far times are believed there.
    pub(super) trust: Trust,
}

/// A file that must be read.
pub(super) struct Item {
    pub(super) at: Spot,
    pub(super) name: Vec<u8>,
    pub(super) from: From,
    /// Group of hard links of which this is the first name.
    pub(super) link_group: Option<u64>,
}

/// Where the bytes of an item come from.
pub(super) enum From {
    /// A name of a directory.
    Place(Arc<Place>),
    /// A source that is one file.
    File {
        path: PathBuf,
        /// In the snapshot.
        logical: Vec<u8>,
        trust: Trust,
    },
    /// A source that is read from its beginning to its end, however long that is.
    Stream {
        from: Stream,
        /// In the snapshot.
        logical: Vec<u8>,
    },
    /// Memory.
    Document(Vec<u8>),
}

/// What gives bytes and has no size.
pub(super) enum Stream {
    Stdin,
    Command(Vec<String>),
    /// A device or a pipe.
    Special(PathBuf),
}

/// Neighbours in walk order, for one worker.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    pub(super) bytes: u64,
}

/// What the builder hears.
pub(super) enum Message {
    /// A directory begins; it is an entry of its parent.
    Open { dir: DirNumber, source: SourceNumber, parent: Option<Spot>, node: Box<Node> },
    /// An entry is known.
    Entry { at: Spot, node: Box<Node> },
    /// An entry is the same file as the first name of its group.
    Follow { at: Spot, name: Vec<u8>, logical: Vec<u8>, group: u64 },
    /// An entry could not be read; with a group its other names are lost too.
    Lost { at: Spot, group: Option<u64> },
    /// All entries of a run of the directory are on their way.
    RunEnd { dir: DirNumber, end: RunEnd },
}
