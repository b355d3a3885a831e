//! Specs that are too large to be recorded.

use alloc::format;
use alloc::string::String;

use crate::configuration::{AddonRef, SessionSpec, Spec};
use crate::hook::HookSpec;
use crate::limits;

/// Which field exceeds a bound.
pub(crate) fn exceeded(spec: &Spec) -> Option<String> {
    if spec.backends.len() > limits::BACKENDS {
        return Some(format!("spec.backends: at most {} are possible", limits::BACKENDS));
    }
    if spec.sessions.len() > limits::SESSIONS {
        return Some(format!("spec.sessions: at most {} are possible", limits::SESSIONS));
    }
    spec.sessions.iter().enumerate().find_map(|(index, session)| {
        let at = |field: &str, limit: usize| {
            Some(format!("spec.sessions[{index}].{field}: at most {limit} are possible"))
        };
        if session.repositories.len() > limits::REPOSITORIES_A_SESSION {
            return at("repositories", limits::REPOSITORIES_A_SESSION);
        }
        if session.addon.tasks.len() > limits::TASKS_A_SESSION {
            return at("addon.tasks", limits::TASKS_A_SESSION);
        }
        if session.pre_hooks.len() > limits::HOOKS_A_STAGE {
            return at("hooks.preBackup", limits::HOOKS_A_STAGE);
        }
        if session.post_hooks.len() > limits::HOOKS_A_STAGE {
            return at("hooks.postBackup", limits::HOOKS_A_STAGE);
        }
        let mut hooks = session.pre_hooks.iter().chain(&session.post_hooks);
        if hooks.any(|hook| hook.max_retry > limits::HOOK_RETRIES) {
            let limit = limits::HOOK_RETRIES;
            return Some(format!("spec.sessions[{index}].hooks: maxRetry is at most {limit}"));
        }
        let limit = limits::SESSION_TEXT_BYTES;
        (text_bytes(session) > limit)
            .then(|| format!("spec.sessions[{index}]: all its text is at most {limit} bytes"))
    })
}

fn text_bytes(session: &SessionSpec) -> usize {
    let repositories = session.repositories.iter().map(|repository| {
        repository.name.len() + repository.backend.len() + repository.directory.len()
    });
    session.name.len()
        + session.scheduler.as_ref().map_or(0, |scheduler| scheduler.schedule.len())
        + hooks_text(session.pre_hooks.iter().chain(&session.post_hooks))
        + addon_text(&session.addon)
        + repositories.sum::<usize>()
}

/// Bytes of all strings of hooks.
pub(crate) fn hooks_text<'a>(hooks: impl Iterator<Item = &'a HookSpec>) -> usize {
    let text = hooks.map(|hook| {
        hook.name.len()
            + hook.template.namespace.len()
            + hook.template.name.len()
            + pairs_text(&hook.params)
    });
    text.sum()
}

/// Bytes of all strings of an Addon's reference.
pub(crate) fn addon_text(addon: &AddonRef) -> usize {
    let tasks = addon.tasks.iter().map(|task| {
        let mounts = task.mounts.iter().map(|mount| mount.volume.len() + mount.path.len());
        task.name.len() + pairs_text(&task.params) + mounts.sum::<usize>()
    });
    addon.name.len() + tasks.sum::<usize>()
}

fn pairs_text(list: &[(String, String)]) -> usize {
    list.iter().map(|(name, value)| name.len() + value.len()).sum()
}
