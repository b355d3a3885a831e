//! A restore holds the configurations of its target while it goes: a backup of half-restored data is worse
//! than a backup that is late.

use crate::configuration::Event;
use crate::configuration::decide::reconcile;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::limits;

/// Holds those of the target of a restore that goes; behind which one some are left, if any are.
pub(crate) fn hold(draft: &mut Draft, restore: Uid, after: Option<Uid>) -> Option<Uid> {
    let going = draft.restore(restore).filter(|restore| restore.is_going())?;
    let target = going.spec.target.as_ref()?;
    let same = draft
        .configurations_behind(after)
        .filter(|known| known.target.as_ref() == Some(target) && !known.deleting)
        .map(|known| known.uid)
        .take(limits::OBJECTS_A_REACTION + 1)
        .collect();
    draft.each(same, |draft, uid| draft.emit(Event::PausedByRestore { uid, restore }))
}

/// Lets those go on that a restore held, first backups among it; behind which one some are left, if any are.
pub(crate) fn release(draft: &mut Draft, restore: Uid, after: Option<Uid>) -> Option<Uid> {
    let held = draft
        .configurations_behind(after)
        .filter(|known| known.paused_by.contains(&restore))
        .map(|known| known.uid)
        .take(limits::OBJECTS_A_REACTION + 1)
        .collect();
    draft.each(held, |draft, uid| {
        draft.emit(Event::ResumedAfterRestore { uid, restore });
        reconcile::trigger_initial_backups(draft, uid);
    })
}
