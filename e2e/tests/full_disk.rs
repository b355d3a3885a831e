//! A full disk under a repository or under a restore: a clear failure, and nothing is lost by it.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use holdfast_e2e::facts::{self, assert_same};
use holdfast_e2e::mounted::Mounted;
use holdfast_e2e::privilege::is_root;
use holdfast_e2e::site::{Site, backed_up, done, failed, restored, settle, snapshot};
use holdfast_e2e::tree;
use holdfast_executor::job::RestoreOptions;
use holdfast_executor::repo::{CheckOptions, Trees};
use holdfast_executor::report::FailureKind;

const DISK_BYTES: u64 = 24 << 20;
/// What is backed up while there is space.
const FIRST_BYTES: usize = 3 << 20;
/// What comes later: fits the disk, but not the disk and the filler.
const SECOND_BYTES: usize = 8 << 20;

/// Reads every byte of the repository.
fn assert_clean(site: &Site) {
    let options = CheckOptions { read_data: true, now_ms: 0 };
    let report = site.open().unwrap().check(options, Some(&Trees)).unwrap();
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(report.snapshots, 1);
}

#[test]
fn a_full_repository_fails_clearly_and_goes_on_when_space_is_back() {
    if !is_root("a full disk") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = Mounted::new_tmpfs(DISK_BYTES, &dir.path().join("disk")).unwrap();
    let (repository, filler) = (disk.path().join("repository"), disk.path().join("filler"));
    let site = Site::new(&dir.path().join("site")).unwrap().with_repository(&repository);
    fs::write(site.source().join("first"), tree::noise(FIRST_BYTES, 1)).unwrap();
    settle();
    let first = done(&site.backup("dump", 2).unwrap());
    backed_up(&first);
    let before = facts::of(&site.source()).unwrap();

    fill(&filler).unwrap();
    fs::write(site.source().join("second"), tree::noise(SECOND_BYTES, 2)).unwrap();
    settle();
    assert_eq!(failed(&done(&site.backup("dump", 2).unwrap())), FailureKind::StoreFull);
    // Full to the last byte, and yet everything that was there can be read.
    assert_clean(&site);
    let to = site.beside("of the first");
    restored(&done(&site.restore("latest", &to, RestoreOptions::default()).unwrap()));
    assert_same(&before, &facts::of(&to).unwrap());

    fs::remove_file(&filler).unwrap();
    let again = done(&site.backup("dump", 2).unwrap());
    backed_up(&again);
    assert_eq!(snapshot(&again).parent.as_ref(), Some(&snapshot(&first).id));
    let to = site.beside("of the second");
    restored(&done(&site.restore("latest", &to, RestoreOptions::default()).unwrap()));
    assert_same(&facts::of(&site.source()).unwrap(), &facts::of(&to).unwrap());
}

#[test]
fn a_disk_that_fills_during_a_backup_leaves_a_clean_repository() {
    if !is_root("a full disk") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = Mounted::new_tmpfs(DISK_BYTES, &dir.path().join("disk")).unwrap();
    let repository = disk.path().join("repository");
    let site = Site::new(&dir.path().join("site")).unwrap().with_repository(&repository);
    fs::write(site.source().join("first"), tree::noise(FIRST_BYTES, 1)).unwrap();
    settle();
    backed_up(&done(&site.backup("dump", 2).unwrap()));
    // Many packs' worth, cut by many workers: some of it is put before there is no space.
    for number in 0..60 {
        let path = site.source().join(format!("more {number}"));
        fs::write(path, tree::noise(1 << 20, 100 + number)).unwrap();
    }
    settle();
    for workers in [1, 4] {
        let report = done(&site.backup("dump", workers).unwrap());
        assert_eq!(failed(&report), FailureKind::StoreFull);
        assert_clean(&site);
    }
}

#[test]
fn a_restore_onto_a_full_disk_names_it() {
    if !is_root("a full disk") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let site = Site::new(dir.path()).unwrap();
    fs::write(site.source().join("large"), tree::noise(SECOND_BYTES, 1)).unwrap();
    tree::make_small(&site.source(), 500).unwrap();
    settle();
    backed_up(&done(&site.backup("dump", 2).unwrap()));
    let disk = Mounted::new_tmpfs(DISK_BYTES, &dir.path().join("disk")).unwrap();
    let to = disk.path().join("restored");
    let filler = disk.path().join("filler");
    fill(&filler).unwrap();
    let restore = || done(&site.restore("latest", &to, RestoreOptions::default()).unwrap());
    assert_eq!(failed(&restore()), FailureKind::TargetFull);

    fs::remove_file(&filler).unwrap();
    restored(&restore());
    assert_same(&facts::of(&site.source()).unwrap(), &facts::of(&to).unwrap());
}

/// Takes all the space that there is.
fn fill(filler: &Path) -> io::Result<()> {
    let mut file = File::create(filler)?;
    for size in [1 << 20, 4096, 1] {
        let bytes = vec![0; size];
        loop {
            match file.write(&bytes) {
                Ok(_) => {}
                Err(cause) if cause.kind() == io::ErrorKind::StorageFull => break,
                Err(cause) => return Err(cause),
            }
        }
    }
    Ok(())
}
