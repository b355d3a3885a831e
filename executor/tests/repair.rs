//! Whatever happens to index objects, a repair names every pack that is there and no other.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod shelf;

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_executor::digest::PackName;
use holdfast_executor::pack::pack_key;
use holdfast_executor::repo::{CheckOptions, Trees, Writer};
use holdfast_executor::store::{MemoryStore, SharedStore};
use proptest::prelude::*;

use shelf::{Shelf, noise};

const INDEX: &str = "meta/index/";

fn keys(store: &SharedStore, prefix: &str) -> Vec<String> {
    store.list(prefix).unwrap().into_iter().map(|row| row.key).collect()
}

/// Names of the packs of which a copy is there.
fn packs(store: &SharedStore) -> BTreeSet<PackName> {
    let rows = keys(store, "packs/").into_iter().chain(keys(store, "mirror/packs/"));
    rows.filter_map(|key| PackName::from_hex(key.rsplit('/').next()?)).collect()
}

/// What a writer relies on.
fn indexed(shelf: &Shelf) -> BTreeSet<PackName> {
    let seen = shelf.repo.overview().unwrap();
    let index = shelf.repo.index_for_writing(&seen).unwrap();
    index.index().packs().iter().map(|pack| pack.name).collect()
}

fn damage(store: &SharedStore, key: &str) {
    let mut bytes = store.get(key, 1 << 30).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    store.delete(key).unwrap();
    store.put_new(key, &bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn every_pack_that_is_there_is_named_and_no_other(
        sessions in 1..5u64,
        index_fates in proptest::collection::vec(0..3u8, 4),
        pack_fates in proptest::collection::vec(0..4u8, 4),
    ) {
        let store: SharedStore = Arc::new(MemoryStore::new());
        let mut shelf = Shelf::on(store.clone());
        for number in 0..sessions {
            shelf.file(&format!("f{number}"), &noise(200_000, number));
            shelf.backup();
        }
        for (key, fate) in keys(&store, INDEX).iter().zip(index_fates) {
            match fate {
                0 => {}
                1 => damage(&store, key),
                _ => store.delete(key).unwrap(),
            }
        }
        for (key, fate) in keys(&store, "packs/").iter().zip(pack_fates) {
            if fate == 0 {
                store.delete(key).unwrap();
            }
        }
        let there = packs(&store);
        let writer = Writer::default();
        let rehearsal = shelf.repo.repair_index(writer.clone(), true).unwrap();
        let before = keys(&store, "");
        let done = shelf.repo.repair_index(writer.clone(), false).unwrap();
        prop_assert_eq!(&rehearsal.packs_dropped, &done.packs_dropped);
        prop_assert_eq!(rehearsal.packs_added, done.packs_added);
        prop_assert_eq!(rehearsal.is_clean(), before == keys(&store, ""));
        prop_assert_eq!(indexed(&shelf), there.clone());
        prop_assert!(keys(&store, "intents/").is_empty());
        prop_assert!(shelf.repo.repair_index(writer, true).unwrap().is_clean(), "once is enough");
        let options = CheckOptions { read_data: true, now_ms: 0 };
        let check = shelf.repo.check(options, Some(&Trees)).unwrap();
        let lost: Vec<_> = done.packs_dropped.iter().map(pack_key).collect();
        let others = check.findings.iter().filter(|found| {
            !lost.contains(&found.object.trim_start_matches("mirror/").to_owned())
        });
        // A tree pack whose first copy is gone is a finding of its own.
        let others: Vec<_> = others.filter(|found| !found.has_copy).collect();
        prop_assert!(others.is_empty(), "{:?}", others);
    }
}

#[test]
fn what_was_lost_is_stored_again_after_a_repair() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let mut shelf = Shelf::on(store.clone());
    shelf.file("x", &noise(300_000, 1));
    shelf.backup();
    let data: Vec<String> = {
        let copies = keys(&store, "mirror/packs/");
        let single = |key: &String| !copies.contains(&format!("mirror/{key}"));
        keys(&store, "packs/").into_iter().filter(single).collect()
    };
    assert_eq!(data.len(), 1);
    store.delete(&data[0]).unwrap();
    let done = shelf.repo.repair_index(Writer::default(), false).unwrap();
    assert_eq!(done.packs_dropped.len(), 1);
    assert_eq!(done.objects_written, 1);
    shelf.backup();
    let check = shelf.repo.check(CheckOptions::default(), Some(&Trees)).unwrap();
    assert_eq!(check.affected, [], "the next backup has healed it");
}

#[test]
fn packs_that_a_collection_is_about_to_delete_are_not_named_again() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let mut shelf = Shelf::on(store.clone());
    shelf.file("x", &noise(300_000, 1));
    shelf.backup();
    let doomed = *packs(&store).first().unwrap();
    shelf.repo.condemn(1, &[doomed].into()).unwrap();
    for key in keys(&store, INDEX) {
        store.delete(&key).unwrap();
    }
    shelf.repo.repair_index(Writer::default(), false).unwrap();
    let mut wanted = packs(&store);
    wanted.remove(&doomed);
    let index = shelf.repo.index_for_reading().unwrap();
    let named: BTreeSet<PackName> = index.index().packs().iter().map(|pack| pack.name).collect();
    assert_eq!(named, wanted);
}

#[test]
fn a_slot_is_found_by_label_name_and_passphrase() {
    use holdfast_executor::error::Error;
    use holdfast_executor::slot::KdfCost;
    let shelf = Shelf::new();
    let first = shelf.repo.slot_of(shelf::PASSPHRASE).unwrap().unwrap();
    let second = shelf.repo.add_slot(b"another", "escrow", 5, KdfCost::least()).unwrap();
    assert_eq!(shelf.repo.slot_of(b"another").unwrap(), Some(second));
    assert_eq!(shelf.repo.slot_of(b"wrong").unwrap(), None);
    assert_eq!(shelf.repo.find_slot("escrow").unwrap().name, second);
    assert_eq!(shelf.repo.find_slot(&first.to_string()[..20]).unwrap().name, first);
    assert!(matches!(shelf.repo.find_slot(""), Err(Error::NoSuch { .. })));
    let third = shelf.repo.add_slot(b"third", "escrow", 6, KdfCost::least()).unwrap();
    assert!(matches!(shelf.repo.find_slot("escrow"), Err(Error::Invalid { .. })));
    assert_eq!(shelf.repo.find_slot(&third.to_string()).unwrap().label, "escrow");
}
