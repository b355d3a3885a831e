//! From a command to its acknowledgement: decide, encode, chain, write, sync the journal and its head. One
//! command, and a group of a hundred that waits for one sync together.
//!
//! To be read against a bare append with fdatasync on the same kind of disk, 7,300 a second, and sled's
//! insert, flush and fdatasync, 3,900 a second.
#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make public functions; a bench may panic

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::log::batch;
use holdfast_eventlog::{Ledger, Options};

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.sample_size(20);
    for count in [1, 100] {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(dir.path(), Options::default()).unwrap();
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                let after = ledger.state().seq;
                let submitted = ledger.submit(&batch(after, count)).unwrap();
                assert_eq!(submitted.recorded.len() as u64, count);
            });
        });
    }
}

criterion_group!(benches, append);
criterion_main!(benches);
