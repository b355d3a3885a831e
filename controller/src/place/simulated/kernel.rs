//! Directed runs about the kernel itself: in which order it begins things, when, and how much at once.

use std::time::Duration;

use serde_json::Value;

use super::directed::{MINUTE, aimed, history_of, run};
use super::faults::script;
use super::manifests;
use super::script::{Script, Step};
use super::weather::{Fault, Fixed, Span, What};

fn step(at: i64, puts: Vec<Value>) -> Step {
    Step { at, says: String::new(), puts, removes: vec![] }
}

fn storages(namespace: &str, names: impl IntoIterator<Item = String>) -> Vec<Value> {
    let storages = names.into_iter().map(|name| {
        let mut storage = manifests::storage(&name, "Delete");
        storage["metadata"]["namespace"] = namespace.into();
        storage
    });
    storages.collect()
}

/// What is asked anew while it is being done waits for the end of that, and what is out of date by then is not begun.
#[test]
fn in_a_simulation_work_at_one_thing_is_done_in_turn_and_what_is_out_of_date_never() {
    let declared = |version: i64| {
        let mut storage = manifests::storage("store", "Delete");
        storage["spec"]["storage"]["local"]["mountPath"] = format!("/safe/{version}").into();
        step(version * 10_000, vec![storage])
    };
    let mut script = Script::default();
    script.steps.push(step(0, manifests::base()));
    // Each takes half a minute: the second is out of date at its turn, the fourth comes while the third is done.
    script.steps.extend([1, 2, 3, 5].map(declared));
    let fixed = Fixed { slow: Duration::from_secs(30), ..Fixed::default() };
    let (outcome, _) = run(script, fixed);
    assert_eq!(outcome.breaches, [] as [String; 0]);
    let begun: Vec<i64> = outcome.begun.iter().map(|begun| begun.at / 1_000).collect();
    assert_eq!(begun, [10, 40, 70]);
}

/// Of two namespaces with many storages each is served in turn, and one with a single storage is next.
#[test]
fn in_a_simulation_namespaces_take_turns_at_stores() {
    let names = |of: &'static str| (0..16).map(move |number| format!("{of}-{number:02}"));
    let mut first = manifests::base();
    for namespace in ["few", "many", "more"] {
        first.push(serde_json::json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
        }));
    }
    let mut script = Script::default();
    script.steps.push(step(0, first));
    script.steps.push(step(10_000, storages("many", names("a"))));
    script.steps.push(step(10_500, storages("more", names("b"))));
    script.steps.push(step(11_000, storages("few", ["z".to_owned()])));
    let fixed = Fixed { slow: Duration::from_secs(5), ..Fixed::default() };
    let (outcome, _) = run(script, fixed);
    assert_eq!(outcome.breaches, [] as [String; 0]);
    let order: Vec<&str> =
        outcome.begun.iter().filter_map(|begun| begun.subject.split('/').next()).collect();
    assert_eq!(order.len(), 33);
    let served = order.iter().position(|namespace| *namespace == "few").unwrap();
    assert!(served < 8 + 3, "{order:?}");
    let turns: Vec<&&str> = order.iter().skip(10).take(16).collect();
    let in_turn = turns.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(in_turn, 15, "{order:?}");
}

/// A worker of which nobody knows yet that it was started works to its end while nobody is there: it is found, and
/// not started once more.
#[test]
fn in_a_simulation_a_worker_that_ended_before_it_was_known_is_found() {
    let lives = vec![Span { away: Duration::from_secs(600), ..Span::default() }];
    let aimed = aimed(What::StartWorker, Fault::DiesAfter, false);
    let (calm, _) = run(script("1h"), Fixed::default());
    let (outcome, _) = run(script("1h"), Fixed { aimed, lives, ..Fixed::default() });
    assert_eq!(outcome.breaches, [] as [String; 0]);
    assert_eq!(outcome.lines, calm.lines);
}

/// Nothing is shown before it is known how the attempts of an earlier operator stand, or a minute has passed.
#[test]
fn in_a_simulation_what_has_ended_is_known_before_anything_is_shown() {
    // Whoever has not answered by then is asked once more.
    for (survey, shown, known) in [(20, 20, 20), (300, 60, 360)] {
        let mut script = script("1h");
        script.steps.truncate(2);
        let (from, until) = (91 * 60_000, 100 * MINUTE);
        let away = Duration::from_secs(9 * 60);
        let lives = vec![Span { millis: Some(from), away, ..Span::default() }];
        let fixed = Fixed { survey: Some(Duration::from_secs(survey)), lives, ..Fixed::default() };
        let (outcome, history) = run(script, fixed);
        assert_eq!(outcome.breaches, [] as [String; 0]);
        let history = history_of(&history, "BackupSession", "one");
        let (at, _) = history.iter().find(|(at, _)| *at >= until).expect("it is shown anew");
        let since = at - until;
        assert!((shown * 1_000..shown * 1_000 + 500).contains(&since), "{survey} s: {since}");
        let ended = outcome.log.iter().find(|(_, event)| event.contains("ComponentEnded"));
        let since = ended.map(|(at, _)| at - until).unwrap().unsigned_abs();
        assert!((known * 1_000..known * 1_000 + 500).contains(&since), "{survey} s: {since}");
    }
}

/// Deadlines wake when they are due, to the millisecond; also those that wait for a place's answer.
#[test]
fn in_a_simulation_deadlines_wake_when_they_are_due() {
    let mut script = script("20m");
    script.steps.truncate(2);
    for put in &mut script.steps[0].puts {
        if put["kind"] == "BackupConfiguration" {
            put["spec"]["sessions"][0]["scheduler"]["suspend"] = false.into();
        }
    }
    let lives =
        vec![Span { millis: Some(95 * 60_000), away: Duration::from_secs(60), ..Span::default() }];
    let survey = Some(Duration::from_secs(3 * 3_600));
    let work = vec![90_000, 90_000, 15 * 60_000];
    let (outcome, _) = run(script, Fixed { work, survey, lives, ..Fixed::default() });
    let at = |what: &str| {
        let all = outcome.log.iter().filter(|(_, event)| event.contains(what));
        all.map(|(at, _)| *at).collect::<Vec<_>>()
    };
    assert_eq!(at("SlotTaken"), [60 * MINUTE]);
    let started = at("Backup(Started");
    let began = *started.last().unwrap();
    assert_eq!(at("DeadlineExceeded {"), [began + 40 * MINUTE], "{started:?}\n{}", outcome.log());
}

/// Whatever fails again and again is tried until its time is up, and no longer.
#[test]
fn in_a_simulation_trouble_that_stays_is_met_until_its_time_is_up() {
    let times = [
        (What::InitializeBackend, 120, 10),
        (What::InitializeRepository, 120, 10),
        (What::WipeRepository, 3_600, 60),
        (What::WipeBackend, 3_600, 60),
        (What::Survey, 60, 10),
        (What::RunHook, 0, 0),
        (What::StartWorker, 120, 10),
        (What::StopWorker, 120, 10),
        (What::UploadMetadata, 120, 10),
        (What::RemoveSnapshot, 120, 10),
    ];
    for (what, time, longest) in times {
        let fixed = Fixed { aimed: aimed(what, Fault::NotDone, true), ..Fixed::default() };
        let (outcome, _) = run(script("1h"), fixed);
        let begun = outcome.begun.iter().filter(|begun| begun.what == what);
        let times: Vec<i64> = begun.map(|begun| begun.at).collect();
        let first = times[0];
        let tries = times.iter().take_while(|at| **at <= first + time * 1_000);
        let last = *tries.last().unwrap();
        assert!(last + longest * 1_000 >= first + time * 1_000, "{what:?}: {times:?}");
        let tried =
            |breach: &&String| breach.contains("again after") || breach.contains("waits for");
        assert_eq!(outcome.breaches.iter().find(tried), None, "{what:?}");
        let failed = outcome.log.iter().find(|(at, event)| {
            *at >= last && (event.contains("EffectFailed") || event.contains("HookEnded"))
        });
        assert_eq!(failed.map(|(at, _)| *at), Some(last), "{what:?}: {times:?}");
    }
}

/// However much is due at once, whoever asks meanwhile is answered between two batches, and nothing of it waits.
#[test]
fn in_a_simulation_a_midnight_is_decided_in_batches_and_at_once() {
    let many = 160;
    let names = (0..many).map(|number| format!("s-{number:03}"));
    let mut all = manifests::base();
    all.extend(storages("demo", names));
    let script = Script { steps: vec![step(0, all)], ..Script::default() };
    // While nobody is there, the time of all of them comes.
    let lives =
        vec![Span { millis: Some(200_000), away: Duration::from_secs(3_600), ..Span::default() }];
    let back = 3_800_000;
    // A look at what is declared takes longer; what it shows is declared in one.
    let asks = back..back + 8;
    let fixed = Fixed { refused_until: back, asks, lives, ..Fixed::default() };
    let (outcome, _) = run(script, fixed);
    let due = outcome.log.iter().filter(|(at, event)| {
        (back..back + 60_000).contains(at) && event.contains("Storage(InitializationRequested")
    });
    let times: Vec<i64> = due.map(|(at, _)| *at).collect();
    assert_eq!(times.len(), many, "{times:?}");
    assert!(times[many - 1] - times[0] <= 10, "{times:?}");
    assert_eq!(outcome.breaches, [] as [String; 0]);
}

/// What cannot be shown is tried again after a while, and not for ever longer ones; other news do not hurry it.
#[test]
fn in_a_simulation_what_cannot_be_shown_is_tried_again_after_a_while() {
    let mut all = manifests::base();
    all.extend(storages("demo", ["one".to_owned()]));
    let script = Script { steps: vec![step(0, all)], ..Script::default() };
    let fixed = Fixed { unseen_until: 30 * MINUTE, ..Fixed::default() };
    let (outcome, history) = run(script, fixed);
    assert_eq!(outcome.breaches, [] as [String; 0]);
    // That its backend works is the last news of it.
    let last = outcome.log.last().map(|(at, _)| *at).unwrap();
    let tries: Vec<i64> = outcome.unseen.iter().copied().filter(|at| *at > last + 100).collect();
    let waits: Vec<i64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.len() > 20, "{waits:?}");
    assert!(waits.iter().all(|wait| (500..=61_000).contains(wait)), "{waits:?}");
    assert!(waits.windows(2).all(|pair| pair[1] <= pair[0] * 3 + 200), "{waits:?}");
    let shown = history_of(&history, "BackupStorage", "one");
    assert!(shown[0].0 <= 31 * MINUTE + 1_000, "{:?}", shown[0]);
}

/// A trigger that cannot be shown for a moment is not said to be missing: whoever makes a session then is not skipped.
#[test]
fn in_a_simulation_a_trigger_is_said_to_be_missing_only_when_it_stays_so() {
    for (unseen_until, is_told) in [(15_000, false), (10 * MINUTE, true)] {
        let fixed = Fixed { unseen_until, ..Fixed::default() };
        let (outcome, _) = run(script("1h"), fixed);
        let times = outcome.log.iter().filter(|(_, event)| event.contains("SchedulerNotEnsured"));
        let times: Vec<i64> = times.map(|(at, _)| *at).collect();
        assert_eq!(!times.is_empty(), is_told, "{unseen_until}: {times:?}");
        assert!(times.iter().all(|at| (30_000..unseen_until + 10_000).contains(at)), "{times:?}");
        let ensured = outcome.log.iter().any(|(_, event)| event.contains("SchedulerEnsured"));
        assert!(ensured, "{unseen_until}");
    }
}
