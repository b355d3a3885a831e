//! Dump: what comes out is what went in, and the system's tar takes it.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod shelf;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use holdfast_executor::error::Error;
use holdfast_executor::repo::{Dump, Dumped};
use proptest::prelude::*;

use shelf::{Shelf, noise, steps};

fn dumped(shelf: &Shelf, path: &str, full_names: bool) -> (Vec<u8>, Dumped) {
    let (_, snapshot) = shelf.taken.last().unwrap();
    let dump = Dump::at(&shelf.repo, snapshot, path, full_names).unwrap();
    let mut out = Vec::new();
    let done = dump.write(&mut out).unwrap();
    (out, done)
}

/// Unpacks with the system's tar.
fn unpack(archive: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--preserve-permissions", "--file=-", "--directory"]).arg(dir.path());
    let mut child = tar.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(archive).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    dir
}

/// What can be seen of every entry, by relative path; of directories no time, as unpacking sets it late.
fn facts(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut all = BTreeMap::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(path) = ahead.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let what = if meta.is_dir() {
            ahead.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            "directory".to_owned()
        } else if meta.is_symlink() {
            format!("to {:?}", fs::read_link(&path).unwrap())
        } else if meta.is_file() {
            let hash = blake3::hash(&fs::read(&path).unwrap());
            format!("{hash} {} {}.{}", meta.nlink(), meta.mtime(), meta.mtime_nsec())
        } else {
            format!("{:?}", meta.file_type())
        };
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        all.insert(name, format!("{what} {:o}", meta.mode() & 0o7777));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 20, ..ProptestConfig::default() })]

    #[test]
    fn a_directory_comes_back_through_tar(steps in steps()) {
        let mut shelf = Shelf::new();
        steps.iter().flatten().for_each(|step| step.apply(&shelf));
        shelf.file("one", b"1");
        shelf.backup();
        let (archive, done) = dumped(&shelf, "/data", false);
        let wanted = facts(&shelf.path(""));
        prop_assert_eq!(done.entries, wanted.len() as u64);
        prop_assert_eq!(facts(unpack(&archive).path()), wanted);
    }
}

#[test]
fn names_links_holes_and_times_that_need_more_than_a_classic_header() {
    let mut shelf = Shelf::new();
    let long = format!("{}/{}/x", "d".repeat(200), "e".repeat(200));
    shelf.file(&long, b"deep");
    shelf.file("größe", b"utf-8");
    let odd = shelf.path("").join(std::ffi::OsStr::from_bytes(b"no text \xff\xfe"));
    fs::write(&odd, b"bytes").unwrap();
    symlink("t".repeat(180), shelf.path("link")).unwrap();
    fs::hard_link(shelf.path(&long), shelf.path("z-second-name")).unwrap();
    fs::set_permissions(shelf.path("größe"), fs::Permissions::from_mode(0o4711)).unwrap();
    let sparse = fs::File::create(shelf.path("sparse")).unwrap();
    sparse.set_len(5_000_000).unwrap();
    sparse.write_all_at(b"in the middle", 3_000_000).unwrap();
    let old = rustix::fs::Timespec { tv_sec: -5, tv_nsec: 123_456_789 };
    let times = rustix::fs::Timestamps { last_access: old, last_modification: old };
    rustix::fs::utimensat(rustix::fs::CWD, shelf.path(&long), &times, rustix::fs::AtFlags::empty())
        .unwrap();
    shelf.backup();
    let (archive, done) = dumped(&shelf, "/data", false);
    assert_eq!(done.skipped, 0);
    let unpacked = unpack(&archive);
    assert_eq!(facts(unpacked.path()), facts(&shelf.path("")));
    let inode = |name: &str| fs::metadata(unpacked.path().join(name)).unwrap().ino();
    assert_eq!(inode(&long), inode("z-second-name"));
}

#[test]
fn a_file_is_its_bytes_and_nothing_else() {
    let mut shelf = Shelf::new();
    let content = noise(9_000_000, 3);
    shelf.file("d/large", &content);
    shelf.file("empty", b"");
    shelf.backup();
    let (bytes, done) = dumped(&shelf, "/data/d/large", false);
    assert!(bytes == content, "{} bytes", bytes.len());
    assert_eq!(done, Dumped { entries: 1, bytes: 9_000_000, skipped: 0 });
    assert_eq!(dumped(&shelf, "/data/empty", true).0, b"");
}

#[test]
fn full_names_have_the_whole_path() {
    let mut shelf = Shelf::new();
    shelf.file("d/x", b"x");
    shelf.backup();
    for (path, full, wanted) in
        [("/data/d", true, "data/d/x"), ("/data/d", false, "x"), ("/", false, "data/d/x")]
    {
        let unpacked = unpack(&dumped(&shelf, path, full).0);
        assert_eq!(fs::read(unpacked.path().join(wanted)).unwrap(), b"x", "{path} {full}");
    }
}

#[test]
fn what_cannot_be_written_or_is_not_there_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut shelf = Shelf::new();
    shelf.file("x", b"x");
    let (_, snapshot) = shelf.backup();
    let none = Dump::at(&shelf.repo, &snapshot, "/data/y", false);
    assert!(matches!(none, Err(Error::NoSuch { .. })));
    let dump = Dump::at(&shelf.repo, &snapshot, "/data/x", false).unwrap();
    assert!(matches!(dump.write(&mut Full), Err(Error::Io { .. })));
}
