//! A rehearsal says what a restore then does, and does nothing itself.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod shelf;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use holdfast_executor::job::{RestoreOptions, Selection, Target};
use holdfast_executor::repo::{self, Action, Environment};
use holdfast_executor::report::{Quiet, RestoreFigures};
use holdfast_executor::source::CACHE_MARKER;
use proptest::prelude::*;

use shelf::{Shelf, Step, steps};

/// Everything that can be seen of a directory.
fn look(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(path) = ahead.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let content = if meta.is_dir() {
            ahead.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            String::new()
        } else if meta.is_symlink() {
            format!("{:?}", fs::read_link(&path).unwrap())
        } else {
            blake3::hash(&fs::read(&path).unwrap()).to_string()
        };
        let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime_nsec(), meta.ino());
        all.insert(path, format!("{:?} {:o} {times:?} {content}", meta.file_type(), meta.mode()));
    }
    all
}

/// Without what a rehearsal does not count.
fn counted(figures: RestoreFigures) -> RestoreFigures {
    let skipped = holdfast_executor::report::Skipped {
        sockets: figures.skipped.sockets,
        devices: figures.skipped.devices,
        ..Default::default()
    };
    let mut failed = figures.failed;
    // The words differ where the system has some of its own.
    failed.first.iter_mut().for_each(|listed| listed.message.clear());
    RestoreFigures { skipped, failed, unset: Default::default(), ..figures }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_restore_does_what_its_rehearsal_said(
        steps in steps(),
        meanwhile in proptest::collection::vec((0..3u8, 0..6u8, 0..12u8), 0..8),
        options in (any::<bool>(), any::<bool>(), 0..3u8, 0..3u8),
        from_data: bool,
    ) {
        let mut shelf = Shelf::new();
        steps.iter().flatten().for_each(|step| step.apply(&shelf));
        shelf.file("d0/one", b"1");
        fs::hard_link(shelf.path("d0/one"), shelf.path("two")).unwrap();
        drop(symlink("d0", shelf.path("link")));
        let (_, snapshot) = shelf.backup();
        let (delete_extra, verify, include, exclude) = options;
        let globs = |which| match which {
            0 => vec![],
            1 => vec!["a[0-5]".to_owned(), "link".to_owned()],
            _ => vec!["/data/d1".to_owned(), "s0".to_owned()],
        };
        let options = RestoreOptions {
            include: globs(include),
            exclude: if include == exclude { vec![] } else { globs(exclude) },
            delete_extra,
            verify,
            ..Default::default()
        };
        let root = tempfile::tempdir().unwrap();
        let to = root.path().join("target");
        let from = if from_data { "/data" } else { "/" };
        let target = Target { from: from.to_owned(), to: to.clone() };
        let restore = || {
            let environment = Environment {
                at: shelf::now(), workers: 1, memory_bytes: 0, progress: &Quiet, repository: "main",
            };
            let targets = std::slice::from_ref(&target);
            repo::restore(&shelf.repo, &snapshot, targets, &options, &environment).unwrap()
        };
        let rehearse = || {
            let mut said = BTreeMap::new();
            let figures = repo::rehearse(&shelf.repo, &snapshot, &target, &options, &Quiet, |path, action| {
                said.insert(String::from_utf8(path.to_vec()).unwrap(), action.clone());
                Ok(())
            }).unwrap();
            (figures, said)
        };
        // Into nothing, and then into what came of that, with changes.
        for round in 0..2 {
            let before = look(&to);
            let (figures, said) = rehearse();
            prop_assert_eq!(&before, &look(&to), "a rehearsal changes nothing");
            prop_assert_eq!(counted(restore()), counted(figures));
            let place = |path: &Path| {
                let relative = path.strip_prefix(&to).unwrap().to_str().unwrap();
                format!("{}/{relative}", from.trim_end_matches('/'))
            };
            let (before, after): (BTreeSet<_>, BTreeSet<_>) = (
                before.keys().map(|path| place(path)).collect(),
                look(&to).keys().map(|path| place(path)).collect(),
            );
            for path in after.difference(&before) {
                let made = matches!(said.get(path), Some(Action::Make));
                let top = path.trim_end_matches('/') == from.trim_end_matches('/');
                let link = path.ends_with("/two") || path.ends_with("/one");
                prop_assert!(made || top || link, "{} was made: {:?}", path, said.get(path));
            }
            for (path, action) in &said {
                let (was, is) = (before.contains(path), after.contains(path));
                match action {
                    Action::Make => prop_assert!(!was && is, "{path}"),
                    Action::Replace => prop_assert!(was && is, "{path}"),
                    Action::Remove => prop_assert!(was && !is, "{path}"),
                    Action::Refuse(_) => {}
                }
            }
            if round == 0 {
                change(&to.join(if from_data { "" } else { "data" }), &meanwhile);
            }
        }
    }
}

/// What others do to a target between two restores.
fn change(base: &Path, steps: &[(u8, u8, u8)]) {
    for (dir, name, what) in steps {
        let path =
            format!("d{dir}/s{}/{}{name}", name % 2, ["a", "B", "c.txt"][usize::from(name % 3)]);
        let path = base.join(path);
        let _ = fs::create_dir_all(path.parent().unwrap());
        match what {
            0 => drop(fs::remove_file(&path)),
            1 => drop(fs::remove_dir_all(path.parent().unwrap())),
            2 => drop(fs::write(&path, b"changed")),
            3 => drop(fs::write(base.join(format!("extra{name}")), b"extra")),
            4 => drop(fs::create_dir_all(base.join(format!("extra/{dir}/{name}")))),
            5 => {
                drop(fs::remove_file(&path));
                drop(fs::create_dir(&path));
            }
            6 => {
                drop(fs::remove_file(&path));
                drop(fs::create_dir_all(path.join("full")));
            }
            7 => {
                drop(fs::remove_file(&path));
                // Relative, so that whoever writes through it stays beneath the target.
                drop(symlink("dangling", &path));
            }
            8 => drop(fs::write(path.parent().unwrap().with_extension("x"), b"x")),
            _ => {}
        }
    }
}

#[test]
fn caches_marked_directories_and_large_files_are_left_out() {
    let mut shelf = Shelf::new();
    let tag = &CACHE_MARKER["CACHEDIR.TAG:".len()..];
    shelf.file("cache/CACHEDIR.TAG", tag.as_bytes());
    shelf.file("cache/x", b"x");
    shelf.file("cache/d/y", b"y");
    shelf.file("fake/CACHEDIR.TAG", b"no signature");
    shelf.file("fake/x", b"x");
    shelf.file("marked/.nobackup", b"");
    shelf.file("marked/x", b"x");
    shelf.file("large", &[0; 1001]);
    shelf.file("small", &[0; 1000]);
    shelf.selection = Selection {
        exclude_if_present: vec![CACHE_MARKER.to_owned(), ".nobackup".to_owned()],
        exclude_larger_than: Some(1000),
        ..Selection::default()
    };
    let (_, snapshot) = shelf.backup();
    let paths: Vec<String> = shelf
        .entries(&snapshot)
        .into_keys()
        .map(|path| String::from_utf8(path).unwrap())
        .filter_map(|path| path.strip_prefix("/data/").map(str::to_owned))
        .collect();
    let wanted = [
        "cache",
        "cache/CACHEDIR.TAG",
        "fake",
        "fake/CACHEDIR.TAG",
        "fake/x",
        "marked",
        "marked/.nobackup",
        "small",
    ];
    assert_eq!(paths, wanted);
    assert_eq!(snapshot.selection.len(), 4, "{:?}", snapshot.selection);
    // Another selection finds no parent, and so keeps nothing of this one.
    let before = shelf.selection.clone();
    shelf.selection = Selection::default();
    assert_eq!(shelf.backup().1.parent, None);
    shelf.selection = before;
    assert!(shelf.backup().1.parent.is_some());
}

#[test]
fn a_step_is_one_of_the_models() {
    // The model of this file and the one of the shelf name the same files.
    let shelf = Shelf::new();
    Step { dir: 1, name: 4, content: 5 }.apply(&shelf);
    assert!(shelf.path("d1/s0/B4").exists());
}

/// A directory that is in the way of a file goes with all that it holds: a rehearsal says so.
#[test]
fn k04_what_lies_in_a_directory_in_the_way_is_named_before_it_goes() {
    let mut shelf = Shelf::new();
    shelf.file("f", b"a file");
    let (_, snapshot) = shelf.backup();
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    fs::create_dir_all(to.join("f/sub")).unwrap();
    fs::write(to.join("f/sub/x"), "x").unwrap();
    let options = RestoreOptions { delete_extra: true, ..RestoreOptions::default() };
    let target = Target { from: "/data".to_owned(), to: to.clone() };
    let mut removed = Vec::new();
    let figures =
        repo::rehearse(&shelf.repo, &snapshot, &target, &options, &Quiet, |path, action| {
            removed.extend((*action == Action::Remove).then(|| path.to_vec()));
            Ok(())
        });
    assert_eq!(figures.unwrap().deleted, 3);
    assert_eq!(removed, [b"/data/f"]);
    let environment =
        Environment { at: 0, workers: 1, memory_bytes: 0, progress: &Quiet, repository: "r" };
    let done = repo::restore(&shelf.repo, &snapshot, &[target], &options, &environment).unwrap();
    assert_eq!((done.deleted, done.failed.count), (3, 0));
    assert_eq!(fs::read(to.join("f")).unwrap(), b"a file");
}

/// One that holds what the backup left out stays whole, and with it all that may be extra: what belongs in its place is
/// not restored.
#[test]
fn k04_a_directory_in_the_way_that_holds_what_stays_is_not_taken_apart() {
    let mut shelf = Shelf::new();
    shelf.file("f", b"a file");
    shelf.selection = Selection { exclude: vec!["*.log".to_owned()], ..Selection::default() };
    let (_, snapshot) = shelf.backup();
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    fs::create_dir_all(to.join("f/sub")).unwrap();
    for path in ["f/sub/x", "f/x.log", "extra"] {
        fs::write(to.join(path), "x").unwrap();
    }
    let options = RestoreOptions { delete_extra: true, ..RestoreOptions::default() };
    let target = Target { from: "/data".to_owned(), to: to.clone() };
    let mut refused = Vec::new();
    let said = repo::rehearse(&shelf.repo, &snapshot, &target, &options, &Quiet, |path, action| {
        refused.push((path.to_vec(), matches!(action, Action::Refuse(_))));
        Ok(())
    });
    assert_eq!(refused, [(b"/data/f".to_vec(), true), (b"/data".to_vec(), true)]);
    let environment =
        Environment { at: 0, workers: 1, memory_bytes: 0, progress: &Quiet, repository: "r" };
    let done = repo::restore(&shelf.repo, &snapshot, &[target], &options, &environment).unwrap();
    assert_eq!((done.deleted, done.failed.count), (0, 2));
    assert_eq!(counted(done), counted(said.unwrap()));
    assert!(to.join("f/sub/x").exists() && to.join("extra").exists());
}

/// A repository in the target, and one that was backed up with its directory: neither it nor what it has got since
/// is removed.
#[test]
fn k04_a_repository_is_nobodys_extra() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    let inside = to.join("disk/repository");
    let store: holdfast_executor::store::SharedStore =
        std::sync::Arc::new(holdfast_executor::store::FileStore::new(&inside).unwrap());
    let mut shelf = Shelf::on(store);
    shelf.file("f", b"a file");
    let (_, snapshot) = shelf.backup();
    let options = RestoreOptions { delete_extra: true, ..RestoreOptions::default() };
    let target = Target { from: "/data".to_owned(), to: to.clone() };
    fs::write(to.join("extra"), "x").unwrap();
    let mut removed = Vec::new();
    repo::rehearse(&shelf.repo, &snapshot, &target, &options, &Quiet, |path, action| {
        removed.extend((*action == Action::Remove).then(|| path.to_vec()));
        Ok(())
    })
    .unwrap();
    assert_eq!(removed, [b"/data/extra"]);
    let environment =
        Environment { at: 0, workers: 1, memory_bytes: 0, progress: &Quiet, repository: "r" };
    let done = repo::restore(&shelf.repo, &snapshot, &[target], &options, &environment).unwrap();
    assert_eq!((done.deleted, done.failed.count), (1, 0));
    assert_eq!(shelf.repo.snapshot_names().unwrap().len(), 1);
}
