//! Components of the snapshot become components to restore, one for each host that takes one.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::error::Error;

use crate::backup::Component;
use crate::component::{self, PlanError, target_values};
use crate::dependency::Facts;
use crate::dependency::state::addon;
use crate::draft::Draft;
use crate::restore::Event;
use crate::restore::source;
use crate::restore::state::Restore;
use crate::survey::Host;

pub(super) fn plan(draft: &mut Draft<'_>, restore: &Restore, hosts: &[Host]) {
    let uid = restore.uid;
    match planned(draft, restore, hosts) {
        Ok(planned) => {
            let components = u32::try_from(planned.len()).unwrap_or(u32::MAX);
            draft.emit(Event::Surveyed { uid, components });
            for (asked, component) in planned {
                draft.emit(Event::ComponentPlanned { uid, asked, component });
            }
        }
        Err(message) => draft.emit(Event::ExecutorNotEnsured { uid, message }),
    }
}

/// The components with the names that they were asked for by.
fn planned(
    draft: &Draft<'_>,
    restore: &Restore,
    hosts: &[Host],
) -> Result<Vec<(String, Component)>, String> {
    let snapshot = restore.snapshot.and_then(|uid| draft.snapshot(uid));
    let snapshot = snapshot.ok_or("the snapshot was removed after the restore had started")?;
    let name = &restore.spec.addon.name;
    let Some(Facts::Addon { tasks }) = draft.facts(&addon(name)) else {
        return Err(format!("Addon {name} was removed after the restore had started"));
    };
    let selected = source::select(&restore.spec.source, snapshot)?;
    let asked: BTreeMap<&str, &str> =
        selected.iter().map(|(asked, name)| (name.as_str(), asked.as_str())).collect();
    let wanted: Vec<String> = selected.iter().map(|(_, name)| name.clone()).collect();
    let mut values = target_values(&restore.key.namespace, restore.spec.target.as_ref());
    values.insert("snapshot".into(), snapshot.key.name.clone());
    values.insert("restoreSession".into(), restore.key.name.clone());
    let mut all: Vec<(String, Component)> = Vec::new();
    for reference in &restore.spec.addon.tasks {
        let task = tasks.iter().find(|task| task.restore && task.name == reference.name);
        let task = task.ok_or_else(|| format!("Addon {name} lost its task {}", reference.name))?;
        let found = component::plan_restore(task, reference, hosts, &wanted, &values);
        for component in found.map_err(sentence)? {
            if !all.iter().any(|(_, known)| known.name == component.name) {
                let asked = asked.get(component.name.as_str()).copied();
                all.push((asked.unwrap_or(&component.name).to_string(), component));
            }
        }
    }
    if all.is_empty() { Err("no task restores any of the components".to_string()) } else { Ok(all) }
}

/// An error with its causes, in one line.
fn sentence(error: PlanError) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
