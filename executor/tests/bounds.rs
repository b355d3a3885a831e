//! Bombs and giants: what is made to hurt is refused, what is only large takes bounded memory. Each runs in a
//! process of its own, whose most memory ever is what counts.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod child;
mod gate;
mod shelf;
mod small;
mod support;

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use gate::soak;
use holdfast_executor::block::unpack;
use holdfast_executor::compress::{Codec, Compression};
use holdfast_executor::digest::{BlobId, Kind};
use holdfast_executor::index::{DedupIndex, IndexObject};
use holdfast_executor::pack::Footer;
use holdfast_executor::repo::{self, CheckOptions, Open, Repo, Trees, WriteOptions, WriteSession};
use holdfast_executor::slot::Slot;
use holdfast_executor::snapshot::{Root, Snapshot};
use holdfast_executor::store::{FileStore, MemoryStore, SharedStore};
use holdfast_executor::tree::{
    Content, Node, NodeKind, Piece, Time, decode_list, decode_page, encode_leaf, encode_parent,
};
use shelf::{Shelf, environment};
use small::{init, varint};

/// No parser and no verb may take more, whatever it is given.
const BOMB_MIB: u64 = 512;

fn stays_below(mib: u64) {
    let peak = child::peak_mib();
    assert!(peak < mib, "{peak} MiB, and {mib} are the bound");
}

/// Counts and lengths of 10^9 and more, with nothing behind them or with megabytes.
#[test]
fn r15_counts_that_lie_allocate_nothing() {
    const NAME: &str = "r15_counts_that_lie_allocate_nothing";
    if !child::is_child_of(NAME) {
        child::again(NAME);
        return;
    }
    for count in [1_000_000_000, u64::from(u32::MAX), 1 << 40, u64::MAX] {
        for tail in [0, 1 << 20] {
            let tail = vec![1u8; tail];
            let after = |head: &[u8]| [head, &varint(count), &tail].concat();
            assert!(IndexObject::decode(&after(&[])).is_err());
            assert!(IndexObject::decode(&after(&[0])).is_err(), "10^9 packs");
            assert!(Footer::parse(&after(&[1, 1, 0, 0, 0]), 128 << 20).is_err());
            assert!(decode_page(&after(&[0])).is_err());
            assert!(decode_page(&after(&[1])).is_err());
            assert!(decode_list(&after(&[])).is_err());
            assert!(Snapshot::decode(&after(&[])).is_err());
            assert!(Slot::decode(&after(b"HFKS")).is_err());
        }
    }
    // A footer that is longer than its pack, and blocks that are.
    let blob = [&[7; 16][..], &varint(10)].concat();
    let block = [varint(1 << 30), varint(10), varint(1)].concat();
    let body = [&[1, 1, 0, 0, 0][..], &varint(1), &block, &blob].concat();
    assert!(Footer::parse(&body, 1 << 40).is_err());
    stays_below(BOMB_MIB);
}

/// A frame of zstd that unpacks to gigabytes, or asks for a window of 2 GiB, into a buffer of the length that
/// its block promises.
#[test]
fn r15_what_unpacks_to_more_than_it_says_is_refused() {
    const NAME: &str = "r15_what_unpacks_to_more_than_it_says_is_refused";
    if !child::is_child_of(NAME) {
        child::again(NAME);
        return;
    }
    let mut codec = Codec::new(Compression::None).unwrap();
    let mut plain = Vec::new();
    // Blocks of one byte that is repeated 128 KiB times: 4 bytes each, so 64 GiB are 2 MiB of frame.
    let blocks = (64u64 << 30) / (128 << 10);
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for number in 0..blocks {
        let head = (128u32 << 10) << 3 | 1 << 1 | u32::from(number + 1 == blocks);
        bomb.extend_from_slice(&head.to_le_bytes()[..3]);
        bomb.push(0);
    }
    // A window of 2^31 for a frame of one small block, and one that says its content has 2^63 bytes.
    let window = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x43, 0x00, 0x00, 0x00];
    let says =
        [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &[0, 0, 0, 0, 0, 0, 0, 0x80], &[0x43, 0, 0, 0]]
            .concat();
    for payload in [bomb, window, says] {
        for plain_len in [1u32, 1 << 20, 16 << 20, 16 << 20 | 1, u32::MAX] {
            let length = varint(plain_len.into());
            let message = [&[1][..], &plain_len.to_le_bytes(), &[1, 0], &length, &payload].concat();
            let read = unpack(&message, &mut codec, &mut plain);
            if let Ok(block) = read {
                // A window is only a wish: its single byte is what it says.
                assert_eq!((plain_len, block.plain().len()), (1, 1));
            }
        }
    }
    stays_below(BOMB_MIB);
}

/// A repository of somebody else's trees, all of it authentic.
fn forged(
    pages: impl FnOnce(&mut dyn FnMut(Kind, &[u8]) -> BlobId) -> BlobId,
) -> (Repo<Open>, Snapshot) {
    let shared: SharedStore = Arc::new(MemoryStore::new());
    let repo = init(&shared);
    let dedup = Arc::new(DedupIndex::new(Arc::default()));
    let session = WriteSession::begin(&repo, dedup, WriteOptions::default()).unwrap();
    let mut writer = session.writer().unwrap();
    let tree = pages(&mut |kind, bytes| writer.put(kind, bytes).unwrap().id);
    writer.finish().unwrap();
    session.finish().unwrap();
    let roots = vec![Root { path: b"/".to_vec(), tree }];
    (repo, Snapshot { roots, ..Snapshot::default() })
}

fn directory(name: &[u8], tree: BlobId) -> Node {
    Node::bare(name, NodeKind::Directory { tree }, 0o755, Time::default())
}

/// Trees of 10^6 levels, pages beneath pages without end, one page in many places: ids are hashes, so that a
/// true cycle cannot be made, and what comes near one ends at a bound.
#[test]
fn r15_trees_without_end_end() {
    const NAME: &str = "r15_trees_without_end_end";
    if !child::is_child_of(NAME) {
        child::again(NAME);
        return;
    }
    let deep = forged(|put| {
        let mut id = put(Kind::Tree, &encode_leaf(&[]));
        for _ in 0..1_000_000 {
            id = put(Kind::Tree, &encode_leaf(&[directory(b"d", id)]));
        }
        id
    });
    let tall = forged(|put| {
        let mut id = put(Kind::Tree, &encode_leaf(&[directory(b"a", BlobId([1; 16]))]));
        for _ in 0..10_000 {
            id = put(Kind::Tree, &encode_parent(&[(b"a".to_vec(), id), (b"b".to_vec(), id)]));
        }
        id
    });
    for (repo, snapshot) in [deep, tall] {
        let mut entries = 0;
        let _ = repo::ls(&repo, &snapshot, "/", |_, _| {
            entries += 1;
            Ok(true)
        });
        // The root, and what the deepest directory of all holds.
        assert!(entries <= 4_096 + 1, "{entries} entries");
        let mut archive = std::io::sink();
        let dump = repo::Dump::at(&repo, &snapshot, "/", true).unwrap();
        let _ = dump.write(&mut archive);
        repo.check(CheckOptions { read_data: true, now_ms: 0 }, Some(&Trees)).unwrap();
    }
    stays_below(BOMB_MIB);
}

/// Files whose nodes promise what no blob holds.
#[test]
fn r15_sizes_that_no_disk_has_are_holes_or_refused() {
    const NAME: &str = "r15_sizes_that_no_disk_has_are_holes_or_refused";
    if !child::is_child_of(NAME) {
        child::again(NAME);
        return;
    }
    let (repo, snapshot) = forged(|put| {
        let id = put(Kind::Data, b"ten bytes.");
        let chunk = |len| Piece::Chunk { id, len };
        let file = |name: &[u8], size, pieces| {
            let content = Content::Pieces(pieces);
            Node::bare(name, NodeKind::File { size, content }, 0o644, Time::default())
        };
        put(
            Kind::Tree,
            &encode_leaf(&[
                file(b"a chunk of 2^40", 1 << 40, vec![chunk(1 << 40)]),
                file(b"b many", 320, vec![chunk(10); 32]),
                file(b"c hole of 2^62", 1 << 62, vec![Piece::Hole { len: 1 << 62 }]),
            ]),
        )
    });
    let dir = tempfile::tempdir().unwrap();
    let target = [holdfast_executor::job::Target { from: "/".into(), to: dir.path().join("to") }];
    let options = Default::default();
    let figures = repo::restore(&repo, &snapshot, &target, &options, &environment()).unwrap();
    let failed: Vec<_> = figures.failed.first.iter().map(|item| &item.path[..]).collect();
    assert!(failed.contains(&"/a chunk of 2^40") && !failed.contains(&"/b many"), "{failed:?}");
    assert_eq!(fs::read(dir.path().join("to/b many")).unwrap(), b"ten bytes.".repeat(32));
    stays_below(BOMB_MIB);
}

/// A directory of very many names, files with very many attributes, a sparse file of 1 TiB.
#[test]
fn f6_giants_take_bounded_memory_and_come_back() {
    const NAME: &str = "f6_giants_take_bounded_memory_and_come_back";
    if !child::is_child_of(NAME) {
        child::again(NAME);
        return;
    }
    // 100,000 names; a soak of 10 is the million.
    let names = soak(100_000);
    let attributed = soak(200);
    let dir = tempfile::tempdir().unwrap();
    let store: SharedStore = Arc::new(FileStore::new(dir.path().join("repository")).unwrap());
    let mut shelf = Shelf::on(store);
    fs::create_dir(shelf.path("many")).unwrap();
    for number in 0..names {
        fs::File::create(shelf.path(&format!("many/name-{number:07}"))).unwrap();
    }
    for number in 0..attributed {
        let path = format!("attributed/f{number}");
        shelf.file(&path, b"");
        for attribute in 0..50 {
            let name = format!("user.a{attribute}");
            support::set_attribute(&shelf.path(&path), &name, b"value");
        }
    }
    let sparse = fs::File::create(shelf.path("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    sparse.write_all_at(b"island", 1 << 39).unwrap();
    support::settle();
    let (_, snapshot) = shelf.backup();
    assert_eq!(snapshot.counts.files, names + attributed + 1);
    assert!(snapshot.counts.bytes_stored < 64 << 20, "holes are not read");
    let to = dir.path().join("to");
    let figures = shelf.restore_from(&shelf.repo, &snapshot, &to).unwrap();
    assert_eq!(figures.failed.count, 0, "{:?}", figures.failed);
    assert_eq!(fs::read_dir(to.join("many")).unwrap().count() as u64, names);
    let restored = support::attributes(&to.join(format!("attributed/f{}", attributed - 1)));
    assert_eq!(restored.len(), 50);
    let mut island = [0; 6];
    let sparse = fs::File::open(to.join("sparse")).unwrap();
    sparse.read_exact_at(&mut island, 1 << 39).unwrap();
    assert_eq!((&island, sparse.metadata().unwrap().len()), (b"island", 1 << 40));
    stays_below(BOMB_MIB + soak(1) * 64);
}

/// A path of 4,096 levels: what a tree may have comes back, and what lies deeper is named.
#[test]
fn f6_a_path_of_4096_levels() {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    let mut shelf = Shelf::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut at = openat(rustix::fs::CWD, shelf.path(""), flags, Mode::empty()).unwrap();
    for _ in 0..4_096 {
        mkdirat(&at, "d", Mode::RWXU).unwrap();
        at = openat(&at, "d", flags, Mode::empty()).unwrap();
    }
    drop(at);
    support::settle();
    let (_, snapshot) = shelf.backup();
    // The root and `/data` are levels too: what is deeper than all of them is named, not walked.
    assert_eq!((snapshot.partial, snapshot.counts.unreadable), (true, 1));
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    let figures = shelf.restore_from(&shelf.repo, &snapshot, &to).unwrap();
    assert_eq!(figures.failed.count, 0, "{:?}", figures.failed);
    assert_eq!((figures.entries.directories, snapshot.counts.directories), (4_096, 4_096));
    // The library that removes the temporary directory would need one descriptor a level.
    for top in [to.join("d"), shelf.path("d")] {
        std::process::Command::new("rm").arg("-rf").arg(top).status().unwrap();
    }
}

/// Three thousand directories at the end of a path of 50 KiB: a path of its own for each would be 300 MiB.
#[test]
fn s02_long_paths_take_no_more_than_their_names() {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    const NAME: &str = "s02_long_paths_take_no_more_than_their_names";
    if !child::is_child_of(NAME) {
        child::again(NAME);
        return;
    }
    let mut shelf = Shelf::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let (level, long) = ("d", "n".repeat(250));
    let mut at = openat(rustix::fs::CWD, shelf.path(""), flags, Mode::empty()).unwrap();
    for name in std::iter::once(level).chain(std::iter::repeat_n(&long[..], 200)) {
        mkdirat(&at, name, Mode::RWXU).unwrap();
        at = openat(&at, name, flags, Mode::empty()).unwrap();
    }
    for number in 0..3_000 {
        mkdirat(&at, format!("{number}"), Mode::RWXU).unwrap();
    }
    drop(at);
    support::settle();
    let (_, snapshot) = shelf.backup();
    assert_eq!((snapshot.partial, snapshot.counts.directories), (false, 3_202));
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    let figures = shelf.restore_from(&shelf.repo, &snapshot, &to).unwrap();
    assert_eq!((figures.failed.count, figures.entries.directories), (0, 3_202));
    stays_below(200);
    for top in [to.join(level), shelf.path(level)] {
        std::process::Command::new("rm").arg("-rf").arg(top).status().unwrap();
    }
}
