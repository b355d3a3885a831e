//! Whatever is wrong, it is said by name, and no session is green.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;

use support::{World, said};

/// A run that must not succeed and must say all of these words.
fn fails(world: &World, words: &[&str]) {
    let output = world.once();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
}

fn phase_of_only(world: &World, kind: &str) -> String {
    world.only(kind)["status"]["phase"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_document_that_cannot_be_used_is_named_and_the_others_go_on() {
    const POLICY: &str = "apiVersion: storage.kubestash.com/v1alpha1\nkind: RetentionPolicy\nmetadata: {name: p, namespace: demo}\n";
    for (text, words) in [
        ("# one\n---\n---\na: [\n".to_owned(), &["x.yaml, document 2", "not valid YAML"][..]),
        (
            "apiVersion: v1\nkind: Widget\nmetadata: {name: w}\n".to_owned(),
            &["x.yaml, document 1", "Widget of v1 is unknown"],
        ),
        (
            format!("{POLICY}spec: {{maxRetentionPeriod: 1y, keepLast: 3}}\n"),
            &["x.yaml, document 1", "RetentionPolicy demo/p", "spec.keepLast"],
        ),
        (
            format!("{POLICY}spec: {{failedSnapshots: {{last: many}}}}\n"),
            &["x.yaml, document 1", "RetentionPolicy demo/p", "spec.failedSnapshots.last"],
        ),
    ] {
        let world = World::with(&["storage", "workload", "backup"]);
        fs::write(world.manifests.join("x.yaml"), &text).unwrap();
        fails(&world, words);
        assert_eq!(phase_of_only(&world, "backupsessions.core"), "Succeeded", "{text}");
    }
}

#[test]
fn a_missing_secret_is_a_failed_session() {
    let world = World::with(&["storage", "workload", "backup"]);
    world.edit("storage", "name: encrypt-secret", "name: another-secret");
    fails(&world, &["encryption Secret demo/encrypt-secret not found"]);
    assert_eq!(phase_of_only(&world, "backupsessions.core"), "Failed");
}

#[test]
fn a_wrong_passphrase_is_a_failed_session() {
    let world = World::with(&["storage", "workload", "backup"]);
    assert!(world.once().status.success());
    world.edit("storage", "change me before the first backup", "another one");
    world.session("again");
    fails(&world, &["wrong password"]);
    assert_eq!(world.object("backupsessions.core", "again")["status"]["phase"], "Failed");
}

#[test]
fn another_repository_under_the_same_path_is_never_written() {
    let world = World::with(&["storage", "workload", "backup"]);
    let other = World::with(&["storage", "workload", "backup"]);
    assert!(world.once().status.success() && other.once().status.success());
    fs::remove_dir_all(world.storage()).unwrap();
    support::copy(&other.storage(), &world.storage());
    let before = support::tree(&world.storage().join("demo/data/holdfast"));
    world.session("again");
    fails(&world, &["another repository"]);
    assert_eq!(world.object("backupsessions.core", "again")["status"]["phase"], "Failed");
    assert_eq!(support::tree(&world.storage().join("demo/data/holdfast")), before);
}

#[test]
fn a_storage_that_cannot_be_written_is_not_ready() {
    let world = World::with(&["storage", "workload", "backup"]);
    fs::write(world.storage(), "a file stands here").unwrap();
    fails(&world, &["BackupStorage", "/backups", "a file lies where a directory should be"]);
    assert_eq!(phase_of_only(&world, "backupstorages.storage"), "NotReady");
    assert_eq!(phase_of_only(&world, "backupconfigurations.core"), "NotReady");
}

#[test]
fn a_source_that_does_not_exist_is_a_failed_session() {
    let world = World::with(&["storage", "workload", "backup"]);
    fs::remove_dir_all(world.data(1)).unwrap();
    fails(&world, &["pod-1", "does not exist"]);
    assert_eq!(phase_of_only(&world, "backupsessions.core"), "Failed");
}

#[test]
fn a_source_that_lost_all_its_files_is_a_failed_session() {
    let world = World::with(&["storage", "workload", "backup"]);
    assert!(world.once().status.success());
    fs::remove_dir_all(world.data(1)).unwrap();
    fs::create_dir(world.data(1)).unwrap();
    world.session("again");
    fails(&world, &["pod-1"]);
    assert_eq!(world.object("backupsessions.core", "again")["status"]["phase"], "Failed");
}

#[test]
fn a_path_outside_of_all_volumes_is_a_failed_session() {
    let world = World::with(&["storage", "workload", "backup"]);
    world.edit("backup", "paths: /source/data", "paths: /elsewhere");
    fails(&world, &["/elsewhere", "/source/data"]);
    assert_eq!(phase_of_only(&world, "backupsessions.core"), "Failed");
}

#[test]
fn a_configuration_without_its_target_is_not_ready_and_says_why() {
    let world = World::with(&["storage", "backup"]);
    fails(&world, &["sample-sts is not declared"]);
    assert_eq!(phase_of_only(&world, "backupconfigurations.core"), "NotReady");
}

#[test]
fn a_session_of_nothing_is_refused_by_name() {
    let world = World::with(&["storage", "workload"]);
    world.session("now");
    fails(&world, &["BackupSession demo/now"]);
}
