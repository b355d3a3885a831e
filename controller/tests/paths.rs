//! Several paths in one component: each is shown with what it came to, and all of them come back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;

use serde_json::Value;
use support::{World, said, tree};

fn summaries(component: &Value) -> Vec<&Value> {
    component["resticStats"].as_array().unwrap().iter().map(|entry| &entry["summary"]).collect()
}

#[test]
fn every_path_is_an_entry_of_its_own() {
    let world = World::with(&["storage", "workload", "backup", "restore"]);
    world.edit("backup", "paths: /source/data\n", "paths: /source/data/sub, /source/data/none\n");
    for replica in 0..3 {
        fs::create_dir(world.data(replica).join("none")).unwrap();
    }
    let output = world.once();
    assert!(output.status.success(), "{}", said(&output));
    let snapshot = world.only("snapshots.storage");
    let components = snapshot["status"]["components"].as_object().unwrap();
    assert_eq!(components.len(), 3);
    for component in components.values() {
        let paths = summaries(component);
        let shown: Vec<_> = paths.iter().map(|path| (&path["hostPath"], &path["size"])).collect();
        assert_eq!(
            shown,
            [
                (&"/source/data/sub".into(), &"97.656 KiB".into()),
                (&"/source/data/none".into(), &"0 B".into())
            ]
        );
        assert_eq!(paths[0]["id"], paths[1]["id"]);
        for entry in paths {
            for field in ["uploaded", "startTime", "endTime"] {
                assert!(entry[field].is_string(), "{entry}");
            }
        }
    }
    for replica in [0, 2] {
        let restored = world.state.join(format!("volumes/demo/source-data-restore-sts-{replica}"));
        assert_eq!(tree(&restored.join("sub")), tree(&world.data(replica).join("sub")));
        assert!(restored.join("none").is_dir());
        assert!(!restored.join("name").exists());
    }
}
