//! Checkpoints: the state after an event, in a file that a mark in the chain vouches for.

pub(crate) mod make;
pub(crate) mod mark;

use holdfast_engine::{Hash, Uid};

use crate::bytes::{Take, len_u64};
use crate::error::Error;
use crate::fold::{Fold, StreamEnd, Unread};
use crate::index::run::RunName;
use crate::journal::Position;
use crate::record::{self, StreamKey};
use crate::restated::{self, BEHIND_STATE};
pub use mark::Mark;

const MAGIC: &[u8; 8] = b"HFCHECK2";

const STREAM: (u16, u16) = (BEHIND_STATE, 1);
const UNREAD: (u16, u16) = (BEHIND_STATE + 1, 1);
const RUN: (u16, u16) = (BEHIND_STATE + 2, 1);
/// Ends the file: what is cut off at a record is noticed.
const END: (u16, u16) = (0, 0);

/// The file of a checkpoint, and what the chain is to say of it.
pub(crate) fn encode(
    fold: &Fold,
    runs: &[RunName],
    position: Position,
) -> Result<(Vec<u8>, Mark), Error> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&fold.state.seq.to_le_bytes());
    let before_state = out.len();
    restated::write(&mut out, &fold.state)?;
    let state = blake3::hash(out.get(before_state..).unwrap_or_default());
    for (key, end) in &fold.streams {
        let mut bytes = vec![key.kind];
        bytes.extend_from_slice(&key.uid.0);
        bytes.extend_from_slice(&end.version.to_le_bytes());
        bytes.push(u8::from(end.read_only));
        restated::put(&mut out, STREAM, &bytes);
    }
    for (codec, event_type, schema) in &fold.unread {
        let numbers = [event_type.to_le_bytes(), schema.to_le_bytes()].concat();
        restated::put(&mut out, UNREAD, &[&[*codec][..], &numbers].concat());
    }
    for run in runs {
        let ends = [run.first.to_le_bytes(), run.last.to_le_bytes()].concat();
        restated::put(&mut out, RUN, &[&ends[..], &run.table.0].concat());
    }
    restated::put(&mut out, END, &[]);
    let mark = Mark {
        seq: fold.state.seq,
        schema: restated::schema(),
        unread: u16::try_from(fold.unread.len()).unwrap_or(u16::MAX),
        length: len_u64(out.len()),
        file: Hash(*blake3::hash(&out).as_bytes()),
        state: Hash(*state.as_bytes()),
        position,
    };
    Ok((out, mark))
}

/// A checkpoint that was read, before the chain has vouched for it.
pub(crate) struct Candidate {
    pub(crate) fold: Fold,
    /// The files of positions of all events in it.
    pub(crate) runs: Vec<RunName>,
    file: Hash,
    state: Hash,
}

impl Candidate {
    /// Reads a file; `None` if this release cannot, or knows what the release that wrote it did not.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fold = Fold::default();
        let mut runs = Vec::new();
        let mut state_hash = blake3::Hasher::new();
        let mut take = Take(bytes);
        take.exactly(MAGIC)?;
        let seq = take.u64()?;
        loop {
            let before = take;
            let (shape, record) = restated::next(&mut take)?;
            match shape {
                END => break,
                STREAM => {
                    let (key, end) = stream_of(record)?;
                    fold.streams.insert(key, end);
                }
                UNREAD => {
                    fold.unread.insert(unread_of(record)?);
                }
                RUN => runs.push(run_of(record)?),
                (kind, _) if kind < BEHIND_STATE => {
                    restated::take(&mut fold.state, shape, record)?;
                    let length = before.0.len() - take.0.len();
                    state_hash.update(before.0.get(..length)?);
                }
                _ => return None,
            }
        }
        fold.state.reindex();
        let known =
            |(codec, event_type, schema): &Unread| record::readable(*codec, *event_type, *schema);
        if fold.state.seq != seq || !take.0.is_empty() || fold.unread.iter().any(known) {
            return None;
        }
        let file = Hash(*blake3::hash(bytes).as_bytes());
        Some(Self { fold, runs, file, state: Hash(*state_hash.finalize().as_bytes()) })
    }

    /// Whether it is the one that the chain names.
    pub(crate) fn is(&self, mark: &Mark) -> bool {
        (mark.seq, mark.file, mark.state) == (self.fold.state.seq, self.file, self.state)
    }
}

/// The files of positions that a checkpoint's file names; none if it cannot be read.
pub(crate) fn runs_of(bytes: &[u8]) -> Option<Vec<RunName>> {
    let mut take = Take(bytes);
    take.exactly(MAGIC)?;
    take.u64()?;
    let mut runs = Vec::new();
    loop {
        match restated::next(&mut take)? {
            (END, _) => return Some(runs),
            (RUN, record) => runs.push(run_of(record)?),
            _ => {}
        }
    }
}

fn stream_of(record: &[u8]) -> Option<(StreamKey, StreamEnd)> {
    let mut take = Take(record);
    let key = StreamKey { kind: take.u8()?, uid: Uid(take.array()?) };
    let end = StreamEnd { version: take.u32()?, read_only: take.u8()? == 1 };
    take.0.is_empty().then_some((key, end))
}

fn unread_of(record: &[u8]) -> Option<Unread> {
    let mut take = Take(record);
    let unread = (take.u8()?, take.u16()?, take.u16()?);
    take.0.is_empty().then_some(unread)
}

fn run_of(record: &[u8]) -> Option<RunName> {
    let mut take = Take(record);
    let run = RunName { first: take.u64()?, last: take.u64()?, table: Hash(take.array()?) };
    take.0.is_empty().then_some(run)
}

#[cfg(test)]
mod tests {
    use holdfast_engine::State;

    use super::*;
    use crate::chain::Chain;

    fn fold() -> Fold {
        let state = State { seq: 7, leader: "me".into(), ..State::default() };
        let mut fold = Fold { state, ..Fold::default() };
        let key = StreamKey { kind: 200, uid: Uid([1; 16]) };
        fold.streams.insert(key, StreamEnd { version: 3, read_only: true });
        fold.unread.insert((1, 0xC801, 1));
        fold
    }

    fn encoded(fold: &Fold) -> (Vec<u8>, Mark) {
        let run = RunName { first: 1, last: 7, table: Hash([5; 32]) };
        let position = Position { seq: fold.state.seq, ..Position::genesis(&Chain::default()) };
        encode(fold, &[run], position).unwrap()
    }

    #[test]
    fn a_checkpoint_is_read_back_and_only_its_own_mark_fits() {
        let (bytes, mark) = encoded(&fold());
        let read = Candidate::decode(&bytes).unwrap();
        assert_eq!(read.fold, fold());
        assert_eq!(Some(read.runs.clone()), runs_of(&bytes));
        assert_eq!(read.runs.len(), 1);
        assert_eq!(mark.state, crate::state_hash(&fold().state));
        assert!(read.is(&mark));
        assert!(!read.is(&Mark { state: Hash([0; 32]), ..mark }));
        assert!(!read.is(&Mark { file: Hash([0; 32]), ..mark }));
        assert_eq!(Mark::decode(&mark.encode()), Some(mark));
        assert_eq!(Mark::decode(&mark.encode()[..88]), None);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let (bytes, mark) = encoded(&fold());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!Candidate::decode(&flipped).is_some_and(|c| c.is(&mark)), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert!(Candidate::decode(&bytes[..end]).is_none(), "cut at {end}");
        }
    }

    /// The file of a fold with a record put in front of its end.
    fn with(record: (u16, u16)) -> Vec<u8> {
        let (mut bytes, _) = encoded(&fold());
        bytes.truncate(bytes.len() - 8);
        restated::put(&mut bytes, record, b"of a newer release");
        restated::put(&mut bytes, END, &[]);
        bytes
    }

    #[test]
    fn a_kind_or_schema_of_a_newer_release_leaves_the_checkpoint_aside() {
        for record in [(0x0030, 1), (0x0002, 99), (0x0050, 1)] {
            assert!(Candidate::decode(&with(record)).is_none(), "{record:?}");
        }
    }

    #[test]
    fn a_checkpoint_without_what_this_release_knows_is_left_aside() {
        let mut fold = fold();
        fold.unread.insert((1, 0x0201, 1));
        assert!(Candidate::decode(&encoded(&fold).0).is_none());
    }
}
