//! Where things stand in the journal: streams, commands, and small read models.
//!
//! Everything here can be computed from the journal. No error of an index is ever an error of the
//! log: the index is thrown away and made again.

#[cfg(test)]
mod conformance;
pub(crate) mod memory;
pub(crate) mod run;
pub(crate) mod sled;

use std::collections::BTreeMap;

use holdfast_engine::CommandId;

use crate::record::{Header, StreamKey};

/// The frame that holds a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FramePlace {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
}

/// A frame that holds records of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamPlace {
    pub(crate) frame: FramePlace,
    /// Version of the last of them.
    pub(crate) last: u32,
}

/// What a command led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommandPlace {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// The index is not usable any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("index unusable: {0}")]
pub(crate) struct Doubt(pub(crate) String);

/// What the ledger asks of an index.
pub(crate) trait Index: Send {
    /// Takes the records of one frame.
    fn note(&mut self, frame: FramePlace, headers: &[Header]) -> Result<(), Doubt>;
    /// What a command led to, if it led to events.
    fn command(&self, id: CommandId) -> Result<Option<CommandPlace>, Doubt>;
    /// The frames that hold records of a stream, in order.
    fn stream(&self, key: StreamKey) -> Result<Vec<FramePlace>, Doubt>;
    /// Version of the last record of a stream; `None` if there is none.
    fn version(&self, key: StreamKey) -> Result<Option<u32>, Doubt>;
    /// A value of a read model.
    fn projection(&self, name: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Doubt>;
    /// Stores a value of a read model; none removes it.
    fn project(&mut self, name: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), Doubt>;
    /// Lets all places go, because a checkpoint has them; read models stay.
    fn forget(&mut self) -> Result<(), Doubt>;
    /// Makes everything last, so that the next start can take it as it is.
    fn close(self: Box<Self>) -> Result<(), Doubt>;
}

/// What each command of a frame led to: its records stand together.
pub(crate) fn commands(headers: &[Header]) -> Vec<(CommandId, CommandPlace)> {
    let mut commands: Vec<(CommandId, CommandPlace)> = Vec::new();
    for header in headers {
        match commands.last_mut() {
            Some((id, place)) if *id == header.cause => place.last = header.seq,
            _ => {
                let place = CommandPlace { first: header.seq, last: header.seq };
                commands.push((header.cause, place));
            }
        }
    }
    commands
}

/// The streams of a frame, each with its first and last version there: one entry a frame is enough.
pub(crate) fn streams(headers: &[Header]) -> BTreeMap<StreamKey, (u32, u32)> {
    let mut streams = BTreeMap::new();
    for header in headers {
        let versions = streams.entry(header.stream).or_insert((header.version, header.version));
        versions.1 = header.version;
    }
    streams
}
