//! What others put beneath `keys/`: nobody who cannot delete keeps anybody out, or gets any secret.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::sync::Arc;

use holdfast_executor::digest::ObjectHash;
use holdfast_executor::error::Error;
use holdfast_executor::repo::{Foreign, InitOptions, Open, Repo, Unlock, mirror_key};
use holdfast_executor::slot::{KdfCost, slot_key};
use holdfast_executor::store::{FileStore, MemoryStore, SharedStore};

const OWNER: &[u8] = b"owner";

fn init(store: &SharedStore) -> Repo<Open> {
    let options = InitOptions { label: "first", now_ms: 1_000, cost: KdfCost::least() };
    Repo::at(store.clone()).init(OWNER, options).unwrap()
}

fn open(store: &SharedStore, passphrase: &[u8]) -> Result<Repo<Open>, Error> {
    Repo::at(store.clone()).open(passphrase, Unlock::default())
}

fn memory() -> SharedStore {
    Arc::new(MemoryStore::new())
}

/// A slot that somebody made for a passphrase of their own, from nothing but what is public.
fn plant(store: &SharedStore, repo: &Repo<Open>, number: u8) -> ObjectHash {
    let elsewhere = memory();
    let options =
        InitOptions { label: "planted", now_ms: i64::from(number), cost: KdfCost::least() };
    let other = Repo::at(elsewhere.clone()).init(b"theirs", options).unwrap();
    let name = other.slots().unwrap()[0].name;
    let mut bytes = elsewhere.get(&slot_key(&name), 1 << 16).unwrap();
    bytes[6..22].copy_from_slice(repo.id().as_bytes());
    let name = ObjectHash::of(&bytes);
    for key in [slot_key(&name), mirror_key(&slot_key(&name))] {
        store.put_new(&key, &bytes).unwrap();
    }
    name
}

#[test]
fn s01_a_slot_without_its_mac_is_none() {
    let store = memory();
    let repo = init(&store);
    let planted = plant(&store, &repo, 7);
    let labels = |repo: &Repo<Open>| -> Vec<String> {
        repo.slots().unwrap().into_iter().map(|slot| slot.label).collect()
    };
    assert_eq!(labels(&repo), ["first"]);
    assert!(repo.find_slot("planted").is_err());
    assert!(repo.slot_of(b"theirs").unwrap().is_none());
    assert!(matches!(repo.drop_slot(&planted), Err(Error::NoSuch { .. })));
    let first = repo.slots().unwrap()[0].name;
    assert!(
        matches!(repo.drop_slot(&first), Err(Error::LastKeySlot)),
        "the planted one is no other"
    );
    assert!(matches!(repo.rotate(&[first]), Err(Error::LastKeySlot)));
    let before = store.get(&slot_key(&planted), 1 << 16).unwrap();
    let rotated = repo.rotate(&[]).unwrap();
    assert_eq!(labels(&rotated), ["first"]);
    assert_eq!(store.list("keys/").unwrap().len(), 2, "nothing was sealed to it");
    assert_eq!(store.get(&slot_key(&planted), 1 << 16).unwrap(), before);
    let foreign = rotated.foreign_slots().unwrap();
    assert_eq!((foreign.len(), foreign[0].name, foreign[0].why), (1, planted, Foreign::NotMade));
    let report = rotated.check(Default::default(), None).unwrap();
    assert!(report.is_clean());
    assert_eq!(report.foreign_slots.len(), 1);
}

#[test]
fn s01_a_slot_that_was_left_behind_and_put_back_gets_no_new_secret() {
    let dir = tempfile::tempdir().unwrap();
    let store: SharedStore = Arc::new(FileStore::new(dir.path().join("repo")).unwrap());
    let repo = init(&store);
    let leaked = repo.add_slot(b"leaked", "leaked", 2_000, KdfCost::least()).unwrap();
    let bytes = store.get(&slot_key(&leaked), 1 << 16).unwrap();
    let rotated = repo.rotate(&[leaked]).unwrap();
    // Times of files may be as coarse as a tick of the kernel.
    std::thread::sleep(std::time::Duration::from_millis(50));
    store.put_new(&slot_key(&leaked), &bytes).unwrap();
    let foreign = rotated.foreign_slots().unwrap();
    assert_eq!((foreign.len(), foreign[0].why), (1, Foreign::PutBack));
    assert_eq!(open(&store, b"leaked").unwrap().keys().newest_epoch(), 1);
    let again = rotated.rotate(&[]).unwrap();
    assert_eq!((again.slots().unwrap().len(), again.keys().newest_epoch()), (1, 3));
    assert!(open(&store, b"leaked").is_err());
}

#[test]
fn s02_no_amount_of_junk_beneath_keys_keeps_an_owner_out() {
    let memory = Arc::new(MemoryStore::new());
    let store: SharedStore = memory.clone();
    let repo = init(&store);
    // What was there first is tried first.
    memory.set_now_ms(1);
    for number in 0..300u32 {
        let name = ObjectHash::of(&number.to_le_bytes());
        store.put_new(&slot_key(&name), b"junk").unwrap();
    }
    for number in 0..3 {
        plant(&store, &repo, number);
    }
    assert!(open(&store, OWNER).is_ok());
    assert!(open(&store, b"somebody").is_err());
    assert_eq!(repo.foreign_slots().unwrap().len(), 3);
    repo.add_slot(b"more", "more", 0, KdfCost::least()).unwrap();
    assert_eq!(repo.rotate(&[]).unwrap().slots().unwrap().len(), 2);
}

#[test]
fn there_are_no_more_passwords_than_open() {
    let store = memory();
    let repo = init(&store);
    for number in 1..32 {
        let passphrase = format!("number {number}");
        repo.add_slot(passphrase.as_bytes(), &passphrase, number, KdfCost::least()).unwrap();
    }
    let refused = repo.add_slot(b"one more", "one more", 40, KdfCost::least());
    assert!(matches!(refused, Err(Error::Limit { limit: 32, found: 33, .. })), "{refused:?}");
    assert_eq!(repo.slots().unwrap().len(), 32);
    assert!(open(&store, b"number 31").is_ok());
}
