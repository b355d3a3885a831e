//! Putting one object of the size of a pack. In memory that is a copy; in a file a write, a sync of the
//! file, a rename without replacing, and a sync of the directory. To be read against
//! `dd if=pack of=file bs=16M conv=fsync` on the same disk.
#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make public functions; a bench may panic

use std::cell::Cell;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::content::noise;
use holdfast_executor::store::{FileStore, MemoryStore, Store};

const BYTES: usize = 16 << 20;

fn put(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let stores: [(&str, Box<dyn Store>); 2] = [
        ("memory", Box::new(MemoryStore::new())),
        ("file", Box::new(FileStore::new(dir.path()).unwrap())),
    ];
    let content = noise(BYTES, 1);
    let mut group = criterion.benchmark_group("store put");
    group.throughput(Throughput::Bytes(BYTES as u64)).sample_size(10);
    for (name, store) in stores {
        let number = Cell::new(0);
        let next = || {
            store.delete(&format!("packs/00/{}", number.get())).unwrap();
            number.set(number.get() + 1);
            format!("packs/00/{}", number.get())
        };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                next,
                |key| store.put_new(&key, &content).unwrap(),
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, put);
criterion_main!(benches);
