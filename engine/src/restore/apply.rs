//! Folds restores.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::apply::unknown;
use crate::backup::Frozen;
use crate::condition::{Conditions, Status, Type};
use crate::event::StreamKind;
use crate::hook::Stage;
use crate::hook::run::Progress;
use crate::ids::{Hash, Key, Uid};
use crate::restore::phase::{self, Step};
use crate::restore::state::Restore;
use crate::restore::{Event, Source, Spec};
use crate::state::State;
use crate::time::Timestamp;
use crate::work::{self, ComponentState, Misfit};

/// Folds one event.
pub(crate) fn apply(state: &mut State, at: Timestamp, event: &Event) -> Result<(), String> {
    let uid = event.uid();
    if let Event::Declared { key, .. } = event {
        state.restores.entry(uid).or_insert_with(|| blank(uid, at));
        state.take_name(StreamKind::Restore, key, uid);
    }
    let restore = state.restores.get_mut(&uid).ok_or_else(|| unknown("restore", uid))?;
    let step = phase::next(restore.step, event).map_err(|illegal| illegal.to_string())?;
    fold(restore, at, event)?;
    restore.come_to(at, step);
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
    let facts = &mut restore.conditions;
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
            restore.started_at = Some(at);
            restore.snapshot = Some(*snapshot);
            restore.deadline = *deadline;
            restore.frozen = frozen.clone();
            // Only a target that was missed before is worth a condition of its own.
            if facts.has(Type::RestoreTargetFound) {
                facts.state(at, Type::RestoreTargetFound, None);
            }
        }
        Event::Surveyed { components, .. } => restore.total_components = *components,
        Event::HookStarted { run, .. } => restore.hooks.start(at, *run),
        Event::HookEnded { run, outcome, .. } => {
            if !restore.hooks.end(*run, outcome) {
                return Err(format!("no hook {run:?} is running in {}", restore.key));
            }
        }
        Event::HooksFinished { stage, outcome, .. } => {
            restore.hooks.finish(*stage, outcome);
            facts.state(at, hooks_condition(*stage), outcome.problem());
        }
        Event::ExecutorEnsured { .. } => facts.state(at, Type::RestoreExecutorEnsured, None),
        Event::ExecutorNotEnsured { message, .. } => {
            facts.state(at, Type::RestoreExecutorEnsured, Some(message));
        }
        Event::Incomplete { message, .. } => facts.raise(at, Type::RestoreIncomplete, message),
        Event::DeadlineExceeded { .. } => {
            facts.raise(at, Type::DeadlineExceeded, "The restore did not end in time.");
        }
        Event::Cancelled { cause, .. } => restore.cancelled = Some(cause.clone()),
        Event::MetricsPushed { .. } => {
            facts.state(at, Type::MetricsPushed, None);
            restore.ended_at = Some(at);
        }
        Event::ComponentPlanned { .. }
        | Event::AttemptStarted { .. }
        | Event::WorkerObserved { .. }
        | Event::ComponentEnded { .. } => {
            let key = restore.key.clone();
            fold_component(restore, at, event).map_err(|misfit| format!("{key}: {misfit}"))?;
        }
        Event::Archived { .. } => {}
    }
    Ok(())
}

fn fold_component(restore: &mut Restore, at: Timestamp, event: &Event) -> Result<(), Misfit> {
    let all = &mut restore.components;
    match event {
        Event::ComponentPlanned { asked, component, .. } => {
            all.push(ComponentState::planned(asked.clone(), component.clone()));
            Ok(())
        }
        Event::AttemptStarted { component, number, .. } => work::begin(all, at, component, *number),
        Event::WorkerObserved { component, number, worker, .. } => {
            work::observe(all, component, *number, *worker)
        }
        Event::ComponentEnded { component, outcome, duration, .. } => {
            work::end(all, component, outcome, *duration)
        }
        _ => Ok(()),
    }
}

fn hooks_condition(stage: Stage) -> Type {
    match stage {
        Stage::Pre => Type::PreRestoreHooksExecutionSucceeded,
        Stage::Post => Type::PostRestoreHooksExecutionSucceeded,
    }
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
            addon: crate::configuration::AddonRef { name: String::new(), tasks: Vec::new() },
            pre_hooks: Vec::new(),
            post_hooks: Vec::new(),
            timeout: None,
            invalid: None,
        },
        created_at: at,
        step: Step::Declared,
        started_at: None,
        deadline: None,
        snapshot: None,
        frozen: Frozen::default(),
        total_components: 0,
        components: Vec::new(),
        hooks: Progress::default(),
        conditions: Conditions::default(),
        paused: BTreeSet::new(),
        cancelled: None,
        work_ended_at: None,
        ended_at: None,
    }
}
