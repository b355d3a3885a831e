//! Volumes that are made when they are asked for, and snapshots of them.

use holdfast_e2e::cluster::{
    Namespace, PATIENCE, claim, kubectl, pod, variable, wait_for, with, with_volume,
};
use serde_json::{Value, json};

/// A pod that keeps a claim's volume mounted.
fn holder(space: &Namespace, claim: &str) {
    space.apply(&with_volume(pod(claim, "sleep 3600"), claim));
    space.becomes(&["pod", claim], "running", |status| status["phase"] == "Running");
}

#[test]
fn a_volume_is_made_for_a_claim_and_goes_with_it() {
    let space = Namespace::new("dynamic");
    space.apply(&claim("one", "16Mi"));
    holder(&space, "one");
    let bound = space.get(&["pvc", "one"]).unwrap();
    let volume = bound["spec"]["volumeName"].as_str().unwrap();
    assert_eq!(bound["spec"]["storageClassName"], variable("HOLDFAST_E2E_STORAGE_CLASS"));
    space.in_pod("one", "echo kept >/data/file; cat /data/file").unwrap();
    space.delete(&["pod", "one"]);
    holder(&space, "one");
    assert_eq!(space.in_pod("one", "cat /data/file").unwrap(), "kept\n");
    space.delete(&["pod", "one"]);
    space.delete(&["pvc", "one"]);
    wait_for("the end of the volume", PATIENCE, || {
        let left = kubectl(&["get", "pv", "--ignore-not-found", "-o", "name", volume], "")?;
        Ok(if left.is_empty() { Ok(()) } else { Err(left) })
    });
}

fn snapshot(claim: &str) -> Value {
    json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": { "name": "taken" },
        "spec": {
            "volumeSnapshotClassName": variable("HOLDFAST_E2E_SNAPSHOT_CLASS"),
            "source": { "persistentVolumeClaimName": claim },
        },
    })
}

/// A snapshot of a volume that is written to all the time is one instant of it, and stays what it was.
#[test]
fn a_snapshot_is_an_instant_that_can_be_mounted() {
    let space = Namespace::new("snapshot");
    space.apply(&claim("live", "16Mi"));
    let count = "n=0; while :; do n=$((n+1)); echo $n >/data/first; echo $n >/data/second; done";
    space.apply(&with_volume(pod("live", count), "live"));
    space.becomes(&["pod", "live"], "running", |status| status["phase"] == "Running");
    let counted = |pod: &str, file: &str| -> u64 {
        let said = space.in_pod(pod, &format!("cat /data/{file}")).unwrap();
        // A shell truncates before it writes: an instant may lie between.
        said.trim().parse().unwrap_or(0)
    };
    space.apply(&snapshot("live"));
    space.becomes(&["volumesnapshot", "taken"], "ready", |status| status["readyToUse"] == true);
    let source =
        json!({ "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "taken" });
    space.apply(&with(claim("then", "16Mi"), "/spec/dataSource", source));
    holder(&space, "then");
    let (first, second) = (counted("then", "first"), counted("then", "second"));
    let one_instant = first == second || first == second + 1 || first == 0 || second == 0;
    assert!(one_instant, "{first} was written before {second}");
    wait_for("a live volume that goes on", PATIENCE, || {
        let now = counted("live", "first");
        Ok(if now > first { Ok(()) } else { Err(format!("{now} is not above {first}")) })
    });
    assert_eq!((counted("then", "first"), counted("then", "second")), (first, second));
}
