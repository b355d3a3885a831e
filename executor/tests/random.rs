//! Random trees: changed, backed up and restored, again and again.

#![allow(clippy::unwrap_used)] // functions of a test file that are no tests themselves

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use holdfast_executor::job::{RestoreOptions, Target};
use holdfast_executor::repo::{Environment, Trees, restore};
use holdfast_executor::report::{Figures, Outcome, Quiet};
use proptest::prelude::*;
use support::{Bench, facts, settle};

/// One change of a tree. Paths come from a small set, so that changes meet each other.
#[derive(Debug, Clone)]
enum Change {
    Write { path: PathBuf, seed: u64, len: usize },
    Sparse { path: PathBuf, at: u64, len: u64 },
    Append { path: PathBuf, len: usize },
    Mode { path: PathBuf, mode: u32 },
    Time { path: PathBuf, seconds: i64, nanos: i64 },
    Attribute { path: PathBuf, name: u8, len: usize },
    Symlink { path: PathBuf, target: Vec<u8> },
    Link { from: PathBuf, to: PathBuf },
    Directory { path: PathBuf },
    Fifo { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
}

/// All three names of a file together stay below the 4 KiB that ext4 has for them.
const ATTRIBUTE_BYTES: usize = 1_200;

fn any_path() -> impl Strategy<Value = PathBuf> {
    let name = prop_oneof![
        "[a-d]".prop_map(String::into_bytes),
        Just(b"\xff\xfe".to_vec()),
        Just(b"with space\n".to_vec())
    ];
    proptest::collection::vec(name, 1..4)
        .prop_map(|names| names.iter().map(|name| std::ffi::OsStr::from_bytes(name)).collect())
}

fn any_change() -> impl Strategy<Value = Change> {
    let len = prop_oneof![4 => 0..5_000usize, 2 => 100_000..700_000usize, 1 => Just(9_000_000)];
    prop_oneof![
        6 => (any_path(), any::<u64>(), len).prop_map(|(path, seed, len)| Change::Write { path, seed, len }),
        1 => (any_path(), 0..3_000_000u64, 0..5_000_000u64).prop_map(|(path, at, len)| Change::Sparse { path, at, len }),
        1 => (any_path(), 1..300_000usize).prop_map(|(path, len)| Change::Append { path, len }),
        1 => (any_path(), 0..=0o777u32).prop_map(|(path, mode)| Change::Mode { path, mode }),
        1 => (any_path(), -9_000_000i64..9_000_000_000, 0..1_000_000_000i64).prop_map(|(path, seconds, nanos)| Change::Time { path, seconds, nanos }),
        1 => (any_path(), 0..3u8, 0..ATTRIBUTE_BYTES).prop_map(|(path, name, len)| Change::Attribute { path, name, len }),
        1 => (any_path(), proptest::collection::vec(1..=255u8, 1..40)).prop_map(|(path, target)| Change::Symlink { path, target }),
        1 => (any_path(), any_path()).prop_map(|(from, to)| Change::Link { from, to }),
        1 => any_path().prop_map(|path| Change::Directory { path }),
        1 => any_path().prop_map(|path| Change::Fifo { path }),
        1 => (any_path(), any_path()).prop_map(|(from, to)| Change::Rename { from, to }),
        2 => any_path().prop_map(|path| Change::Remove { path }),
    ]
}

/// Makes the change where it is possible; a change that is not leaves the tree as it is.
fn apply(root: &Path, change: &Change) {
    let ready = |path: &PathBuf| {
        let path = root.join(path);
        let _ = fs::create_dir_all(path.parent().unwrap());
        path
    };
    let regular = |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    match change {
        Change::Write { path, seed, len } => {
            let path = ready(path);
            if regular(&path) || !path.exists() {
                let _ = fs::write(path, support::noise(*len, *seed));
            }
        }
        Change::Sparse { path, at, len } => {
            if let Ok(file) = fs::File::create_new(ready(path)) {
                file.set_len(*len).unwrap();
                file.write_all_at(b"island", *at).unwrap();
            }
        }
        Change::Append { path, len } => {
            let path = ready(path);
            if regular(&path) {
                let mut bytes = fs::read(&path).unwrap();
                bytes.extend(support::noise(*len, 1));
                let _ = fs::write(path, bytes);
            }
        }
        Change::Mode { path, mode } => {
            let path = ready(path);
            if !path.is_symlink() {
                // The test must still be able to go through its own directories.
                let mode = if path.is_dir() { mode | 0o700 } else { mode | 0o600 };
                let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
            }
        }
        Change::Time { path, seconds, nanos } => {
            let path = ready(path);
            if fs::symlink_metadata(&path).is_ok() {
                support::set_mtime(&path, *seconds, *nanos);
            }
        }
        Change::Attribute { path, name, len } => {
            let path = ready(path);
            if regular(&path) || path.is_dir() && !path.is_symlink() {
                support::set_attribute(&path, &format!("user.{name}"), &support::noise(*len, 5));
            }
        }
        Change::Symlink { path, target } => {
            let _ = symlink(std::ffi::OsStr::from_bytes(target), ready(path));
        }
        Change::Link { from, to } => {
            let (from, to) = (ready(from), ready(to));
            if regular(&from) {
                let _ = fs::hard_link(from, to);
            }
        }
        Change::Directory { path } => drop(fs::create_dir(ready(path))),
        Change::Fifo { path } => {
            let path = ready(path);
            if fs::symlink_metadata(&path).is_err() && path.parent().unwrap().is_dir() {
                support::fifo(&path);
            }
        }
        Change::Rename { from, to } => drop(fs::rename(root.join(from), ready(to))),
        Change::Remove { path } => {
            let path = root.join(path);
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir_all(&path);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 20, max_shrink_iters: 60, ..Default::default() })]

    #[test]
    fn what_is_backed_up_comes_back(
        rounds in proptest::collection::vec(proptest::collection::vec(any_change(), 1..14), 1..4),
        workers in 1..5u32,
    ) {
        let bench = Bench::new().with_workers(workers);
        // A name that no change touches: an empty source after a full one is a failure by rule.
        fs::write(bench.source().join("always"), b"here").unwrap();
        let in_place = bench.dir("in place");
        let mut taken: Vec<(String, BTreeMap<String, String>)> = Vec::new();
        for changes in &rounds {
            changes.iter().for_each(|change| apply(&bench.source(), change));
            settle();
            let run = bench.backup();
            prop_assert!(matches!(run.report.outcome, Outcome::Succeeded { .. }), "{:#?}", run.report);
            taken.push((run.info().id, facts(&bench.source())));
        }
        let repo = bench.open();
        let environment = Environment { at: 0, workers: workers as usize, memory_bytes: 0, progress: &Quiet, repository: "r" };
        for (number, (id, expected)) in taken.iter().enumerate() {
            let (_, snapshot) = repo.find_snapshot(id, None).unwrap();
            for to in [bench.dir(&format!("fresh {number}")), in_place.clone()] {
                let options = RestoreOptions { delete_extra: true, verify: true, privileged: true, ..Default::default() };
                let target = [Target { from: "/data".to_owned(), to: to.clone() }];
                let figures = restore(&repo, &snapshot, &target, &options, &environment).unwrap();
                prop_assert_eq!(figures.failed.count, 0, "{:?}", figures.failed);
                prop_assert_eq!(&facts(&to), expected);
            }
        }
        let report = repo.check(Default::default(), Some(&Trees)).unwrap();
        prop_assert!(report.affected.is_empty() && report.findings.is_empty(), "{:?}", report.findings);
    }
}

/// A user that may not read some of the source.
#[test]
fn what_cannot_be_read_is_listed_and_makes_the_snapshot_partial() {
    const AS_NOBODY: &str = "HOLDFAST_TEST_AS_NOBODY";
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    let bench = Bench::new();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root && std::env::var_os(AS_NOBODY).is_none() {
        // Root reads everything: the same test again, as somebody else.
        let name = "what_cannot_be_read_is_listed_and_makes_the_snapshot_partial";
        let copy = tempfile::tempdir().unwrap();
        let program = copy.path().join("test");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let mut child = std::process::Command::new(program);
        child.args(["--exact", name]).uid(65_534).gid(65_534).current_dir("/");
        let output = child.env(AS_NOBODY, "1").env("TMPDIR", copy.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    for path in ["open", "closed", "dir/inside", "dir2/f"] {
        let path = bench.source().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"x").unwrap();
    }
    let set = |path: &str, mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(bench.source().join(path), mode).unwrap();
    };
    set("closed", 0);
    set("dir", 0);
    settle();
    let run = bench.backup();
    let partial = run.report.outcome.clone();
    let Figures::Backup(figures) = &run.report.repositories[0].figures else {
        panic!("{partial:?}")
    };
    assert!(matches!(partial, Outcome::Partial { .. }), "{partial:?}");
    assert_eq!(figures.unreadable.count, 2);
    let paths: Vec<_> = figures.unreadable.first.iter().map(|item| &item.path[..]).collect();
    assert_eq!(paths, ["/data/closed", "/data/dir"]);
    assert!(run.info().partial);
    let none = bench.restore("latest", "/", &bench.dir("a"), RestoreOptions::default());
    assert_eq!(support::failure(&none), holdfast_executor::report::FailureKind::SnapshotNotFound);
    let named = bench.restore(&run.info().id, "/data", &bench.dir("b"), RestoreOptions::default());
    assert!(matches!(named.outcome, Outcome::Succeeded { .. }), "{named:?}");
    assert!(bench.dir("b/dir2/f").exists());
    let mut lenient = bench.clone();
    lenient.allow_partial = true;
    assert!(matches!(lenient.backup().report.outcome, Outcome::Succeeded { .. }));
    set("dir", 0o700);
    let whole = bench.with_sources(vec![holdfast_executor::job::Source::Directory {
        path: bench.source().join("dir"),
        stored_as: "/data".to_owned(),
    }]);
    set("dir", 0);
    assert_eq!(whole.backup().failed(), holdfast_executor::report::FailureKind::SourceUnreadable);
    set("dir", 0o700);
}

/// Somebody who asks for a privileged restore without the rights for it.
#[test]
fn f4_rights_that_are_missing_are_counted_and_cost_no_file() {
    const AS_NOBODY: &str = "HOLDFAST_TEST_WITHOUT_RIGHTS";
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    if fs::metadata("/proc/self").unwrap().uid() != 0 && std::env::var_os(AS_NOBODY).is_none() {
        return; // only root can make files of others
    }
    let name = "f4_rights_that_are_missing_are_counted_and_cost_no_file";
    if let Some(repository) = std::env::var_os(AS_NOBODY) {
        let bench = Bench::new().with_repository(Path::new(&repository));
        let options = RestoreOptions { privileged: true, ..Default::default() };
        let to = bench.dir("to");
        let report = bench.restore("latest", "/data", &to, options);
        let Figures::Restore(figures) = &report.repositories[0].figures else {
            panic!("{report:?}")
        };
        assert_eq!(figures.failed.count, 0, "{:?}", figures.failed);
        let skipped = figures.skipped;
        // The directory and both files are root's; the attribute is the kernel's.
        assert_eq!((skipped.owners, skipped.capabilities), (3, 1), "{skipped:?}");
        assert_eq!(fs::read(to.join("f")).unwrap(), b"content");
        return;
    }
    let bench = Bench::new();
    fs::write(bench.source().join("f"), b"content").unwrap();
    fs::write(bench.source().join("capable"), b"content").unwrap();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    support::set_attribute(&bench.source().join("capable"), "security.capability", &capability);
    bench.backup().succeeded();
    let copy = tempfile::tempdir().unwrap();
    let repository = copy.path().join("repository");
    let program = copy.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([bench.repository(), &repository])
        .status()
        .unwrap();
    assert!(copied.success());
    let opened =
        std::process::Command::new("chmod").args(["-R", "a+rwX"]).arg(copy.path()).status();
    assert!(opened.unwrap().success());
    let mut child = std::process::Command::new(program);
    child.args(["--exact", name]).uid(65_534).gid(65_534).current_dir("/");
    let output = child.env(AS_NOBODY, &repository).env("TMPDIR", copy.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
