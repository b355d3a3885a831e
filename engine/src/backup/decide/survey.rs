//! The target's hosts are known, or cannot be.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::backup::decide::{advance, known};
use crate::backup::state::Backup;
use crate::backup::{Component, Event};
use crate::component;
use crate::dependency::{Facts, Task, state as dependency};
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{EffectId, Uid};
use crate::limits;
use crate::rejection::Rejection;
use crate::snapshot;
use crate::survey::{Host, Survey};
use crate::variables::Values;

pub(crate) fn decide(
    draft: &mut Draft,
    uid: Uid,
    effect: EffectId,
    survey: &Survey,
) -> Result<(), Rejection> {
    draft.expect(effect, "survey", |once| *once == Once::Survey { session: uid })?;
    let backup = known(draft, uid)?.clone();
    draft.settle(effect);
    let planned = match survey {
        Survey::Failed(failure) => Err(failure.message.clone()),
        Survey::Found { hosts } => plan(draft, &backup, hosts),
    };
    match planned {
        Err(message) => draft.emit(Event::ExecutorNotEnsured { uid, message }),
        Ok(components) => {
            let total = u32::try_from(components.len()).unwrap_or(u32::MAX);
            draft.emit(Event::Surveyed { uid, components: total });
            for component in components {
                draft.emit(Event::ComponentPlanned { uid, component });
            }
            for listed in &backup.snapshots {
                draft.emit(snapshot::Event::ComponentsCounted { uid: listed.uid, total });
            }
        }
    }
    advance(draft, uid);
    Ok(())
}

fn plan(draft: &Draft, backup: &Backup, hosts: &[Host]) -> Result<Vec<Component>, String> {
    let Some(plan) = &backup.plan else { return Err("it has not started".into()) };
    let addon = &plan.spec.addon;
    let Some(Facts::Addon { tasks }) = draft.facts(&dependency::addon(&addon.name)) else {
        return Err(format!("Addon {} not found", addon.name));
    };
    let values = values(backup);
    let mut components: Vec<Component> = Vec::new();
    for reference in &addon.tasks {
        let task = tasks.iter().find(|task| !task.restore && task.name == reference.name);
        let task: &Task = task
            .ok_or_else(|| format!("Addon {} has no backup task {}", addon.name, reference.name))?;
        if draft.facts(&dependency::function(&task.function)).is_none() {
            return Err(format!("Function {} not found", task.function));
        }
        let planned = component::plan_backup(task, reference, hosts, &values)
            .map_err(|error| chain(&error))?;
        components.extend(planned);
    }
    if components.is_empty() {
        return Err("the target has nothing to back up".into());
    }
    if components.len() > limits::COMPONENTS_A_SESSION {
        let limit = limits::COMPONENTS_A_SESSION;
        return Err(format!("{} components; a session has at most {limit}", components.len()));
    }
    let mut names: Vec<&str> = components.iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two tasks of one session have a component {}", pair[0])),
        None => Ok(components),
    }
}

/// Built-in variables of the documents that decisions know (behaviour reference, section 10).
fn values(backup: &Backup) -> Values {
    let mut values = Values::new();
    values.insert("namespace".into(), backup.key.namespace.clone());
    values.insert("backupSession".into(), backup.key.name.clone());
    values.insert("invokerKind".into(), "BackupSession".into());
    values.insert("invokerName".into(), backup.key.name.clone());
    if let Some(target) = backup.plan.as_ref().and_then(|plan| plan.target.as_ref()) {
        values.insert("targetName".into(), target.name.clone());
        if target.kind == "PersistentVolumeClaim" {
            values.insert("PVC_NAME".into(), target.name.clone());
        }
    }
    values
}

fn chain(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
