//! Bytes that this format must go on writing and reading. The files are made by
//! `HOLDFAST_GOLDEN=write`; a change of any of them is a new format.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod small;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use holdfast_executor::chunk::ChunkSizes;
use holdfast_executor::digest::Kind;
use holdfast_executor::repo::{Repo, Unlock};
use holdfast_executor::store::{MemoryStore, SharedStore, Store};
use small::*;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden(name: &str, bytes: &[u8]) {
    let path = folder().join(name);
    if std::env::var_os("HOLDFAST_GOLDEN").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
    let known = std::fs::read(&path).unwrap();
    assert!(known == bytes, "{name} is not what it was: the format has changed");
}

/// A repository made from a source of randomness that counts, so that all of its bytes are fixed.
fn fixed() -> (Arc<MemoryStore>, holdfast_executor::repo::Committed) {
    let store = Arc::new(MemoryStore::new());
    let shared: SharedStore = store.clone();
    let repo = init_with(&shared, Counting::running()).unwrap();
    let mut blobs = small_blobs();
    blobs.push((Kind::Data, b"holdfast ".repeat(40)));
    let committed = backup(&repo, "5e55-0001", &blobs).unwrap();
    (store, committed)
}

/// Every object in one text: key, length, and its bytes or (packs) all but the padding.
#[test]
fn c5_a_whole_tiny_repository() {
    let (store, _) = fixed();
    let mut listing = String::new();
    for row in store.list("").unwrap() {
        let bytes = store.get(&row.key, u64::MAX).unwrap();
        writeln!(listing, "{} {}", row.key, row.size).unwrap();
        let shown = match row.key.contains("packs/") {
            true => vec![&bytes[..768], &bytes[bytes.len() - 400..]],
            false => vec![&bytes[..]],
        };
        for part in shown {
            for line in part.chunks(48) {
                listing.push_str("  ");
                line.iter().for_each(|byte| write!(listing, "{byte:02x}").unwrap());
                listing.push('\n');
            }
        }
    }
    golden("repository-0.1.txt", listing.as_bytes());
}

/// What an older program wrote is opened and read by this one: from the file, not from this code.
#[test]
fn c5_the_golden_objects_open() {
    let text = String::from_utf8(std::fs::read(folder().join("repository-0.1.txt")).unwrap());
    let text = text.unwrap();
    let store = Arc::new(MemoryStore::new());
    let (fresh, committed) = fixed();
    let mut objects: Vec<(String, Vec<u8>)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("  ") {
            Some(hex) => {
                let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                let (_, bytes) = objects.last_mut().unwrap();
                bytes.extend((0..hex.len()).step_by(2).map(byte));
            }
            None => objects.push((line.split_once(' ').unwrap().0.to_owned(), Vec::new())),
        }
    }
    for (key, bytes) in objects {
        // Packs are shown without their padding, which nothing reads: their middle is taken from here.
        let bytes = match key.contains("packs/") {
            true => {
                let mut whole = fresh.get(&key, u64::MAX).unwrap();
                let end = whole.len() - 400;
                whole[..768].copy_from_slice(&bytes[..768]);
                whole[end..].copy_from_slice(&bytes[768..]);
                whole
            }
            false => bytes,
        };
        store.tamper(&key, Some(bytes));
    }
    let shared: SharedStore = store;
    let repo = Repo::at(shared).open(PASSPHRASE, Unlock::default()).unwrap();
    let mut blobs = small_blobs();
    blobs.push((Kind::Data, b"holdfast ".repeat(40)));
    restore(&repo, &committed, &blobs).unwrap();
    assert!(check(&repo).is_clean());
}

/// Ids, names, page boundaries and cuts of the repository above.
#[test]
fn c5_derivations() {
    let (store, _) = fixed();
    let shared: SharedStore = store;
    let repo = open(&shared).unwrap();
    let mut text = String::new();
    for kind in Kind::ALL {
        writeln!(text, "id {kind} {}", repo.blob_id(kind, b"holdfast")).unwrap();
    }
    for attempt in [0, 1] {
        let name = repo.keys().snapshot_name("5e55-0001", "dump", attempt);
        writeln!(text, "snapshot {attempt} {name}").unwrap();
    }
    let ends = (0..3_000).filter(|n| repo.keys().ends_tree_page(format!("file-{n}").as_bytes()));
    writeln!(text, "pages end after {:?}", ends.collect::<Vec<_>>()).unwrap();
    let content = noise(42, 12_000_000);
    let cuts = repo.keys().chunker(ChunkSizes::default());
    let cuts: Vec<usize> = cuts.cuts(&content).map(<[u8]>::len).collect();
    writeln!(text, "cuts {cuts:?}").unwrap();
    golden("derivations-0.1.txt", text.as_bytes());
}

/// Two runs with a stuck source of randomness: whatever is sealed twice under one key is the same
/// message, so objects of different content never share a salt.
#[test]
fn c3_a_stuck_source_repeats_no_key() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let repo = init_with(&store, Counting::stuck()).unwrap();
    backup(&repo, "s-1", &small_blobs()).unwrap();
    let mut salts = std::collections::HashMap::new();
    for row in store.list("").unwrap() {
        let bytes = store.get(&row.key, u64::MAX).unwrap();
        if row.key.starts_with("mirror/") || row.key.starts_with("keys") || row.key == "config" {
            continue;
        }
        let at = if row.key.starts_with("packs/") { 0 } else { 12 };
        let salt = bytes[at..at + 24].to_vec();
        assert_eq!(salts.insert(salt, row.key.clone()), None, "{} shares its salt", row.key);
    }
    assert_eq!(salts.len(), 5, "three packs, an index object, a snapshot");
}
