//! Why the session of a slot must not run.

use alloc::format;
use alloc::string::String;

use crate::draft::Draft;
use crate::ids::Uid;
use crate::time::Timestamp;

/// Of a slot for which a session was made outside.
pub(crate) fn refused(draft: &Draft, uid: Uid, session: &str, slot: Timestamp) -> Option<String> {
    let schedule = draft.schedule(uid, session)?;
    if schedule.last_slot.is_some_and(|last| slot <= last) {
        return Some(format!("its slot, {} s since 1970, was taken before", slot.unix_seconds()));
    }
    too_late(draft, uid, session, slot)
}

/// Of a slot that is not caught up any more.
pub(crate) fn too_late(draft: &Draft, uid: Uid, session: &str, slot: Timestamp) -> Option<String> {
    let configuration = draft.configuration(uid)?;
    if configuration.resumed_at.is_some_and(|resumed| slot < resumed) {
        return Some("its slot passed while the configuration was paused".into());
    }
    let scheduler = configuration.session(session)?.spec.scheduler.as_ref()?;
    if scheduler.suspend {
        return Some("the schedule is suspended".into());
    }
    let limit = slot.plus(scheduler.starting_deadline?);
    (draft.at() > limit).then(|| "startingDeadlineSeconds after its slot have passed".into())
}
