//! `holdfast session` and `holdfast retention` as their users see them, on a log that the engine wrote.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod log;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use holdfast_engine::Timestamp;
use log::Log;
use serde_json::Value;

/// An initial backup and six days of others, the third of which fails; four snapshots are kept, and the
/// two newest sessions are live.
struct Story {
    dir: tempfile::TempDir,
    /// While the last session was running.
    during: Timestamp,
}

impl Story {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::create(&dir.path().join("log"), 4);
        for day in 1..=5 {
            if day == 3 {
                log.failures.push_back("/source/data/ledger.db: input/output error".into());
            }
            log.backup(&format!("app-nightly-{day}"));
            log.next_day();
        }
        let during = Timestamp(log.now().0 + 3_000);
        log.backup("app-nightly-6");
        log.close();
        Self { dir, during }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `holdfast ARGS…` on the state directory and expects the exit code.
    fn holdfast(&self, args: &[&str], code: i32) -> Output {
        let mut command = assert_cmd::Command::cargo_bin("holdfast").unwrap();
        let output = command
            .args(args)
            .arg("--state")
            .arg(self.dir.path())
            .env_remove("CLICOLOR_FORCE")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        output
    }

    fn text(&self, args: &[&str]) -> String {
        String::from_utf8(self.holdfast(args, 0).stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[args, &["--json"]].concat())).unwrap()
    }

    fn error(&self, args: &[&str], code: i32) -> String {
        String::from_utf8(self.holdfast(args, code).stderr).unwrap()
    }
}

#[test]
fn list_shows_archived_sessions_too_and_why_one_failed() {
    let story = Story::new();
    let text = story.text(&["session", "list"]);
    let names: Vec<&str> =
        text.lines().skip(2).filter_map(|l| l.split_whitespace().nth(1)).collect();
    let expected: Vec<String> = (1..=6).map(|day| format!("app-nightly-{day}")).collect();
    assert_eq!(names, expected, "{text}");
    let failed = text.lines().find(|line| line.contains("app-nightly-3")).unwrap();
    assert!(failed.contains("Failed") && failed.contains("input/output error"), "{failed}");
    let rows = story.json(&["session", "list"]);
    let archived = rows.as_array().unwrap().iter().filter(|row| row["archived"] == true).count();
    assert_eq!(archived, 5);
}

#[test]
fn show_is_the_same_object_as_yaml_and_json_also_for_an_archived_session() {
    let story = Story::new();
    for (name, phase) in [("app-nightly-6", "Succeeded"), ("demo/app-nightly-3", "Failed")] {
        let json = story.json(&["session", "show", name]);
        assert_eq!(json["status"]["phase"], phase);
        assert_eq!(json["kind"], "BackupSession");
        let yaml: Value = serde_saphyr::from_str(&story.text(&["session", "show", name])).unwrap();
        assert_eq!(yaml, json);
    }
}

#[test]
fn at_knows_what_was_known_then_and_no_more() {
    let story = Story::new();
    let during = format!("{:#}", story.during);
    let text = story.text(&["session", "at", &during, "app-nightly-6"]);
    assert!(text.contains("\n  phase: Running\n"), "{text}");
    let before = story.error(&["session", "at", "3", "app-nightly-6"], 28);
    assert!(before.contains("no session"), "{before}");
    let all = story.text(&["session", "at", &during]);
    assert!(all.lines().last().unwrap().contains("Running"), "{all}");
}

#[test]
fn explain_names_the_failed_component_and_a_condition() {
    let story = Story::new();
    let text = story.text(&["session", "explain", "app-nightly-3"]);
    assert!(text.starts_with("demo/app-nightly-3 is Failed because of "), "{text}");
    assert!(text.contains("input/output error"), "{text}");
    let args = ["session", "explain", "app-nightly-6", "--condition", "MetricsPushed"];
    let explained = story.json(&args);
    assert_eq!(explained["what"], "MetricsPushed=True");
    assert_eq!(explained["causes"][0].as_array().unwrap().len(), 1);
    let error = story.error(&["session", "explain", "app-nightly-6", "--condition", "Nope"], 1);
    assert!(error.contains("it has SnapshotsEnsured"), "{error}");
}

#[test]
fn the_timeline_has_a_lane_for_each_component_and_the_page_is_made_again_byte_for_byte() {
    let story = Story::new();
    let text = story.text(&["session", "timeline", "app-nightly-3"]);
    for lane in ["app-nightly-3", "  survey", "  pod-0", "    pod-0 to repo", "  pod-1"] {
        assert!(text.lines().any(|line| line.starts_with(lane)), "{lane}: {text}");
    }
    assert!(text.lines().any(|line| line.starts_with("failed  pod-0: ")), "{text}");
    let page = |file: &str| {
        let path = story.path(file);
        let args = ["session", "timeline", "app-nightly-3", "--html", path.to_str().unwrap()];
        story.text(&args);
        fs::read_to_string(path).unwrap()
    };
    let html = page("one.html");
    assert_eq!(html, page("two.html"));
    for heading in ["Timeline", "Why Failed", "Snapshots", "Repository demo/repo", "Sessions"] {
        assert!(html.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
}

#[test]
fn an_export_is_the_same_log_and_becomes_a_log_again() {
    let story = Story::new();
    let (file, copy) = (story.path("log.export"), story.path("imported"));
    story.text(&["session", "export", file.to_str().unwrap()]);
    let of = |log: &Path, verb: &[&str]| {
        let mut command = assert_cmd::Command::cargo_bin("holdfast").unwrap();
        let output = command.args(["session", "--json", "--log"]).arg(log).args(verb).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let replayed = story.json(&["session", "replay"]);
    assert_eq!(of(&file, &["replay"]), replayed);
    of(&copy, &["import", file.to_str().unwrap()]);
    assert_eq!(of(&copy, &["replay"]), replayed);
    assert_eq!(of(&copy, &["verify"])["clean"], true);
}

#[test]
fn verify_names_the_last_good_event_before_a_flipped_bit() {
    let story = Story::new();
    let clean = story.json(&["session", "verify"]);
    assert_eq!((&clean["clean"], &clean["first"]), (&Value::Bool(true), &Value::from(1)));
    let segment = story.path("log/journal/0000000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let frames: Vec<usize> =
        bytes.windows(4).enumerate().filter(|(_, w)| w == b"HFF1").map(|(n, _)| n).collect();
    let hit = frames[frames.len() / 2];
    let first = u64::from_le_bytes(bytes[hit + 16..hit + 24].try_into().unwrap());
    bytes[hit + 40] ^= 0x10;
    fs::write(&segment, &bytes).unwrap();
    let text = String::from_utf8(story.holdfast(&["session", "verify"], 22).stdout).unwrap();
    assert!(text.starts_with("damaged: "), "{text}");
    assert!(text.contains(&format!("event {}: chain: ", first - 1)), "{text}");
    let error = story.error(&["session", "list"], 22);
    assert!(error.contains("damaged behind event"), "{error}");
}

#[test]
fn replay_stops_where_it_is_told() {
    let story = Story::new();
    assert_eq!(story.json(&["session", "replay", "--until", "9"])["seq"], 9);
    let all = story.json(&["session", "replay"]);
    let at = all["at"].as_str().unwrap().to_owned();
    assert_eq!(story.json(&["session", "replay", "--until", &at]), all);
}

#[test]
fn a_policy_is_simulated_and_nothing_is_removed() {
    let story = Story::new();
    let policy = story.path("policy.yaml");
    let text = "
apiVersion: storage.kubestash.com/v1alpha1
kind: RetentionPolicy
metadata: {name: strict, namespace: demo}
spec: {successfulSnapshots: {last: 1}, failedSnapshots: {last: 1}}
";
    fs::write(&policy, text).unwrap();
    let args = ["retention", "simulate", "--policy", policy.to_str().unwrap()];
    let before = story.json(&["session", "replay"]);
    let judged = story.json(&args);
    // Six succeeded and four of them were kept by the policy in force; one failed.
    assert_eq!(
        (&judged["kept"], &judged["removed"]),
        (&Value::from(2), &Value::from(3)),
        "{judged}"
    );
    assert!(judged["waitingBytesAtMost"].as_u64().unwrap() > 0);
    let shown = story.text(&args);
    assert!(shown.contains("3 would be removed, 2 would stay"), "{shown}");
    assert_eq!(story.json(&["session", "replay"]), before);
}

#[test]
fn what_is_missing_is_said_with_what_to_do() {
    let story = Story::new();
    assert!(story.error(&["session", "show", "nightly"], 28).contains("holdfast session list"));
    let mut command = assert_cmd::Command::cargo_bin("holdfast").unwrap();
    let output = command.args(["session", "list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--state DIR") && error.contains("--log"), "{error}");
    let nothing = story.path("nothing");
    let mut command = assert_cmd::Command::cargo_bin("holdfast").unwrap();
    let output = command.args(["session", "list", "--log"]).arg(&nothing).output().unwrap();
    assert_eq!(output.status.code(), Some(28), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, format!("error: no log in {}\n", nothing.display()));
    assert!(!nothing.exists());
}
