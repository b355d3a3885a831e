//! Every single bit of a 64 KiB log, flipped: detected, or harmless. Never a shorter or another log.
//!
//! What stands before the flipped frame is as it was, so each scan begins there.

use std::path::Path;
use std::sync::Arc;

use holdfast_engine::{Actor, Command, CommandId, Envelope, Timestamp, lease};

use crate::chain::Chain;
use crate::error::{Error, Fault};
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::head;
use crate::journal::position::Slot;
use crate::journal::scan::{Scan, acknowledged};
use crate::journal::segment::HEADER_BYTES;
use crate::journal::source::{Memory, Source};
use crate::ledger::Ledger;
use crate::open::Options;

const SEGMENT_BYTES: u32 = 16 * 1024;
const LOG_BYTES: usize = 64 * 1024;

/// A log of four segments, the last of them partly filled.
fn log(dir: &Path) -> (Memory, Position) {
    let options =
        Options { segment_bytes: SEGMENT_BYTES, checkpoint_every_events: 60, ..Options::default() };
    let mut ledger = Ledger::open(dir, options).unwrap();
    for epoch in 1.. {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&u64::to_be_bytes(epoch));
        let holder = "h".repeat(usize::try_from(epoch * 37 % 300).unwrap());
        let envelope = Envelope {
            id: CommandId(id),
            at: Timestamp(i64::try_from(epoch).unwrap()),
            actor: Actor::Operator,
            epoch,
            command: Command::Lease(lease::Command::Begin { holder }),
        };
        ledger.submit(&[envelope]).unwrap();
        let at = ledger.head();
        if at.segment == 4 && at.offset > u64::from(SEGMENT_BYTES) / 2 {
            break;
        }
    }
    drop(ledger);
    let dir = Directory::disk(dir);
    let mut memory = Memory { head: dir.head().unwrap(), ..Memory::default() };
    for number in dir.segments().unwrap() {
        memory.segments.insert(number, dir.segment(number).unwrap().unwrap());
    }
    let (_, head) = acknowledged(&memory, &Chain::default()).unwrap();
    (memory, head)
}

/// Where frames begin, in order.
fn starts(memory: &Memory, chain: &Chain, head: Position) -> Vec<Position> {
    let mut scan = Scan::new(memory, chain, Position::genesis(chain), head).unwrap();
    let mut starts = vec![scan.position()];
    while let Some(found) = scan.next().unwrap() {
        starts.push(found.start);
    }
    starts
}

/// Reads on from a place; the end, or the damage.
fn read_on(
    memory: &Memory,
    chain: &Chain,
    (start, head): (Position, Position),
) -> Result<Position, Error> {
    let mut scan = Scan::new(memory, chain, start, head)?;
    while scan.next()?.is_some() {}
    Ok(scan.position())
}

#[test]
fn every_bit_of_the_segments_is_detected_or_harmless() {
    let root = tempfile::tempdir().unwrap();
    let (mut memory, head) = log(root.path());
    let chain = Chain::default();
    assert_eq!(memory.segments.values().map(|bytes| bytes.len()).sum::<usize>(), LOG_BYTES);
    let starts = starts(&memory, &chain, head);
    let (mut detected, mut harmless) = (0_u32, 0_u32);
    for number in 1..=4 {
        for offset in 0..u64::from(SEGMENT_BYTES) {
            // A header is proven when the segment is entered: from the last frame of the one before.
            let reached = |at: &&Position| {
                at.segment < number
                    || at.segment == number && at.offset <= offset && offset >= HEADER_BYTES
            };
            let start = *starts.iter().take_while(reached).last().unwrap_or(&starts[0]);
            for bit in 0..8 {
                flip(&mut memory, number, offset, bit);
                match read_on(&memory, &chain, (start, head)) {
                    Ok(end) => {
                        assert_eq!(end, head, "segment {number} byte {offset} bit {bit}");
                        harmless += 1;
                    }
                    Err(Error::Damaged(damage)) => {
                        assert!(damage.after >= start.seq && damage.after < head.seq + 1);
                        detected += 1;
                    }
                    Err(Error::Key { .. }) => detected += 1,
                    Err(other) => panic!("segment {number} byte {offset} bit {bit}: {other}"),
                }
                flip(&mut memory, number, offset, bit);
            }
        }
    }
    assert_eq!(detected + harmless, 8 * 64 * 1024);
    assert!(detected > harmless, "{detected} detected, {harmless} harmless");
}

fn flip(memory: &mut Memory, number: u32, offset: u64, bit: u32) {
    let bytes = memory.segments.get_mut(&number).unwrap();
    let bytes = Arc::get_mut(bytes).unwrap();
    bytes[usize::try_from(offset).unwrap()] ^= 1 << bit;
}

#[test]
fn every_bit_of_head_leaves_one_of_the_two_slots() {
    let root = tempfile::tempdir().unwrap();
    let (memory, newest) = log(root.path());
    let chain = Chain::default();
    let bytes = memory.head.clone().unwrap();
    let (generation, _) = head::newest(&bytes, &chain).unwrap();
    // The acknowledgement before: of one frame, or of two when the last one brought a mark.
    let slots =
        [0, 4096].map(|at| Position::decode(Slot::Head, &chain, &bytes[at..at + 128]).unwrap());
    let before = slots.into_iter().min_by_key(|(generation, _)| *generation).unwrap().1;
    let acknowledged_once =
        starts(&memory, &chain, newest).iter().rev().take(2).any(|s| *s == before);
    assert!(acknowledged_once && before.seq < newest.seq);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (found, at) = head::newest(&flipped, &chain).unwrap();
        if found == generation {
            assert_eq!(at, newest, "bit {bit}");
        } else {
            assert_eq!((found, at), (generation - 1, before), "bit {bit}");
        }
    }
    // With the older slot nothing is lost: the last frame is valid, and kept.
    let end = read_on(&memory, &chain, (Position::genesis(&chain), before)).unwrap();
    assert_eq!(end, newest);
}

#[test]
fn a_head_that_names_another_chain_is_damage() {
    let root = tempfile::tempdir().unwrap();
    let (memory, newest) = log(root.path());
    let chain = Chain::default();
    let genesis = Position::genesis(&chain);
    let lies = [
        Position { hash: chain.genesis(), ..newest },
        Position { seq: newest.seq + 1, ..newest },
        Position { offset: newest.offset + 8, ..newest },
        Position { offset: newest.offset - 8, ..newest },
        Position { segment: 5, ..newest },
    ];
    for lie in lies {
        match read_on(&memory, &chain, (genesis, lie)) {
            Err(Error::Damaged(damage)) => assert!(matches!(
                damage.what,
                Fault::HeadMismatch | Fault::Frame | Fault::SegmentMissing
            )),
            _ => panic!("{lie:?} was believed"),
        }
    }
}
