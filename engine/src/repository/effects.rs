//! What a repository's events ask for.

use crate::effect::Once;
use crate::repository::Event;
use crate::state::State;
use crate::storage::DeletionPolicy;

/// The once-effect of an event, given the state with the event applied.
pub(crate) fn once(state: &State, event: &Event) -> Option<Once> {
    match event {
        Event::InitializationRequested { uid } => {
            Some(Once::InitializeRepository { repository: *uid })
        }
        Event::DeletionRequested { uid } => state
            .repositories
            .get(uid)
            .filter(|repository| repository.deletion == DeletionPolicy::WipeOut)
            .map(|_| Once::WipeRepository { repository: *uid }),
        _ => None,
    }
}
