//! `status` of a Snapshot, and the fields of its spec that are computed.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::dependency::Driver;
use crate::outcome::Outcome;
use crate::report::Grade;
use crate::snapshot::phase::{Phase, phase};
use crate::snapshot::state::{Component, Snapshot};
use crate::time::Timestamp;
use crate::ulid::ulid;
use crate::units::format_size;

/// `status` of a Snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotStatus {
    /// `phase`.
    pub phase: Phase,
    /// `verificationStatus`.
    pub verification: Verification,
    /// `snapshotTime`.
    pub snapshot_time: Timestamp,
    /// `lastUpdateTime`.
    pub last_update_time: Timestamp,
    /// `size`; empty while unknown.
    pub size: String,
    /// `integrity`; absent while unknown.
    pub integrity: Option<bool>,
    /// `totalComponents`.
    pub total_components: u32,
    /// `components`.
    pub components: BTreeMap<String, ComponentStatus>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// `verificationStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Verification {
    NotVerified,
    Verified,
}

impl Verification {
    /// The word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotVerified => "NotVerified",
            Self::Verified => "Verified",
        }
    }
}

/// One entry of `components`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// `path`.
    pub path: String,
    /// `phase`.
    pub phase: Phase,
    /// `size` of the repository after this component; empty while unknown.
    pub size: String,
    /// `duration`; empty while it is being written.
    pub duration: String,
    /// `integrity`; absent when it was not checked.
    pub integrity: Option<bool>,
    /// `error`.
    pub error: Option<String>,
    /// `driver`.
    pub driver: Driver,
    /// How far the commit is proven.
    pub grade: Grade,
    /// Committed, but not everything could be read.
    pub partial: bool,
    /// `resticStats[].summary`, one for each path.
    pub stats: Vec<PathStatus>,
}

/// One entry of `resticStats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStatus {
    /// `id`: the commit.
    pub id: String,
    /// `hostPath`.
    pub host_path: String,
    /// `size`: what was processed.
    pub size: String,
    /// `uploaded`: what was new.
    pub uploaded: String,
    /// `startTime`.
    pub start: Timestamp,
    /// `endTime`.
    pub end: Timestamp,
}

/// The status of a snapshot.
#[must_use]
pub fn status(snapshot: &Snapshot) -> SnapshotStatus {
    let drilled = !snapshot.components.is_empty()
        && snapshot.components.iter().all(|component| component.grade == Grade::Drilled);
    SnapshotStatus {
        phase: phase(snapshot),
        verification: if drilled { Verification::Verified } else { Verification::NotVerified },
        snapshot_time: snapshot.taken,
        last_update_time: snapshot.updated,
        size: size(snapshot).map(format_size).unwrap_or_default(),
        integrity: integrity(snapshot),
        total_components: snapshot.total,
        components: snapshot.components.iter().map(|c| (c.name.clone(), component(c))).collect(),
        conditions: super::conditions(&snapshot.conditions),
    }
}

/// `spec.snapshotID`.
#[must_use]
pub fn snapshot_id(snapshot: &Snapshot) -> String {
    ulid(snapshot.taken, snapshot.uid)
}

/// Bytes of the repository with this snapshot; absent while a component of files has not told.
///
/// The documents add up its components, each of which is a repository of its own there. Ours share
/// one, so the largest figure, which is the latest, is the size.
#[must_use]
pub fn size(snapshot: &Snapshot) -> Option<u64> {
    let files = snapshot.components.iter().filter(|component| moves_files(component));
    files.map(known_size).collect::<Option<Vec<u64>>>()?.into_iter().max()
}

/// Whether the snapshot was read back: absent while a component of files was not.
#[must_use]
pub fn integrity(snapshot: &Snapshot) -> Option<bool> {
    let files = snapshot.components.iter().filter(|component| moves_files(component));
    let checked = files.map(checked).collect::<Option<Vec<bool>>>()?;
    (!checked.is_empty()).then(|| checked.iter().all(|good| *good))
}

fn moves_files(component: &Component) -> bool {
    component.driver != Driver::VolumeSnapshotter
}

fn known_size(component: &Component) -> Option<u64> {
    (component.size > 0).then_some(component.size)
}

/// A commit that could not be read back is bad; one that nobody read back is neither.
fn checked(component: &Component) -> Option<bool> {
    match (component.grade, &component.outcome) {
        (Grade::ReadBack | Grade::Drilled, _) => Some(true),
        (Grade::Written, Some(Outcome::Failed(_))) if !component.partial => Some(false),
        _ => None,
    }
}

fn component(component: &Component) -> ComponentStatus {
    let (phase, error) = match &component.outcome {
        None => (Phase::Running, None),
        Some(Outcome::Succeeded) => (Phase::Succeeded, None),
        Some(Outcome::Failed(failure)) => (Phase::Failed, Some(failure.message.clone())),
    };
    let ended = component.outcome.is_some();
    let stats = component.paths.iter().map(|path| PathStatus {
        id: component.commit.clone(),
        host_path: path.path.clone(),
        size: format_size(path.size),
        uploaded: format_size(path.uploaded),
        start: path.start,
        end: path.end,
    });
    ComponentStatus {
        path: component.path.clone(),
        phase,
        size: known_size(component).map(format_size).unwrap_or_default(),
        duration: if ended { alloc::format!("{}", component.duration) } else { String::new() },
        integrity: checked(component),
        error,
        driver: component.driver,
        grade: component.grade,
        partial: component.partial,
        stats: stats.collect(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::report::PathResult;
    use crate::testing;
    use crate::time::Millis;

    fn written(name: &str, size: u64, grade: Grade) -> Component {
        Component {
            outcome: Some(Outcome::Succeeded),
            commit: "c1".into(),
            grade,
            size,
            duration: Millis(9_223),
            ..testing::snapshot_component(name)
        }
    }

    #[test]
    fn size_and_integrity_are_absent_until_every_component_has_told() {
        let mut snapshot = testing::snapshot();
        assert_eq!((size(&snapshot), integrity(&snapshot)), (None, None));
        snapshot.components =
            vec![written("pod-0", 2_048, Grade::ReadBack), testing::snapshot_component("pod-1")];
        assert_eq!((size(&snapshot), integrity(&snapshot)), (None, None));
        snapshot.components[1] = written("pod-1", 4_096, Grade::ReadBack);
        assert_eq!((size(&snapshot), integrity(&snapshot)), (Some(4_096), Some(true)));
        snapshot.components[1].grade = Grade::Written;
        assert_eq!(integrity(&snapshot), None);
        snapshot.components[1].outcome = Some(Outcome::Failed(testing::failure("ReadBack")));
        assert_eq!(integrity(&snapshot), Some(false));
    }

    #[test]
    fn volume_snapshots_have_neither() {
        let mut snapshot = testing::snapshot();
        snapshot.components =
            vec![Component { driver: Driver::VolumeSnapshotter, ..written("v", 0, Grade::None) }];
        assert_eq!((size(&snapshot), integrity(&snapshot)), (None, None));
        assert_eq!(status(&snapshot).size, "");
    }

    #[test]
    fn a_component_shows_what_its_paths_came_to() {
        let mut snapshot = testing::snapshot();
        let mut component = written("dump", 12_944_671, Grade::Drilled);
        component.paths = vec![PathResult {
            path: "/data".into(),
            size: 1_025,
            uploaded: 10,
            files: 3,
            start: Timestamp(1),
            end: Timestamp(2),
        }];
        snapshot.components = vec![component];
        let status = status(&snapshot);
        assert_eq!(status.verification, Verification::Verified);
        let shown = &status.components["dump"];
        assert_eq!(shown.size, "12.345 MiB");
        assert_eq!(shown.duration, "9.223s");
        assert_eq!(shown.stats[0].size, "1.001 KiB");
        assert_eq!(shown.stats[0].uploaded, "10 B");
        assert_eq!(shown.stats[0].id, "c1");
        assert_eq!(snapshot_id(&snapshot).len(), 26);
    }
}
