//! A Secret that changes is noticed at the next look at the manifests, not by the next session.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;

use serde_json::Value;
use support::{World, said};

const RIGHT: &str = "change me before the first backup";

/// Phase and condition of the only repository.
fn repository(world: &World) -> (String, String) {
    let found = world.only("repositories.storage");
    let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let told = conditions.iter().find(|c| c["type"] == "RepositoryInitialized").cloned();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&found["status"]["phase"]), text(&told.unwrap_or_default()["reason"]))
}

fn is(world: &World, phase: &str, reason: &str) {
    let output = world.once();
    let expected = (phase.to_owned(), reason.to_owned());
    assert_eq!(repository(world), expected, "{}", said(&output));
    assert_eq!(output.status.success(), phase == "Ready", "{}", said(&output));
}

#[test]
fn a_wrong_passphrase_shows_on_the_repository_and_the_right_one_heals_it() {
    let world = World::with(&["storage", "workload", "backup"]);
    is(&world, "Ready", "RepositoryInitializationSucceeded");
    let sessions = world.names("backupsessions.core");
    world.edit("storage", RIGHT, "another one");
    is(&world, "NotReady", "WrongPassphrase");
    // It stays that way at a start that finds nothing new.
    is(&world, "NotReady", "WrongPassphrase");
    world.edit("storage", "another one", RIGHT);
    is(&world, "Ready", "RepositoryInitializationSucceeded");
    assert_eq!(world.names("backupsessions.core"), sessions);
}

#[test]
fn a_secret_that_is_gone_shows_on_the_repository() {
    let world = World::with(&["storage", "workload", "backup"]);
    is(&world, "Ready", "RepositoryInitializationSucceeded");
    let text = fs::read_to_string(world.manifest("storage")).unwrap();
    world.edit("storage", "name: encrypt-secret", "name: another-secret");
    is(&world, "NotReady", "EncryptionSecretNotFound");
    fs::write(world.manifest("storage"), text).unwrap();
    is(&world, "Ready", "RepositoryInitializationSucceeded");
}

#[test]
fn nothing_of_a_secret_reaches_the_log_or_the_statuses() {
    let world = World::with(&["storage", "workload", "backup"]);
    world.edit("storage", RIGHT, "marker-of-a-passphrase");
    is(&world, "Ready", "RepositoryInitializationSucceeded");
    world.edit("storage", "marker-of-a-passphrase", "marker-of-another");
    is(&world, "NotReady", "WrongPassphrase");
    for (name, content) in support::tree(&world.state) {
        let found = content.windows(10).any(|window| window == b"marker-of-");
        assert!(!found, "{name}");
    }
}
