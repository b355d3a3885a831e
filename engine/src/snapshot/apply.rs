//! Folds snapshots, and their phase into the session that made them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::state::SnapshotSummary;
use crate::condition::{Conditions, Type};
use crate::event::StreamKind;
use crate::ids::Uid;
use crate::outcome::Outcome;
use crate::report::Grade;
use crate::snapshot::Event;
use crate::snapshot::phase::phase;
use crate::snapshot::state::{Component, Removal, Snapshot};
use crate::state::{State, unknown};
use crate::storage::DeletionPolicy;
use crate::time::{Millis, Timestamp};

/// Folds one event.
pub(crate) fn apply(state: &mut State, at: Timestamp, event: &Event) -> Result<(), String> {
    match event {
        Event::Created { uid, key, .. } | Event::Adopted { uid, key, .. } => {
            if state.snapshots.contains_key(uid) {
                return Err(format!("snapshot {uid} exists already"));
            }
            let mut snapshot = create(at, event).ok_or_else(|| unknown("snapshot", *uid))?;
            let backup = snapshot.backup.and_then(|backup| state.backups.get(&backup));
            snapshot.backup_key = backup.map(|backup| backup.key.clone());
            state.snapshots.insert(*uid, snapshot);
            state.take_name(StreamKind::Snapshot, key, *uid);
        }
        Event::Forgotten { uid, .. } => {
            let gone = state.snapshots.remove(uid).ok_or_else(|| unknown("snapshot", *uid))?;
            state.drop_name(StreamKind::Snapshot, &gone.key, *uid);
            return Ok(());
        }
        _ => {
            let uid = event.uid();
            let snapshot = state.snapshots.get_mut(&uid).ok_or_else(|| unknown("snapshot", uid))?;
            fold(snapshot, at, event)?;
            snapshot.updated = at;
        }
    }
    summarize(state, event.uid());
    Ok(())
}

/// The session lists its snapshots with their phases, and keeps them when they are gone.
pub(crate) fn summarize(state: &mut State, uid: Uid) {
    let Some(snapshot) = state.snapshots.get(&uid) else { return };
    let Some(backup) = snapshot.backup.and_then(|backup| state.backups.get_mut(&backup)) else {
        return;
    };
    let summary = SnapshotSummary {
        uid,
        key: snapshot.key.clone(),
        repository: snapshot.repository,
        app: snapshot.app.clone(),
        phase: phase(snapshot),
    };
    match backup.snapshots.iter_mut().find(|known| known.uid == uid) {
        Some(known) => *known = summary,
        None => backup.snapshots.push(summary),
    }
}

pub(crate) fn fold(snapshot: &mut Snapshot, at: Timestamp, event: &Event) -> Result<(), String> {
    match event {
        Event::ListUpdated { .. } => {
            snapshot.conditions.state(at, Type::RecentSnapshotListUpdated, None);
        }
        Event::ComponentsCounted { total, .. } => snapshot.total = *total,
        Event::ComponentStarted { component, path, driver, .. } => {
            if snapshot.component(component).is_some() {
                return Err(format!("component {component:?} of {} began before", snapshot.key));
            }
            snapshot.components.push(Component {
                name: component.clone(),
                path: path.clone(),
                driver: *driver,
                outcome: None,
                commit: String::new(),
                partial: false,
                source_empty: false,
                grade: Grade::None,
                size: 0,
                duration: Millis(0),
                paths: Vec::new(),
            });
        }
        Event::PathRecorded { component, result, .. } => {
            get(snapshot, component)?.paths.push(result.clone());
        }
        Event::ComponentEnded { component, source_empty, outcome, .. } => {
            end(get(snapshot, component)?, event);
            if *source_empty && *outcome == Outcome::Succeeded {
                let message = format!("Component {component} has no entry, and never had one.");
                snapshot.conditions.raise(at, Type::SourceEmpty, &message);
            }
        }
        Event::Incomplete { message, .. } => {
            snapshot.conditions.raise(at, Type::BackupIncomplete, message);
        }
        Event::MetadataUploaded { outcome, .. } => {
            snapshot.conditions.state(at, Type::SnapshotMetadataUploaded, outcome.problem());
        }
        Event::RemovalRequested { by, wipe, .. } => {
            snapshot.removal = Some(Removal { by: *by, wipe: *wipe, error: None });
        }
        Event::RemovalFailed { message, .. } => match &mut snapshot.removal {
            Some(removal) => removal.error = Some(message.clone()),
            None => return Err(format!("nobody asked to remove {}", snapshot.key)),
        },
        Event::Created { .. } | Event::Adopted { .. } | Event::Forgotten { .. } => {}
    }
    Ok(())
}

fn end(known: &mut Component, event: &Event) {
    if let Event::ComponentEnded {
        outcome,
        commit,
        partial,
        source_empty,
        grade,
        size,
        duration,
        ..
    } = event
    {
        known.outcome = Some(outcome.clone());
        known.commit.clone_from(commit);
        known.partial = *partial;
        known.source_empty = *source_empty;
        known.grade = *grade;
        known.size = *size;
        known.duration = *duration;
    }
}

fn get<'s>(snapshot: &'s mut Snapshot, name: &str) -> Result<&'s mut Component, String> {
    let key = snapshot.key.clone();
    snapshot
        .components
        .iter_mut()
        .find(|component| component.name == name)
        .ok_or_else(|| format!("no component {name:?} in snapshot {key}"))
}

fn create(at: Timestamp, event: &Event) -> Option<Snapshot> {
    let (uid, key, repository, backup, session, app, deletion, taken) = match event {
        Event::Created { uid, key, repository, backup, session, app, deletion } => {
            (uid, key, repository, Some(*backup), session, app, *deletion, at)
        }
        Event::Adopted { uid, key, repository, session, app, taken } => {
            (uid, key, repository, None, session, app, DeletionPolicy::Delete, *taken)
        }
        _ => return None,
    };
    Some(Snapshot {
        uid: *uid,
        key: key.clone(),
        repository: *repository,
        backup,
        backup_key: None,
        session: session.clone(),
        app: app.clone(),
        deletion,
        taken,
        total: 0,
        components: Vec::new(),
        conditions: Conditions::default(),
        removal: None,
        updated: at,
    })
}
