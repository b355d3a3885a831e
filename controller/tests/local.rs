//! The local operator as its user sees it: manifests in, statuses and directories out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::World;

/// Times, durations and sizes say nothing about a status; names and uids differ from run to run.
fn redact(value: &mut Value) {
    const MEASURED: [&str; 13] = [
        "lastTransitionTime",
        "nextSchedule",
        "duration",
        "snapshotTime",
        "lastUpdateTime",
        "lastBackupTime",
        "size",
        "startTime",
        "endTime",
        "uploaded",
        "id",
        "totalSize",
        "message",
    ];
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if MEASURED.contains(&name.as_str()) {
                    assert!(
                        member.as_str().is_some_and(|text| !text.is_empty()),
                        "{name}: {member}"
                    );
                    *member = "…".into();
                } else {
                    redact(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) => {
            if let Some((head, tail)) = text.rsplit_once('-')
                && tail.len() == 10
                && tail.bytes().all(|b| b.is_ascii_digit())
            {
                *text = format!("{head}-…");
            }
        }
        _ => {}
    }
}

fn status(mut object: Value) -> Value {
    let mut status = object["status"].take();
    redact(&mut status);
    status
}

/// Messages are for people; what programs read has to be the documents' own.
fn condition(kind: &str, reason: &str) -> Value {
    json!({"lastTransitionTime": "…", "message": "…", "reason": reason, "status": "True", "type": kind})
}

const SNAPSHOT: &str = "gcs-demo-repo-sample-backup-sts-demo-session-…";

fn restored() -> Value {
    json!({
        "components": {
            "pod-0": {"duration": "…", "phase": "Succeeded"},
            "pod-2": {"duration": "…", "phase": "Succeeded"}
        },
        "conditions": [
            condition("ValidationPassed", "ResourceValidationPassed"),
            condition("RestoreExecutorEnsured", "SuccessfullyEnsuredRestoreExecutor"),
            condition("MetricsPushed", "SuccessfullyPushedMetrics")
        ],
        "dependencies": [
            {"found": true, "kind": "Snapshot", "name": SNAPSHOT, "namespace": "demo"},
            {"found": true, "kind": "Addon", "name": "workload-addon"}
        ],
        "duration": "…",
        "observedGeneration": 1,
        "phase": "Succeeded",
        "targetFound": true,
        "totalComponents": 2
    })
}

fn configured() -> Value {
    json!({
        "backends": [{
            "name": "gcs-backend",
            "ready": true,
            "retentionPolicy": {"found": true, "ref": {"name": "demo-retention", "namespace": "demo"}},
            "storage": {"phase": "Ready", "ref": {"name": "gcs-storage", "namespace": "demo"}}
        }],
        "conditions": [condition("ValidationPassed", "ResourceValidationPassed")],
        "dependencies": [{"found": true, "kind": "Addon", "name": "workload-addon"}],
        "observedGeneration": 1,
        "phase": "Ready",
        "repositories": [{"name": "gcs-demo-repo", "phase": "Ready"}],
        "sessions": [{
            "conditions": [
                condition("SchedulerEnsured", "SchedulerEnsured"),
                condition("InitialBackupTriggered", "SuccessfullyTriggeredInitialBackup")
            ],
            "name": "demo-session",
            "nextSchedule": "…"
        }],
        "targetFound": true
    })
}

fn backed_up() -> Value {
    let app = json!({"apiGroup": "apps", "kind": "StatefulSet", "name": "sample-sts", "namespace": "demo"});
    json!({
        "conditions": [
            condition("SnapshotsEnsured", "SuccessfullyEnsuredSnapshots"),
            condition("BackupExecutorEnsured", "SuccessfullyEnsuredBackupExecutor"),
            condition("RetentionPolicyExecutorEnsured", "SuccessfullyEnsuredRetentionPolicyExecutor"),
            condition("SessionHistoryCleaned", "SuccessfullyCleanedSessionHistory"),
            condition("MetricsPushed", "SuccessfullyPushedMetrics")
        ],
        "duration": "…",
        "observedGeneration": 1,
        "phase": "Succeeded",
        "retentionPolicy": [{
            "phase": "Applied",
            "ref": {"name": "demo-retention", "namespace": "demo"},
            "repository": "gcs-demo-repo"
        }],
        "retried": false,
        "snapshots": [{"appRef": app, "name": SNAPSHOT, "phase": "Succeeded", "repository": "gcs-demo-repo"}],
        "totalSnapshots": 1
    })
}

#[test]
fn the_samples_of_the_documents_lead_to_their_statuses() {
    let world = World::with(&["storage", "workload", "backup", "restore"]);
    let output = world.once();
    assert!(output.status.success(), "{}", support::said(&output));
    assert_eq!(status(world.object("restoresessions.core", "sample-restore")), restored());
    assert_eq!(
        status(world.object("backupconfigurations.core", "sample-backup-sts")),
        configured()
    );
    assert_eq!(status(world.only("backupsessions.core")), backed_up());
    for n in [0, 2] {
        let restored = world.state.join(format!("volumes/demo/source-data-restore-sts-{n}"));
        assert_eq!(support::tree(&restored), support::tree(&world.data(n)), "replica {n}");
    }
    assert!(!world.state.join("volumes/demo/source-data-restore-sts-1/name").exists());
}

#[test]
fn published_objects_hold_no_field_that_their_schemas_lack() {
    let world = World::with(&["storage", "workload", "backup", "restore"]);
    assert!(world.once().status.success());
    let objects = world.objects();
    assert_eq!(objects.len(), 6);
    for object in objects {
        let kind = holdfast_api::Kind::of(&object).unwrap();
        assert_eq!(
            holdfast_api::unknown_fields(kind, &object),
            Vec::<String>::new(),
            "{}",
            kind.name()
        );
        assert_eq!(holdfast_api::validate(kind, &object), [], "{}", kind.name());
    }
}

#[test]
fn a_passphrase_is_nowhere_but_in_its_manifest() {
    let world = World::with(&["storage", "workload", "backup", "restore"]);
    world.edit("storage", "change me before the first backup", "marker-of-a-secret");
    let output = world.once();
    assert!(output.status.success(), "{}", support::said(&output));
    assert!(!support::said(&output).contains("marker-of-a-secret"));
    for (name, content) in
        support::tree(&world.state).into_iter().chain(support::tree(&world.storage()))
    {
        assert!(!content.windows(18).any(|window| window == b"marker-of-a-secret"), "{name}");
    }
}

#[test]
fn a_second_run_does_nothing_twice() {
    let world = World::with(&["storage", "workload", "backup", "restore"]);
    world.session("now");
    assert!(world.once().status.success());
    let before = support::tree(&world.storage());
    let restored = world.state.join("volumes/demo/source-data-restore-sts-0/name");
    fs::write(&restored, "changed since").unwrap();
    let again = world.once();
    assert!(again.status.success(), "{}", support::said(&again));
    let mut after = support::tree(&world.storage());
    // The storage's own description is written at every start.
    after.insert("metadata.yaml".into(), before["metadata.yaml"].clone());
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(fs::read_to_string(&restored).unwrap(), "changed since");
}

#[test]
fn deletion_follows_its_policy_and_only_a_complete_read_deletes() {
    for (policy, data_stays) in [("Delete", true), ("WipeOut", false)] {
        let world = World::with(&["storage", "workload", "backup"]);
        let name = "          name: gcs-demo-repo";
        world.edit("backup", name, &format!("{name}\n          deletionPolicy: {policy}"));
        assert!(world.once().status.success());
        let data = world.storage().join("demo/data/holdfast/v1/config");
        assert!(data.exists());

        fs::write(world.manifests.join("broken.yaml"), "a: [").unwrap();
        fs::remove_file(world.manifest("backup")).unwrap();
        assert!(!world.once().status.success(), "the broken file is a problem");
        assert_eq!(
            world.names("backupconfigurations.core").len(),
            1,
            "{policy}: a broken file deletes nothing"
        );

        fs::remove_file(world.manifests.join("broken.yaml")).unwrap();
        let output = world.once();
        assert!(output.status.success(), "{policy}: {}", support::said(&output));
        for kind in ["backupconfigurations.core", "repositories.storage", "snapshots.storage"] {
            assert_eq!(world.names(kind), Vec::<String>::new(), "{policy}");
        }
        assert_eq!(data.exists(), data_stays, "{policy}");
    }
}

#[test]
fn hooks_run_around_the_backup() {
    let world = World::with(&["storage", "workload", "backup"]);
    world.hooks("true");
    let output = world.once();
    assert!(output.status.success(), "{}", support::said(&output));
    assert_eq!(fs::read_to_string(world.data(0).join("frozen")).unwrap(), "users\n");
    assert_eq!(fs::read_to_string(world.data(0).join("phase")).unwrap(), "demo Succeeded\n");
    assert_eq!(
        world.only("backupsessions.core")["status"]["hooks"],
        json!({
            "preHooks": [{"name": "freeze", "phase": "Succeeded"}],
            "postHooks": [{"name": "thaw", "phase": "Succeeded"}]
        })
    );
}

#[test]
fn a_hook_that_fails_before_the_work_fails_the_session() {
    let world = World::with(&["storage", "workload", "backup"]);
    world.hooks("false");
    let output = world.once();
    assert_eq!(output.status.code(), Some(1));
    let said = support::said(&output);
    assert!(said.contains("freeze") && said.contains("exit status: 1"), "{said}");
    assert_eq!(world.only("backupsessions.core")["status"]["phase"], "Failed");
    // The hook after the work runs in any case, so that what was frozen thaws.
    assert_eq!(fs::read_to_string(world.data(0).join("phase")).unwrap(), "demo Failed\n");
    assert!(
        !world.storage().join("demo/data/holdfast/v1/meta/snapshots").exists(),
        "nothing was moved"
    );
}
