//! Blobs that are stored more than once, in one pack and in several: each copy serves for the others.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod gate;
mod small;

use std::sync::Arc;

use gate::flip;
use holdfast_executor::digest::Kind;
use holdfast_executor::error::Error;
use holdfast_executor::index::DedupIndex;
use holdfast_executor::pack::pack_key;
use holdfast_executor::repo::{Commit, Committed, Open, Repo, WriteOptions, WriteSession, Writer};
use holdfast_executor::snapshot::{Root, Snapshot};
use holdfast_executor::store::{MemoryStore, SharedStore, Store};
use proptest::prelude::*;
use small::*;

/// A session that knows nothing of the others: everything is stored again.
fn blind(repo: &Repo<Open>, session: &str, blobs: &[(Kind, Vec<u8>)]) -> Committed {
    let intent = repo.put_intent(Writer { session: session.into(), ..Writer::default() }).unwrap();
    let seen = repo.overview().unwrap();
    let dedup = Arc::new(DedupIndex::new(Arc::default()));
    let writing = WriteSession::begin(repo, dedup.clone(), WriteOptions::default()).unwrap();
    let mut writer = writing.writer().unwrap();
    let mut roots = Vec::new();
    for (kind, content) in blobs {
        let id = writer.put(*kind, content).unwrap().id;
        if *kind == Kind::Tree {
            roots.push(Root { path: b"/data".to_vec(), tree: id });
        }
    }
    writer.finish().unwrap();
    let written = writing.finish().unwrap();
    let (session, component) = (session.to_owned(), "dump".to_owned());
    let snapshot = Snapshot { session, component, roots, ..Snapshot::default() };
    repo.commit(Commit { intent, collection: seen.collection, dedup, written, snapshot }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Sessions beside each other store the same blobs; packs are spoiled at random. A blob of which one
    /// copy is whole is read exactly, and one of which none is has its name.
    #[test]
    fn r13_what_is_whole_in_any_pack_is_read(
        picks in proptest::collection::vec(proptest::collection::vec(0..12u64, 1..12), 2..4),
        spoil in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
    ) {
        let store = Arc::new(MemoryStore::new());
        let shared: SharedStore = store.clone();
        let repo = init(&shared).without_padding();
        let blob = |n: u64| (Kind::Data, noise(n, 40 + n as usize));
        let mut sessions = Vec::new();
        for (number, pick) in picks.iter().enumerate() {
            let mut blobs: Vec<_> = pick.iter().map(|n| blob(*n)).collect();
            blobs.push((Kind::Tree, noise(100, 64)));
            sessions.push((blind(&repo, &format!("s-{number}"), &blobs), blobs));
        }
        let packs = store.list("packs/").unwrap();
        for (pack, bit) in spoil {
            let key = &packs[pack.index(packs.len())].key;
            let bytes = store.get(key, u64::MAX).unwrap();
            store.tamper(key, Some(flip(&bytes, bit.index(bytes.len() * 8))));
        }
        let lost = check(&repo);
        let reader = repo.index_for_reading().unwrap().reader();
        for (committed, blobs) in &sessions {
            for (kind, content) in blobs {
                let id = repo.blob_id(*kind, content);
                let whole = sessions.iter().any(|(other, theirs)| {
                    theirs.contains(&(*kind, content.clone())) && is_whole(&repo, other, *kind)
                });
                match reader.read(*kind, &id) {
                    Ok(found) => prop_assert_eq!(&found, content),
                    Err(Error::Damaged { .. }) => prop_assert!(!whole, "a copy of {} is whole", id),
                    Err(error) => panic!("{error}"),
                }
            }
            let trees = lost.affected.iter().filter(|one| one.snapshot == committed.name).count();
            prop_assert_eq!(trees, 0, "trees have a copy");
        }
    }
}

/// Whether the pack of a session is as it was written.
fn is_whole(repo: &Repo<Open>, committed: &Committed, kind: Kind) -> bool {
    let index = repo.index_for_reading().unwrap();
    let index = index.index().packs().iter().filter(|pack| pack.kind == kind);
    let mut own = index.filter(|p| committed.written.packs.iter().any(|(name, _)| *name == p.name));
    own.all(|pack| {
        let bytes = repo.store().get(&pack_key(&pack.name), u64::MAX).unwrap();
        *blake3::hash(&bytes).as_bytes() == pack.name.0
    })
}

/// Two sessions that knew nothing of each other: an id counts once, and whichever pack goes, the other serves.
#[test]
fn r13_a_blob_of_two_packs_is_one_blob() {
    let store = Arc::new(MemoryStore::new());
    let shared: SharedStore = store.clone();
    let repo = init(&shared);
    let blobs = small_blobs();
    let committed = blind(&repo, "s-1", &blobs);
    blind(&repo, "s-2", &blobs);
    assert_eq!(store.list("packs/").unwrap().len(), 6, "each session has its own");
    assert_eq!(repo.index_for_reading().unwrap().index().len(), blobs.len());
    restore(&repo, &committed, &blobs).unwrap();
    assert!(check(&repo).is_clean());
    for row in store.list("packs/").unwrap() {
        let right = store.get(&row.key, u64::MAX).unwrap();
        store.tamper(&row.key, None);
        restore(&repo, &committed, &blobs).unwrap();
        store.tamper(&row.key, Some(right));
    }
}

/// One pack that holds a blob twice, in one block and in two, as an index or a footer may say.
#[test]
fn r13_a_blob_twice_in_one_pack_is_one_blob() {
    use holdfast_executor::pack::Footer;
    let id = [7; 16];
    let blob = |len: u8| [&id[..], &[len]].concat();
    let block = |count: u8| [60, 20, count];
    for (blocks, blobs) in [
        (vec![block(2)], [blob(10), blob(10)].concat()),
        (vec![block(1), block(1)], [blob(20), blob(20)].concat()),
    ] {
        let body = [&[1, 1, 0, 0, 0, blocks.len() as u8][..], &blocks.concat(), &blobs].concat();
        let footer = Footer::parse(&body, 1_000).unwrap();
        assert_eq!(footer.blobs.len(), 2);
        assert_eq!(footer.blobs[0], footer.blobs[1]);
    }
}
