//! What holds for every index: the one that was kept, the one that was made again from the journal, and
//! the one in memory answer alike.

use holdfast_engine::{CommandId, Timestamp, Uid};
use proptest::prelude::*;

use crate::chain::Chain;
use crate::index::memory::MemoryIndex;
use crate::index::{FramePlace, Index, sled};
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::record::{Header, StreamKey};

fn key(n: u8) -> StreamKey {
    StreamKey { kind: n % 3, uid: Uid([n / 3; 16]) }
}

/// Frames of records: streams and commands by small numbers, so that they meet again.
fn frames() -> impl Strategy<Value = Vec<Vec<Header>>> {
    let frame = proptest::collection::vec((0_u8..9, any::<u8>()), 1..6);
    proptest::collection::vec(frame, 0..12).prop_map(|frames| {
        let (mut seq, mut versions) = (0, std::collections::BTreeMap::<u8, u32>::new());
        let mut header = |(stream, cause): (u8, u8)| {
            seq += 1;
            let version = versions.entry(stream).or_default();
            *version += 1;
            Header {
                seq,
                epoch: 1,
                at: Timestamp(0),
                cause: CommandId([cause; 16]),
                stream: key(stream),
                version: *version,
                event_type: 0x0101,
                schema: 1,
                codec: 1,
                length: 0,
            }
        };
        frames.into_iter().map(|frame| frame.into_iter().map(&mut header).collect()).collect()
    })
}

fn fill(index: &mut dyn Index, frames: &[Vec<Header>]) {
    for (offset, headers) in (0..).zip(frames) {
        index.note(FramePlace { segment: 1, offset }, headers).unwrap();
    }
}

fn assert_alike(left: &dyn Index, right: &dyn Index) {
    for n in 0..9 {
        assert_eq!(left.stream(key(n)).unwrap(), right.stream(key(n)).unwrap());
        assert_eq!(left.version(key(n)).unwrap(), right.version(key(n)).unwrap());
    }
    for n in 0..=255 {
        let id = CommandId([n; 16]);
        assert_eq!(left.command(id).unwrap(), right.command(id).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 20))]

    #[test]
    fn kept_and_made_again_and_in_memory_answer_alike(frames in frames()) {
        let root = tempfile::tempdir().unwrap();
        let dir = Directory::disk(root.path());
        let head = Position::genesis(&Chain::default());
        let mut memory = MemoryIndex::default();
        fill(&mut memory, &frames);
        let mut made = sled::create(&dir).unwrap();
        fill(made.as_mut(), &frames);
        assert_alike(made.as_ref(), &memory);
        made.close().unwrap();
        sled::mark_clean(&dir, &head).unwrap();

        let kept = sled::reopen(&dir, &head).unwrap();
        assert_alike(kept.as_ref(), &memory);
        drop(kept);
        prop_assert!(sled::reopen(&dir, &head).is_none(), "it was in use, and not closed");
        let mut again = sled::create(&dir).unwrap();
        fill(again.as_mut(), &frames);
        // A second pass over the journal, as after a checkpoint that was not usable.
        fill(again.as_mut(), &frames);
        assert_alike(again.as_ref(), &memory);
    }
}

#[test]
fn an_index_of_another_log_is_not_taken() {
    let root = tempfile::tempdir().unwrap();
    let dir = Directory::disk(root.path());
    let head = Position::genesis(&Chain::default());
    sled::create(&dir).unwrap().close().unwrap();
    sled::mark_clean(&dir, &head).unwrap();
    let other = Position { seq: 1, ..head };
    assert!(sled::reopen(&dir, &other).is_none());
    assert!(sled::reopen(&dir, &head).is_some());
}

#[test]
fn projections_do_not_meet() {
    let root = tempfile::tempdir().unwrap();
    let mut on_disk = sled::create(&Directory::disk(root.path())).unwrap();
    let mut in_memory = MemoryIndex::default();
    let indexes: [&mut dyn Index; 2] = [on_disk.as_mut(), &mut in_memory];
    for index in indexes {
        index.project("a", b"bc", Some(b"1")).unwrap();
        index.project("ab", b"c", Some(b"2")).unwrap();
        assert_eq!(index.projection("a", b"bc").unwrap().as_deref(), Some(&b"1"[..]));
        index.project("a", b"bc", None).unwrap();
        assert_eq!(index.projection("a", b"bc").unwrap(), None);
        assert_eq!(index.projection("ab", b"c").unwrap().as_deref(), Some(&b"2"[..]));
    }
}
