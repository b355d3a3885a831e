//! A whole restore of 2,000 files with 64 MiB into a new directory, key derivation included.
//!
//! To be read against the peers on a source tree of 1,420 MiB into a memory file system: 2.67 s for
//! `zstd -d | tar x`, 2.10 s for the fastest peer, 8.07 s for restic. `TMPDIR=/dev/shm` makes it alike.
#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make public functions; a bench may panic

use std::fs;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::content::make_tree;
use holdfast_benches::site;

const FILES: usize = 2_000;
const AVERAGE_BYTES: usize = 32 << 10;

fn restore(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let (source, repository) = (dir.path().join("source"), dir.path().join("repository"));
    let target = dir.path().join("target");
    make_tree(&source, FILES, AVERAGE_BYTES).unwrap();
    drop(site::done(&site::backup(&source, &repository)));
    let mut group = criterion.benchmark_group("restore");
    group.throughput(Throughput::Bytes((FILES * AVERAGE_BYTES) as u64)).sample_size(10);
    group.bench_function("whole", |bencher| {
        let afresh = || drop(fs::remove_dir_all(&target));
        let run = |()| site::done(&site::restore(&repository, &target));
        bencher.iter_batched(afresh, run, BatchSize::PerIteration);
    });
}

criterion_group!(benches, restore);
criterion_main!(benches);
