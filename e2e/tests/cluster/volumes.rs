//! Volumes of pods, backed up by jobs into the S3 server of the cluster.

use holdfast_e2e::cluster::{Namespace, PATIENCE, image, variable, wait_for};
use serde_json::{Value, json};

const REPLICAS: usize = 3;

/// What each pod writes, once: owners, modes, links, an empty directory, and a file that does not compress.
const WRITE: &str = "cd /data; if [ ! -e done ]; then mkdir -p d/empty d/e; echo $HOSTNAME >d/name; \
                     head -c 3000000 /dev/urandom >d/e/noise; chown 1000:2000 d/name; chmod 640 d/name; \
                     chmod 2750 d/e; ln -s ../name d/e/link; ln d/name d/hard; touch done; fi; sleep 3600";

/// All that can be seen of a volume, but for what its file system puts at its top.
const LOOK: &str = "cd /data; find . -path ./lost+found -prune -o -exec stat -c '%n %u %g %a %h %F' {} + | sort; \
                    find . -type f -exec sha256sum {} + | sort; readlink d/e/link";

fn claim(pod: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": format!("data-web-{pod}") },
        "spec": claim_spec(),
    })
}

fn claim_spec() -> Value {
    json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "64Mi" } } })
}

fn stateful_set() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "web" },
        "spec": {
            "serviceName": "web", "replicas": REPLICAS, "podManagementPolicy": "Parallel",
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{
                        "name": "main", "image": image("busybox"), "command": ["sh", "-ec", WRITE],
                        "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
                        "readinessProbe": { "exec": { "command": ["test", "-e", "/data/done"] }, "periodSeconds": 1 },
                    }],
                },
            },
            "volumeClaimTemplates": [{ "metadata": { "name": "data" }, "spec": claim_spec() }],
        },
    })
}

fn secret() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "repository" },
        "stringData": {
            "AWS_ACCESS_KEY_ID": variable("HOLDFAST_E2E_S3_ACCESS_KEY"),
            "AWS_SECRET_ACCESS_KEY": variable("HOLDFAST_E2E_S3_SECRET_KEY"),
            "HOLDFAST_PASSWORD": "the password of a scenario",
        },
    })
}

/// A job that runs one verb beside the volume of a pod, on the pod's node.
fn job(
    space: &Namespace,
    name: &str,
    pod: usize,
    node: &str,
    read_only: bool,
    verb: &[&str],
) -> Value {
    let (endpoint, bucket) =
        (variable("HOLDFAST_E2E_S3_ENDPOINT"), variable("HOLDFAST_E2E_S3_BUCKET"));
    let url = format!("s3://{bucket}/{}/{pod}?endpoint={endpoint}", space.name());
    let args = [&["repo", "--url", &url, "--json"], verb].concat();
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": name },
        "spec": {
            "backoffLimit": 0,
            "template": { "spec": {
                "restartPolicy": "Never", "nodeSelector": { "kubernetes.io/hostname": node }, "automountServiceAccountToken": false,
                "containers": [{
                    "name": "holdfast", "image": image("holdfast"), "args": args,
                    "envFrom": [{ "secretRef": { "name": "repository" } }],
                    "securityContext": { "runAsUser": 0, "readOnlyRootFilesystem": true },
                    "volumeMounts": [{ "name": "data", "mountPath": "/data", "readOnly": read_only }],
                }],
                "volumes": [{
                    "name": "data",
                    "persistentVolumeClaim": { "claimName": format!("data-web-{pod}"), "readOnly": read_only },
                }],
            } },
        },
    })
}

fn ready(space: &Namespace) -> String {
    wait_for("pods that are ready", PATIENCE, || {
        let status = space.get(&["statefulset", "web"])?["status"].clone();
        Ok(if status["readyReplicas"] == REPLICAS { Ok(()) } else { Err(status.to_string()) })
    });
    let pod = space.get(&["pod", "web-0"]).unwrap();
    pod["spec"]["nodeName"].as_str().unwrap().to_owned()
}

fn looks(space: &Namespace) -> Vec<String> {
    (0..REPLICAS).map(|pod| space.in_pod(&format!("web-{pod}"), LOOK).unwrap()).collect()
}

/// Runs a verb for each pod at once, and gives what each said.
fn each(space: &Namespace, what: &str, node: &str, read_only: bool, verb: &[&str]) -> Vec<Value> {
    let name = |pod: usize| format!("{what}-{pod}");
    for pod in 0..REPLICAS {
        space.apply(&job(space, &name(pod), pod, node, read_only, verb));
    }
    let done = |pod: usize| {
        assert!(space.ended(&name(pod)), "{}: {}", name(pod), space.log(&name(pod)).unwrap());
        let said = space.log(&name(pod)).unwrap();
        serde_json::from_str(said.lines().last().unwrap_or_default())
            .unwrap_or_else(|_| panic!("{said}"))
    };
    (0..REPLICAS).map(done).collect()
}

#[test]
fn volumes_of_a_stateful_set_are_destroyed_and_come_back() {
    let space = Namespace::new("volumes");
    space.apply(&secret());
    space.apply(&stateful_set());
    let node = ready(&space);
    let before = looks(&space);
    each(&space, "first", &node, true, &["backup", "/data", "--init"]);
    let again = each(&space, "second", &node, true, &["backup", "/data"]);
    for report in &again {
        let figures = &report["repositories"][0]["figures"];
        assert!(figures.to_string().contains("\"filesOpened\":0"), "{report}");
    }
    space.delete(&["statefulset", "web", "--cascade=foreground"]);
    space.delete(&["jobs", "--all"]);
    space.delete(&["pvc", "--all"]);
    for pod in 0..REPLICAS {
        space.apply(&claim(pod));
    }
    each(
        &space,
        "restore",
        &node,
        false,
        &["restore", "latest:/data", "--target", "/data", "--privileged"],
    );
    each(&space, "check", &node, true, &["check", "--read-data"]);
    space.apply(&stateful_set());
    ready(&space);
    assert_eq!(looks(&space), before);
}

/// The pod of a backup is killed at five moments. The repository is whole each time, and the backup that is let
/// alone sends only what none of them had sent.
#[test]
fn a_backup_that_is_killed_again_and_again_ends_whole() {
    let space = Namespace::new("killed");
    space.apply(&secret());
    let script = "cd /data; [ -e done ] || { for n in $(seq 40); do head -c 1500000 /dev/urandom >$n; done; touch done; }; sleep 3600";
    let mut set = stateful_set();
    set["spec"]["replicas"] = json!(1);
    set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] =
        json!("128Mi");
    set["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["sh", "-ec", script]);
    space.apply(&set);
    wait_for("the pod with the data", PATIENCE, || {
        let status = space.get(&["statefulset", "web"])?["status"].clone();
        Ok(if status["readyReplicas"] == 1 { Ok(()) } else { Err(status.to_string()) })
    });
    let node =
        space.get(&["pod", "web-0"]).unwrap()["spec"]["nodeName"].as_str().unwrap().to_owned();
    let one = |name: &str, verb: &[&str]| {
        space.apply(&job(&space, name, 0, &node, true, verb));
        assert!(space.ended(name), "{name}: {}", space.log(name).unwrap());
        space.log(name).unwrap()
    };
    one("init", &["init"]);
    for moment in 0..5u64 {
        let name = format!("killed-{moment}");
        space.apply(&job(&space, &name, 0, &node, true, &["backup", "/data"]));
        wait_for("a container that runs", PATIENCE, || {
            let pods = space.get(&["pods", "--selector", &format!("job-name={name}")])?;
            let state = pods["items"][0]["status"]["containerStatuses"][0]["state"].clone();
            let begun = state.get("running").is_some() || state.get("terminated").is_some();
            Ok(if begun { Ok(()) } else { Err(pods.to_string()) })
        });
        std::thread::sleep(std::time::Duration::from_millis(moment * 250));
        space.delete(&[
            "pods",
            "--selector",
            &format!("job-name={name}"),
            "--grace-period=0",
            "--force",
        ]);
        space.delete(&["job", &name]);
        let said = one(&format!("check-{moment}"), &["check", "--read-data"]);
        assert!(said.contains("\"clean\":true"), "{said}");
    }
    one("last", &["backup", "/data"]);
    let said = one("check", &["check", "--read-data"]);
    assert!(said.contains("\"clean\":true"), "{said}");
    let report: Value =
        serde_json::from_str(one("again", &["backup", "/data"]).lines().last().unwrap()).unwrap();
    assert!(report.to_string().contains("\"dataBlobsNew\":0"), "{report}");
}
