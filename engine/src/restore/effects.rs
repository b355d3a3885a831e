//! What is to be done outside because of a restore.

use alloc::vec;
use alloc::vec::Vec;

use crate::component;
use crate::effect::Once;
use crate::ids::Attempt;
use crate::restore::Event;
use crate::restore::state::Restore;
use crate::state::State;

/// The once-effects of an event, given the state with the event applied.
pub(crate) fn once(state: &State, event: &Event) -> Vec<Once> {
    let session = event.uid();
    match event {
        Event::Started { .. } => match state.restores.get(&session) {
            Some(restore) if needs_survey(restore) => vec![Once::Survey { session }],
            _ => Vec::new(),
        },
        Event::HookStarted { run, .. } => vec![Once::RunHook { session, run: *run }],
        Event::AttemptStarted { component, number, .. } => {
            let component = component.clone();
            vec![Once::StartWorker { attempt: Attempt { session, component, number: *number } }]
        }
        Event::DeadlineExceeded { .. } | Event::Cancelled { .. } => {
            state.restores.get(&session).map(stop_workers).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// Some task works on the hosts of a target; manifests need none.
///
/// Only the restore itself is asked, so that a replay without its Addon gives the same answer.
pub(crate) fn needs_survey(restore: &Restore) -> bool {
    let manifests = |name: &str| name.starts_with(component::MANIFEST_TASKS);
    restore.spec.target.is_some()
        && restore.spec.addon.tasks.iter().any(|task| !manifests(&task.name))
}

/// A worker that was asked for may exist even where nobody has seen it yet.
fn stop_workers(restore: &Restore) -> Vec<Once> {
    let running = restore.components.iter().filter(|c| c.attempt > 0 && c.outcome.is_none());
    running
        .map(|known| {
            let component = known.component.name.clone();
            let attempt = Attempt { session: restore.uid, component, number: known.attempt };
            Once::StopWorker { attempt }
        })
        .collect()
}
