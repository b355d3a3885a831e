//! A small repository and the ways to look at it.
#![allow(clippy::unwrap_used, dead_code)] // helpers of tests are tests; not every test needs all

use std::sync::Arc;

use holdfast_executor::compress::Compression;
use holdfast_executor::digest::Kind;
use holdfast_executor::error::{Error, Result};
use holdfast_executor::index::DedupIndex;
use holdfast_executor::repo::{
    CheckOptions, CheckReport, Commit, Committed, InitOptions, Open, Repo, Unlock, WriteOptions,
    WriteSession, Writer,
};
use holdfast_executor::seal::Random;
use holdfast_executor::slot::KdfCost;
use holdfast_executor::snapshot::{Root, Snapshot};
use holdfast_executor::store::SharedStore;

pub const PASSPHRASE: &[u8] = b"correct horse battery staple";

/// A source of randomness that is stuck, or counts.
pub struct Counting {
    pub step: u64,
    pub next: std::sync::atomic::AtomicU64,
}

impl Counting {
    pub fn stuck() -> Arc<Self> {
        Arc::new(Self { step: 0, next: 0.into() })
    }
    pub fn running() -> Arc<Self> {
        Arc::new(Self { step: 1, next: 1.into() })
    }
}

impl Random for Counting {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        let n = self.next.fetch_add(self.step, std::sync::atomic::Ordering::Relaxed);
        let seed = n.to_le_bytes();
        out.iter_mut().enumerate().for_each(|(at, byte)| *byte = seed[at % 8]);
        Ok(())
    }
}

pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// As the format writes numbers.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

pub fn init_with(store: &SharedStore, random: Arc<dyn Random>) -> Result<Repo<Open>> {
    let options = InitOptions { label: "first", now_ms: 1_000, cost: KdfCost::least() };
    Repo::at(store.clone()).with_random(random).init(PASSPHRASE, options)
}

pub fn init(store: &SharedStore) -> Repo<Open> {
    let options = InitOptions { label: "first", now_ms: 1_000, cost: KdfCost::least() };
    Repo::at(store.clone()).init(PASSPHRASE, options).unwrap()
}

pub fn open(store: &SharedStore) -> Result<Repo<Open>> {
    Repo::at(store.clone()).open(PASSPHRASE, Unlock::default())
}

/// Blobs of all kinds, few and small.
pub fn small_blobs() -> Vec<(Kind, Vec<u8>)> {
    let mut blobs: Vec<_> = (0..6).map(|n| (Kind::Data, noise(n, 20 + n as usize * 10))).collect();
    blobs.push((Kind::List, noise(100, 64)));
    blobs.push((Kind::Tree, noise(101, 90)));
    blobs
}

/// One whole session; every step may fail.
pub fn backup(repo: &Repo<Open>, name: &str, blobs: &[(Kind, Vec<u8>)]) -> Result<Committed> {
    let intent = repo.put_intent(Writer { session: name.into(), ..Writer::default() })?;
    let seen = repo.overview()?;
    let indexed = repo.index_for_writing(&seen)?;
    let dedup = Arc::new(DedupIndex::new(indexed.index().clone()));
    let options = WriteOptions { compression: Compression::Zstd(3), ..WriteOptions::default() };
    let session = WriteSession::begin(repo, dedup.clone(), options)?;
    let mut writer = session.writer()?;
    let mut roots = Vec::new();
    for (kind, content) in blobs {
        let put = writer.put(*kind, content)?;
        if *kind == Kind::Tree {
            roots.push(Root { path: b"/data".to_vec(), tree: put.id });
        }
    }
    writer.finish()?;
    let written = session.finish()?;
    let (session, component) = (name.to_owned(), "dump".to_owned());
    let snapshot = Snapshot { session, component, roots, ..Snapshot::default() };
    repo.commit(Commit { intent, collection: seen.collection, dedup, written, snapshot })
}

/// Reads everything that a restore would. `Ok` means: every byte is right.
pub fn restore(repo: &Repo<Open>, wanted: &Committed, blobs: &[(Kind, Vec<u8>)]) -> Result<()> {
    let snapshot = repo.load_snapshot(&wanted.name)?;
    assert_eq!(snapshot, wanted.snapshot, "a wrong snapshot was read without an error");
    let reader = repo.index_for_reading()?.reader();
    for (kind, content) in blobs {
        let read = reader.read(*kind, &repo.blob_id(*kind, content))?;
        assert_eq!(read, *content, "wrong bytes were read without an error");
    }
    Ok(())
}

pub fn check(repo: &Repo<Open>) -> CheckReport {
    repo.check(CheckOptions { read_data: true, now_ms: 0 }, None).unwrap()
}

/// Whether an error names an object or a blob, as opposed to giving up.
pub fn is_named(error: &Error) -> bool {
    matches!(
        error,
        Error::Damaged { .. }
            | Error::Binding { .. }
            | Error::BlobMissing { .. }
            | Error::Store(_)
            | Error::KeySlotDamaged { .. }
            | Error::Unsupported { .. }
    )
}
