//! Every kind of target that has volumes: what is backed up comes back in another one of its kind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::path::PathBuf;

use support::{World, said, tree};

/// A workload of one pod that mounts a claim and a directory of the host.
fn workload(kind: &str, name: &str, claim: &str, host_path: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: demo}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n\
         \x20 template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n      - name: c\n        image: busybox\n\
         \x20       volumeMounts: [{{name: data, mountPath: /data}}, {{name: host, mountPath: /host}}, {{name: scratch, mountPath: /tmp}}]\n\
         \x20     volumes:\n      - {{name: data, persistentVolumeClaim: {{claimName: {claim}}}}}\n      - {{name: host, hostPath: {{path: {host_path}}}}}\n\
         \x20     - {{name: scratch, emptyDir: {{}}}}\n---\n"
    )
}

fn claim(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}, namespace: demo}}\nspec: {{accessModes: [ReadWriteOnce]}}\n---\n"
    )
}

fn backup(group: &str, kind: &str, addon: &str) -> String {
    format!(
        "apiVersion: core.kubestash.com/v1alpha1\nkind: BackupConfiguration\nmetadata: {{name: all, namespace: demo}}\nspec:\n\
         \x20 target: {{apiGroup: \"{group}\", kind: {kind}, name: source, namespace: demo}}\n\
         \x20 backends: [{{name: b, storageRef: {{name: gcs-storage, namespace: demo}}, retentionPolicy: {{name: demo-retention, namespace: demo}}}}]\n\
         \x20 sessions:\n  - name: daily\n    scheduler: {{schedule: \"0 0 1 1 *\", jobTemplate: {{}}}}\n\
         \x20   addon: {{name: {addon}, tasks: [{{name: logical-backup}}]}}\n\
         \x20   repositories: [{{name: repo, backend: b, directory: all, encryptionSecret: {{name: encrypt-secret, namespace: demo}}}}]\n---\n"
    )
}

fn restore(group: &str, kind: &str, addon: &str) -> String {
    format!(
        "apiVersion: core.kubestash.com/v1alpha1\nkind: RestoreSession\nmetadata: {{name: back, namespace: demo}}\nspec:\n\
         \x20 target: {{apiGroup: \"{group}\", kind: {kind}, name: target, namespace: demo}}\n\
         \x20 dataSource: {{repository: repo, snapshot: latest, encryptionSecret: {{name: encrypt-secret, namespace: demo}}}}\n\
         \x20 addon: {{name: {addon}, tasks: [{{name: logical-backup-restore}}]}}\n"
    )
}

fn volume(world: &World, claim: &str) -> PathBuf {
    world.state.join("volumes/demo").join(claim)
}

/// Backs `source` up and restores it into `target`; the components of the snapshot.
fn round_trip(world: &World, objects: &str) -> Vec<String> {
    fs::create_dir_all(volume(world, "source")).unwrap();
    fs::write(volume(world, "source").join("from the claim"), "one").unwrap();
    fs::write(world.manifests.join("all.yaml"), objects).unwrap();
    let output = world.once();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(tree(&volume(world, "target")), tree(&volume(world, "source")));
    let snapshot = world.only("snapshots.storage");
    snapshot["status"]["components"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_claim_comes_back_in_another_claim() {
    let world = World::with(&["storage"]);
    let group = ("", "PersistentVolumeClaim", "pvc-addon");
    let objects = [
        claim("source"),
        claim("target"),
        backup(group.0, group.1, group.2),
        restore(group.0, group.1, group.2),
    ];
    assert_eq!(round_trip(&world, &objects.concat()), ["dump"]);
}

#[test]
fn a_workload_comes_back_with_its_claim_and_its_directory() {
    for (kind, component) in [("Deployment", "dump"), ("DaemonSet", "dump-local")] {
        let world = World::with(&["storage"]);
        let (from, to) = (world.data(0), world.state.with_file_name("restored"));
        let objects = [
            workload(kind, "source", "source", from.to_str().unwrap()),
            workload(kind, "target", "target", to.to_str().unwrap()),
            backup("apps", kind, "workload-addon"),
            restore("apps", kind, "workload-addon"),
        ];
        assert_eq!(round_trip(&world, &objects.concat()), [component]);
        assert_eq!(tree(&to), tree(&from), "{kind}");
    }
}

#[test]
fn a_target_of_another_namespace_has_to_allow_whoever_backs_it_up() {
    let allows = |who: &str| {
        format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: far, annotations: {{holdfast.dev/allowed-namespaces: {who}}}}}\n---\n"
        )
    };
    let any = ["--cross-namespace-references", "any"];
    for (namespace, arguments, works) in [
        (String::new(), &[][..], false),
        (allows("other"), &[], false),
        (allows("demo"), &[], true),
        (String::new(), &any, true),
    ] {
        let world = World::with(&["storage"]);
        let objects = [
            namespace.clone(),
            claim("source").replace("namespace: demo", "namespace: far"),
            backup("", "PersistentVolumeClaim", "pvc-addon")
                .replace("name: source, namespace: demo", "name: source, namespace: far"),
        ];
        let volume = world.state.join("volumes/far/source");
        fs::create_dir_all(&volume).unwrap();
        fs::write(volume.join("a"), "one").unwrap();
        fs::write(world.manifests.join("all.yaml"), objects.concat()).unwrap();
        let output = world.command().arg("--once").args(arguments).output().unwrap();
        let (said, what) = (said(&output), format!("{namespace} {arguments:?}"));
        assert_eq!(world.names("snapshots.storage").len(), usize::from(works), "{what}: {said}");
        let status = &world.only("backupconfigurations.core")["status"];
        if !works {
            let text = status.to_string();
            for word in [
                "Invalid",
                "CrossNamespaceReferenceDenied",
                "annotation holdfast.dev/allowed-namespaces of Namespace far",
                "any",
            ] {
                assert!(text.contains(word), "{what}: {word}: {text}");
            }
        }
    }
}

#[test]
fn lines_are_json_when_that_is_asked_for() {
    let world = World::with(&["storage", "workload", "backup"]);
    let output = world.command().args(["--once", "--json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.iter().any(|line| line["kind"] == "BackupSession" && line["phase"] == "Succeeded"),
        "{text}"
    );
}
