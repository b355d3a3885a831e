//! Specs that are too large to be recorded.

use alloc::format;
use alloc::string::String;

use crate::configuration::bounds::{addon_text, hooks_text};
use crate::limits::{
    COMPONENTS_A_SESSION, HOOK_RETRIES, HOOKS_A_STAGE, SESSION_TEXT_BYTES, TASKS_A_SESSION,
};
use crate::restore::Spec;

/// What of a spec can be recorded: all of it, or, where a bound is exceeded, its scalars and which
/// field is too large; the restore is then Invalid.
pub(crate) fn recordable(spec: &Spec) -> Spec {
    let Some(problem) = exceeded(spec) else { return spec.clone() };
    let mut cut = spec.clone();
    cut.pre_hooks.clear();
    cut.post_hooks.clear();
    cut.addon.tasks.clear();
    cut.source.components.clear();
    cut.invalid = Some(problem);
    cut
}

/// Which field exceeds a bound.
fn exceeded(spec: &Spec) -> Option<String> {
    let hooks = || spec.pre_hooks.iter().chain(&spec.post_hooks);
    let components = &spec.source.components;
    for (field, count, limit) in [
        ("hooks.preRestore", spec.pre_hooks.len(), HOOKS_A_STAGE),
        ("hooks.postRestore", spec.post_hooks.len(), HOOKS_A_STAGE),
        ("addon.tasks", spec.addon.tasks.len(), TASKS_A_SESSION),
        ("dataSource.components", components.len(), COMPONENTS_A_SESSION),
    ] {
        if count > limit {
            return Some(format!("spec.{field}: at most {limit} are possible"));
        }
    }
    if hooks().any(|hook| hook.max_retry > HOOK_RETRIES) {
        return Some(format!("spec.hooks: maxRetry is at most {HOOK_RETRIES}"));
    }
    let named = components.iter().map(String::len).sum::<usize>();
    let text = hooks_text(hooks()) + addon_text(&spec.addon) + named;
    (text > SESSION_TEXT_BYTES)
        .then(|| format!("spec: all its text is at most {SESSION_TEXT_BYTES} bytes"))
}
