//! The engine alone: deciding and applying every command of a whole backup session, and folding the events
//! of a day of hourly sessions. No peer separates this; to be read against one fdatasync, which every one of
//! these commands waits for (see `append`).
#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make public functions; a bench may panic

#[path = "../../engine/tests/world/mod.rs"]
mod world;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_engine::testing::given;
use holdfast_engine::{Envelope, Recorded, State, apply, decide, level};
use world::{World, minutes};

/// A world with one hourly configuration that has had its initial backup.
fn hourly() -> World {
    let mut world = World::new();
    world.furnish();
    world.declare_retention("keep", given::retention(2));
    world.declare_storage("store", given::storage("store"));
    let mut session = given::session("hourly");
    session.repositories = vec![given::repository("one")];
    let configuration = given::configuration(vec![session]);
    world.declare("app", &configuration, &[("hourly".into(), minutes(60))]);
    world.pass(minutes(10));
    world
}

fn carry_out(mut state: State, asked: &[Envelope]) -> State {
    for envelope in asked {
        let events = decide(&state, envelope).unwrap();
        for event in events {
            let (seq, at, cause) = (state.seq + 1, envelope.at, envelope.id);
            let recorded = Recorded { seq, at, cause, epoch: envelope.epoch, event };
            apply(&mut state, &recorded).unwrap();
            std::hint::black_box(level::changed(&state, &recorded));
        }
    }
    state
}

fn session(criterion: &mut Criterion) {
    let mut world = hourly();
    let (before, known) = (world.state.clone(), world.asked.len());
    world.pass(minutes(60));
    let asked = &world.asked[known..];
    assert_eq!(carry_out(before.clone(), asked), world.state, "the same commands, the same state");
    let mut group = criterion.benchmark_group("session");
    group.throughput(Throughput::Elements(asked.len() as u64));
    group.bench_function("decide and apply", |bencher| {
        let run = |state| carry_out(state, asked);
        bencher.iter_batched(|| before.clone(), run, BatchSize::SmallInput);
    });
    let mut day = hourly();
    day.pass(minutes(24 * 60));
    group.throughput(Throughput::Elements(day.log.len() as u64));
    group.bench_function("fold a day", |bencher| bencher.iter(|| day.replay()));
}

criterion_group!(benches, session);
criterion_main!(benches);
