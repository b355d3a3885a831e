//! Checkpoints: the state after an event, in a file whose hash is in the chain.

use std::fmt::{self, Write};

use holdfast_engine::{Hash, State, Uid};

use crate::bytes::{Take, len_u64, to_usize};
use crate::codec;
use crate::error::Error;
use crate::frame::Kind;
use crate::journal::scan::Found;
use crate::record::StreamKey;
use crate::replay::{Fold, StreamEnd};

const MAGIC: &[u8; 8] = b"HFCHECK1";

/// Raised with every release that changes what a state means; the decoder of the one before stays.
pub(crate) const STATE_SCHEMA: u16 = 1;

/// What the chain says of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Last event in it.
    pub seq: u64,
    /// Schema of the state.
    pub schema: u16,
    /// Bytes of its file.
    pub length: u64,
    /// BLAKE3 of its file.
    pub file: Hash,
    /// BLAKE3 of the state's text ([`state_hash`]).
    pub state: Hash,
}

/// Hash of a state by its text, in which structs, fields and variants have their names: equal for two
/// replays of one log, and different for a state of another shape.
#[must_use]
pub fn state_hash(state: &State) -> Hash {
    struct Text(blake3::Hasher);
    impl Write for Text {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.update(text.as_bytes());
            Ok(())
        }
    }
    let mut text = Text(blake3::Hasher::new());
    // The sink never fails, so neither does the derived text.
    let _ = write!(text, "{state:?}");
    Hash(*text.0.finalize().as_bytes())
}

impl Mark {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.schema.to_le_bytes());
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.file.0);
        out.extend_from_slice(&self.state.0);
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut take = Take(bytes);
        let seq = take.u64()?;
        let schema = take.u16()?;
        take.zeros(6)?;
        let length = take.u64()?;
        let file = Hash(take.array()?);
        let state = Hash(take.array()?);
        take.0.is_empty().then_some(Self { seq, schema, length, file, state })
    }

    /// The mark in a checkpoint's frame.
    pub(crate) fn of(found: &Found<'_>) -> Option<Self> {
        match found.frame.kind {
            Kind::Checkpoint => Self::decode(found.frame.content),
            Kind::Events => None,
        }
    }
}

/// The file of a checkpoint, and what the chain is to say of it.
pub(crate) fn encode(fold: &Fold) -> Result<(Vec<u8>, Mark), Error> {
    let state = codec::encode_state(&fold.state)
        .map_err(|e| Error::Encode { what: "the state", reason: e.to_string() })?;
    let mut out = Vec::with_capacity(state.len() + fold.streams.len() * 22 + 32);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&fold.state.seq.to_le_bytes());
    out.extend_from_slice(&len_u64(state.len()).to_le_bytes());
    out.extend_from_slice(&state);
    out.extend_from_slice(&len_u64(fold.streams.len()).to_le_bytes());
    for (key, end) in &fold.streams {
        out.push(key.kind);
        out.extend_from_slice(&key.uid.0);
        out.extend_from_slice(&end.version.to_le_bytes());
        out.push(u8::from(end.read_only));
    }
    let mark = Mark {
        seq: fold.state.seq,
        schema: STATE_SCHEMA,
        length: len_u64(out.len()),
        file: Hash(*blake3::hash(&out).as_bytes()),
        state: state_hash(&fold.state),
    };
    Ok((out, mark))
}

/// A checkpoint that was read, before the chain has vouched for it.
pub(crate) struct Candidate {
    pub(crate) fold: Fold,
    file: Hash,
    state: Hash,
}

impl Candidate {
    /// Reads a file; `None` if this release cannot.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut take = Take(bytes);
        take.exactly(MAGIC)?;
        let seq = take.u64()?;
        let length = to_usize(take.u64()?);
        let mut state: State = codec::decode_state(take.bytes(length)?).ok()?;
        state.reindex();
        let mut fold = Fold { state, ..Fold::default() };
        for _ in 0..take.u64()? {
            let key = StreamKey { kind: take.u8()?, uid: Uid(take.array()?) };
            let end = StreamEnd { version: take.u32()?, read_only: take.u8()? == 1 };
            fold.streams.insert(key, end);
        }
        if fold.state.seq != seq || !take.0.is_empty() {
            return None;
        }
        let state = state_hash(&fold.state);
        Some(Self { fold, file: Hash(*blake3::hash(bytes).as_bytes()), state })
    }

    /// Whether it is the one that the chain names.
    pub(crate) fn is(&self, mark: &Mark) -> bool {
        mark.schema == STATE_SCHEMA
            && (mark.seq, mark.file, mark.state) == (self.fold.state.seq, self.file, self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold() -> Fold {
        let mut fold = Fold::default();
        fold.state.seq = 7;
        let key = StreamKey { kind: 200, uid: Uid([1; 16]) };
        fold.streams.insert(key, StreamEnd { version: 3, read_only: true });
        fold
    }

    #[test]
    fn a_checkpoint_is_read_back_and_only_its_own_mark_fits() {
        let (bytes, mark) = encode(&fold()).unwrap();
        let read = Candidate::decode(&bytes).unwrap();
        assert_eq!(read.fold, fold());
        assert!(read.is(&mark));
        assert!(!read.is(&Mark { state: Hash([0; 32]), ..mark }));
        assert!(!read.is(&Mark { schema: STATE_SCHEMA + 1, ..mark }));
        assert_eq!(Mark::decode(&mark.encode()), Some(mark));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (bytes, mark) = encode(&fold()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!Candidate::decode(&flipped).is_some_and(|c| c.is(&mark)), "bit {bit}");
        }
    }
}
