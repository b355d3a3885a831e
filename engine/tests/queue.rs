//! Places for workers: never more than there may be, nobody starves, nobody waits without need, and the order
//! is that of slots and uids and not that of arrivals.

mod world;

use std::collections::BTreeMap;

use holdfast_engine::backup::phase::{Phase, phase};
use holdfast_engine::run::limit::Limits;
use holdfast_engine::testing::given;
use holdfast_engine::{Command, Event, Rejection, Timestamp, backup, lease, run};
use proptest::prelude::*;
use world::{World, minutes};

const DAY: i64 = 24 * 60;

/// Tenants with so many configurations each, just before the midnight at which all of them are due.
fn tenants(counts: &[u64], limits: Limits) -> World {
    let mut world = World::new();
    world.furnish();
    world.outside.work = minutes(10);
    world.declare_retention("keep", given::retention(2));
    world.declare_storage("store", given::storage("store"));
    world.settle();
    let midnight = Timestamp(world.now.0 + minutes(DAY));
    for (number, count) in counts.iter().enumerate() {
        world.settle_tenant(&format!("team-{number}"), *count, midnight, minutes(DAY));
    }
    world.pass(minutes(60));
    world.limit(limits);
    world.now = Timestamp(midnight.0 - 1);
    world
}

/// Begins of attempts after an event: time, namespace.
fn begins(world: &World, after: u64) -> Vec<(Timestamp, String)> {
    let mut namespaces = BTreeMap::new();
    let mut found = Vec::new();
    for recorded in &world.log {
        if let Event::Backup(backup::Event::Created { uid, key, .. }) = &recorded.event {
            namespaces.insert(*uid, key.namespace.clone());
        }
        if let (true, Some(run::Event::AttemptStarted { uid, .. })) =
            (recorded.seq > after, recorded.event.run())
        {
            found.push((recorded.at, namespaces[uid].clone()));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 16,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// All slots of one midnight become sessions that succeed, whatever the limits; limits and work are
    /// looked at after every command.
    #[test]
    fn a_burst_succeeds_within_its_limits(
        counts in prop::collection::vec(1_u64..8, 1..4),
        cluster in 1_u32..4,
        namespace in prop::option::of(1_u32..3),
        node in prop::option::of(1_u32..3),
        storage in prop::option::of(1_u32..4),
        pods in 0_u32..3,
    ) {
        let limits = Limits { cluster: Some(cluster), namespace, node, storage };
        let mut world = tenants(&counts, limits);
        world.outside.pods = pods;
        let before = world.state.seq;
        world.pass(minutes(10 * 24 * 2 + 1));
        let all: u64 = counts.iter().sum::<u64>() * u64::from(pods.max(1));
        prop_assert_eq!(begins(&world, before).len() as u64, all);
        let newest = world.state.backups.values().filter(|one| one.created_at.0 > world.now.0 - minutes(600));
        for one in newest {
            prop_assert_eq!(phase(one), Phase::Succeeded, "{:#?}", one);
        }
        prop_assert_eq!(world.replay(), world.state.clone(), "replay = live");
    }
}

/// Whoever is to have no worker at all would wait for ever.
#[test]
fn a_limit_of_nothing_is_refused() {
    let none = Limits::default();
    for limits in [
        Limits { cluster: Some(0), ..none },
        Limits { namespace: Some(0), ..none },
        Limits { node: Some(0), ..none },
        Limits { storage: Some(0), ..none },
    ] {
        let mut world = World::new();
        let refused = world.ask(Command::Lease(lease::Command::Limit { limits }));
        assert!(matches!(refused, Err(Rejection::Never { .. })), "{limits:?}: {refused:?}");
    }
}

#[test]
fn a_namespace_with_one_session_is_served_with_the_first_that_end() {
    let limits = Limits { cluster: Some(2), ..Limits::default() };
    let mut world = tenants(&[40, 1, 3], limits);
    let before = world.state.seq;
    world.pass(minutes(60 * 5));
    let order: Vec<String> = begins(&world, before).into_iter().map(|(_, of)| of).collect();
    assert_eq!(order.len(), 44);
    let place = |name: &str| order.iter().position(|of| of == name).unwrap();
    assert!(place("team-1") < 4, "{order:?}");
    let third: Vec<usize> = (0..order.len()).filter(|n| order[*n] == "team-2").collect();
    assert!(third.iter().zip(1..).all(|(at, turn)| *at <= 3 * turn), "{order:?}");
}

#[test]
fn the_order_of_one_minute_is_not_that_of_arrival() {
    let limits = Limits { cluster: Some(1), ..Limits::default() };
    let mut orders = Vec::new();
    for turned in [false, true] {
        let mut world = tenants(&[6], limits);
        world.outside.silent.insert("Survey".into());
        world.now = Timestamp(world.now.0 + 1);
        world.settle();
        world.outside.silent.clear();
        let mut asked: Vec<_> =
            world.state.outbox.iter().map(|(id, once)| (*id, once.clone())).collect();
        if turned {
            asked.reverse();
        }
        // All hosts are known before anybody has a place.
        world.outside.silent.insert("StartWorker".into());
        for (id, once) in asked {
            let answers = world.outside.answer(&world.state, world.now, id, &once);
            for (_, command) in answers {
                world.ask(command).unwrap();
            }
        }
        let first = world.working().values().sum::<usize>();
        assert_eq!(first, 1);
        let mut order = Vec::new();
        while let Some(one) =
            world.state.backups.values().find(|one| one.components.iter().any(|c| c.is_running()))
        {
            let (session, name) = (one.uid, one.configuration);
            order.push(name);
            let cause = "done".into();
            world
                .ask(holdfast_engine::Command::Run(run::Command::Cancel { session, cause }))
                .unwrap();
        }
        assert_eq!(order.len(), 6);
        orders.push(order);
    }
    // Whoever comes first finds the only place free; the others have their order.
    let (mut one, mut other) = (orders[0].clone(), orders[1].clone());
    let (first, second) = (one[0], other[0]);
    one.retain(|uid| *uid != first && *uid != second);
    other.retain(|uid| *uid != first && *uid != second);
    assert_eq!(one, other);
}
