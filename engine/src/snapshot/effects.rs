//! What a snapshot's events ask for.

use crate::condition::Type;
use crate::effect::Once;
use crate::snapshot::Event;
use crate::state::State;

/// The once-effect of an event, given the state with the event applied.
pub(crate) fn once(state: &State, event: &Event) -> Option<Once> {
    let snapshot = state.snapshots.get(&event.uid())?;
    let described = snapshot.conditions.has(Type::SnapshotMetadataUploaded);
    match event {
        // Its description is stored once nothing more will be written to it.
        Event::ComponentEnded { uid, .. } | Event::Incomplete { uid, .. }
            if snapshot.is_written() && !described =>
        {
            Some(Once::UploadMetadata { snapshot: *uid })
        }
        Event::RemovalRequested { uid, by, wipe: true } => {
            Some(Once::RemoveSnapshot { snapshot: *uid, by: *by })
        }
        _ => None,
    }
}
