//! Damage as a matrix: every object of a small repository, every way to spoil it. A check names the
//! object, and reading gives the exact bytes or a named error, never others.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod small;

use std::sync::Arc;

use holdfast_executor::digest::Kind;
use holdfast_executor::error::Error;
use holdfast_executor::repo::{Committed, Open, Problem, Repo, Unlock};
use holdfast_executor::store::{MemoryStore, SharedStore, Store};
use small::*;

struct Small {
    store: Arc<MemoryStore>,
    repo: Repo<Open>,
    committed: Committed,
    blobs: Vec<(Kind, Vec<u8>)>,
    keys: Vec<String>,
}

fn small() -> Small {
    let store = Arc::new(MemoryStore::new());
    let shared: SharedStore = store.clone();
    let repo = init(&shared);
    let blobs = small_blobs();
    let committed = backup(&repo, "s-1", &blobs).unwrap();
    let keys = store.list("").unwrap().into_iter().map(|row| row.key).collect();
    let small = Small { store, repo, committed, blobs, keys };
    assert!(check(&small.repo).is_clean());
    small
}

impl Small {
    fn bytes(&self, key: &str) -> Vec<u8> {
        self.store.get(key, u64::MAX).unwrap()
    }

    /// Puts other bytes in the place of an object, looks, and puts the right ones back.
    fn with(&self, key: &str, bytes: Option<Vec<u8>>, what: &str) {
        let right = self.bytes(key);
        self.store.tamper(key, bytes);
        let report = check(&self.repo);
        assert!(
            report.findings.iter().any(|finding| finding.object == key)
                || report.single_copies.iter().any(|single| single == key),
            "{what} of {key} is not named: {report:?}"
        );
        match restore(&self.repo, &self.committed, &self.blobs) {
            Ok(()) => assert!(report.affected.is_empty(), "{what} of {key} affects nothing"),
            Err(error) => {
                assert!(is_named(&error), "{what} of {key}: {error}");
                assert!(is_alone(key), "{what} of {key} has a copy: {error}");
            }
        }
        self.store.tamper(key, Some(right));
    }
}

/// Only packs of data are stored once and have nothing that takes their place.
fn is_alone(key: &str) -> bool {
    key.starts_with("packs/")
}

fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// Any two objects of one folder change places, and with those of another folder as well.
#[test]
fn c4_swaps_and_other_types() {
    let small = small();
    for key in &small.keys {
        let right = small.bytes(key);
        for other in &small.keys {
            let bytes = small.bytes(other);
            if bytes != right {
                small.with(key, Some(bytes), &format!("replacement by {other}"));
            }
        }
    }
}

/// Two repositories with one passphrase: nothing of one is taken for something of the other.
#[test]
fn c4_objects_of_another_repository() {
    let (small, other) = (small(), small());
    for (key, foreign) in small.keys.iter().zip(&other.keys) {
        let folder = |key: &str| key.split('/').take(2).next().unwrap().to_owned();
        assert_eq!(folder(key), folder(foreign));
        small.with(key, Some(other.bytes(foreign)), "an object of another repository");
    }
    // All of it, under the other's keys.
    let store: SharedStore = small.store.clone();
    for key in ["config", "mirror/config"] {
        small.store.tamper(key, Some(other.bytes(key)));
    }
    let expected = Some(small.repo.id());
    let opened = Repo::at(store).open(PASSPHRASE, Unlock { expected, write: false });
    assert!(
        matches!(opened, Err(Error::RepositoryReplaced { found, .. }) if found == other.repo.id())
    );
}

#[test]
fn c4_an_old_snapshot_under_a_new_name() {
    let small = small();
    let second = backup(&small.repo, "s-2", &small.blobs).unwrap();
    let key = |committed: &Committed| format!("meta/snapshots/{}", committed.name);
    let old = small.bytes(&key(&small.committed));
    for place in [key(&second), format!("mirror/{}", key(&second))] {
        small.store.tamper(&place, Some(old.clone()));
    }
    let read = small.repo.load_snapshot(&second.name);
    assert!(matches!(read, Err(Error::Damaged { .. })), "its name is authenticated");
}

#[test]
fn damage_of_both_copies_is_told_and_affects() {
    let small = small();
    let tree = small.keys.iter().find(|key| key.starts_with("mirror/packs/")).unwrap();
    let first = tree.strip_prefix("mirror/").unwrap();
    for key in [tree, first] {
        small.store.tamper(key, None);
    }
    let report = check(&small.repo);
    let missing = |f: &&holdfast_executor::repo::Finding| f.problem == Problem::Missing;
    assert_eq!(report.findings.iter().filter(missing).count(), 2);
    assert!(report.findings.iter().all(|finding| !finding.has_copy));
    let trees = report.affected.iter().filter(|affected| affected.path == b"/data").count();
    let lists = small.repo.index_for_reading().unwrap();
    let kind = lists.index().packs().iter().find(|p| first.ends_with(&p.name.to_string()));
    assert_eq!(trees, usize::from(kind.unwrap().kind == Kind::Tree));
}

#[test]
fn c1_a_passphrase_opens_exactly_what_it_should() {
    let small = small();
    let slot = small.keys.iter().find(|key| key.starts_with("keys/")).unwrap();
    let copy = format!("mirror/{slot}");
    let bytes = small.bytes(slot);
    let store: SharedStore = small.store.clone();
    let open_with = |slot_bytes: Vec<u8>, rename: bool| {
        let name = match rename {
            true => format!("keys/{}", blake3::hash(&slot_bytes).to_hex()),
            false => slot.clone(),
        };
        for key in [slot, &copy] {
            small.store.tamper(key, None);
        }
        small.store.tamper(&name, Some(slot_bytes));
        let opened = open(&store).map(|repo| repo.id());
        small.store.tamper(&name, None);
        opened
    };
    // Damage: the name does not fit any more.
    for at in 0..bytes.len() {
        let opened = open_with(flip(&bytes, at * 8 + at % 8), false);
        assert!(matches!(opened, Err(Error::KeySlotDamaged { .. })), "byte {at}");
    }
    // Tampering: the name was made to fit. The header ends with label and public key, then comes the
    // check value; before its end the passphrase seems wrong, behind it the content is.
    let header = 4 + 2 + 16 + 1 + 12 + 32 + 8 + 1 + "first".len() + 32;
    for at in (35..bytes.len()).step_by(7) {
        let opened = open_with(flip(&bytes, at * 8 + at % 8), true);
        match opened {
            Err(Error::WrongPassphrase { .. }) => assert!(at < header + 32, "byte {at}"),
            Err(Error::KeySlotTampered { .. }) => assert!(at >= header + 32, "byte {at}"),
            // Lengths and text of the layout.
            Err(Error::KeySlotDamaged { .. }) => {}
            other => panic!("byte {at}: {other:?}"),
        }
    }
    assert_eq!(open_with(bytes, false).unwrap(), small.repo.id());
    assert!(matches!(open(&store), Err(Error::NoKeySlot)), "all slots are gone");
}

#[test]
fn one_config_of_two_is_enough_and_two_bad_ones_are_told() {
    let small = small();
    let bytes = small.bytes("config");
    let store: SharedStore = small.store.clone();
    for at in (0..bytes.len()).step_by(3) {
        small.store.tamper("config", Some(flip(&bytes, at * 8 + at % 8)));
        assert_eq!(open(&store).unwrap().id(), small.repo.id(), "byte {at}: the copy serves");
    }
    for at in (0..bytes.len()).step_by(11) {
        let bad = flip(&bytes, at * 8 + at % 8);
        small.store.tamper("config", Some(bad.clone()));
        small.store.tamper("mirror/config", Some(bad));
        assert!(open(&store).is_err(), "byte {at}");
    }
}
