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

#[cfg(test)]
mod tests {
    use holdfast_engine::Timestamp;
    use holdfast_engine::report::Grade;
    use holdfast_engine::snapshot::phase::Phase;
    use holdfast_engine::view::snapshot::Verification;
    use serde_json::json;

    use super::*;

    fn path(host_path: &str) -> PathStatus {
        PathStatus {
            id: "c0".into(),
            host_path: host_path.into(),
            size: "12 B".into(),
            uploaded: "5 B".into(),
            start: Timestamp(1_000),
            end: Timestamp(2_000),
        }
    }

    fn with(component: ComponentStatus) -> SnapshotStatus {
        SnapshotStatus {
            phase: component.phase,
            verification: Verification::NotVerified,
            snapshot_time: Timestamp(0),
            last_update_time: Timestamp(3_000),
            size: component.size.clone(),
            integrity: component.integrity,
            total_components: 1,
            components: [("dump".to_owned(), component)].into(),
            conditions: Vec::new(),
        }
    }

    #[test]
    fn every_path_is_an_entry_with_a_summary() {
        let summary = |host_path: &str| {
            json!({"summary": {
                "id": "c0", "hostPath": host_path, "size": "12 B", "uploaded": "5 B",
                "startTime": "1970-01-01T00:00:01Z", "endTime": "1970-01-01T00:00:02Z",
            }})
        };
        let status = status(&with(ComponentStatus {
            path: "repository/v1/nightly/dump".into(),
            phase: Phase::Succeeded,
            size: "24 B".into(),
            duration: "1s".into(),
            integrity: Some(true),
            error: None,
            driver: Driver::Restic,
            grade: Grade::ReadBack,
            partial: false,
            stats: vec![path("/a"), path("/b")],
        }));
        let component = json!({
            "path": "repository/v1/nightly/dump", "phase": "Succeeded", "size": "24 B",
            "duration": "1s", "integrity": true, "driver": "Restic",
            "resticStats": [summary("/a"), summary("/b")],
        });
        assert_eq!(status["components"], json!({ "dump": component }));
        assert_eq!(status["verificationStatus"], "NotVerified");
    }

    #[test]
    fn what_is_not_known_yet_is_not_there() {
        let status = status(&with(ComponentStatus {
            path: "p".into(),
            phase: Phase::Running,
            size: String::new(),
            duration: String::new(),
            integrity: None,
            error: None,
            driver: Driver::VolumeSnapshotter,
            grade: Grade::None,
            partial: false,
            stats: Vec::new(),
        }));
        let component = json!({"path": "p", "phase": "Running", "driver": "VolumeSnapshotter"});
        assert_eq!(status["components"]["dump"], component);
        assert!(status.get("size").is_none() && status.get("integrity").is_none());
    }
}
