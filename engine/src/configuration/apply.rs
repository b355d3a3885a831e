//! Folds configurations.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use crate::condition::{Conditions, Status, Type};
use crate::configuration::state::{ChosenBackend, Configuration, Session};
use crate::configuration::{Event, SessionSpec};
use crate::event::StreamKind;
use crate::ids::Uid;
use crate::state::{State, unknown};
use crate::time::Timestamp;

/// Folds one event.
pub(crate) fn apply(state: &mut State, at: Timestamp, event: &Event) -> Result<(), String> {
    match event {
        Event::Declared { uid, key, .. } => {
            declare(state, at, event)?;
            state.take_name(StreamKind::Configuration, key, *uid);
        }
        Event::SessionDeclared { uid, session } => declare_session(get(state, *uid)?, session),
        Event::BackendDefaulted { uid, backend, storage, retention } => {
            let defaults = &mut get(state, *uid)?.defaults;
            defaults.retain(|chosen| chosen.name != *backend);
            defaults.push(ChosenBackend {
                name: backend.clone(),
                storage: storage.clone(),
                retention: retention.clone(),
            });
        }
        Event::ValidationPassed { uid } => {
            get(state, *uid)?.conditions.state(at, Type::ValidationPassed, None);
        }
        Event::ValidationFailed { uid, reason, message } => {
            let facts = &mut get(state, *uid)?.conditions;
            facts.set(at, Type::ValidationPassed, Status::False, reason.clone(), message.clone());
        }
        Event::SchedulerEnsured { uid, session } => {
            get_session(state, *uid, session)?.conditions.state(at, Type::SchedulerEnsured, None);
        }
        Event::SchedulerNotEnsured { uid, session, message } => {
            let facts = &mut get_session(state, *uid, session)?.conditions;
            facts.state(at, Type::SchedulerEnsured, Some(message));
        }
        Event::InitialBackupTriggered { uid, session, backup } => {
            let session = get_session(state, *uid, session)?;
            session.initial = Some(*backup);
            session.conditions.state(at, Type::InitialBackupTriggered, None);
        }
        Event::PausedByRestore { uid, restore } => {
            get(state, *uid)?.paused_by.insert(*restore);
            // The restore remembers it: the configuration forgets when it goes on.
            if let Some(restore) = state.restores.get_mut(restore) {
                restore.paused.insert(*uid);
            }
        }
        Event::ResumedAfterRestore { uid, restore } => {
            let configuration = get(state, *uid)?;
            configuration.paused_by.remove(restore);
            if !configuration.is_paused() {
                configuration.resumed_at = Some(at);
            }
        }
        Event::DeletionRequested { uid } => get(state, *uid)?.deleting = true,
        Event::Deleted { uid } => {
            let gone =
                state.configurations.remove(uid).ok_or_else(|| unknown("configuration", *uid))?;
            state.drop_name(StreamKind::Configuration, &gone.key, *uid);
            state.schedules.remove(uid);
        }
    }
    Ok(())
}

fn declare(state: &mut State, at: Timestamp, event: &Event) -> Result<(), String> {
    let Event::Declared {
        uid,
        key,
        generation,
        hash,
        target,
        backends,
        paused,
        allow_partial,
        sessions,
    } = event
    else {
        return Err(unknown("configuration", event.uid()));
    };
    let former = state.configurations.remove(uid);
    let freed = former.as_ref().is_some_and(|old| old.paused && !*paused);
    let old = former.unwrap_or_else(|| blank(*uid, at));
    let resumed_at = if freed { Some(at) } else { old.resumed_at };
    state.configurations.insert(
        *uid,
        Configuration {
            key: key.clone(),
            generation: *generation,
            hash: *hash,
            target: target.clone(),
            backends: backends.clone(),
            defaults: Vec::new(),
            paused: *paused,
            allow_partial: *allow_partial,
            sessions: Vec::new(),
            former: if *sessions == 0 { Vec::new() } else { old.sessions.clone() },
            session_count: *sessions,
            resumed_at,
            ..old
        },
    );
    Ok(())
}

/// A session of the same name keeps its facts; the others are dropped with the last new one.
fn declare_session(configuration: &mut Configuration, spec: &SessionSpec) {
    let known = configuration.former.iter().find(|old| old.spec.name == spec.name);
    let (conditions, initial) =
        known.map(|old| (old.conditions.clone(), old.initial)).unwrap_or_default();
    configuration.sessions.push(Session { spec: spec.clone(), conditions, initial });
    if u32::try_from(configuration.sessions.len()) == Ok(configuration.session_count) {
        configuration.former.clear();
    }
}

fn blank(uid: Uid, at: Timestamp) -> Configuration {
    Configuration {
        uid,
        key: crate::ids::Key::default(),
        generation: 0,
        hash: crate::ids::Hash::default(),
        target: None,
        backends: Vec::new(),
        defaults: Vec::new(),
        paused: false,
        allow_partial: false,
        sessions: Vec::new(),
        former: Vec::new(),
        session_count: 0,
        conditions: Conditions::default(),
        paused_by: BTreeSet::new(),
        resumed_at: None,
        deleting: false,
        created_at: at,
    }
}

fn get(state: &mut State, uid: Uid) -> Result<&mut Configuration, String> {
    state.configurations.get_mut(&uid).ok_or_else(|| unknown("configuration", uid))
}

fn get_session<'s>(state: &'s mut State, uid: Uid, name: &str) -> Result<&'s mut Session, String> {
    let sessions = &mut get(state, uid)?.sessions;
    sessions
        .iter_mut()
        .find(|session| session.spec.name == name)
        .ok_or_else(|| alloc::format!("no session {name:?} in configuration {uid}"))
}
