//! Reading a log again: all of its 100,000 events into a state, and the start of an operator whose log
//! has 1,000,000 events and a checkpoint. Every frame is proven in both. No peer keeps such a log; to be
//! read against the size of the log over the speed of the disk.
#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make public functions; a bench may panic

use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::log::batch;
use holdfast_eventlog::{Fold, Ledger, Options, Reader};

const REPLAYED: u64 = 100_000;
const OPENED: u64 = 1_000_000;
/// Events in one commit while a log is made.
const COMMIT: u64 = 1_000;

fn make(dir: &Path, events: u64) {
    let mut ledger = Ledger::open(dir, Options::default()).unwrap();
    while ledger.state().seq < events {
        let after = ledger.state().seq;
        ledger.submit(&batch(after, COMMIT)).unwrap();
    }
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(10);
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), REPLAYED);
    group.throughput(Throughput::Elements(REPLAYED));
    group.bench_function("100,000 events", |bencher| {
        bencher.iter(|| {
            let reader = Reader::open(dir.path(), None).unwrap();
            let mut fold = Fold::default();
            assert_eq!(reader.replay(&mut fold).unwrap(), REPLAYED);
        });
    });
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), OPENED);
    group.throughput(Throughput::Elements(OPENED));
    group.bench_function("open 1,000,000 events", |bencher| {
        bencher.iter(|| {
            let ledger = Ledger::open(dir.path(), Options::default()).unwrap();
            assert_eq!(ledger.state().seq, OPENED);
        });
    });
}

criterion_group!(benches, replay);
criterion_main!(benches);
