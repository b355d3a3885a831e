//! Runs in which somebody says what goes wrong, and looks at what no seed is likely to show.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::faults::script;
use super::manifests;
use super::panics::WEATHER;
use super::run::{Outcome, World};
use super::script::{Script, Step};
use super::weather::{Aimed, Fault, Fixed, MUTE, Span, Weather, What};
use crate::sighting::name::ObjectName;

pub(super) const MINUTE: i64 = 60_000;

/// All that was shown of one object, with its times.
pub(super) type History = Vec<(i64, Value)>;

/// A run of a script; what came of it, and what was shown.
pub(super) fn run(script: Script, fixed: Fixed) -> (Outcome, Vec<(i64, ObjectName, Value)>) {
    let fixed = Fixed { is_fixed: true, ..fixed };
    let world = World::new(script, |time| Weather::fixed(time, fixed));
    let cluster = Arc::clone(&world.cluster);
    cluster.now().history = Some(Vec::new());
    let outcome = world.run();
    let history = cluster.now().history.take().unwrap();
    (outcome, history)
}

pub(super) fn history_of(history: &[(i64, ObjectName, Value)], kind: &str, name: &str) -> History {
    let mine = history.iter().filter(|(_, of, _)| of.kind == kind && of.name == name);
    mine.map(|(at, _, object)| (*at, object.clone())).collect()
}

pub(super) fn aimed(what: What, fault: Fault, always: bool) -> Option<Aimed> {
    Some(Aimed { what, fault, late: 0, always })
}

/// What is recorded of an effect that nobody answers for, and of one that breaks off.
#[test]
fn in_a_simulation_what_is_not_answered_fails_after_its_time_and_in_its_words() {
    let said = [
        (What::InitializeBackend, "initialize backend did not end within 120 s"),
        (What::InitializeRepository, "initialize repository did not end within 120 s"),
        (What::WipeRepository, "wipe repository did not end within 3600 s"),
        (What::WipeBackend, "wipe backend did not end within 3600 s"),
        (What::Survey, "survey did not end within 60 s"),
        // It is given up after three hours by whoever runs it; its class waits for a day.
        (What::RunHook, "nobody answers"),
        (What::StartWorker, "start worker did not end within 120 s"),
        (What::StopWorker, "stop worker did not end within 120 s"),
        (What::UploadMetadata, "upload metadata did not end within 120 s"),
        (What::RemoveSnapshot, "remove snapshot did not end within 120 s"),
    ];
    for (what, words) in said {
        let at_store = words.ends_with("120 s") && !words.contains("worker");
        let silent = aimed(what, Fault::Silent, false);
        let breaks = aimed(what, Fault::Panics, false);
        let mute = aimed(what, Fault::Silent, true);
        let mut ends = vec![
            (Fixed { aimed: silent, ..Fixed::default() }, words),
            (Fixed { aimed: breaks, ..Fixed::default() }, WEATHER),
        ];
        if at_store {
            let fixed = Fixed { aimed: mute, children: true, ..Fixed::default() };
            ends.push((fixed, "the store did not answer within 30 s"));
        }
        for (fixed, words) in ends {
            let (outcome, _) = run(script("6h"), fixed.clone());
            let found = outcome.log.iter().any(|(_, event)| event.contains(words));
            assert!(found, "{what:?} {fixed:?}: {words}\n{}", outcome.log());
        }
    }
}

/// Values of a field of a status as it was shown, with the times at which it changed.
fn changes(history: &History, pointer: &str) -> Vec<(i64, Value)> {
    let mut found: Vec<(i64, Value)> = Vec::new();
    for (at, object) in history {
        let value = object.pointer(pointer).cloned().unwrap_or_default();
        if found.last().map_or(&Value::Null, |(_, last)| last) != &value {
            found.push((*at, value));
        }
    }
    found
}

#[test]
fn in_a_simulation_long_work_is_seen_to_come_forward_now_and_then() {
    let mut script = script("6h");
    script.steps.truncate(2);
    let restore = manifests::restore("back", "app-0", "app", "6h");
    for step in &mut script.steps {
        step.puts.iter_mut().filter(|put| put["kind"] == "StatefulSet").for_each(|put| {
            *put = manifests::workload("app", 2);
        });
    }
    let (at, says) = (450 * MINUTE, String::new());
    script.steps.push(Step { at, says, puts: vec![restore], removes: vec![] });
    // The two workers of a session do not end together.
    let work = vec![120 * 60_000, 60 * 60_000];
    let (outcome, history) = run(script, Fixed { work, ..Fixed::default() });
    assert_eq!(outcome.breaches, [] as [String; 0]);
    for (kind, name, of_component, done) in [
        ("Snapshot", "app-0-one", "/resticStats/0/progress", "/backupDone"),
        ("RestoreSession", "back", "/progress", "/restoreDone"),
    ] {
        let history = history_of(&history, kind, name);
        let mut times = Vec::new();
        for pod in ["pod-0", "pod-1"] {
            let at = format!("/status/components/{pod}{of_component}");
            let files = changes(&history, &format!("{at}/filesDone"));
            let (shown, last) = files.split_at(files.len() - 1);
            assert_eq!(last[0].1, Value::Null, "nothing of it stays: {files:?}");
            assert!(shown.iter().is_sorted_by_key(|(_, done)| done.as_u64()), "{files:?}");
            times.extend(shown.iter().map(|(at, _)| *at));
            for field in ["totalFiles", "total", "percentDone", done.trim_start_matches('/')] {
                let found = changes(&history, &format!("{at}/{field}"));
                assert!(found.len() > 1, "{field}: {found:?}");
            }
        }
        times.sort_unstable();
        times.dedup();
        // Where the shorter work ends, all is shown once more.
        let ends = times[0] + 58 * MINUTE;
        let (before, after) = times.split_at(times.partition_point(|at| *at < ends));
        assert_eq!((before.len(), after.len()), (20, 1), "{kind}: {times:?}");
        let gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap >= 30_000), "{gaps:?}");
    }
}

/// When a session was first shown to have ended, in minutes, and how.
fn end(history: &History) -> (f64, String) {
    let ends = |object: &Value| {
        let phase = object["status"]["phase"].as_str().unwrap_or_default();
        ["Succeeded", "Failed"].contains(&phase).then(|| phase.to_owned())
    };
    let found = history.iter().find_map(|(at, object)| Some((*at, ends(object)?)));
    let (at, phase) = found.expect("it ends");
    (at as f64 / MINUTE as f64, phase)
}

/// The worker ends 15 minutes after the begin of a session that has 20, and nobody is there to see it. Whoever comes
/// after the deadline waits for the place's word on it, and no longer than 20 minutes after the deadline.
#[test]
fn in_a_simulation_a_deadline_waits_for_whoever_has_not_said_yet_how_an_attempt_stands() {
    let away = |from: u64, until: u64| Span {
        millis: Some(from * 60_000),
        away: Duration::from_secs((until - from) * 60),
        ..Span::default()
    };
    for (back, survey, expected, phase) in [
        (112, 5, 112.0, "Succeeded"),
        (112, 600, 122.0, "Succeeded"),
        (112, 3 * 3_600, 130.0, "Failed"),
        // Nobody goes on to ask for what the log has the end of.
        (112, 48 * 3_600, 130.0, "Failed"),
        (150, 3 * 3_600, 151.0, "Failed"),
    ] {
        let mut script = script("20m");
        script.steps.truncate(2);
        let (survey, lives) = (Some(Duration::from_secs(survey)), vec![away(95, back)]);
        let work = vec![15 * 60_000];
        let fixed = Fixed { work, survey, lives, ..Fixed::default() };
        let (outcome, history) = run(script, fixed);
        assert_eq!(outcome.breaches, [] as [String; 0]);
        let (at, is) = end(&history_of(&history, "BackupSession", "one"));
        assert_eq!(is, phase, "back after {back}, {survey:?}: {at}");
        assert!((expected..expected + 1.5).contains(&at), "back after {back}, {survey:?}: {at}");
    }
}

/// Storages that do not answer keep those waiting that do for no time at all, and each other.
#[test]
fn in_a_simulation_stores_that_do_not_answer_keep_nobody_waiting() {
    let storages = |names: &[&str], from: u64, to: u64| -> Vec<Value> {
        let all = names.iter().flat_map(|name| (from..to).map(move |n| format!("{name}-{n}")));
        all.map(|name| manifests::storage(&name, "Delete")).collect()
    };
    let step = |at: i64, puts| Step { at, says: String::new(), puts, removes: vec![] };
    let mut first = manifests::base();
    first.extend(storages(&[MUTE, "quick"], 0, 12));
    let script = Script {
        steps: vec![step(0, first), step(100_000, storages(&["late"], 0, 12))],
        ..Script::default()
    };
    let fixed = Fixed { children: true, mute_until: 10 * MINUTE, ..Fixed::default() };
    let (outcome, history) = run(script, fixed);
    assert_eq!(outcome.breaches, [] as [String; 0]);
    let ready = |name: &str| {
        let all = history_of(&history, "BackupStorage", name);
        all.iter().find(|(_, object)| object["status"]["phase"] == "Ready").map(|(at, _)| *at)
    };
    for number in 0..12 {
        let late = ready(&format!("late-{number}")).unwrap();
        assert!(late < 103_000, "late-{number}: {late}");
        let quick = ready(&format!("quick-{number}")).unwrap();
        assert!(quick < 65_000, "quick-{number}: {quick}");
        let mute = ready(&format!("{MUTE}-{number}"));
        assert!(mute.is_some_and(|at| at > 10 * MINUTE), "{MUTE}-{number}: {mute:?}");
    }
}
