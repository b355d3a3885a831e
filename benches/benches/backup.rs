//! A whole backup of 2,000 files with 64 MiB: the first into a new repository, and one of the same tree
//! unchanged. Key derivation, commit, sync and reading back are part of it.
//!
//! To be read against the peers on a source tree of 1,420 MiB: a first backup is 3.55 s for
//! `tar | zstd -3 -T2`, 5.98 s for the fastest peer, 9.44 s for restic; unchanged 1.36 s and 2.48 s.
#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make public functions; a bench may panic

use std::fs;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::content::make_tree;
use holdfast_benches::site;

const FILES: usize = 2_000;
const AVERAGE_BYTES: usize = 32 << 10;

fn backup(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let (source, repository) = (dir.path().join("source"), dir.path().join("repository"));
    make_tree(&source, FILES, AVERAGE_BYTES).unwrap();
    // Older than the time in which a file is read again to be sure.
    std::thread::sleep(Duration::from_millis(100));
    let mut group = criterion.benchmark_group("backup");
    group.throughput(Throughput::Bytes((FILES * AVERAGE_BYTES) as u64)).sample_size(10);
    let afresh = || drop(fs::remove_dir_all(&repository));
    group.bench_function("first", |bencher| {
        let run = |()| site::done(&site::backup(&source, &repository));
        bencher.iter_batched(afresh, run, BatchSize::PerIteration);
    });
    group.bench_function("unchanged", |bencher| {
        bencher.iter(|| site::done(&site::backup(&source, &repository)));
    });
}

criterion_group!(benches, backup);
criterion_main!(benches);
