//! A repository from its first byte to its last reader, over memory and over files.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_executor::digest::{BlobId, Kind, RepoId};
use holdfast_executor::error::Error;
use holdfast_executor::index::DedupIndex;
use holdfast_executor::repo::{
    Commit, Committed, InitOptions, Open, Repo, Unlock, WriteOptions, WriteSession, Writer,
};
use holdfast_executor::slot::KdfCost;
use holdfast_executor::snapshot::{Root, Snapshot};
use holdfast_executor::store::{Faulty, FileStore, MemoryStore, SharedStore, StoreError};

const PASSPHRASE: &[u8] = b"correct horse battery staple";

fn init(store: &SharedStore) -> Repo<Open> {
    let options = InitOptions { label: "first", now_ms: 1_000, cost: KdfCost::least() };
    Repo::at(store.clone()).init(PASSPHRASE, options).unwrap()
}

fn open(store: &SharedStore) -> Result<Repo<Open>, Error> {
    Repo::at(store.clone()).open(PASSPHRASE, Unlock::default())
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// Backs up blobs by two writers and commits.
fn session(repo: &Repo<Open>, session: &str, blobs: &[(Kind, Vec<u8>)]) -> Committed {
    let intent = repo.put_intent(Writer { session: session.into(), ..Writer::default() }).unwrap();
    let seen = repo.overview().unwrap();
    let indexed = repo.index_for_writing(&seen).unwrap();
    let dedup = Arc::new(DedupIndex::new(indexed.index().clone()));
    let writing = WriteSession::begin(repo, dedup.clone(), WriteOptions::default()).unwrap();
    let mut roots = Vec::new();
    for half in blobs.chunks(blobs.len().div_ceil(2)) {
        let mut writer = writing.writer().unwrap();
        for (kind, content) in half {
            let put = writer.put(*kind, content).unwrap();
            if *kind == Kind::Tree {
                roots.push(Root { path: b"/data".to_vec(), tree: put.id });
            }
        }
        writer.finish().unwrap();
    }
    let written = writing.finish().unwrap();
    let snapshot = Snapshot {
        session: session.into(),
        component: "dump".into(),
        roots,
        ..Snapshot::default()
    };
    repo.commit(Commit { intent, collection: seen.collection, dedup, written, snapshot }).unwrap()
}

fn some_blobs() -> Vec<(Kind, Vec<u8>)> {
    let mut blobs: Vec<_> =
        (0..300).map(|n| (Kind::Data, noise(n, 1 + (n as usize * 7919) % 20_000))).collect();
    blobs.push((Kind::Data, noise(1_000, 600_000)));
    blobs.push((Kind::Data, vec![0; 2 << 20]));
    blobs.push((Kind::List, noise(1_001, 800)));
    blobs.push((Kind::Tree, noise(1_002, 5_000)));
    blobs
}

fn stores() -> (tempfile::TempDir, Vec<SharedStore>) {
    let dir = tempfile::tempdir().unwrap();
    let file: SharedStore = Arc::new(FileStore::new(dir.path().join("repo")).unwrap());
    (dir, vec![Arc::new(MemoryStore::new()), file])
}

#[test]
fn what_was_put_is_read_back_by_another_process() {
    let (_dir, stores) = stores();
    for store in stores {
        let blobs = some_blobs();
        let committed = session(&init(&store), "s-1", &blobs);
        let repo = open(&store).unwrap();
        assert_eq!(repo.snapshot_names().unwrap(), [committed.name]);
        assert_eq!(repo.load_snapshot(&committed.name).unwrap(), committed.snapshot);
        let reader = repo.index_for_reading().unwrap().reader();
        let mut data_ids = Vec::new();
        for (kind, content) in &blobs {
            let id = repo.blob_id(*kind, content);
            assert_eq!(reader.read(*kind, &id).unwrap(), *content);
            if *kind == Kind::Data {
                data_ids.push(id);
            }
        }
        let mut seen = vec![false; data_ids.len()];
        reader
            .read_many(Kind::Data, &data_ids, |position, content| {
                assert_eq!(content, blobs[position].1);
                seen[position] = true;
                Ok(())
            })
            .unwrap();
        assert!(seen.iter().all(|seen| *seen));
        assert!(store.list("intents/").unwrap().is_empty(), "the intent is released");
    }
}

#[test]
fn a_second_session_stores_only_what_is_new() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let repo = init(&store);
    let mut blobs = some_blobs();
    let first = session(&repo, "s-1", &blobs);
    assert_eq!(first.written.blobs_added, blobs.len() as u64);
    blobs.push((Kind::Data, b"one more".to_vec()));
    let second = session(&repo, "s-2", &blobs);
    assert_eq!((second.written.blobs_added, second.written.bytes_added), (1, 8));
    assert_eq!(second.written.packs.len(), 1);
}

#[test]
fn a_twin_of_the_same_attempt_is_superseded() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let repo = init(&store);
    let first = session(&repo, "s-1", &some_blobs());
    let intent = repo.put_intent(Writer::default()).unwrap();
    let seen = repo.overview().unwrap();
    let index = repo.index_for_writing(&seen).unwrap();
    let dedup = Arc::new(DedupIndex::new(index.index().clone()));
    let snapshot = Snapshot {
        session: "s-1".into(),
        component: "dump".into(),
        host: "another machine".into(),
        ..Snapshot::default()
    };
    let written = Default::default();
    let twin =
        repo.commit(Commit { intent, collection: seen.collection, dedup, written, snapshot });
    assert!(matches!(twin, Err(Error::Superseded { snapshot }) if snapshot == first.name));
    assert_eq!(repo.load_snapshot(&first.name).unwrap(), first.snapshot);
}

#[test]
fn c1_four_things_that_look_alike_are_four_errors() {
    let (_dir, stores) = stores();
    for store in stores {
        assert!(matches!(open(&store), Err(Error::NoRepository)));
        let repo = init(&store);
        let id = repo.id();
        session(&repo, "s-1", &some_blobs());
        let at = Repo::at(store.clone());
        assert!(matches!(
            at.open(b"wrong", Unlock::default()),
            Err(Error::WrongPassphrase { slots: 1 })
        ));
        let other = RepoId([9; 16]);
        let unlock = Unlock { expected: Some(other), ..Unlock::default() };
        assert!(matches!(
            at.open(PASSPHRASE, unlock),
            Err(Error::RepositoryReplaced { expected, found }) if expected == other && found == id
        ));
        assert!(matches!(
            at.init(PASSPHRASE, InitOptions { cost: KdfCost::least(), ..InitOptions::default() }),
            Err(Error::AlreadyInitialised { found }) if found == id
        ));
        store.delete("config").unwrap();
        assert_eq!(open(&store).unwrap().id(), id, "the copy serves");
        store.delete("mirror/config").unwrap();
        assert!(matches!(open(&store), Err(Error::ConfigLost { .. })));
        let again =
            at.init(PASSPHRASE, InitOptions { cost: KdfCost::least(), ..InitOptions::default() });
        assert!(matches!(again, Err(Error::ConfigLost { .. })));
    }
}

#[test]
fn a_store_that_does_not_answer_is_never_taken_for_an_empty_place() {
    let memory: SharedStore = Arc::new(MemoryStore::new());
    init(&memory);
    let dead = Repo::at(Arc::new(Faulty::dead(memory)));
    let options = InitOptions { cost: KdfCost::least(), ..InitOptions::default() };
    for error in [
        dead.open(PASSPHRASE, Unlock::default()).err().unwrap(),
        dead.init(PASSPHRASE, options).err().unwrap(),
    ] {
        assert!(matches!(error, Error::Store(StoreError::Unavailable { .. })), "{error}");
        assert!(!error.permanent());
    }
}

/// Two initialisations at once: one repository, and the other one says whose it is.
#[test]
fn of_two_initialisations_one_wins() {
    for _ in 0..5 {
        let (_dir, stores) = stores();
        for store in stores {
            let options = InitOptions { cost: KdfCost::least(), ..InitOptions::default() };
            let start = || Repo::at(store.clone()).init(PASSPHRASE, options);
            let made: Vec<_> = std::thread::scope(|scope| {
                let threads = [scope.spawn(start), scope.spawn(start)];
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let repo = open(&store).unwrap();
            let winners = made.iter().flatten().filter(|made| made.id() == repo.id()).count();
            assert_eq!((winners, made.iter().flatten().count()), (1, 1));
            for error in made.into_iter().filter_map(Result::err) {
                let Error::AlreadyInitialised { found } = error else { panic!("{error}") };
                assert_eq!(found, repo.id());
            }
            session(&repo, "s-1", &some_blobs());
        }
    }
}

#[test]
fn a_place_with_other_things_is_never_initialised() {
    let (_dir, stores) = stores();
    for store in stores {
        store.put_new("holiday/photo.jpg", b"smile").unwrap();
        let made = Repo::at(store.clone())
            .init(PASSPHRASE, InitOptions { cost: KdfCost::least(), ..InitOptions::default() });
        assert!(matches!(made, Err(Error::NotEmpty { key }) if key == "holiday/photo.jpg"));
    }
}

#[test]
fn a_missing_blob_and_a_wrong_kind_have_their_names() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let repo = init(&store);
    session(&repo, "s-1", &some_blobs());
    let reader = repo.index_for_reading().unwrap().reader();
    let unknown = BlobId([1; 16]);
    assert!(matches!(
        reader.read(Kind::Data, &unknown),
        Err(Error::BlobMissing { id, .. }) if id == unknown
    ));
    let data = repo.blob_id(Kind::Data, &some_blobs()[0].1);
    assert!(matches!(reader.read(Kind::Tree, &data), Err(Error::Binding { .. })));
}

#[test]
fn a_pack_that_was_condemned_meanwhile_is_copied_before_the_commit() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let repo = init(&store);
    let blobs = some_blobs();
    let first = session(&repo, "s-1", &blobs);

    let intent = repo.put_intent(Writer::default()).unwrap();
    let seen = repo.overview().unwrap();
    let index = repo.index_for_writing(&seen).unwrap();
    let dedup = Arc::new(DedupIndex::new(index.index().clone()));
    let session = WriteSession::begin(&repo, dedup.clone(), WriteOptions::default()).unwrap();
    let mut writer = session.writer().unwrap();
    for (kind, content) in &blobs {
        assert!(!writer.put(*kind, content).unwrap().new);
    }
    writer.finish().unwrap();
    let written = session.finish().unwrap();
    repo.condemn(1, &first.written.packs.iter().map(|(name, _)| *name).collect()).unwrap();
    let snapshot = Snapshot { session: "s-2".into(), ..Snapshot::default() };
    let second = repo
        .commit(Commit { intent, collection: seen.collection, dedup, written, snapshot })
        .unwrap();
    assert_eq!(second.snapshot.gc_generation, 1);
    assert!(!second.written.packs.is_empty());

    for (name, _) in &first.written.packs {
        let key = holdfast_executor::pack::pack_key(name);
        store.delete(&key).unwrap();
        store.delete(&format!("mirror/{key}")).unwrap();
    }
    for hash in &first.written.indexes {
        store.delete(&holdfast_executor::index::index_key(hash)).unwrap();
    }
    let reader = repo.index_for_reading().unwrap().reader();
    for (kind, content) in &blobs {
        assert_eq!(reader.read(*kind, &repo.blob_id(*kind, content)).unwrap(), *content);
    }
}

#[test]
fn blobs_of_a_condemned_pack_count_as_absent() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let repo = init(&store);
    let blobs = some_blobs();
    let first = session(&repo, "s-1", &blobs);
    repo.condemn(1, &first.written.packs.iter().map(|(name, _)| *name).collect()).unwrap();
    let second = session(&repo, "s-2", &blobs);
    assert_eq!(second.written.blobs_added, blobs.len() as u64);
}

#[test]
fn a_writer_that_slept_too_long_never_commits() {
    const HOUR: i64 = 3_600_000;
    let memory = Arc::new(MemoryStore::new());
    let store: SharedStore = memory.clone();
    let repo = init(&store);
    memory.set_now_ms(1_000 * HOUR);
    let intent = repo.put_intent(Writer::default()).unwrap();
    memory.set_now_ms(1_095 * HOUR);
    intent.renew(&repo).unwrap();
    assert_eq!(store.list("intents/").unwrap().len(), 1, "the older object is gone");
    memory.set_now_ms(1_192 * HOUR);
    let found = repo.intents().unwrap();
    assert!(found[0].is_lapsed(1_192 * HOUR) && !found[0].is_lapsed(1_191 * HOUR));
    assert!(matches!(intent.renew(&repo), Err(Error::IntentLapsed { hours: 1 })));
    assert!(matches!(intent.renew(&repo), Err(Error::IntentLapsed { .. })), "and stays so");
    let seen = repo.overview().unwrap();
    let index = repo.index_for_writing(&seen).unwrap();
    let dedup = Arc::new(DedupIndex::new(index.index().clone()));
    let (written, snapshot) = Default::default();
    // A collection has begun meanwhile: only then anything may have been deleted.
    repo.condemn(1, &BTreeSet::new()).unwrap();
    let commit =
        repo.commit(Commit { intent, collection: seen.collection, dedup, written, snapshot });
    assert!(matches!(commit, Err(Error::IntentLapsed { .. })));
    assert!(repo.snapshot_names().unwrap().is_empty());
}

#[test]
fn a_report_that_could_not_be_delivered_waits_in_the_repository() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let repo = init(&store);
    repo.put_report("a-1", b"{}").unwrap();
    repo.put_report("a-1", b"{}").unwrap();
    assert_eq!(repo.read_report("a-1").unwrap(), b"{}");
    assert!(matches!(repo.put_report("a-1", b"{ }"), Err(Error::Invalid { .. })));
    assert!(matches!(repo.read_report("a-2"), Err(Error::Store(error)) if error.is_not_found()));
    assert!(repo.put_report("../a", b"{}").is_err());
    store.put_new("reports/a-3", &store.get("reports/a-1", 1 << 20).unwrap()).unwrap();
    assert!(matches!(repo.read_report("a-3"), Err(Error::Damaged { .. })), "of another attempt");
}

#[test]
fn passphrases_come_and_go_but_the_last_one_stays() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let repo = init(&store);
    let first = repo.slots().unwrap()[0].name;
    assert!(matches!(repo.drop_slot(&first), Err(Error::LastKeySlot)));
    assert!(matches!(repo.rotate(&[first]), Err(Error::LastKeySlot)));
    let second = repo.add_slot(b"second", "escrow", 2_000, KdfCost::least()).unwrap();
    let labels: Vec<String> = repo.slots().unwrap().into_iter().map(|slot| slot.label).collect();
    assert_eq!(labels, ["first", "escrow"]);
    let at = Repo::at(store.clone());
    assert_eq!(at.open(b"second", Unlock::default()).unwrap().id(), repo.id());
    repo.drop_slot(&first).unwrap();
    assert!(matches!(open(&store), Err(Error::WrongPassphrase { slots: 1 })));
    assert!(matches!(repo.drop_slot(&first), Err(Error::NoSuch { .. })));
    assert!(matches!(repo.drop_slot(&second), Err(Error::LastKeySlot)));
}

/// What is written after a rotation is out of reach for secrets from before it, and not the reverse.
#[test]
fn epochs_part_what_was_from_what_comes() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let old = init(&store);
    let first = session(&old, "s-1", &some_blobs());
    old.add_slot(b"stays", "stays", 2_000, KdfCost::least()).unwrap();
    let gone = old.slots().unwrap()[0].name;
    let new = old.rotate(&[gone]).unwrap();
    let blobs = [(Kind::Data, b"written under epoch 2".to_vec())];
    let second = session(&new, "s-2", &blobs);
    assert_eq!(new.load_snapshot(&first.name).unwrap(), first.snapshot);
    let out_of_reach = old.load_snapshot(&second.name);
    assert!(matches!(out_of_reach, Err(Error::NewerEpoch { epoch: 2, newest: 1, .. })));
    let stays = Repo::at(store.clone()).open(b"stays", Unlock::default()).unwrap();
    let reader = stays.index_for_reading().unwrap().reader();
    for (kind, content) in some_blobs().iter().chain(&blobs) {
        assert_eq!(reader.read(*kind, &new.blob_id(*kind, content)).unwrap(), *content);
    }
}

/// Small packs, many index objects, several writers at once: everything is found again.
#[test]
fn many_packs_of_many_writers() {
    let (_dir, stores) = stores();
    for store in stores {
        let repo = init(&store);
        let seen = repo.overview().unwrap();
        let index = repo.index_for_writing(&seen).unwrap();
        let dedup = Arc::new(DedupIndex::new(index.index().clone()));
        let options = WriteOptions { pack_target_bytes: Some(1 << 16), ..WriteOptions::default() };
        let session = WriteSession::begin(&repo, dedup, options).unwrap();
        let content = |n: u64| noise(n % 1_500, 40_000);
        std::thread::scope(|scope| {
            for worker in 0..3 {
                let session = &session;
                scope.spawn(move || {
                    let mut writer = session.writer().unwrap();
                    for n in 0..600 {
                        writer.put(Kind::Data, &content(worker * 450 + n)).unwrap();
                        writer.close_block(Kind::Data).unwrap();
                    }
                    writer.finish().unwrap();
                });
            }
        });
        let written = session.finish().unwrap();
        assert_eq!(written.blobs_added, 1_500);
        assert!(written.packs.len() > 400 && written.indexes.len() > 5, "{}", written.packs.len());
        let reader = repo.index_for_reading().unwrap().reader();
        let ids: Vec<_> = (0..1_500).map(|n| repo.blob_id(Kind::Data, &content(n))).collect();
        let mut seen = 0;
        reader
            .read_many(Kind::Data, &ids, |position, bytes| {
                assert_eq!(bytes, content(position as u64));
                seen += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, 1_500);
    }
}
