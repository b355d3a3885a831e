//! What `holdfast session show` prints is what the operator published.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod support;

use serde_json::Value;
use support::{World, said};

#[test]
fn statuses_from_the_log_are_those_of_the_operator() {
    let world = World::with(&["storage", "workload", "backup", "restore"]);
    let output = world.once();
    assert!(output.status.success(), "{}", said(&output));
    for kind in ["backupsessions.core", "restoresessions.core"] {
        let published = world.only(kind);
        let name = published["metadata"]["name"].as_str().unwrap();
        let output = assert_cmd::Command::cargo_bin("holdfast")
            .unwrap()
            .args(["session", "--json", "show", name, "--state"])
            .arg(&world.state)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(shown, published, "{kind}");
    }
}
