//! Which snapshot a restore takes, and which of its components.
//!
//! `latest` and a point in time choose among whole snapshots only: Succeeded, nothing partial, nothing
//! that is being removed. Of those the newest that has all the asked components is taken, so that a
//! session that moves manifests does not hide the one that moves volumes. A snapshot that is named is
//! taken as it is, partial or not.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::component;
use crate::dependency::Driver;
use crate::outcome::Outcome;
use crate::restore::Source;
use crate::snapshot::phase::{Phase, phase};
use crate::snapshot::state::Snapshot;

/// What stands for the newest snapshot.
pub const LATEST: &str = "latest";

/// What a source says is to be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A snapshot by its name.
    Named(&'a str),
    /// The newest whole one of the repository, up to an instant.
    Newest,
}

/// Reads a source.
///
/// # Errors
/// Which field is missing, and what to write (behaviour reference, section 11).
pub fn wanted(source: &Source) -> Result<Wanted<'_>, &'static str> {
    let repository = source.repository.as_deref().is_some_and(|name| !name.is_empty());
    match (&source.point_in_time, source.snapshot.as_deref()) {
        (Some(_), _) if repository => Ok(Wanted::Newest),
        (Some(_), _) => Err("dataSource.repository: needed for a point in time"),
        (None, Some(LATEST)) if repository => Ok(Wanted::Newest),
        (None, Some(LATEST)) => Err("dataSource.repository: needed for snapshot latest"),
        (None, None | Some("")) => Err("dataSource.snapshot: name one, or write latest"),
        (None, Some(name)) => Ok(Wanted::Named(name)),
    }
}

/// The newest snapshot that a source may take, of those of its repository.
pub fn newest<'a>(
    source: &Source,
    snapshots: impl Iterator<Item = &'a Snapshot>,
) -> Option<&'a Snapshot> {
    let in_time = |snapshot: &Snapshot| match source.point_in_time {
        None => true,
        Some((target, true)) => snapshot.taken < target,
        Some((target, false)) => snapshot.taken <= target,
    };
    let whole = snapshots.filter(|snapshot| is_whole(snapshot) && in_time(snapshot));
    whole.max_by_key(|snapshot| (has_all(source, snapshot), snapshot.taken, &snapshot.key.name))
}

fn is_whole(snapshot: &Snapshot) -> bool {
    phase(snapshot) == Phase::Succeeded && !snapshot.is_partial() && snapshot.removal.is_none()
}

fn has_all(source: &Source, snapshot: &Snapshot) -> bool {
    component::select(&source.components, &committed(snapshot)).is_ok()
}

/// The components of a snapshot that can be restored, in order of appearance.
#[must_use]
pub fn committed(snapshot: &Snapshot) -> Vec<String> {
    let there = snapshot.components.iter().filter(|component| match component.driver {
        // Volume snapshots stay in the storage system; there is no commit of ours.
        Driver::VolumeSnapshotter => component.outcome == Some(Outcome::Succeeded),
        _ => !component.commit.is_empty(),
    });
    there.map(|component| component.name.clone()).collect()
}

/// The components to restore: the name as asked, and the component of the snapshot.
///
/// # Errors
/// A sentence that names what is missing.
pub fn select(source: &Source, snapshot: &Snapshot) -> Result<Vec<(String, String)>, String> {
    let there = committed(snapshot);
    let name = &snapshot.key.name;
    if source.components.is_empty() {
        let lost = snapshot.components.iter().map(|c| &c.name).filter(|n| !there.contains(n));
        let lost: Vec<&str> = lost.map(String::as_str).collect();
        if !lost.is_empty() {
            return Err(format!(
                "dataSource.components: snapshot {name} holds no data of {}; name the components \
                 to restore ({})",
                lost.join(", "),
                listed(&there)
            ));
        }
        if there.is_empty() {
            return Err(format!("dataSource.snapshot: snapshot {name} holds no data"));
        }
    }
    component::select(&source.components, &there).map_err(|missing| {
        format!(
            "dataSource.components: snapshot {name} has no {}; it has {}",
            missing.join(", "),
            listed(&there)
        )
    })
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::snapshot::state::{Component, Removal};
    use crate::testing;
    use crate::time::Timestamp;

    fn snapshot(name: &str, taken: i64, components: &[&str]) -> Snapshot {
        let mut snapshot = testing::snapshot();
        snapshot.key.name = name.into();
        snapshot.taken = Timestamp(taken);
        snapshot.total = u32::try_from(components.len()).unwrap();
        let component = |name: &&str| Component {
            outcome: Some(Outcome::Succeeded),
            commit: "c".into(),
            ..testing::snapshot_component(name)
        };
        snapshot.components = components.iter().map(component).collect();
        snapshot.conditions.state(Timestamp(taken), Type::SnapshotMetadataUploaded, None);
        snapshot
    }

    fn source(components: &[&str], point_in_time: Option<(i64, bool)>) -> Source {
        Source {
            components: components.iter().map(|c| (*c).into()).collect(),
            point_in_time: point_in_time.map(|(at, exclusive)| (Timestamp(at), exclusive)),
            ..Source::default()
        }
    }

    #[test]
    fn the_newest_whole_one_is_latest() {
        let mut partial = snapshot("partial", 50, &["dump"]);
        partial.components[0].partial = true;
        let mut failed = snapshot("failed", 60, &["dump"]);
        failed.components[0].outcome = Some(Outcome::Failed(testing::failure("Broken")));
        let mut going = snapshot("going", 70, &["dump"]);
        going.components[0].outcome = None;
        let mut removed = snapshot("removed", 80, &["dump"]);
        removed.removal = Some(Removal { by: None, wipe: true, error: None });
        let whole = [snapshot("a", 10, &["dump"]), snapshot("b", 20, &["dump"])];
        let all: Vec<Snapshot> =
            whole.iter().cloned().chain([partial, failed, going, removed]).collect();
        for (source, expected) in [
            (source(&[], None), Some("b")),
            (source(&[], Some((20, false))), Some("b")),
            (source(&[], Some((20, true))), Some("a")),
            (source(&[], Some((15, false))), Some("a")),
            (source(&[], Some((10, true))), None),
        ] {
            let found = newest(&source, all.iter()).map(|s| s.key.name.as_str());
            assert_eq!(found, expected, "{:?}", source.point_in_time);
        }
    }

    #[test]
    fn one_with_the_asked_components_goes_before_a_newer_one_without() {
        let all = [snapshot("volumes", 10, &["pod-0", "pod-1"]), snapshot("m", 20, &["manifest"])];
        let name =
            |asked: &[&str]| newest(&source(asked, None), all.iter()).map(|s| s.key.name.as_str());
        assert_eq!(name(&["pod-1"]), Some("volumes"));
        assert_eq!(name(&["host-0"]), Some("volumes"));
        assert_eq!(name(&[]), Some("m"));
        assert_eq!(name(&["pod-9"]), Some("m"));
    }

    #[test]
    fn equally_old_ones_are_told_by_their_names_in_any_order() {
        let mut all = [snapshot("b", 10, &["dump"]), snapshot("a", 10, &["dump"])];
        for _ in 0..2 {
            let found = newest(&source(&[], None), all.iter()).unwrap();
            assert_eq!(found.key.name, "b");
            all.reverse();
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut snapshot = snapshot("s", 10, &["pod-0", "pod-1"]);
        assert_eq!(select(&source(&[], None), &snapshot).unwrap().len(), 2);
        assert_eq!(
            select(&source(&["pod-0", "pod-7", "x"], None), &snapshot).unwrap_err(),
            "dataSource.components: snapshot s has no pod-7, x; it has pod-0, pod-1"
        );
        snapshot.components[1].commit.clear();
        assert_eq!(
            select(&source(&[], None), &snapshot).unwrap_err(),
            "dataSource.components: snapshot s holds no data of pod-1; name the components to \
             restore (pod-0)"
        );
        assert_eq!(
            select(&source(&["host-0"], None), &snapshot).unwrap(),
            [("host-0".into(), "pod-0".into())]
        );
        snapshot.components = vec![];
        assert_eq!(
            select(&source(&[], None), &snapshot).unwrap_err(),
            "dataSource.snapshot: snapshot s holds no data"
        );
    }

    #[test]
    fn a_source_needs_a_snapshot_or_a_repository() {
        let full = |repository: Option<&str>, snapshot: Option<&str>, point: bool| Source {
            repository: repository.map(Into::into),
            snapshot: snapshot.map(Into::into),
            point_in_time: point.then_some((Timestamp(1), false)),
            ..Source::default()
        };
        for (source, expected) in [
            (full(None, Some("s"), false), Some(Wanted::Named("s"))),
            (full(Some("r"), Some("latest"), false), Some(Wanted::Newest)),
            (full(Some("r"), Some("s"), true), Some(Wanted::Newest)),
            (full(None, Some("latest"), false), None),
            (full(Some("r"), None, false), None),
            (full(Some("r"), Some(""), false), None),
            (full(None, None, true), None),
            (full(Some(""), None, true), None),
        ] {
            assert_eq!(wanted(&source).ok(), expected, "{source:?}");
        }
    }
}
