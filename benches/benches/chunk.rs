//! Cutting content into chunks, one thread. To be read against fastcdc by itself: 3,300 to 4,900 MB/s.
#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make public functions; a bench may panic

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::content::{noise, prose};
use holdfast_executor::repo::{InitOptions, Repo};
use holdfast_executor::store::MemoryStore;

const BYTES: usize = 32 << 20;

fn chunk(criterion: &mut Criterion) {
    let repo = Repo::at(Arc::new(MemoryStore::new())).init(b"x", InitOptions::default()).unwrap();
    let chunker = repo.chunker();
    let mut group = criterion.benchmark_group("chunk");
    group.throughput(Throughput::Bytes(BYTES as u64)).sample_size(20);
    for (name, content) in [("noise", noise(BYTES, 1)), ("prose", prose(BYTES, 1))] {
        group.bench_function(name, |bencher| bencher.iter(|| chunker.cuts(&content).count()));
    }
}

criterion_group!(benches, chunk);
criterion_main!(benches);
