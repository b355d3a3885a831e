//! Targets that do not take what is restored: full, read-only, without attributes. Each failure has its name,
//! nothing half is left, and the same restore completes it.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod shelf;
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use holdfast_executor::digest::{BlobId, Kind};
use holdfast_executor::error::Error;
use holdfast_executor::index::DedupIndex;
use holdfast_executor::job::{RestoreOptions, Target};
use holdfast_executor::repo::{self, Open, Repo, WriteOptions, WriteSession};
use holdfast_executor::report::{Quiet, RestoreFigures};
use holdfast_executor::snapshot::{Root, Snapshot};
use holdfast_executor::tree::{
    Attribute, Attributes, Content, Node, NodeKind, Piece, Time, encode_leaf,
};
use shelf::{Shelf, noise};
use support::facts;

fn filled() -> Shelf {
    let shelf = Shelf::new();
    for number in 0..24 {
        shelf.file(&format!("d{}/f{number:02}", number % 3), &noise(100_000, number));
    }
    support::settle();
    shelf
}

/// A disk of 4 MiB in a mount namespace of its own; somebody without rights gets one in a user namespace.
const FULL: &str = "f7_a_full_target_is_named_and_the_next_restore_completes_it";

#[test]
fn f7_a_full_target_is_named_and_the_next_restore_completes_it() {
    if let Some(mount) = std::env::var_os("HOLDFAST_TEST_MOUNT") {
        onto_a_small_disk(Path::new(&mount));
        return;
    }
    on_a_small_disk(FULL);
}

/// Runs a test again where a directory is a disk of 4 MiB; nothing where nobody may mount one.
fn on_a_small_disk(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=4m none \"$HOLDFAST_TEST_MOUNT\" && exec \"$@\"";
    let mut child = Command::new("unshare");
    child.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    child.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
    let output = child.env("HOLDFAST_TEST_MOUNT", dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare failed") || said.contains("Operation not permitted") {
        println!("no namespaces here: the test below and e2e's full_disk remain");
        return;
    }
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{said}");
}

fn onto_a_small_disk(mount: &Path) {
    let mut shelf = filled();
    let (_, snapshot) = shelf.backup();
    let (to, filler) = (mount.join("to"), mount.join("filler"));
    fs::write(&filler, noise(3 << 20, 99)).unwrap();
    let error = shelf.restore_from(&shelf.repo, &snapshot, &to).unwrap_err();
    assert!(matches!(error, Error::Target { .. } | Error::Io { .. }), "{error:?}");
    for (path, fact) in facts(&to) {
        // What is there is whole, or empty: a part of a file is never left under its name.
        let whole = !fact.starts_with("file") || fact.starts_with("file 100000 ");
        assert!(whole, "{path}: {fact}");
    }
    // Space is back: the same restore goes on, into what it has left.
    fs::remove_file(&filler).unwrap();
    let figures = shelf.restore_from(&shelf.repo, &snapshot, &to).unwrap();
    assert_eq!(figures.failed.count, 0, "{:?}", figures.failed);
    assert!(figures.files_unchanged > 0, "what was there already is not written again");
    assert_eq!(facts(&to), facts(&shelf.path("")));
}

/// Where a file may not grow it is named, nothing of it is left, and smaller ones are there.
#[test]
fn f7_a_file_that_the_target_does_not_take_costs_only_itself() {
    const NAME: &str = "f7_a_file_that_the_target_does_not_take_costs_only_itself";
    if std::env::var_os("HOLDFAST_TEST_LIMITED").is_none() {
        // Blocks of 512 or 1,024 bytes: a file of 100,000 is too large in either.
        let script = "trap '' XFSZ; ulimit -f 60; exec \"$@\"";
        let mut child = Command::new("sh");
        child.args(["-c", script, "sh"]).arg(std::env::current_exe().unwrap());
        child.args(["--exact", NAME, "--nocapture"]).env("HOLDFAST_TEST_LIMITED", "1");
        let output = child.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let mut shelf = Shelf::new();
    for number in 0..4 {
        shelf.file(&format!("part{number}"), &noise(20_000, number));
    }
    let (_, parts) = shelf.backup();
    let mut pieces = Vec::new();
    for (_, node) in shelf.entries(&parts) {
        if let NodeKind::File { content: Content::Pieces(own), size: 20_000 } = node.kind {
            pieces.extend(own);
        }
    }
    let size = pieces.iter().map(Piece::len).sum();
    assert_eq!(size, 80_000);
    let content = Content::Pieces(pieces);
    let large = Node::bare(b"large", NodeKind::File { size, content }, 0o644, Time::default());
    let empty = NodeKind::File { size: 0, content: Content::Pieces(Vec::new()) };
    let small = Node::bare(b"small", empty, 0o644, Time::default());
    let snapshot = forged(&shelf.repo, &[large, small]);
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    let figures = shelf.restore_from(&shelf.repo, &snapshot, &to).unwrap();
    let failed: Vec<_> = figures.failed.first.iter().map(|item| &item.path[..]).collect();
    assert_eq!(failed, ["/data/large"]);
    assert!(!to.join("large").exists() && to.join("small").exists());
}

/// A snapshot of one directory that nobody's walk has made.
fn forged(repo: &Repo<Open>, nodes: &[Node]) -> Snapshot {
    let index = repo.index_for_reading().unwrap().index().clone();
    let dedup = Arc::new(DedupIndex::new(index));
    let session = WriteSession::begin(repo, dedup, WriteOptions::default()).unwrap();
    let mut writer = session.writer().unwrap();
    let tree = writer.put(Kind::Tree, &encode_leaf(nodes)).unwrap().id;
    let data = Node::bare(b"data", NodeKind::Directory { tree }, 0o755, Time::default());
    let tree = writer.put(Kind::Tree, &encode_leaf(&[data])).unwrap().id;
    writer.finish().unwrap();
    session.finish().unwrap();
    let roots = vec![Root { path: b"/".to_vec(), tree }];
    Snapshot { roots, ..Snapshot::default() }
}

fn deleting() -> RestoreOptions {
    RestoreOptions { delete_extra: true, ..RestoreOptions::default() }
}

/// Restores with deletion. The rehearsal before it counts the same.
fn clean(shelf: &Shelf, snapshot: &Snapshot, to: &Path) -> RestoreFigures {
    let target = Target { from: "/data".to_owned(), to: to.to_owned() };
    let said =
        repo::rehearse(&shelf.repo, snapshot, &target, &deleting(), &Quiet, |_, _| Ok(())).unwrap();
    let environment = shelf::environment();
    let done = repo::restore(&shelf.repo, snapshot, &[target], &deleting(), &environment).unwrap();
    assert_eq!((said.deleted, said.failed.count), (done.deleted, done.failed.count), "{said:?}");
    done
}

/// A page of the tree that is lost: what is still there may be the only copy of what it named.
#[test]
fn k04_nothing_goes_where_a_page_is_lost() {
    let shelf = Shelf::new();
    let kind = NodeKind::Directory { tree: BlobId([7; 16]) };
    let snapshot = forged(&shelf.repo, &[Node::bare(b"lost", kind, 0o755, Time::default())]);
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("renamed")).unwrap();
    fs::write(dir.path().join("renamed/f"), b"the only copy").unwrap();
    let figures = clean(&shelf, &snapshot, dir.path());
    let failed: Vec<_> = figures.failed.first.iter().map(|item| &item.path[..]).collect();
    assert_eq!((figures.deleted, failed), (0, vec!["/data", "/data/lost"]));
    assert!(dir.path().join("renamed/f").exists());
}

/// Something is mounted where the snapshot has a file, a link, a directory: none of them is restored.
#[test]
fn k04_nothing_goes_where_something_is_in_the_way() {
    const NAME: &str = "k04_nothing_goes_where_something_is_in_the_way";
    let Some(mount) = std::env::var_os("HOLDFAST_TEST_MOUNT") else { return on_a_small_disk(NAME) };
    let mount = Path::new(&mount);
    let mut shelf = Shelf::new();
    shelf.file("d/f", b"d");
    shelf.file("f", b"f");
    shelf.file("g", b"g");
    fs::hard_link(shelf.path("f"), shelf.path("link")).unwrap();
    symlink("f", shelf.path("symlink")).unwrap();
    let (_, snapshot) = shelf.backup();
    fs::write(mount.join("other"), b"other").unwrap();
    fs::create_dir(mount.join("others")).unwrap();
    for (number, name) in ["d", "f", "link", "symlink"].into_iter().enumerate() {
        let to = mount.join(format!("to {number}"));
        fs::create_dir_all(to.join("renamed")).unwrap();
        fs::write(to.join("renamed/f"), b"the only copy").unwrap();
        let (from, over) = (if name == "d" { "others" } else { "other" }, to.join(name));
        match name {
            "d" => fs::create_dir(&over).unwrap(),
            _ => fs::write(&over, b"").unwrap(),
        }
        let mut bind = Command::new("mount");
        assert!(bind.arg("--bind").arg(mount.join(from)).arg(&over).status().unwrap().success());
        let figures = clean(&shelf, &snapshot, &to);
        assert_eq!((figures.deleted, figures.failed.count), (0, 2), "{name}: {figures:?}");
        assert!(to.join("renamed/f").exists() && to.join("g").exists(), "{name}");
        assert!(Command::new("umount").arg(&over).status().unwrap().success());
        assert_eq!(clean(&shelf, &snapshot, &to).deleted, 2, "{name}");
    }
}

/// The directory that a file system has for itself is nobody's extra, but where the snapshot has it too.
#[test]
fn k08_lost_and_found_stays_at_the_top_of_a_mount() {
    const NAME: &str = "k08_lost_and_found_stays_at_the_top_of_a_mount";
    let Some(mount) = std::env::var_os("HOLDFAST_TEST_MOUNT") else { return on_a_small_disk(NAME) };
    let to = Path::new(&mount);
    let fill = || {
        for path in ["lost+found", "sub/lost+found"] {
            fs::create_dir_all(to.join(path)).unwrap();
            fs::write(to.join(path).join("#12"), b"x").unwrap();
        }
    };
    let mut shelf = Shelf::new();
    shelf.file("sub/f", b"x");
    let (_, snapshot) = shelf.backup();
    fill();
    let figures = clean(&shelf, &snapshot, to);
    assert_eq!((figures.deleted, figures.failed.count), (2, 0), "{figures:?}");
    assert!(to.join("lost+found/#12").exists() && !to.join("sub/lost+found").exists());
    shelf.file("lost+found/f", b"x");
    let (_, snapshot) = shelf.backup();
    fill();
    assert_eq!(clean(&shelf, &snapshot, to).deleted, 3);
    assert!(to.join("lost+found/f").exists() && !to.join("lost+found/#12").exists());
}

#[test]
fn f7_a_read_only_target_is_named() {
    const NAME: &str = "f7_a_read_only_target_is_named";
    if !as_nobody(NAME) {
        return;
    }
    let mut shelf = filled();
    let (_, snapshot) = shelf.backup();
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let error = shelf.restore_from(&shelf.repo, &snapshot, &dir.path().join("to")).unwrap_err();
    assert!(matches!(&error, Error::Target { path, .. } if path.ends_with("to")), "{error:?}");
    // A directory inside that takes nothing costs what belongs into it, and no more.
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("d1");
    fs::create_dir(&closed).unwrap();
    fs::write(closed.join("mine"), b"stays").unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let figures = shelf.restore_from(&shelf.repo, &snapshot, dir.path()).unwrap();
    let failed = figures.failed.count;
    assert!(failed == 0 || failed == 8, "{:?}", figures.failed);
    assert_eq!(fs::read(closed.join("mine")).unwrap(), b"stays");
    let names = |path: &str| fs::read_dir(dir.path().join(path)).unwrap().count();
    assert_eq!((names("d0"), names("d2")), (8, 8));
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    let figures = shelf.restore_from(&shelf.repo, &snapshot, dir.path()).unwrap();
    assert_eq!((figures.failed.count, names("d1")), (0, 9));
}

/// Runs the test again as somebody who is not root, where we are. Returns whether this is that run.
fn as_nobody(name: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return true;
    }
    let copy = tempfile::tempdir().unwrap();
    let program = copy.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut child = Command::new(program);
    child.args(["--exact", name]).uid(65_534).gid(65_534).current_dir("/");
    let output = child.env("TMPDIR", copy.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    false
}

/// Attributes that the target does not know are counted, and cost no file. No file system knows this one, so
/// that each answers as one without any attributes does.
#[test]
fn f7_a_target_without_attributes_gets_the_rest() {
    let shelf = Shelf::new();
    let attribute = |name: &[u8]| Attribute { name: name.to_vec(), value: b"value".to_vec() };
    let mut node = Node::bare(b"f", NodeKind::Fifo, 0o640, Time { seconds: 5, nanos: 6 });
    node.kind = NodeKind::File { size: 0, content: Content::Pieces(Vec::new()) };
    node.attributes = Attributes::Inline(vec![attribute(b"nobody.knows"), attribute(b"user.kept")]);
    let snapshot = forged(&shelf.repo, &[node]);
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    let figures = shelf.restore_from(&shelf.repo, &snapshot, &to).unwrap();
    assert_eq!((figures.failed.count, figures.skipped.unsupported_attributes), (0, 1));
    assert_eq!(support::attributes(&to.join("f")), [("user.kept".to_owned(), b"value".to_vec())]);
    let fact = &facts(&to)["f"];
    assert!(fact.contains(" 640 (5, 6) "), "mode and time are set all the same: {fact}");
}
