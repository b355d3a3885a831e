//! `holdfast session` on logs that are not whole any more: archived, keyed, without HEAD.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod log;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use holdfast_eventlog::{ChainKey, Options};
use log::Log;
use serde_json::Value;
use support::World;

/// Small enough that a few sessions fill several segments, large enough for any event.
const SEGMENT_BYTES: u32 = 16 * 1024;

fn options(key: Option<ChainKey>) -> Options {
    Options { key, segment_bytes: SEGMENT_BYTES, checkpoint_every_events: 40, ..Options::default() }
}

fn holdfast(args: &[&str], log: &Path, code: i32) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("holdfast").unwrap();
    let output = command.arg("session").args(args).arg("--log").arg(log).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", support::said(&output));
    output
}

fn json(args: &[&str], log: &Path, code: i32) -> Value {
    let output = holdfast(&[args, &["--json"]].concat(), log, code);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn names(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

/// A log whose first days are archived, its export, and a copy of it from before.
struct Archived {
    dir: tempfile::TempDir,
}

impl Archived {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let archived = Self { dir };
        let mut log = Log::create_with(&archived.log(), 4, options(None));
        for day in 1..=9 {
            log.backup(&format!("app-nightly-{day}"));
            log.next_day();
        }
        support::copy(&archived.log(), &archived.whole());
        assert!(log.archive(&archived.export()) > 100, "nothing was archived");
        log.backup("app-nightly-10");
        log.close();
        archived
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
    fn whole(&self) -> PathBuf {
        self.dir.path().join("whole")
    }
    fn export(&self) -> PathBuf {
        self.dir.path().join("export")
    }

    /// With the export behind it.
    fn both<'a>(&self, args: &[&'a str], export: &'a str) -> Vec<&'a str> {
        [args, &["--export", export]].concat()
    }
}

#[test]
fn an_archived_log_shows_what_is_left_and_with_its_export_everything() {
    let archived = Archived::new();
    let (log, export) = (archived.log(), archived.export());
    let export = export.to_str().unwrap();
    let left = json(&["list"], &log, 0);
    let all = json(&archived.both(&["list"], export), &log, 0);
    assert!(names(&left).len() < names(&all).len(), "{left}");
    let days: Vec<String> = (1..=10).map(|day| format!("app-nightly-{day}")).collect();
    assert!(days.iter().all(|day| names(&all).contains(&day.as_str())), "{all}");
    // What was archived is shown as it was before.
    let before = json(&["show", "app-nightly-2"], &archived.whole(), 0);
    assert_eq!(json(&archived.both(&["show", "app-nightly-2"], export), &log, 0), before);
    let gone = holdfast(&["show", "app-nightly-2"], &log, 28);
    assert!(support::said(&gone).contains("no session"), "{gone:?}");
    let at = archived.both(&["at", "60"], export);
    assert_eq!(json(&at, &log, 0), json(&["at", "60"], &archived.whole(), 0));
    let early = support::said(&holdfast(&["at", "60", "app-nightly-10"], &log, 28));
    assert!(early.contains("no session"), "{early}");
}

#[test]
fn an_archived_log_is_proven_and_replayed_with_and_without_its_export() {
    let archived = Archived::new();
    let (log, export) = (archived.log(), archived.export());
    let both = archived.both(&["verify"], export.to_str().unwrap());
    let (alone, whole) = (json(&["verify"], &log, 0), json(&both, &log, 0));
    assert!(alone["first"].as_u64() > Some(100) && whole["first"] == 1, "{alone} {whole}");
    assert_eq!((&alone["last"], &alone["hash"]), (&whole["last"], &whole["hash"]));
    let both = archived.both(&["replay"], export.to_str().unwrap());
    assert_eq!(json(&["replay"], &log, 0), json(&both, &log, 0));
    let early = support::said(&holdfast(&["replay", "--until", "9"], &log, 22));
    assert!(early.contains("give its export"), "{early}");
    // A whole export again.
    let again = archived.dir.path().join("again");
    let both = archived.both(&["export", again.to_str().unwrap()], export.to_str().unwrap());
    holdfast(&both, &log, 0);
    assert_eq!(json(&["replay"], &again, 0), json(&["replay"], &log, 0));
    assert_eq!(json(&["verify"], &again, 0)["first"], 1);
}

#[test]
fn the_export_of_another_log_does_not_fit_behind() {
    let archived = Archived::new();
    let other = archived.dir.path().join("other");
    let mut log = Log::create_with(&other, 4, options(None));
    (1..=9).for_each(|day| log.backup(&format!("other-{day}")));
    let foreign = archived.dir.path().join("foreign");
    log.archive(&foreign);
    let both = archived.both(&["list"], foreign.to_str().unwrap());
    let text = support::said(&holdfast(&both, &archived.log(), 22));
    assert!(text.contains("damaged"), "{text}");
}

#[test]
fn a_keyed_log_is_read_with_its_key_and_with_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (path, file) = (dir.path().join("log"), dir.path().join("key"));
    fs::write(&file, "07".repeat(32) + "\n").unwrap();
    let mut log = Log::create_with(&path, 4, options(Some(ChainKey::new([7; 32]))));
    log.backup("app-nightly-1");
    log.close();
    let refused = support::said(&holdfast(&["list"], &path, 24));
    assert!(refused.contains("--chain-key-file"), "{refused}");
    let key = |args: &[&'static str], file: &Path| {
        let file = file.to_str().unwrap().to_owned();
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        [args, vec!["--chain-key-file".into(), file]].concat()
    };
    let with = |args: &[&'static str], file: &Path, log: &Path, code| {
        let args = key(args, file);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        holdfast(&args, log, code)
    };
    with(&["list"], &file, &path, 0);
    with(&["verify"], &file, &path, 0);
    let (copy, again) = (dir.path().join("export"), dir.path().join("again"));
    let args: [&'static str; 2] = ["export", copy.to_str().unwrap().to_owned().leak()];
    with(&args, &file, &path, 0);
    let args: [&'static str; 2] = ["import", args[1]];
    with(&args, &file, &again, 0);
    with(&["verify"], &file, &again, 0);
    let wrong = dir.path().join("wrong");
    fs::write(&wrong, [8; 32]).unwrap();
    with(&["list"], &wrong, &path, 22);
    fs::write(&wrong, "short").unwrap();
    let refused = support::said(&with(&["list"], &wrong, &path, 1));
    assert!(refused.contains("holds no chain key"), "{refused}");
}

#[test]
fn the_local_operator_keeps_a_keyed_log() {
    let world = World::with(&["storage", "workload", "backup"]);
    let file = world.state.with_extension("key");
    fs::write(&file, [9; 32]).unwrap();
    let run = |key: bool| {
        let mut command = world.command();
        command.arg("--once");
        if key {
            command.arg("--chain-key-file").arg(&file);
        }
        command.output().unwrap()
    };
    let output = run(true);
    assert!(output.status.success(), "{}", support::said(&output));
    assert_eq!(run(false).status.code(), Some(24));
    assert!(run(true).status.success());
    let log = world.state.join("log");
    holdfast(&["verify", "--chain-key-file", file.to_str().unwrap()], &log, 0);
}

#[test]
fn a_lost_head_is_shown_and_written_only_when_asked() {
    let archived = Archived::new();
    let log = archived.whole();
    let sound = json(&["replay"], &log, 0);
    assert_eq!(json(&["repair-head"], &log, 0)["headValid"], true);
    let head = log.join("HEAD");
    fs::write(&head, vec![0xEE; 8192]).unwrap();
    let refused = support::said(&holdfast(&["verify"], &log, 22));
    assert!(refused.contains("neither slot of HEAD is valid"), "{refused}");
    let shown = support::said(&holdfast(&["repair-head"], &log, 22));
    for words in ["are proven by the chain", "last event   #", "not known", "--write"] {
        assert!(shown.contains(words), "{words:?} is missing in:\n{shown}");
    }
    assert_eq!(fs::read(&head).unwrap(), vec![0xEE; 8192]);
    let written = json(&["repair-head", "--write"], &log, 0);
    assert_eq!((&written["written"], &written["last"]), (&Value::Bool(true), &sound["seq"]));
    assert_eq!(json(&["verify"], &log, 0)["clean"], true);
    assert_eq!(json(&["replay"], &log, 0), sound);
}

#[test]
fn an_export_that_goes_further_stands_against_a_new_head() {
    let archived = Archived::new();
    let (log, export) = (archived.log(), archived.export());
    let export = export.to_str().unwrap();
    fs::remove_file(log.join("HEAD")).unwrap();
    // The log went on after the export.
    holdfast(&["repair-head", "--write", "--export", export], &log, 0);
    // The copy from before the export lacks its last segment.
    let whole = archived.whole();
    fs::remove_file(whole.join("HEAD")).unwrap();
    let mut segments: Vec<PathBuf> =
        fs::read_dir(whole.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.sort();
    fs::remove_file(segments.last().unwrap()).unwrap();
    let args = ["repair-head", "--write", "--export", export];
    let refused = support::said(&holdfast(&args, &whole, 22));
    assert!(refused.contains("fetch the export"), "{refused}");
    assert!(!whole.join("HEAD").exists());
}

#[test]
fn an_archived_restore_is_shown_as_it_was_published_last() {
    let world = World::with(&["storage", "workload", "backup", "restore"]);
    assert!(world.once().status.success());
    let published = world.object("restoresessions.core", "sample-restore");
    assert_eq!(published["status"]["phase"], "Succeeded");
    fs::remove_file(world.manifest("restore")).unwrap();
    assert!(world.once().status.success());
    assert!(world.names("restoresessions.core").is_empty());
    let shown = json(&["show", "sample-restore"], &world.state.join("log"), 0);
    assert_eq!(shown["status"], published["status"]);
}
