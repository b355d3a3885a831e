//! What is to be done outside because of a restore.

use alloc::vec;
use alloc::vec::Vec;

use crate::component;
use crate::effect::Once;
use crate::ids::Attempt;
use crate::restore::Event;
use crate::restore::state::Restore;
use crate::state::State;
use crate::work;

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
            let restore = state.restores.get(&session);
            restore.map(|known| work::stops(session, &known.components)).unwrap_or_default()
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
