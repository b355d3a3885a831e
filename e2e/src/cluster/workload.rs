//! Builders for what users run: pods, sets with volumes and data in them, and what triggers jobs.

use serde_json::{Value, json};

use super::image;

/// A container that runs a script in a shell.
#[must_use]
pub fn container(script: &str) -> Value {
    json!({ "name": "main", "image": image("busybox"), "command": ["sh", "-ec", script] })
}

fn pod_spec(script: &str) -> Value {
    json!({ "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container(script)] })
}

/// A pod that runs a script once.
#[must_use]
pub fn pod(name: &str, script: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": pod_spec(script) })
}

/// A claim of a volume, such as `64Mi`, that the cluster makes.
#[must_use]
pub fn claim(name: &str, size: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": size } } },
    })
}

/// The same object with something else at a place, named as JSON pointers name it (RFC 6901).
///
/// # Panics
/// When there is no such place: the member itself may be new, what holds it may not.
#[must_use]
pub fn with(mut object: Value, place: &str, value: Value) -> Value {
    let (holder, member) = place.rsplit_once('/').unwrap_or_default();
    let within = object.pointer_mut(holder).unwrap_or_else(|| panic!("there is no {holder}"));
    match within {
        Value::Array(items) if member == "-" => items.push(value),
        within => within[member] = value,
    }
    object
}

/// The pod with a claim mounted at `/data`.
#[must_use]
pub fn with_volume(pod: Value, claim: &str) -> Value {
    let mounted = json!([{ "name": "data", "mountPath": "/data" }]);
    let pod = with(pod, "/spec/containers/0/volumeMounts", mounted);
    let volumes = json!([{ "name": "data", "persistentVolumeClaim": { "claimName": claim } }]);
    with(pod, "/spec/volumes", volumes)
}

/// A StatefulSet named `web` whose pods each write data into a volume of their own at `/data`, once, and then
/// stay. A pod is ready when its data are there.
#[must_use]
pub fn writer(replicas: usize, size: &str, script: &str) -> Value {
    let script = format!("cd /data; if [ ! -e done ]; then {script}; touch done; fi; sleep 3600");
    let mut main = container(&script);
    main["volumeMounts"] = json!([{ "name": "data", "mountPath": "/data" }]);
    main["readinessProbe"] =
        json!({ "exec": { "command": ["test", "-e", "/data/done"] }, "periodSeconds": 1 });
    let claim = claim("data", size);
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "web" },
        "spec": {
            "serviceName": "web", "replicas": replicas, "podManagementPolicy": "Parallel",
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "terminationGracePeriodSeconds": 0, "containers": [main] },
            },
            "volumeClaimTemplates": [{ "metadata": claim["metadata"], "spec": claim["spec"] }],
        },
    })
}

/// A service without an address of its own: its name leads to its pods, and each of them has a name.
#[must_use]
pub fn headless(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
        "spec": { "clusterIP": "None", "selector": { "app": name } },
    })
}

/// A CronJob that runs a script at a schedule of a time zone.
#[must_use]
pub fn cron_job(name: &str, schedule: &str, zone: &str, script: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": name },
        "spec": {
            "schedule": schedule, "timeZone": zone,
            "jobTemplate": { "spec": { "template": { "spec": pod_spec(script) } } },
        },
    })
}
