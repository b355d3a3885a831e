//! `status` of a RestoreSession.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::hooks::{self, HookStatus};
use crate::condition::{Condition, Type};
use crate::ids::TypedRef;
use crate::outcome::Outcome;
use crate::restore::check;
use crate::restore::phase::{Phase, Step, component_phase, phase};
use crate::restore::state::Restore;
use crate::state::State;
use crate::time::Timestamp;

/// `status` of a RestoreSession.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreStatus {
    /// `phase`.
    pub phase: Phase,
    /// `targetFound`; absent without a target.
    pub target_found: Option<bool>,
    /// `duration` from creation to end in whole seconds; absent before the end.
    pub duration: Option<String>,
    /// `restoreDeadline`.
    pub deadline: Option<Timestamp>,
    /// `totalComponents`.
    pub total_components: u32,
    /// `components`, by the names that were asked for.
    pub components: BTreeMap<String, ComponentStatus>,
    /// `hooks`; absent without hooks.
    pub hooks: Option<HookStatus>,
    /// `dependencies`: what it needs, and whether that is there.
    pub dependencies: Vec<(TypedRef, bool)>,
    /// `pausedBackups`.
    pub paused_backups: Vec<TypedRef>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
    /// Why it has not started, for people; absent once it has.
    pub waiting: Option<String>,
}

/// One entry of `components`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// `phase`.
    pub phase: Phase,
    /// `duration`; absent before its end.
    pub duration: Option<String>,
    /// `error`.
    pub error: Option<String>,
}

/// The status of a restore.
#[must_use]
pub fn status(state: &State, restore: &Restore) -> RestoreStatus {
    let spec = &restore.spec;
    let components = restore.components.iter().map(|known| {
        let error = match &known.outcome {
            Some(Outcome::Failed(failure)) => Some(failure.message.clone()),
            _ => None,
        };
        let duration = known.outcome.as_ref().map(|_| known.duration.to_string());
        let entry = ComponentStatus { phase: component_phase(known), duration, error };
        (known.asked.clone(), entry)
    });
    let ended = restore.ended_at.map(|end| end.since(restore.created_at).whole_seconds());
    let idle = restore.step == Step::Declared;
    RestoreStatus {
        phase: phase(restore),
        target_found: target_found(state, restore),
        duration: ended.map(|duration| duration.to_string()),
        deadline: restore.deadline,
        total_components: restore.total_components,
        components: components.collect(),
        hooks: hooks::status(&spec.pre_hooks, &spec.post_hooks, &restore.hooks),
        dependencies: check::dependencies(state, restore),
        paused_backups: paused(state, restore),
        conditions: super::conditions(&restore.conditions),
        waiting: idle.then(|| check::check(state, restore).err().map(|o| o.to_string())).flatten(),
    }
}

/// What was true at the start stays so: a finished restore does not follow its target's deletion.
fn target_found(state: &State, restore: &Restore) -> Option<bool> {
    let target = restore.spec.target.as_ref()?;
    if restore.conditions.is_false(Type::RestoreTargetFound) {
        return Some(false);
    }
    Some(restore.started_at.is_some() || state.dependency(target).is_some())
}

fn paused(state: &State, restore: &Restore) -> Vec<TypedRef> {
    let known = restore.paused.iter().filter_map(|uid| state.configurations.get(uid));
    let object = known.map(|configuration| TypedRef {
        api_group: "core.kubestash.com".into(),
        kind: "BackupConfiguration".into(),
        namespace: configuration.key.namespace.clone(),
        name: configuration.key.name.clone(),
    });
    object.collect()
}
