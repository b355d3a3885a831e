//! Trees that nobody's walk has made, sealed with the right keys by somebody who holds the repository: a
//! thousand of them are restored, one over the other, and nothing outside the target is touched.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod gate;
mod shelf;
mod small;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gate::{Dice, soak};
use holdfast_executor::digest::{BlobId, Kind};
use holdfast_executor::index::DedupIndex;
use holdfast_executor::job::{RestoreOptions, Target};
use holdfast_executor::repo::{BlobWriter, Open, Repo, WriteOptions, WriteSession, restore};
use holdfast_executor::snapshot::{Root, Snapshot};
use holdfast_executor::store::{MemoryStore, SharedStore};
use holdfast_executor::tree::{
    Attribute, Attributes, Content, Device, Node, NodeKind, Piece, Time, encode_leaf, encode_parent,
};
use shelf::{Shelf, environment, noise};
use support::facts;

/// A place that a restore must leave as it is, beside the target.
struct Yard {
    dir: tempfile::TempDir,
    before: BTreeMap<String, String>,
}

impl Yard {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir_all(outside.join("sub")).unwrap();
        for path in ["f", "sub/f", "f0", "name"] {
            fs::write(outside.join(path), b"precious").unwrap();
            fs::set_permissions(outside.join(path), fs::Permissions::from_mode(0o640)).unwrap();
            support::set_attribute(&outside.join(path), "user.mine", b"kept");
            support::set_mtime(&outside.join(path), 1_000_000, 7);
        }
        support::set_mtime(&outside, 2_000_000, 8);
        let before = facts(&outside);
        Self { dir, before }
    }

    fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("target")
    }

    fn is_untouched(&self, what: &dyn std::fmt::Display) {
        assert_eq!(facts(&self.outside()), self.before, "{what}");
        let names = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert!(names == ["outside", "target"] || names == ["outside"], "{what}: {names:?}");
    }
}

/// Makes pages out of numbers.
struct Forger<'a> {
    writer: BlobWriter,
    dice: Dice,
    outside: &'a Path,
    made: Vec<BlobId>,
}

impl Forger<'_> {
    fn name(&mut self) -> Vec<u8> {
        let long = vec![b'x'; 256];
        let evil: [&[u8]; 14] = [
            b"..",
            b".",
            b"",
            b"/abs",
            b"a/b",
            b"../outside/f",
            b"nul\0x",
            &long,
            b"\xff\xfe",
            b"\x1b[2J\r\n",
            "\u{202e}txt.exe".as_bytes(),
            b"CON",
            b"dot.",
            &long[..255],
        ];
        match self.dice.below(12) {
            0 => self.dice.one_of(&evil).to_vec(),
            _ => format!("{}{}", self.dice.one_of(&["f", "d", "l", "name"]), self.dice.below(4))
                .into_bytes(),
        }
    }

    fn id(&mut self) -> BlobId {
        match self.dice.below(4) {
            0 => BlobId([self.dice.below(256) as u8; 16]),
            _ if self.made.is_empty() => BlobId([0; 16]),
            _ => *self.dice.one_of(&self.made),
        }
    }

    fn data(&mut self) -> (BlobId, u64) {
        let content = noise(1 + self.dice.below(60), self.dice.below(9) as u64);
        let id = self.writer.put(Kind::Data, &content).unwrap().id;
        (id, content.len() as u64)
    }

    fn file(&mut self) -> NodeKind {
        let (id, len) = self.data();
        let absurd = *self.dice.one_of(&[0, 1, u64::MAX >> 2, 1 << 40, 5]);
        let (size, content) = match self.dice.below(6) {
            0 => (absurd, Content::Pieces(vec![Piece::Chunk { id, len: absurd.max(1) }])),
            1 => (absurd.max(1), Content::Pieces(vec![Piece::Hole { len: absurd.max(1) }])),
            2 => (len, Content::Lists(vec![self.id()])),
            3 => (len, Content::Pieces(vec![Piece::Chunk { id: self.id(), len }])),
            _ => (len, Content::Pieces(vec![Piece::Chunk { id, len }])),
        };
        NodeKind::File { size, content }
    }

    fn kind(&mut self, depth: usize) -> NodeKind {
        let outside = self.outside.to_str().unwrap();
        let device = Device { major: 1, minor: 3 };
        match self.dice.below(12) {
            0..=4 => self.file(),
            5 | 6 if depth < 4 => NodeKind::Directory { tree: self.page(depth + 1) },
            7 => NodeKind::Directory { tree: self.id() },
            8 => NodeKind::Passage { tree: self.id() },
            9 => {
                let special = [
                    NodeKind::Fifo,
                    NodeKind::Socket,
                    NodeKind::CharDevice(device),
                    NodeKind::BlockDevice(device),
                ];
                self.dice.one_of(&special).clone()
            }
            _ => {
                let targets = [
                    outside.to_owned(),
                    format!("{outside}/f"),
                    "../outside".to_owned(),
                    "../../outside/sub".to_owned(),
                    "/etc/passwd".to_owned(),
                    "l0".to_owned(),
                    "/proc/self/fd/3".to_owned(),
                ];
                NodeKind::Symlink { target: self.dice.one_of(&targets).clone().into_bytes() }
            }
        }
    }

    fn attributes(&mut self) -> Attributes {
        let attribute =
            |name: &[u8], value: &[u8]| Attribute { name: name.to_vec(), value: value.to_vec() };
        let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        match self.dice.below(8) {
            0 => Attributes::Inline(vec![
                attribute(b"security.capability", &capability),
                attribute(b"trusted.overlay.opaque", b"y"),
            ]),
            1 => Attributes::Inline(vec![attribute(b"system.posix_acl_access", b"garbage")]),
            2 => Attributes::Inline(vec![attribute(b"user.x", b"1")]),
            3 => Attributes::Blob(self.id()),
            _ => Attributes::None,
        }
    }

    fn node(&mut self, depth: usize) -> Node {
        let (name, kind) = (self.name(), self.kind(depth));
        let mode = *self.dice.one_of(&[0o644, 0o7777, 0, 0o4755, 0o1777]);
        let seconds = *self.dice.one_of(&[0, -1, i64::MAX >> 8, 1_000_000]);
        let mut node = Node::bare(&name, kind, mode, Time { seconds, nanos: 7 });
        (node.uid, node.gid) = (self.dice.below(3) as u32, self.dice.below(3) as u32);
        // Names of one file that are none, and of files that are elsewhere.
        if self.dice.below(3) == 0 {
            node.link_group = Some(self.dice.below(2) as u64);
            node.inode = self.dice.below(2) as u64;
        }
        node.attributes = self.attributes();
        node
    }

    /// A page of a directory: mostly in order, sometimes not, sometimes a parent page that lies.
    fn page(&mut self, depth: usize) -> BlobId {
        let mut nodes: Vec<_> = (0..self.dice.below(6)).map(|_| self.node(depth)).collect();
        if self.dice.below(10) > 0 {
            nodes.sort_by(|a, b| a.name.cmp(&b.name));
            nodes.dedup_by(|a, b| a.name == b.name);
        }
        let mut id = self.writer.put(Kind::Tree, &encode_leaf(&nodes)).unwrap().id;
        if self.dice.below(6) == 0 {
            let mut children = vec![(self.name(), id), (self.name(), self.id())];
            if let Some(first) = nodes.first() {
                children[0].0.clone_from(&first.name);
            }
            children.sort();
            id = self.writer.put(Kind::Tree, &encode_parent(&children)).unwrap().id;
        }
        self.made.push(id);
        id
    }
}

fn forge(repo: &Repo<Open>, outside: &Path, count: u64) -> Vec<BlobId> {
    let dedup = Arc::new(DedupIndex::new(Arc::default()));
    let session = WriteSession::begin(repo, dedup, WriteOptions::default()).unwrap();
    let writer = session.writer().unwrap();
    let mut forger = Forger { writer, dice: Dice::new(1), outside, made: Vec::new() };
    let trees = (0..count).map(|_| forger.page(0)).collect();
    forger.writer.finish().unwrap();
    session.finish().unwrap();
    trees
}

/// No setuid, no device, no socket without privileges.
fn is_harmless(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let meta = fs::symlink_metadata(entry.path()).unwrap();
        let kind = meta.file_type();
        assert!(!kind.is_char_device() && !kind.is_block_device() && !kind.is_socket());
        assert_eq!(meta.mode() & 0o6000, 0, "{:?} {kind:?}", entry.path());
        if kind.is_dir() {
            // What a tree says of a directory may lock its owner out.
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700)).unwrap();
            is_harmless(&entry.path());
        }
    }
}

#[test]
fn f1_a_thousand_hostile_trees_stay_in_their_target() {
    let shared: SharedStore = Arc::new(MemoryStore::new());
    let repo = small::init(&shared);
    let yard = Yard::new();
    let trees = forge(&repo, &yard.outside(), soak(1_000));
    let mut dice = Dice::new(2);
    let (mut restored, mut refused) = (0, 0);
    for (number, tree) in trees.into_iter().enumerate() {
        // Ten of them one over the other: a link of one is in the way of a directory of the next.
        if number % 10 == 0 && yard.target().exists() {
            fs::remove_dir_all(yard.target()).unwrap();
        }
        let roots = vec![Root { path: b"/".to_vec(), tree }];
        let snapshot = Snapshot { roots, ..Snapshot::default() };
        let target = [Target { from: "/".to_owned(), to: yard.target() }];
        let options = RestoreOptions {
            delete_extra: dice.below(2) == 0,
            verify: dice.below(2) == 0,
            ..RestoreOptions::default()
        };
        match restore(&repo, &snapshot, &target, &options, &environment()) {
            Ok(figures) => restored += figures.entries.files + figures.entries.directories,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
        yard.is_untouched(&format!("tree {number}"));
        if yard.target().exists() {
            fs::set_permissions(yard.target(), fs::Permissions::from_mode(0o700)).unwrap();
            is_harmless(&yard.target());
        }
    }
    assert!(restored > 500 && refused > 50, "{restored} restored, {refused} refused: no test");
}

/// What a name holds is shown without what a terminal would obey.
#[test]
fn f1_names_are_escaped_where_they_are_shown() {
    let evil = [&b"a\x1b[2Jb"[..], "\u{202e}gpj.exe".as_bytes(), b"line\nbreak", b"\xff"];
    for name in evil {
        let shown = holdfast_executor::report::printable(name);
        assert!(shown.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{shown:?}");
    }
}

/// Directories and files of the target change places with links to outside while restores run.
#[test]
fn f2_ten_thousand_swaps_during_restores_lead_nowhere() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let mut shelf = Shelf::new();
    for number in 0..40 {
        shelf.file(&format!("d{}/f{number}", number % 4), b"from the snapshot");
    }
    for name in ["f", "f0", "f1", "f2", "f3"] {
        shelf.file(name, b"from the snapshot");
    }
    fs::hard_link(shelf.path("f"), shelf.path("d0/name")).unwrap();
    symlink("f", shelf.path("soft")).unwrap();
    let (_, snapshot) = shelf.backup();
    let yard = Yard::new();
    let to = yard.target();
    fs::create_dir(&to).unwrap();
    let (swaps, restores, wanted) = (AtomicU64::new(0), AtomicU64::new(0), soak(10_000));
    let go_on = || {
        swaps.load(Ordering::Relaxed) < wanted || restores.load(Ordering::Relaxed) < wanted / 100
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut dice = Dice::new(3);
            while go_on() {
                let number = dice.below(4);
                // Names of the topmost directory only: below it the swapper itself might follow a link.
                let (victim, place) = match dice.below(4) {
                    0 => (to.join("f"), yard.outside().join("f")),
                    1 => (to.join(format!("f{number}")), yard.outside().join("f0")),
                    2 => (to.join(format!("d{number}")), yard.outside().join("sub")),
                    _ => (to.join(format!("d{number}")), yard.outside()),
                };
                let aside = to.join(format!("aside{number}"));
                let _ = symlink(place, &aside);
                // Exchanged at once: there is no moment without either.
                let swapped = renameat_with(CWD, &victim, CWD, &aside, RenameFlags::EXCHANGE);
                swaps.fetch_add(u64::from(swapped.is_ok()), Ordering::Relaxed);
                if dice.below(3) == 0 {
                    let _ = fs::remove_file(&aside);
                    let _ = fs::remove_dir_all(&aside);
                }
                std::thread::yield_now();
            }
        });
        while go_on() {
            let number = restores.fetch_add(1, Ordering::Relaxed);
            let options = RestoreOptions {
                delete_extra: number.is_multiple_of(2),
                verify: number.is_multiple_of(3),
                ..RestoreOptions::default()
            };
            let target = [Target { from: "/data".to_owned(), to: to.clone() }];
            // Entries may fail, the whole may fail; what is outside may not change.
            let _ = restore(&shelf.repo, &snapshot, &target, &options, &environment());
        }
    });
    yard.is_untouched(&"after the swaps");
}

/// A link count of hundreds, and groups in which one name lies about the others: exact, or a file of its own.
#[test]
fn f3_many_names_of_one_file_come_back_as_one() {
    let names = soak(400).min(60_000);
    let mut shelf = Shelf::new();
    shelf.file("a/first", b"one file");
    for number in 1..names {
        fs::create_dir_all(shelf.path(&format!("d{}", number % 7))).unwrap();
        let name = format!("d{}/n{number}", number % 7);
        fs::hard_link(shelf.path("a/first"), shelf.path(&name)).unwrap();
    }
    let (_, snapshot) = shelf.backup();
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    let figures = shelf.restore_from(&shelf.repo, &snapshot, &to).unwrap();
    assert_eq!((figures.failed.count, figures.entries.hard_links), (0, names - 1));
    assert_eq!(facts(&to), facts(&shelf.path("")));
}

/// A name of a target that is a hard link to outside is replaced, and never written through.
#[test]
fn f3_hard_links_to_outside_are_replaced() {
    let mut shelf = Shelf::new();
    let yard = Yard::new();
    // Of the same size and time as what lies outside, so that nothing but the link tells them apart.
    for path in ["f", "name"] {
        shelf.file(path, b"replaced");
        fs::set_permissions(shelf.path(path), fs::Permissions::from_mode(0o666)).unwrap();
        support::set_mtime(&shelf.path(path), 1_000_000, 7);
    }
    fs::hard_link(shelf.path("f"), shelf.path("f0")).unwrap();
    let (_, snapshot) = shelf.backup();
    fs::create_dir(yard.target()).unwrap();
    for path in ["f", "name", "f0"] {
        fs::hard_link(yard.outside().join(path), yard.target().join(path)).unwrap();
    }
    let figures = shelf.restore_from(&shelf.repo, &snapshot, &yard.target()).unwrap();
    assert_eq!((figures.failed.count, figures.files_unchanged), (0, 0));
    yard.is_untouched(&"links were planted");
    assert_eq!(facts(&yard.target()), facts(&shelf.path("")));
}
