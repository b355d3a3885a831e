//! What a session's events ask for.

use alloc::vec;
use alloc::vec::Vec;

use crate::backup::Event;
use crate::effect::Once;
use crate::ids::Attempt;
use crate::state::State;

/// The once-effects of an event, given the state with the event applied.
pub(crate) fn once(state: &State, event: &Event) -> Vec<Once> {
    match event {
        Event::SnapshotsEnsured { uid, .. } => vec![Once::Survey { session: *uid }],
        Event::HookStarted { uid, run } => vec![Once::RunHook { session: *uid, run: *run }],
        Event::AttemptStarted { uid, component, number } => vec![Once::StartWorker {
            attempt: Attempt { session: *uid, component: component.clone(), number: *number },
        }],
        Event::DeadlineExceeded { uid } | Event::Cancelled { uid, .. } => {
            let Some(backup) = state.backups.get(uid) else { return Vec::new() };
            let running = backup
                .components
                .iter()
                .filter(|known| known.attempt > 0 && known.outcome.is_none());
            running
                .map(|known| Once::StopWorker {
                    attempt: Attempt {
                        session: *uid,
                        component: known.component.name.clone(),
                        number: known.attempt,
                    },
                })
                .collect()
        }
        _ => Vec::new(),
    }
}
