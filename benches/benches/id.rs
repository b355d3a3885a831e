//! The id of a blob, one thread. To be read against keyed BLAKE3 by itself: 7,400 MB/s for long content.
#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make public functions; a bench may panic

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::content::noise;
use holdfast_executor::digest::Kind;
use holdfast_executor::repo::{InitOptions, Repo};
use holdfast_executor::store::MemoryStore;

fn id(criterion: &mut Criterion) {
    let repo = Repo::at(Arc::new(MemoryStore::new())).init(b"x", InitOptions::default()).unwrap();
    let mut group = criterion.benchmark_group("id");
    for bytes in [512, 16 << 10, 512 << 10] {
        let content = noise(bytes, 1);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| repo.blob_id(Kind::Data, &content));
        });
    }
}

criterion_group!(benches, id);
criterion_main!(benches);
