//! What a session's events ask for.

use alloc::vec;
use alloc::vec::Vec;

use crate::backup::Event;
use crate::effect::Once;
use crate::ids::Attempt;
use crate::state::State;
use crate::work;

/// The once-effects of an event, given the state with the event applied.
pub(crate) fn once(state: &State, event: &Event) -> Vec<Once> {
    match event {
        Event::SnapshotsEnsured { uid, .. } => vec![Once::Survey { session: *uid }],
        Event::HookStarted { uid, run } => vec![Once::RunHook { session: *uid, run: *run }],
        Event::AttemptStarted { uid, component, number } => vec![Once::StartWorker {
            attempt: Attempt { session: *uid, component: component.clone(), number: *number },
        }],
        Event::DeadlineExceeded { uid } | Event::Cancelled { uid, .. } => {
            let backup = state.backups.get(uid);
            backup.map(|known| work::stops(*uid, &known.components)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}
