//! Wake-ups follow from the state.

mod world;

use holdfast_engine::testing::given::{self, NAMESPACE};
use holdfast_engine::{
    Command, Due, Group, Key, Millis, Timestamp, Uid, backup, due, next_wakeup, schedule,
};
use world::{World, minutes, uid};

fn hourly() -> (World, Uid) {
    let mut world = World::new();
    world.furnish();
    world.declare_retention("keep", given::retention(2));
    world.declare_storage("store", given::storage("store"));
    let mut session = given::session("hourly");
    session.repositories = vec![given::repository("one")];
    let spec = given::configuration(vec![session]);
    let uid = world.declare("app", &spec, &[("hourly".into(), minutes(60))]);
    world.pass(minutes(10));
    (world, uid)
}

fn trigger(world: &mut World, slot: Timestamp) {
    let command = backup::Command::Create {
        uid: uid(&format!("cron/{}", slot.0)),
        key: Key::new(Group::KubeStash, NAMESPACE, ""),
        configuration: "app".into(),
        session: "hourly".into(),
        retry_left: 0,
        timeout: None,
        slot: Some(slot),
    };
    world.ask(Command::Backup(command)).expect("a trigger is taken");
    world.settle();
}

#[test]
fn a_slot_is_left_to_a_trigger_from_outside_for_its_grace() {
    let (world, configuration) = hourly();
    let slot = Timestamp(world.now.0 + minutes(50));
    assert_eq!(next_wakeup(&world.state, Millis(0)), Some(slot));
    let grace = Millis(120_000);
    assert_eq!(next_wakeup(&world.state, grace), Some(slot.plus(grace)));
    assert!(due(&world.state, slot, grace).is_empty());
    let version = world.state.schedule(configuration, "hourly").unwrap().version;
    let session = String::from("hourly");
    assert_eq!(due(&world.state, slot, Millis(0)), [Due::Slot { configuration, session, version }]);
}

#[test]
fn a_trigger_from_outside_takes_the_slot_and_the_calendar_is_asked_when_none_is_left() {
    let (mut world, configuration) = hourly();
    let first = world.now.0 + minutes(50);
    for number in 0..3 {
        let slot = Timestamp(first + minutes(60) * number);
        world.now = slot;
        trigger(&mut world, slot);
        world.pass(minutes(5));
        let schedule = world.state.schedule(configuration, "hourly").unwrap();
        assert_eq!(schedule.last_slot, Some(slot));
        assert!(schedule.next.iter().all(|next| *next > slot), "{schedule:?}");
    }
    let taken = world.state.backups.values().count();
    assert_eq!(taken, 4, "the first backup and one a slot");
}

#[test]
fn a_stale_wake_is_a_conflict_and_takes_nothing() {
    let (mut world, configuration) = hourly();
    let slot = Timestamp(world.now.0 + minutes(50));
    world.now = slot;
    let before = world.state.clone();
    for version in [0, 7] {
        let refused = world.ask(Command::Schedule(schedule::Command::Wake {
            configuration,
            session: "hourly".into(),
            version,
            slot,
            missed: 0,
            next: vec![],
        }));
        assert!(matches!(refused, Err(holdfast_engine::Rejection::Conflict { .. })), "{refused:?}");
    }
    assert_eq!(world.state, before);
}

/// A session of 30 minutes whose worker takes `work`, and whose report comes after an hour.
fn late_report(work: i64) -> World {
    let mut world = World::new();
    world.furnish();
    world.outside.work = work;
    world.declare_retention("keep", given::retention(2));
    world.declare_storage("store", given::storage("store"));
    let mut session = given::session("nightly");
    session.repositories = vec![given::repository("one")];
    session.timeout = Some(Millis(30 * 60_000));
    let spec = given::configuration(vec![session]);
    world.declare("app", &spec, &[("nightly".into(), minutes(24 * 60))]);
    world.settle();
    assert_eq!(world.arrivals.len(), 1, "only the report is on its way");
    let (_, _, report) = world.arrivals.remove(0);
    world.now = Timestamp(world.now.0 + minutes(60));
    world.ask(report).expect("the attempt is the current one");
    world.settle();
    world
}

#[test]
fn a_report_counts_by_when_its_worker_ended_not_by_when_it_came() {
    let in_time = late_report(minutes(20));
    assert_eq!(in_time.sessions()[0].1, backup::phase::Phase::Succeeded);
    let just = late_report(minutes(30));
    assert_eq!(
        just.sessions()[0].1,
        backup::phase::Phase::Succeeded,
        "its deadline is within its time"
    );
    let late = late_report(minutes(40));
    assert_eq!(late.sessions()[0].1, backup::phase::Phase::Failed);
    let snapshot = late.state.snapshots.values().next().unwrap();
    assert_eq!(snapshot.components[0].commit, "commit-dump", "what was committed stays");
}
