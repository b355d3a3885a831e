//! Nothing is ever written outside the target of a restore, whatever somebody plants in it.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use holdfast_e2e::facts::{self, assert_same};
use holdfast_e2e::privilege::is_root;
use holdfast_e2e::site::{STORED_AS, Site, backed_up, done, restored, settle};
use holdfast_executor::job::{RestoreOptions, Target};
use holdfast_executor::repo::{self, Environment};
use holdfast_executor::report::Quiet;
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Times that a directory and a link change places.
const SWAPS: u64 = 2_000;
/// Restores that go on meanwhile, at least.
const RESTORES: u64 = 100;

/// All that a restore can do wrong, allowed.
fn everything() -> RestoreOptions {
    RestoreOptions { privileged: true, delete_extra: true, ..RestoreOptions::default() }
}

/// A source whose names are also those of what lies outside, so that whoever goes through a link
/// overwrites something.
fn make_source(site: &Site) {
    let source = site.source();
    for dir in ["a", "a/b", "c"] {
        fs::create_dir_all(source.join(dir)).unwrap();
        for name in ["f", "g", "h"] {
            fs::write(source.join(dir).join(name), format!("{dir}/{name} of the source")).unwrap();
        }
        symlink("f", source.join(dir).join("l")).unwrap();
        fs::hard_link(source.join(dir).join("g"), source.join(dir).join("g too")).unwrap();
    }
}

/// What must not change: the same names, other content, other modes, and a file that no restore knows.
fn make_outside(outside: &Path) {
    fs::create_dir_all(outside.join("b")).unwrap();
    for name in ["f", "g", "g too", "h", "b/f", "b/g", "b/h", "precious"] {
        fs::write(outside.join(name), "outside").unwrap();
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    fs::set_permissions(outside.join("b"), mode).unwrap();
}

#[test]
fn planted_links_lead_nowhere() {
    if !is_root("restoring as root") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let site = Site::new(dir.path()).unwrap();
    make_source(&site);
    settle();
    backed_up(&done(&site.backup("dump", 2).unwrap()));
    let expected = facts::of(&site.source()).unwrap();
    let outside = site.beside("outside");
    make_outside(&outside);
    let canary = facts::of(&outside).unwrap();

    // Each on a target of its own: in place of what, and leading where.
    let plants: [(&str, &str); 8] = [
        ("a", "."),
        ("a/b", "b"),
        ("c", "none"),
        ("a/f", "f"),
        ("a/b/g", "b/g"),
        ("a/g too", "g too"),
        ("c/l", "precious"),
        ("extra", "."),
    ];
    for (number, (place, leads)) in plants.into_iter().enumerate() {
        for privileged in [false, true] {
            let to = site.beside(&format!("target {number} {privileged}"));
            restored(&done(&site.restore("latest", &to, everything()).unwrap()));
            let planted = to.join(place);
            match fs::symlink_metadata(&planted) {
                Ok(meta) if meta.is_dir() => fs::remove_dir_all(&planted).unwrap(),
                Ok(_) => fs::remove_file(&planted).unwrap(),
                Err(_) => {}
            }
            symlink(outside.join(leads), &planted).unwrap();
            let options = RestoreOptions { privileged, ..everything() };
            restored(&done(&site.restore("latest", &to, options).unwrap()));
            assert_same(&canary, &facts::of(&outside).unwrap());
            assert_same(&expected, &facts::of(&to).unwrap());
        }
    }
}

#[test]
fn a_planted_hard_link_is_replaced_and_not_written_through() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::new(dir.path()).unwrap();
    make_source(&site);
    settle();
    backed_up(&done(&site.backup("dump", 2).unwrap()));
    let outside = site.beside("outside");
    make_outside(&outside);
    let canary = facts::of(&outside).unwrap();
    let links = fs::metadata(outside.join("f")).unwrap().nlink();
    let to = site.beside("target");
    fs::create_dir_all(to.join("a")).unwrap();
    for name in ["f", "g"] {
        fs::hard_link(outside.join(name), to.join("a").join(name)).unwrap();
    }
    restored(&done(&site.restore("latest", &to, RestoreOptions::default()).unwrap()));
    assert_same(&canary, &facts::of(&outside).unwrap());
    assert_eq!(
        fs::metadata(outside.join("f")).unwrap().nlink(),
        links,
        "it is no name of it any more"
    );
    assert_same(&facts::of(&site.source()).unwrap(), &facts::of(&to).unwrap());
}

#[test]
fn links_swapped_in_during_a_restore_lead_nowhere() {
    if !is_root("restoring as root") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let site = Site::new(dir.path()).unwrap();
    make_source(&site);
    settle();
    backed_up(&done(&site.backup("dump", 2).unwrap()));
    let outside = site.beside("outside");
    make_outside(&outside);
    let canary = facts::of(&outside).unwrap();

    let repo = site.open().unwrap();
    for (path, fact) in facts::of(&site.source()).unwrap() {
        if fact.is_file() && !fact.is_further_name() {
            fs::write(site.source().join(path), "another content").unwrap();
        }
    }
    settle();
    backed_up(&done(&site.backup("dump", 2).unwrap()));
    let found = repo.snapshots().unwrap().found;
    let snapshots: Vec<_> = found.into_iter().map(|(_, snapshot)| snapshot).collect();
    assert_eq!(snapshots.len(), 2);
    let to = site.beside("target");
    let targets = [Target { from: STORED_AS.to_owned(), to: to.clone() }];
    let environment =
        Environment { at: 0, workers: 2, memory_bytes: 0, progress: &Quiet, repository: "main" };
    repo::restore(&repo, &snapshots[0], &targets, &everything(), &environment).unwrap();
    // Exchanged in one step: at each moment there is a directory or a link, never nothing.
    let link = site.beside("link");
    symlink(&outside, &link).unwrap();
    let (swaps, restores) = (AtomicU64::new(0), AtomicU64::new(0));
    let ended = AtomicBool::new(false);
    let mut clean = 0u64;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for name in ["a", "c", "a/b"].into_iter().cycle() {
                // Fails while the restore has it otherwise: the next one will do.
                for _ in 0..2 {
                    let swapped =
                        renameat_with(CWD, to.join(name), CWD, &link, RenameFlags::EXCHANGE);
                    swaps.fetch_add(u64::from(swapped.is_ok()), Ordering::Relaxed);
                    std::thread::yield_now();
                }
                if ended.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let enough = || {
            swaps.load(Ordering::Relaxed) >= SWAPS && restores.load(Ordering::Relaxed) >= RESTORES
        };
        while !enough() {
            // They take turns: what one has written the other one replaces.
            let turn = restores.load(Ordering::Relaxed) as usize % snapshots.len();
            let snapshot = &snapshots[turn];
            let figures = repo::restore(&repo, snapshot, &targets, &everything(), &environment);
            clean += u64::from(figures.is_ok_and(|figures| figures.failed.count == 0));
            restores.fetch_add(1, Ordering::Relaxed);
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert_same(&canary, &facts::of(&outside).unwrap());
    println!("{swaps:?} swaps, {restores:?} restores, {clean} of them undisturbed");
}
