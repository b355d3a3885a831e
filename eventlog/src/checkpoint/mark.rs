//! The mark of a checkpoint: what the chain says of it.

use holdfast_engine::Hash;

use crate::bytes::Take;
use crate::frame::Kind;
use crate::journal::Position;
use crate::journal::scan::Found;

/// What the chain says of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Last event in it.
    pub seq: u64,
    /// Schemas of the state, summed: hashes of states are compared where this is equal.
    pub schema: u16,
    /// Shapes of events that the release which wrote it did not know; their effect is not in it.
    pub unread: u16,
    /// Bytes of its file.
    pub length: u64,
    /// BLAKE3 of its file.
    pub file: Hash,
    /// Hash of the state ([`crate::state_hash`]).
    pub state: Hash,
    /// The place behind that event: a start reads on from here.
    pub position: Position,
}

impl Mark {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.schema.to_le_bytes());
        out.extend_from_slice(&self.unread.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.file.0);
        out.extend_from_slice(&self.state.0);
        out.extend_from_slice(&self.position.segment.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.position.offset.to_le_bytes());
        out.extend_from_slice(&self.position.epoch.to_le_bytes());
        out.extend_from_slice(&self.position.hash.0);
        out
    }

    /// A mark from the content of its frame.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut take = Take(bytes);
        let seq = take.u64()?;
        let (schema, unread) = (take.u16()?, take.u16()?);
        take.zeros(4)?;
        let length = take.u64()?;
        let file = Hash(take.array()?);
        let state = Hash(take.array()?);
        let segment = take.u32()?;
        take.zeros(4)?;
        let (offset, epoch) = (take.u64()?, take.u64()?);
        let position = Position { segment, offset, seq, epoch, hash: Hash(take.array()?) };
        take.0.is_empty().then_some(Self { seq, schema, unread, length, file, state, position })
    }

    /// The mark in a checkpoint's frame.
    pub(crate) fn of(found: &Found<'_>) -> Option<Self> {
        match found.frame.kind {
            Kind::Checkpoint => Self::decode(found.frame.content),
            Kind::Events => None,
        }
    }
}
