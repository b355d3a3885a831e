use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::condition::Status;
use crate::dependency::Driver;
use crate::group::Group;
use crate::hook::Stage;
use crate::ids::{CommandId, Key, TypedRef};
use crate::report::Grade;
use crate::storage::DeletionPolicy;
use crate::testing::{failure, in_backup, in_restore, uid};
use crate::time::Millis;

const SESSION: Uid = Uid([7; 16]);

fn log(events: Vec<Event>) -> Vec<Recorded> {
    let numbered = (1u64..).zip(events);
    numbered
        .map(|(seq, event)| Recorded {
            seq,
            at: Timestamp(i64::try_from(seq).unwrap() * 1_000),
            cause: CommandId::default(),
            epoch: 1,
            event,
        })
        .collect()
}

fn of_backup(event: backup::Event) -> Event {
    Event::Backup(event)
}

fn created(snapshot: u8) -> Event {
    Event::Snapshot(snapshot::Event::Created {
        uid: uid(snapshot),
        key: Key::new(Group::KubeStashStorage, "demo", alloc::format!("s{snapshot}")),
        repository: uid(100),
        backup: SESSION,
        session: "daily".into(),
        app: TypedRef::absent(),
        deletion: DeletionPolicy::Delete,
    })
}

fn counted(snapshot: u8, total: u32) -> Event {
    Event::Snapshot(snapshot::Event::ComponentsCounted { uid: uid(snapshot), total })
}

fn began(snapshot: u8, component: &str) -> Event {
    Event::Snapshot(snapshot::Event::ComponentStarted {
        uid: uid(snapshot),
        component: component.into(),
        path: "".into(),
        driver: Driver::Restic,
    })
}

fn outcome(good: bool) -> Outcome {
    if good { Outcome::Succeeded } else { Outcome::Failed(failure("Broken")) }
}

fn done(snapshot: u8, component: &str, good: bool) -> Event {
    Event::Snapshot(snapshot::Event::ComponentEnded {
        uid: uid(snapshot),
        component: component.into(),
        outcome: outcome(good),
        commit: "c".into(),
        partial: false,
        source_empty: false,
        grade: Grade::Written,
        size: 1,
        duration: Millis(1),
    })
}

fn uploaded(snapshot: u8, good: bool) -> Event {
    Event::Snapshot(snapshot::Event::MetadataUploaded {
        uid: uid(snapshot),
        outcome: outcome(good),
    })
}

fn final_step() -> Event {
    of_backup(backup::Event::MetricsPushed { uid: SESSION })
}

fn no_worker() -> Event {
    let message = "no node has room".into();
    of_backup(in_backup(run::Event::ExecutorNotEnsured { uid: SESSION, message }))
}

fn hooks(stage: Stage, good: bool) -> Event {
    let outcome = outcome(good);
    of_backup(in_backup(run::Event::HooksFinished { uid: SESSION, stage, outcome }))
}

fn sets(explanation: &Explanation) -> Vec<Vec<u64>> {
    explanation.causes.iter().map(|cause| cause.iter().map(|step| step.seq).collect()).collect()
}

#[test]
fn a_failed_component_is_the_cause_and_its_healthy_neighbour_is_not() {
    let events = log(vec![
        created(1),
        created(2),
        of_backup(backup::Event::SnapshotsEnsured { uid: SESSION, total: 2 }),
        counted(1, 1),
        counted(2, 1),
        began(1, "dump"),
        began(2, "dump"),
        done(1, "dump", true),
        done(2, "dump", false),
        uploaded(1, true),
        uploaded(2, true),
        final_step(),
    ]);
    let explained = phase(&events, SESSION).unwrap();
    assert_eq!(explained.what, "Failed");
    assert_eq!(sets(&explained), [[2, 5, 7, 9, 11, 12]]);
    assert!(explained.complete);
    let says: Vec<&str> = explained.causes[0].iter().map(|step| step.says.as_str()).collect();
    assert_eq!(says[3], "component dump failed: it went wrong");
    assert_eq!(says[5], "it ended; its result is final");
}

#[test]
fn several_causes_are_alternatives() {
    let events =
        log(vec![hooks(Stage::Pre, false), no_worker(), hooks(Stage::Post, false), final_step()]);
    let explained = phase(&events, SESSION).unwrap();
    assert_eq!(sets(&explained), [[1, 4], [2, 4], [3, 4]]);
}

#[test]
fn success_needs_every_snapshot() {
    let events = log(vec![
        created(1),
        counted(1, 1),
        began(1, "dump"),
        created(2),
        counted(2, 1),
        began(2, "dump"),
        done(1, "dump", true),
        done(2, "dump", true),
        uploaded(1, true),
        uploaded(2, true),
        of_backup(in_backup(run::Event::ExecutorEnsured { uid: SESSION })),
        final_step(),
    ]);
    let explained = phase(&events, SESSION).unwrap();
    assert_eq!(explained.what, "Succeeded");
    assert_eq!(sets(&explained), [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]]);
}

#[test]
fn a_skipped_session_is_skipped_by_one_event_and_a_pending_one_by_none() {
    let reason = "another one is going".into();
    let events = log(vec![of_backup(backup::Event::Skipped { uid: SESSION, reason })]);
    assert_eq!(sets(&phase(&events, SESSION).unwrap()), [[1]]);
    let events = log(vec![created(1)]);
    let explained = phase(&events, SESSION).unwrap();
    assert_eq!((explained.what.as_str(), sets(&explained)), ("Pending", vec![vec![]]));
    assert_eq!(phase(&events, uid(200)), None);
}

#[test]
fn a_condition_is_explained_by_the_event_that_set_it_last() {
    let events = log(vec![
        of_backup(in_backup(run::Event::ExecutorEnsured { uid: SESSION })),
        hooks(Stage::Post, true),
        no_worker(),
        final_step(),
    ]);
    let explained = condition(&events, SESSION, Type::BackupExecutorEnsured).unwrap();
    assert_eq!(explained.what, "BackupExecutorEnsured=False");
    assert_eq!(sets(&explained), [[3]]);
    assert_eq!(explained.causes[0][0].says, "a worker is missing: no node has room");
    assert_eq!(condition(&events, SESSION, Type::BackupSkipped), None);
    assert_eq!(Status::False.as_str(), "False");
}

#[test]
fn a_session_too_large_to_search_still_has_one_cause() {
    let mut events = vec![created(1), counted(1, 30)];
    let names: Vec<_> = (0..30).map(|n| n.to_string()).collect();
    events.extend(names.iter().map(|name| began(1, name)));
    events.extend(names.iter().map(|name| done(1, name, true)));
    events.extend([uploaded(1, true), final_step()]);
    let events = log(events);
    let explained = phase(&events, SESSION).unwrap();
    assert!(!explained.complete);
    assert_eq!(explained.causes.len(), 1);
    assert_eq!(explained.causes[0].len(), 64);
}

#[test]
fn a_restore_is_explained_like_a_backup() {
    let component = |name: &str| {
        in_restore(run::Event::ComponentEnded {
            uid: SESSION,
            component: name.into(),
            number: 1,
            outcome: outcome(false),
            duration: Millis(1),
            reported: true,
        })
    };
    let planned = |name: &str| {
        in_restore(run::Event::ComponentPlanned {
            uid: SESSION,
            asked: name.into(),
            component: backup::Component {
                name: name.into(),
                driver: Driver::Restic,
                task: "t".into(),
                params: vec![],
                pod: "".into(),
                node: "".into(),
                surroundings: crate::survey::Surroundings::default(),
                volumes: vec![],
            },
        })
    };
    let all = [
        restore::Event::ValidationPassed { uid: SESSION },
        in_restore(run::Event::Surveyed { uid: SESSION, components: 2, storages: vec![] }),
        planned("pod-0"),
        planned("pod-1"),
        in_restore(run::Event::ExecutorEnsured { uid: SESSION }),
        component("pod-0"),
        component("pod-1"),
        restore::Event::MetricsPushed { uid: SESSION },
    ];
    let events = log(all.into_iter().map(Event::Restore).collect());
    let explained = phase(&events, SESSION).unwrap();
    assert_eq!(explained.what, "Failed");
    assert_eq!(sets(&explained), [[2, 3, 4, 6, 8], [2, 3, 4, 7, 8]]);
}

/// One of the events that may follow each other in any order and number.
fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (1u8..3).prop_map(created),
        (1u8..3, 1u32..3).prop_map(|(snapshot, total)| counted(snapshot, total)),
        (1u8..3, 0usize..2).prop_map(|(snapshot, c)| began(snapshot, ["a", "b"][c])),
        (1u8..3, 0usize..2, any::<bool>()).prop_map(|(s, c, good)| done(s, ["a", "b"][c], good)),
        (1u8..3, any::<bool>()).prop_map(|(snapshot, good)| uploaded(snapshot, good)),
        any::<bool>().prop_map(|good| hooks(Stage::Pre, good)),
        any::<bool>().prop_map(|good| hooks(Stage::Post, good)),
        Just(no_worker()),
        Just(of_backup(in_backup(run::Event::ExecutorEnsured { uid: SESSION }))),
        Just(final_step()),
    ]
}

fn phase_of<'a>(events: impl Iterator<Item = &'a Recorded>) -> &'static str {
    fold(SESSION, events).phase().unwrap_or("Pending")
}

/// Every minimal set of units, by trying all of them.
fn brute_force(units: &[Unit<'_>], wanted: &str) -> Vec<Vec<u64>> {
    let subset = |mask: u32| -> Vec<usize> {
        (0..units.len()).filter(|unit| mask & (1 << unit) != 0).collect()
    };
    let holds: Vec<u32> = (0u32..1 << units.len())
        .filter(|mask| phase_of(in_order(units, &subset(*mask)).into_iter()) == wanted)
        .collect();
    let minimal = holds.iter().filter(|mask| {
        !holds.iter().any(|smaller| smaller != *mask && **mask & smaller == *smaller)
    });
    let mut sets: Vec<Vec<u64>> = minimal
        .map(|mask| in_order(units, &subset(*mask)).iter().map(|event| event.seq).collect())
        .collect();
    sets.sort();
    sets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn agrees_with_brute_force(events in proptest::collection::vec(any_event(), 0..11)) {
        let events = log(events);
        let Some(explained) = phase(&events, SESSION) else { return Ok(()) };
        prop_assert!(explained.complete);
        let whole = fold(SESSION, events.iter());
        let units = units(whole.events(), explained.what == "Succeeded");
        let mut found = sets(&explained);
        found.sort();
        prop_assert_eq!(found, brute_force(&units, &explained.what));
    }

    #[test]
    fn every_cause_is_enough_and_none_has_an_event_too_many(
        events in proptest::collection::vec(any_event(), 0..14),
    ) {
        let events = log(events);
        let Some(explained) = phase(&events, SESSION) else { return Ok(()) };
        let whole = fold(SESSION, events.iter());
        let units = units(whole.events(), explained.what == "Succeeded");
        for cause in sets(&explained) {
            let taken = |kept: &dyn Fn(u64) -> bool| {
                phase_of(events.iter().filter(|r| cause.contains(&r.seq) && kept(r.seq)))
            };
            prop_assert_eq!(taken(&|_| true), explained.what.as_str());
            for unit in &units {
                let inside = unit.iter().any(|event| cause.contains(&event.seq));
                let outside = |seq| !unit.iter().any(|event| event.seq == seq);
                prop_assert!(!inside || taken(&outside) != explained.what);
            }
        }
    }
}
