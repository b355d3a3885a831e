//! A block on its way from blobs to a pack in memory, one thread, stage by stage: sealed only; compressed
//! and sealed; compressed, sealed and verified, which is what a backup does. Blobs of 16 KiB, claimed and
//! hashed in each of them; what a stage costs is the difference.
//!
//! To be read against AES-256-GCM of aws-lc-rs (20,000 MB/s), and zstd 3 of text (480 MB/s). The peers
//! give no figures of single stages.
#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make public functions; a bench may panic

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::content::prose;
use holdfast_executor::compress::Compression;
use holdfast_executor::digest::Kind;
use holdfast_executor::index::DedupIndex;
use holdfast_executor::repo::{InitOptions, Repo, WriteOptions, WriteSession};
use holdfast_executor::slot::KdfCost;
use holdfast_executor::store::MemoryStore;

const BYTES: usize = 16 << 20;
const BLOB_BYTES: usize = 16 << 10;

fn begin(base: &MemoryStore, options: WriteOptions) -> WriteSession {
    // A store of its own: what the run before has written would be found again.
    let repo = Repo::at(Arc::new(base.fork())).open(b"x", Default::default()).unwrap();
    let index = repo.index_for_reading().unwrap().index().clone();
    WriteSession::begin(&repo, Arc::new(DedupIndex::new(index)), options).unwrap()
}

fn block(criterion: &mut Criterion) {
    let shared = Arc::new(MemoryStore::new());
    let cheap = InitOptions { cost: KdfCost::least(), ..InitOptions::default() };
    Repo::at(shared.clone()).init(b"x", cheap).unwrap();
    let content = prose(BYTES, 1);
    let mut group = criterion.benchmark_group("block");
    group.throughput(Throughput::Bytes(BYTES as u64)).sample_size(10);
    let stages = [
        ("seal", Compression::None, false),
        ("compress and seal", Compression::default(), false),
        ("compress, seal and verify", Compression::default(), true),
    ];
    for (name, compression, verify) in stages {
        let options = WriteOptions { compression, verify, ..WriteOptions::default() };
        let write = |session: WriteSession| {
            let mut writer = session.writer().unwrap();
            for blob in content.chunks(BLOB_BYTES) {
                writer.put(Kind::Data, blob).unwrap();
            }
            writer.finish().unwrap();
            session.finish().unwrap()
        };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| begin(&shared, options), write, BatchSize::PerIteration);
        });
    }
}

criterion_group!(benches, block);
criterion_main!(benches);
