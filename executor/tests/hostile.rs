//! Parsers against bytes that were made to hurt: authentic where that matters, because whoever holds
//! the keys of a repository must not be able to burn the machine of whoever reads it either.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod small;

use std::sync::Arc;

use holdfast_executor::config::Config;
use holdfast_executor::error::Error;
use holdfast_executor::index::IndexObject;
use holdfast_executor::pack::Footer;
use holdfast_executor::repo::{Repo, Unlock};
use holdfast_executor::slot::{KdfCost, Slot};
use holdfast_executor::snapshot::Snapshot;
use holdfast_executor::store::{MemoryStore, SharedStore, Store};
use proptest::prelude::*;
use small::*;

proptest! {
    #[test]
    fn noise_is_refused_or_read_but_never_more(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Footer::parse(&bytes, 1 << 20);
        let _ = IndexObject::decode(&bytes);
        let _ = Snapshot::decode(&bytes);
        let _ = Slot::decode(&bytes);
        let _ = Config::parse("config", &bytes);
    }
}

#[test]
fn r15_counts_beyond_what_is_there_allocate_nothing() {
    let huge = varint(1_000_000_000);
    assert!(IndexObject::decode(&huge).is_err());
    assert!(IndexObject::decode(&[&[0][..], &huge].concat()).is_err());
    let footer = [&[1, 1, 0, 0, 0][..], &huge].concat();
    assert!(Footer::parse(&footer, u64::MAX).is_err());
    // One block that claims more blobs than the footer has bytes.
    let block = [varint(100), varint(8_192), varint(8_192)].concat();
    let footer = [&[1, 1, 0, 0, 0][..], &varint(1), &block, &[7; 40]].concat();
    assert!(Footer::parse(&footer, 1 << 20).is_err());
}

#[test]
fn r15_blocks_may_not_lie_outside_their_pack() {
    let blob = [&[7; 16][..], &varint(10)].concat();
    let footer = |sealed: u64| {
        let block = [varint(sealed), varint(10), varint(1)].concat();
        [&[1, 1, 0, 0, 0][..], &varint(1), &block, &blob].concat()
    };
    assert!(Footer::parse(&footer(58), 1_000).is_ok());
    assert!(Footer::parse(&footer(58), 57).is_err());
    assert!(Footer::parse(&footer(1 << 30), 1 << 40).is_err());
    assert!(Footer::parse(&footer(47), 1_000).is_err(), "smaller than any block can be");
    let two = [&footer(58)[..], &[0]].concat();
    assert!(Footer::parse(&two, 1_000).is_err(), "a byte that belongs to nothing");
}

/// A slot with costs that would burn the machine is refused before the derivation begins.
#[test]
fn c2_hostile_costs_are_refused_before_anything_is_allocated() {
    let store = Arc::new(MemoryStore::new());
    let shared: SharedStore = store.clone();
    init(&shared);
    let key = store.list("keys/").unwrap()[0].key.clone();
    let right = store.get(&key, 1 << 20).unwrap();
    for copy in [key.clone(), format!("mirror/{key}")] {
        store.tamper(&copy, None);
    }
    // Memory, passes and lanes follow magic, format, repository and the kind of derivation.
    for (at, value, field) in [
        (23, 1 << 30, "memory in KiB"),
        (23, 1_024, "memory in KiB"),
        (27, 1 << 31, "passes"),
        (27, 0, "passes"),
        (31, 17, "lanes"),
        (31, 0, "lanes"),
    ] {
        let mut bytes = right.clone();
        bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        let name = format!("keys/{}", blake3::hash(&bytes).to_hex());
        store.tamper(&name, Some(bytes));
        let opened = Repo::at(shared.clone()).open(PASSPHRASE, Unlock::default());
        assert!(matches!(opened, Err(Error::KdfRefused { field: f, .. }) if f == field), "{field}");
        store.tamper(&name, None);
    }
    assert!(KdfCost::default().check().is_ok());
}

#[test]
fn r15_objects_above_their_bound_are_not_fetched() {
    let store = Arc::new(MemoryStore::new());
    let shared: SharedStore = store.clone();
    let repo = init(&shared);
    for key in ["config", "mirror/config"] {
        store.tamper(key, Some(vec![0; 1 << 20]));
    }
    let opened = Repo::at(shared.clone()).open(PASSPHRASE, Unlock::default());
    assert!(matches!(opened, Err(Error::Store(_))), "{:?}", opened.err());
    let name = format!("meta/index/{}", "0".repeat(64));
    store.tamper(&name, Some(vec![0; 9 << 20]));
    assert!(repo.index_for_reading().is_ok(), "a bad index object is no reason to stop reading");
    assert!(check(&repo).findings.iter().any(|finding| finding.object == name));
}

#[test]
fn a_config_of_another_format_names_the_version_that_it_needs() {
    let store = Arc::new(MemoryStore::new());
    let shared: SharedStore = store.clone();
    init(&shared);
    let mut bytes = store.get("config", 1 << 20).unwrap();
    bytes[4..6].copy_from_slice(&0x0107u16.to_le_bytes());
    for key in ["config", "mirror/config"] {
        store.tamper(key, Some(bytes.clone()));
    }
    let error = Repo::at(shared).open(PASSPHRASE, Unlock::default()).err().unwrap().to_string();
    assert!(error.contains("format 1.7") && error.contains("0.1.0"), "{error}");
}

#[test]
fn r14_foreign_objects_are_counted_and_never_trusted() {
    let store = Arc::new(MemoryStore::new());
    let shared: SharedStore = store.clone();
    let repo = init(&shared);
    let committed = backup(&repo, "s-1", &small_blobs()).unwrap();
    store.tamper("lost+found/x", Some(vec![1]));
    store.tamper("packs/README", Some(vec![1]));
    store.tamper("meta/snapshots/not-hex", Some(vec![1]));
    store.tamper("meta/index/short", Some(vec![1]));
    let report = check(&repo);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.reclaimable.foreign_objects, 1);
    restore(&repo, &committed, &small_blobs()).unwrap();
}

/// Whoever may put objects and knows no password.
#[test]
fn s02_junk_in_the_place_of_marks_and_lists_hides_nothing_and_is_named() {
    let memory = Arc::new(MemoryStore::new());
    let store: SharedStore = memory.clone();
    let repo = init(&store);
    let committed = backup(&repo, "one", &small_blobs()).unwrap().name;
    let mark = format!("meta/invalid/{committed}");
    memory.put_new(&mark, b"junk").unwrap();
    assert_eq!(repo.snapshot_names().unwrap(), [committed]);
    assert_eq!(repo.overview().unwrap().snapshots, [committed]);
    let report = repo.check(Default::default(), None).unwrap();
    assert!(report.is_clean());
    assert_eq!(report.foreign_marks.len(), 1);
    assert_eq!(report.foreign_marks[0].0, mark);
    let list = "meta/gc/0000000001/condemned";
    memory.put_new(list, b"junk").unwrap();
    assert!(repo.overview().is_err(), "what is condemned is not known");
    let report = repo.check(Default::default(), None).unwrap();
    let found: Vec<_> = report.findings.iter().map(|finding| &finding.object[..]).collect();
    assert_eq!(found, [list]);
}
