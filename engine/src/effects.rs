//! What is to be done outside because of an event.

use alloc::string::String;
use alloc::vec::Vec;

use crate::effect::{Effect, Level, Once};
use crate::event::{Event, Recorded, StreamKind};
use crate::ids::{EffectId, Uid};
use crate::state::State;
use crate::{backup, configuration, repository, restore, schedule, snapshot, storage};

/// The effects of an event, given the state with the event applied: its new entries in the outbox, and
/// what has to be published again because of it.
#[must_use]
pub fn effects(state: &State, recorded: &Recorded) -> Vec<Effect> {
    let first = EffectId { seq: recorded.seq, ordinal: 0 };
    let last = EffectId { seq: recorded.seq, ordinal: u16::MAX };
    let new = state.outbox.range(first..=last);
    let once = new.map(|(id, once)| Effect::Once { id: *id, once: once.clone() });
    once.chain(level(state, &recorded.event).into_iter().map(Effect::Level)).collect()
}

/// The once-effects of an event; [`crate::apply`] puts them in the outbox.
pub(crate) fn once(state: &State, event: &Event) -> Vec<Once> {
    match event {
        Event::Storage(event) => storage::effects::once(state, event).into_iter().collect(),
        Event::Repository(event) => repository::effects::once(state, event).into_iter().collect(),
        Event::Backup(event) => backup::effects::once(state, event),
        Event::Snapshot(event) => snapshot::effects::once(state, event).into_iter().collect(),
        Event::Restore(event) => restore::effects::once(state, event),
        _ => Vec::new(),
    }
}

/// All level effects of the state as it is: what a start publishes again.
#[must_use]
pub fn levels(state: &State) -> Vec<Level> {
    fn publish<T>(
        kind: StreamKind,
        map: &alloc::collections::BTreeMap<Uid, T>,
    ) -> impl Iterator<Item = Level> {
        map.keys().map(move |uid| Level::Publish { kind, uid: *uid })
    }
    let schedulers = state.schedules.iter().flat_map(|(configuration, sessions)| {
        sessions.keys().map(|session| scheduler(*configuration, session))
    });
    publish(StreamKind::Storage, &state.storages)
        .chain(publish(StreamKind::Repository, &state.repositories))
        .chain(publish(StreamKind::Configuration, &state.configurations))
        .chain(publish(StreamKind::Backup, &state.backups))
        .chain(publish(StreamKind::Snapshot, &state.snapshots))
        .chain(publish(StreamKind::Restore, &state.restores))
        .chain(schedulers)
        .collect()
}

fn level(state: &State, event: &Event) -> Vec<Level> {
    let stream = event.stream();
    let (kind, uid) = (stream.kind, stream.uid);
    let published = matches!(
        kind,
        StreamKind::Storage
            | StreamKind::Repository
            | StreamKind::Configuration
            | StreamKind::Backup
            | StreamKind::Snapshot
            | StreamKind::Restore
    );
    let mut levels = Vec::new();
    if published && event.ends_stream() {
        levels.push(Level::Retract { kind, uid });
    } else if published {
        levels.push(Level::Publish { kind, uid });
    }
    match event {
        // A snapshot is listed by its session and counted by its repository.
        Event::Snapshot(_) => {
            if let Some(snapshot) = state.snapshots.get(&uid) {
                let backup = snapshot.backup.filter(|backup| state.backups.contains_key(backup));
                levels.extend(backup.map(|uid| Level::Publish { kind: StreamKind::Backup, uid }));
                let uid = snapshot.repository;
                levels.push(Level::Publish { kind: StreamKind::Repository, uid });
            }
        }
        Event::Schedule(
            schedule::Event::Declared { configuration, session, .. }
            | schedule::Event::Withdrawn { configuration, session },
        ) => levels.push(scheduler(*configuration, session)),
        // Pausing and resuming reaches what triggers the sessions.
        Event::Configuration(
            configuration::Event::Declared { .. }
            | configuration::Event::ValidationPassed { .. }
            | configuration::Event::PausedByRestore { .. }
            | configuration::Event::ResumedAfterRestore { .. },
        ) => {
            let sessions = state.schedules.get(&uid).into_iter().flatten();
            levels.extend(sessions.map(|(session, _)| scheduler(uid, session)));
        }
        _ => {}
    }
    levels
}

fn scheduler(configuration: Uid, session: &str) -> Level {
    Level::EnsureScheduler { configuration, session: String::from(session) }
}
