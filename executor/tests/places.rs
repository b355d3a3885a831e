//! What lies in a target: neighbours of what was backed up, links, names of killed runs. Nothing of it is taken
//! for something that the snapshot speaks of.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod shelf;
mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use holdfast_executor::error::Error;
use holdfast_executor::job::{RestoreOptions, Selection, Target};
use holdfast_executor::repo::{self, Action};
use holdfast_executor::report::{Figures, Outcome, Quiet, Report, RestoreFigures};
use holdfast_executor::snapshot::Snapshot;
use shelf::{Shelf, environment, noise};
use support::facts;

fn deleting() -> RestoreOptions {
    RestoreOptions { delete_extra: true, ..RestoreOptions::default() }
}

fn restore(
    shelf: &Shelf,
    snapshot: &Snapshot,
    (from, to): (&str, &Path),
    options: &RestoreOptions,
) -> Result<RestoreFigures, Error> {
    let targets = [Target { from: from.to_owned(), to: to.to_owned() }];
    repo::restore(&shelf.repo, snapshot, &targets, options, &environment())
}

/// Paths that a rehearsal would remove.
fn would_remove(
    shelf: &Shelf,
    snapshot: &Snapshot,
    (from, to): (&str, &Path),
    options: &RestoreOptions,
) -> Result<Vec<String>, Error> {
    let target = Target { from: from.to_owned(), to: to.to_owned() };
    let mut paths = Vec::new();
    repo::rehearse(&shelf.repo, snapshot, &target, options, &Quiet, |path, action| {
        if *action == Action::Remove {
            paths.push(String::from_utf8(path.to_vec()).unwrap());
        }
        Ok(())
    })?;
    Ok(paths)
}

fn put(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn failed(figures: &RestoreFigures) -> Vec<&str> {
    figures.failed.first.iter().map(|item| &item.path[..]).collect()
}

#[test]
fn k04_what_lies_beside_the_way_to_the_data_stays() {
    let mut shelf = Shelf::new();
    shelf.file("a", b"a");
    let (_, snapshot) = shelf.backup();
    let dir = tempfile::tempdir().unwrap();
    for path in ["etc/passwd", "data/a", "data/extra/x", "data2/x"] {
        put(&dir.path().join(path), b"here before");
    }
    let at = ("/", dir.path());
    assert_eq!(would_remove(&shelf, &snapshot, at, &deleting()).unwrap(), ["/data/extra"]);
    let figures = restore(&shelf, &snapshot, at, &deleting()).unwrap();
    assert_eq!((figures.deleted, figures.failed.count), (2, 0));
    assert!(dir.path().join("etc/passwd").exists() && dir.path().join("data2/x").exists());
    assert_eq!(fs::read(dir.path().join("data/a")).unwrap(), b"a");
    assert!(!dir.path().join("data/extra").exists());
}

#[test]
fn k04_the_root_of_the_system_is_refused_by_every_name() {
    let mut shelf = Shelf::new();
    shelf.file("a", b"a");
    let (_, snapshot) = shelf.backup();
    let dir = tempfile::tempdir().unwrap();
    symlink("/", dir.path().join("link")).unwrap();
    let link = dir.path().join("link");
    let names = [Path::new("/"), Path::new("//"), Path::new("/usr/.."), &link, Path::new("/./")];
    for to in names {
        for from in ["/", "/data"] {
            let said = would_remove(&shelf, &snapshot, (from, to), &deleting());
            assert!(matches!(said, Err(Error::Invalid { .. })), "{to:?} {from}: {said:?}");
        }
    }
    let include = vec!["/data/nothing".to_owned()];
    let chosen = RestoreOptions { include, ..deleting() };
    let said = would_remove(&shelf, &snapshot, ("/data", Path::new("/")), &chosen);
    assert_eq!(said.unwrap(), Vec::<String>::new());
}

#[test]
fn k04_what_the_backup_left_out_stays() {
    let mut shelf = Shelf::new();
    for path in ["keep", "logs/x.log", "cache/.nobackup", "cache/x", "large"] {
        shelf.file(path, b"123456");
    }
    fs::write(shelf.path("keep"), b"1").unwrap();
    fs::write(shelf.path("cache/.nobackup"), b"").unwrap();
    shelf.selection = Selection {
        exclude: vec!["*.log".to_owned()],
        exclude_if_present: vec![".nobackup".to_owned()],
        exclude_larger_than: Some(5),
        ..Selection::default()
    };
    let (_, snapshot) = shelf.backup();
    let here = shelf.path("");
    for path in ["extra/x", "extra/in/y.log", "marked/.nobackup", "marked/x", "logs/y", "huge"] {
        put(&here.join(path), if path == "huge" { b"1234567" } else { b"1" });
    }
    let at = ("/data", here.as_path());
    let said = would_remove(&shelf, &snapshot, at, &deleting()).unwrap();
    assert_eq!(said, ["/data/extra/x", "/data/logs/y"]);
    let figures = restore(&shelf, &snapshot, at, &deleting()).unwrap();
    assert_eq!((figures.deleted, figures.failed.count), (2, 0), "{figures:?}");
    for path in ["logs/x.log", "cache/x", "large", "extra/in/y.log", "marked/x", "huge"] {
        assert!(here.join(path).exists(), "{path}");
    }
}

/// A backup of one file system keeps a mount point as an empty directory: where nothing is mounted on it, what lies in
/// it was never looked at.
#[test]
fn k04_what_lies_in_an_empty_directory_of_one_file_system_stays() {
    let mut shelf = Shelf::new();
    shelf.file("full/a", b"a");
    fs::create_dir(shelf.path("mount point")).unwrap();
    for one_file_system in [true, false] {
        shelf.selection = Selection { one_file_system, ..Selection::default() };
        let (_, snapshot) = shelf.backup();
        let dir = tempfile::tempdir().unwrap();
        let vol = dir.path().join("mount point");
        for path in [&vol.join("v"), &vol.join("in/v"), &dir.path().join("full/extra")] {
            put(path, b"x");
        }
        let at = ("/data", dir.path());
        let said = would_remove(&shelf, &snapshot, at, &deleting()).unwrap();
        let figures = restore(&shelf, &snapshot, at, &deleting()).unwrap();
        let expected = if one_file_system { 1 } else { 4 };
        assert_eq!((figures.deleted, figures.failed.count), (expected, 0));
        assert!(said.contains(&"/data/full/extra".to_owned()), "{said:?}");
        assert_eq!(said.len(), if one_file_system { 1 } else { 3 }, "{said:?}");
        assert_eq!(vol.join("v").exists() && vol.join("in/v").exists(), one_file_system);
        // The same where it is the whole of what is restored.
        put(&vol.join("v"), b"x");
        let figures = restore(&shelf, &snapshot, ("/data/mount point", &vol), &deleting()).unwrap();
        assert_eq!(
            (figures.deleted == 0, vol.join("v").exists()),
            (one_file_system, one_file_system)
        );
    }
}

/// One target of two cannot be made: the other one may hold the only copy of what belongs there.
#[test]
fn k04_nothing_goes_where_another_target_is_lost() {
    let mut shelf = Shelf::new();
    shelf.file("a/f", b"a");
    shelf.file("b/f", b"b");
    let (_, snapshot) = shelf.backup();
    let dir = tempfile::tempdir().unwrap();
    put(&dir.path().join("file"), b"x");
    put(&dir.path().join("good/extra"), b"x");
    let target = |from: &str, to: &str| Target { from: from.to_owned(), to: dir.path().join(to) };
    let targets = [target("/data/a", "good"), target("/data/b", "file/in it")];
    let error = repo::restore(&shelf.repo, &snapshot, &targets, &deleting(), &environment());
    assert!(matches!(error, Err(Error::Target { .. })), "{error:?}");
    assert!(dir.path().join("good/f").exists() && dir.path().join("good/extra").exists());
}

#[test]
fn k04_a_partial_snapshot_removes_nothing_unless_told() {
    let mut shelf = Shelf::new();
    shelf.file("a", b"a");
    let (_, complete) = shelf.backup();
    let partial = Snapshot { partial: true, ..complete };
    shelf.file("only copy", b"x");
    let here = shelf.path("");
    let at = ("/data", here.as_path());
    assert!(matches!(restore(&shelf, &partial, at, &deleting()), Err(Error::Invalid { .. })));
    assert!(would_remove(&shelf, &partial, at, &deleting()).is_err());
    assert!(shelf.path("only copy").exists());
    assert!(restore(&shelf, &partial, at, &RestoreOptions::default()).is_ok());
    let told = RestoreOptions { delete_although_partial: true, ..deleting() };
    assert_eq!(restore(&shelf, &partial, at, &told).unwrap().deleted, 1);
}

/// What could not be written is no reason to remove what may be the only copy of it.
#[test]
fn k04_nothing_goes_where_content_is_lost() {
    let bench = support::Bench::new();
    put(&bench.source().join("f"), &noise(400_000, 1));
    support::settle();
    bench.backup().succeeded();
    damage(bench.repository());
    let to = bench.dir("to");
    put(&to.join("extra"), b"x");
    let report = bench.restore("latest", "/data", &to, deleting());
    let figures = figures(&report);
    assert_eq!((figures.deleted, failed(figures)), (0, vec!["/data", "/data/f"]));
    assert!(to.join("extra").exists() && !to.join("f").exists());
}

/// Changes a bit of every large object.
fn damage(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
        } else if fs::metadata(&path).unwrap().len() > 200_000 {
            let mut bytes = fs::read(&path).unwrap();
            bytes[100_000] ^= 1;
            fs::write(path, bytes).unwrap();
        }
    }
}

fn figures(report: &Report) -> &RestoreFigures {
    match &report.repositories[0].figures {
        Figures::Restore(figures) => figures,
        _ => panic!("{report:#?}"),
    }
}

#[test]
fn k06_directories_that_only_lead_to_data_are_their_owners_alone_and_keep_their_mode() {
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    let bench = support::Bench::new();
    put(&bench.source().join("f"), b"x");
    let deep = bench.backup_as("/srv/me/mail");
    let to = dir.path().join("new");
    bench.restore(&deep, "/", &to, RestoreOptions::default());
    assert_eq!((mode(&to.join("srv")), mode(&to.join("srv/me"))), (0o700, 0o700));
    assert_ne!(mode(&to.join("srv/me/mail")) & 0o055, 0, "the data has the mode of the data");
    for given in [0o1755, 0o2711, 0o500] {
        let to = dir.path().join(format!("old {given:o}"));
        fs::create_dir_all(to.join("srv/me")).unwrap();
        fs::set_permissions(to.join("srv/me"), fs::Permissions::from_mode(given)).unwrap();
        bench.restore(&deep, "/", &to, RestoreOptions::default());
        assert!(to.join("srv/me/mail/f").exists());
        assert_eq!(mode(&to.join("srv/me")), given);
    }
}

#[test]
fn k14_a_link_above_the_data_stays_and_is_told() {
    let bench = support::Bench::new();
    put(&bench.source().join("f"), b"x");
    let deep = bench.backup_as("/srv/me");
    let dir = tempfile::tempdir().unwrap();
    put(&dir.path().join("elsewhere/me/f"), b"of somebody");
    symlink("elsewhere", dir.path().join("srv")).unwrap();
    for options in [RestoreOptions::default(), deleting()] {
        let report = bench.restore(&deep, "/", dir.path(), options);
        let holdfast_executor::report::Figures::Restore(figures) = &report.repositories[0].figures
        else {
            panic!("{report:?}")
        };
        assert_eq!(failed(figures), ["/srv"]);
        assert!(figures.failed.first[0].message.contains("SNAPSHOT:PATH"));
        assert!(dir.path().join("srv").is_symlink());
        assert_eq!(fs::read(dir.path().join("elsewhere/me/f")).unwrap(), b"of somebody");
    }
}

#[test]
fn k14_targets_of_one_restore_may_lie_in_each_other() {
    let mut shelf = Shelf::new();
    for path in ["a", "db/t1", "db/t2"] {
        shelf.file(path, path.as_bytes());
    }
    let (_, snapshot) = shelf.backup();
    for outer_first in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("data");
        put(&to.join("inner/extra"), b"x");
        let mut targets = vec![
            Target { from: "/data".to_owned(), to: to.clone() },
            Target { from: "/data/db".to_owned(), to: to.join("inner") },
        ];
        if !outer_first {
            targets.reverse();
        }
        let options = deleting();
        let figures =
            repo::restore(&shelf.repo, &snapshot, &targets, &options, &environment()).unwrap();
        assert_eq!(figures.failed.count, 0, "{:?}", figures.failed);
        assert_eq!(fs::read(to.join("inner/t1")).unwrap(), b"db/t1");
        assert!(to.join("db/t2").exists() && !to.join("inner/extra").exists());
    }
}

/// One target that takes nothing costs the others nothing.
#[test]
fn k07_a_target_that_cannot_be_made_does_not_keep_the_others() {
    let mut shelf = Shelf::new();
    shelf.file("a", b"a");
    let (_, snapshot) = shelf.backup();
    let dir = tempfile::tempdir().unwrap();
    put(&dir.path().join("file"), b"x");
    let target = |to: &str| Target { from: "/data".to_owned(), to: dir.path().join(to) };
    let targets = [target("file/in it"), target("good")];
    let options = RestoreOptions::default();
    let error = repo::restore(&shelf.repo, &snapshot, &targets, &options, &environment());
    assert!(matches!(error, Err(Error::Target { .. })), "{error:?}");
    assert_eq!(fs::read(dir.path().join("good/a")).unwrap(), b"a");
}

#[test]
fn k19_a_pattern_that_fits_nothing_is_in_the_figures() {
    let mut shelf = Shelf::new();
    shelf.file("etc/passwd", b"x");
    let (_, snapshot) = shelf.backup();
    let dir = tempfile::tempdir().unwrap();
    let options = RestoreOptions {
        include: vec!["/etc/passwd".to_owned()],
        iinclude: vec!["PASS*".to_owned()],
        ..RestoreOptions::default()
    };
    let figures = restore(&shelf, &snapshot, ("/", dir.path()), &options).unwrap();
    assert_eq!(figures.unmatched, ["--include /etc/passwd"]);
    assert!(dir.path().join("data/etc/passwd").exists());
}

fn leftovers(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with(".holdfast-") {
            found.push(path.clone());
        }
        if path.is_dir() {
            found.extend(leftovers(&path));
        }
    }
    found
}

/// Killed in the middle, into a directory that was there and one that it made: what is left is no data, and the
/// next run removes it.
#[test]
fn k20_what_a_killed_restore_leaves_goes_with_the_next() {
    const NAME: &str = "k20_what_a_killed_restore_leaves_goes_with_the_next";
    let bench = support::Bench::new();
    for number in 0..60 {
        let path = format!("{}/f{number}", ["old", "new"][number % 2]);
        put(&bench.source().join(path), &noise(3_000_000, number as u64));
    }
    let to = match std::env::var_os("HOLDFAST_TEST_VICTIM") {
        Some(to) => PathBuf::from(to),
        None => bench.dir("to"),
    };
    bench.backup().succeeded();
    let restored = || bench.restore("latest", "/data", &to, RestoreOptions::default());
    if std::env::var_os("HOLDFAST_TEST_VICTIM").is_some() {
        let _ = restored();
        return;
    }
    fs::create_dir_all(to.join("old")).unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", NAME]).env("HOLDFAST_TEST_VICTIM", &to);
    victim.stdout(std::process::Stdio::null());
    let mut victim = victim.spawn().unwrap();
    while leftovers(&to).is_empty() && victim.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    let left = leftovers(&to).len();
    println!("{left} left");
    let report = restored();
    assert!(leftovers(&to).is_empty(), "of {left}");
    assert!(matches!(report.outcome, Outcome::Succeeded { .. }), "{report:#?}");
    for dir in ["old", "new"] {
        let contents = |root: &Path| -> Vec<_> {
            let of = |(path, fact): (String, String)| {
                (path, fact.split(' ').take(2).collect::<Vec<_>>().join(" "))
            };
            facts(&root.join(dir)).into_iter().map(of).collect()
        };
        assert_eq!(contents(&to), contents(&bench.source()), "{dir}");
    }
}

#[test]
fn k20_temporary_names_are_not_backed_up() {
    let mut shelf = Shelf::new();
    shelf.file("f", b"x");
    let before = "d/.holdfast-0123456789abcdef-1f-";
    let mark = blake3::hash(&before.as_bytes()[2..]).to_hex();
    shelf.file(&format!("{before}{}", &mark[..8]), b"half");
    shelf.file("d/.holdfast-0123456789abcdef-1f", b"of somebody");
    shelf.file("d/.holdfast-notes", b"of somebody");
    let (_, snapshot) = shelf.backup();
    let names: Vec<_> = shelf.entries(&snapshot).into_keys().collect();
    let expected: [&[u8]; 6] = [
        b"/",
        b"/data",
        b"/data/d",
        b"/data/d/.holdfast-0123456789abcdef-1f",
        b"/data/d/.holdfast-notes",
        b"/data/f",
    ];
    assert_eq!(names, expected);
}
