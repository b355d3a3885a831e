//! Snapshot, which sessions make.

use holdfast_engine::dependency::Driver;
use holdfast_engine::snapshot::state::Snapshot;
use holdfast_engine::view::snapshot::{ComponentStatus, PathStatus, SnapshotStatus, snapshot_id};
use serde_json::{Map, Value};

use super::fields::{self, Fields};
use super::repository;

/// Version of the data layout.
const LAYOUT: &str = "v1";

/// `spec` of the snapshot; the names of its repository and its session are looked up by the caller.
#[must_use]
pub fn spec(snapshot: &Snapshot, repository: &str, backup: Option<&str>) -> Value {
    Fields::default()
        .set("snapshotID", snapshot_id(snapshot))
        .set("type", "FullBackup")
        .set("repository", repository)
        .set("session", snapshot.session.clone())
        .set("backupSession", backup)
        .set("version", LAYOUT)
        .set("appRef", fields::typed(&snapshot.app))
        .set("deletionPolicy", repository::deletion(snapshot.deletion))
        .into_value()
}

/// `status` of the snapshot.
#[must_use]
pub fn status(view: &SnapshotStatus) -> Value {
    let components: Map<String, Value> =
        view.components.iter().map(|(name, entry)| (name.clone(), component(entry))).collect();
    let total = (view.total_components > 0).then_some(view.total_components);
    Fields::default()
        .set("phase", view.phase.as_str())
        .set("verificationStatus", view.verification.as_str())
        .set("snapshotTime", fields::time(view.snapshot_time))
        .set("lastUpdateTime", fields::time(view.last_update_time))
        .set("size", view.size.clone())
        .set("integrity", view.integrity)
        .set("totalComponents", total)
        .set("components", Value::Object(components))
        .set("conditions", fields::conditions(&view.conditions))
        .into_value()
}

fn component(view: &ComponentStatus) -> Value {
    Fields::default()
        .set("path", view.path.clone())
        .set("phase", view.phase.as_str())
        .set("size", view.size.clone())
        .set("duration", view.duration.clone())
        .set("integrity", view.integrity)
        .set("error", view.error.clone())
        .set("driver", driver(view.driver))
        .set("resticStats", view.stats.iter().map(stats).collect::<Value>())
        .into_value()
}

fn driver(driver: Driver) -> &'static str {
    match driver {
        Driver::Restic => "Restic",
        Driver::VolumeSnapshotter => "VolumeSnapshotter",
        Driver::Foreign => "",
    }
}

fn stats(path: &PathStatus) -> Value {
    let summary = Fields::default()
        .set("id", path.id.clone())
        .set("hostPath", path.host_path.clone())
        .set("size", path.size.clone())
        .set("uploaded", path.uploaded.clone())
        .set("startTime", fields::time(path.start))
        .set("endTime", fields::time(path.end));
    Fields::default().set("summary", summary.into_value()).into_value()
}
