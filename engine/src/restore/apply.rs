//! Folds restores.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::condition::{Status, Type};
use crate::event::StreamKind;
use crate::ids::{Hash, Key, Uid};
use crate::restore::phase;
use crate::restore::state::Restore;
use crate::restore::words::WORDS;
use crate::restore::{Event, Source, Spec};
use crate::run;
use crate::run::state::Run;
use crate::state::{State, unknown};
use crate::time::Timestamp;

/// Folds one event.
pub(crate) fn apply(state: &mut State, at: Timestamp, event: &Event) -> Result<(), String> {
    let uid = event.uid();
    if let Event::Declared { key, .. } = event {
        state.restores.get_or_insert_with(uid, || blank(uid, at));
        state.take_name(StreamKind::Restore, key, uid);
    }
    let restore = state.restores.get_mut(&uid).ok_or_else(|| unknown("restore", uid))?;
    let step = phase::next(restore.step, event).map_err(|illegal| illegal.to_string())?;
    fold(restore, at, event)?;
    restore.run.come_to(at, step);
    if let Event::Archived { .. } = event
        && let Some(gone) = state.restores.remove(&uid)
    {
        state.drop_name(StreamKind::Restore, &gone.key, uid);
    }
    Ok(())
}

/// Folds what an event says into a restore, wherever that stands: for the log through [`apply`], for
/// views from whatever events there are.
pub(crate) fn fold(restore: &mut Restore, at: Timestamp, event: &Event) -> Result<(), String> {
    let run = &mut restore.run;
    let facts = &mut run.conditions;
    match event {
        Event::Declared { key, generation, hash, spec, .. } => {
            restore.key = key.clone();
            restore.generation = *generation;
            restore.hash = *hash;
            restore.spec = spec.clone();
        }
        Event::ValidationPassed { .. } => facts.state(at, Type::ValidationPassed, None),
        Event::ValidationFailed { reason, message, .. } => {
            let (reason, message) = (reason.clone(), message.clone());
            facts.set(at, Type::ValidationPassed, Status::False, reason, message);
        }
        Event::TargetNotFound { message, .. } => {
            let reason = "UnableToCheckTargetAvailability";
            facts.set(at, Type::RestoreTargetFound, Status::False, reason, message.clone());
        }
        Event::Started { snapshot, deadline, frozen, .. } => {
            run.started_at = Some(at);
            restore.snapshot = Some(*snapshot);
            run.deadline = *deadline;
            run.frozen = frozen.clone();
            // Only a target that was missed before is worth a condition of its own.
            if facts.has(Type::RestoreTargetFound) {
                facts.state(at, Type::RestoreTargetFound, None);
            }
        }
        Event::Incomplete { message, .. } => facts.raise(at, Type::RestoreIncomplete, message),
        Event::MetricsPushed { .. } => {
            facts.state(at, Type::MetricsPushed, None);
            run.ended_at = Some(at);
        }
        Event::Run { event } => {
            run::apply::fold(run, &WORDS, at, event)
                .map_err(|reason| format!("{}: {reason}", restore.key))?;
        }
        Event::Archived { .. } => {}
    }
    Ok(())
}

/// A restore of which nothing is known yet.
pub(crate) fn blank(uid: Uid, at: Timestamp) -> Restore {
    Restore {
        uid,
        key: Key::default(),
        generation: 0,
        hash: Hash::default(),
        spec: Spec {
            target: None,
            source: Source::default(),
            addon: crate::configuration::AddonRef {
                group: crate::group::Group::KubeStashAddons,
                pod: crate::configuration::PodParts::default(),
                name: String::new(),
                tasks: Vec::new(),
            },
            pre_hooks: Vec::new(),
            post_hooks: Vec::new(),
            timeout: None,
            invalid: None,
        },
        created_at: at,
        run: Run::default(),
        snapshot: None,
        paused: BTreeSet::new(),
    }
}
