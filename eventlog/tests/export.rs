//! A log outside its directory: exported, imported, archived, audited.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::fs;
use std::path::Path;

use holdfast_engine::{Hash, Timestamp};
use holdfast_eventlog::audit::{Check, audit};
use holdfast_eventlog::{
    Archivable, ChainKey, Error, Export, Ledger, Options, Reader, Until, state_hash,
};

use support::{EPOCH_MS, filled, options, term};

const TERMS: u64 = 300;

fn read(dir: &Path) -> Reader {
    Reader::open(dir, None).unwrap()
}

#[test]
fn what_is_exported_and_imported_is_the_same_log() {
    let root = tempfile::tempdir().unwrap();
    let (log, there, file) =
        (root.path().join("log"), root.path().join("there"), root.path().join("file"));
    let ledger = filled(&log, TERMS);
    let (state, head) = (ledger.state().clone(), ledger.head());
    let export = Export::of(&ledger.reader().unwrap()).unwrap();
    export.write_directory(&there).unwrap();
    export.write_file(&file).unwrap();
    for (name, path) in [("from-directory", &there), ("from-file", &file)] {
        let export = Export::read(path).unwrap();
        let reader = export.reader(None).unwrap();
        assert_eq!(reader.head(), head);
        assert_eq!(reader.state_at(Until::End).unwrap(), state);
        assert!(audit(&reader).unwrap().is_clean());
        let target = root.path().join(name);
        export.import(&target, None).unwrap();
        let mut imported = Ledger::open(&target, options()).unwrap();
        assert_eq!((imported.state(), imported.head()), (&state, head));
        let more = imported.submit(&[term(1, "me"), term(TERMS + 1, "on")]).unwrap();
        assert_eq!(more.recorded.len(), 1, "one repeated, one new");
        drop(imported);
        assert!(matches!(export.import(&target, None), Err(Error::Occupied { .. })));
    }
}

#[test]
fn an_export_grows_by_what_was_added() {
    let root = tempfile::tempdir().unwrap();
    let (log, there) = (root.path().join("log"), root.path().join("there"));
    let mut ledger = filled(&log, 100);
    Export::of(&ledger.reader().unwrap()).unwrap().write_directory(&there).unwrap();
    let exported = ledger.head();
    for epoch in 101..=TERMS {
        ledger.submit(&[term(epoch, "me")]).unwrap();
    }
    let added = Export::after(&ledger.reader().unwrap(), Some(exported)).unwrap();
    let all = Export::of(&ledger.reader().unwrap()).unwrap();
    assert!(added.pieces().count() < all.pieces().count());
    added.write_directory(&there).unwrap();
    let reader = Export::read(&there).unwrap().reader(None).unwrap();
    assert_eq!(reader.state_at(Until::End).unwrap(), *ledger.state());
}

#[test]
fn archived_segments_are_read_from_the_export() {
    let root = tempfile::tempdir().unwrap();
    let mut ledger = filled(root.path(), TERMS);
    let export = Export::of(&ledger.reader().unwrap()).unwrap();
    let everything = Archivable { exported: TERMS, before: Timestamp(EPOCH_MS + 1_000_000) };
    let nothing_exported = Archivable { exported: 0, ..everything };
    assert_eq!(ledger.archive(nothing_exported).unwrap(), 1);
    let nothing_old = Archivable { before: Timestamp(EPOCH_MS), ..everything };
    assert_eq!(ledger.archive(nothing_old).unwrap(), 1);
    let first = ledger.archive(everything).unwrap();
    assert!(first > 1 && first <= TERMS, "{first}");
    let (state, head) = (ledger.state().clone(), ledger.head());

    let reader = read(root.path());
    assert_eq!(reader.first_seq(), first);
    assert!(audit(&reader).unwrap().is_clean());
    assert_eq!(reader.state_at(Until::End).unwrap(), state);
    assert!(reader.state_at(Until::Seq(1)).is_err());
    let whole = reader.behind(export.reader(None).unwrap()).unwrap();
    assert_eq!(whole.state_at(Until::Seq(1)).unwrap().seq, 1);
    let report = audit(&whole).unwrap();
    assert_eq!((report.first, report.last, report.state), (1, TERMS, Some(state_hash(&state))));

    drop(ledger);
    let mut again = Ledger::open(root.path(), options()).unwrap();
    assert_eq!((again.state(), again.head()), (&state, head));
    again.submit(&[term(TERMS + 1, "on")]).unwrap();
    assert!(audit(&read(root.path())).unwrap().is_clean());
}

#[test]
fn an_archived_log_without_its_checkpoint_does_not_open() {
    let root = tempfile::tempdir().unwrap();
    let mut ledger = filled(root.path(), TERMS);
    let all = Archivable { exported: TERMS, before: Timestamp(i64::MAX) };
    assert!(ledger.archive(all).unwrap() > 1);
    drop(ledger);
    fs::remove_dir_all(root.path().join("checkpoints")).unwrap();
    assert!(matches!(Ledger::open(root.path(), options()), Err(Error::Damaged(_))));
}

#[test]
fn an_audit_names_documents_that_nobody_names() {
    let root = tempfile::tempdir().unwrap();
    let ledger = filled(root.path(), 3);
    assert!(audit(&read(root.path())).unwrap().is_clean());
    let hash = ledger.attach(b"{}").unwrap();
    let report = audit(&read(root.path())).unwrap();
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].check, Check::Orphans);
    assert!(report.findings[0].what.contains(&hash.to_string()));
    assert_eq!(ledger.attachment(&hash).unwrap().as_deref(), Some(&b"{}"[..]));
    assert_eq!(ledger.attachment(&Hash::default()).unwrap(), None);
}

#[test]
fn an_export_follows_a_link_and_writes_into_what_is_no_file() {
    use std::os::unix::fs::FileTypeExt;
    let root = tempfile::tempdir().unwrap();
    let export = Export::of(&filled(&root.path().join("log"), 20).reader().unwrap()).unwrap();
    let (whole, file, link) =
        (root.path().join("whole"), root.path().join("file"), root.path().join("link"));
    export.write_file(&whole).unwrap();
    fs::write(&file, "former").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    export.write_file(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&file).unwrap(), fs::read(&whole).unwrap());

    let pipe = root.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reading = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    export.write_file(&pipe).unwrap();
    assert_eq!(reading.join().unwrap(), fs::read(&whole).unwrap());
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
}

#[test]
fn an_audit_takes_no_lock_and_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let log = root.path().join("log");
    let _running = filled(&log, 20);
    let before = listing(&log);
    assert!(audit(&read(&log)).unwrap().is_clean());
    assert_eq!(listing(&log), before);
}

fn listing(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(listing(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn a_log_with_a_key_is_read_with_that_key_only() {
    let root = tempfile::tempdir().unwrap();
    let keyed = |byte| Options { key: Some(ChainKey::new([byte; 32])), ..options() };
    let mut ledger = Ledger::open(root.path(), keyed(1)).unwrap();
    ledger.submit(&[term(1, "me")]).unwrap();
    drop(ledger);
    assert!(Ledger::open(root.path(), keyed(1)).is_ok());
    assert!(matches!(Ledger::open(root.path(), keyed(2)), Err(Error::Damaged(_))));
    assert!(matches!(Ledger::open(root.path(), options()), Err(Error::Key { keyed: true })));
    assert!(Reader::open(root.path(), Some(ChainKey::new([1; 32]))).is_ok());
}
