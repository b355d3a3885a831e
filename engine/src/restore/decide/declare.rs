//! The object is there, or a fact around it has changed: check it, and start it when it can start.

use crate::condition::Type;
use crate::configuration;
use crate::draft::Draft;
use crate::ids::{Hash, Key, Uid};
use crate::rejection::Rejection;
use crate::restore::bounds::recordable;
use crate::restore::check::{self, Obstacle, Ready};
use crate::restore::phase::Step;
use crate::restore::state::Restore;
use crate::restore::{Event, Spec};

use super::{advance, get};

pub(super) fn declare(
    draft: &mut Draft<'_>,
    uid: Uid,
    key: &Key,
    generation: u64,
    hash: Hash,
    spec: &Spec,
) -> Result<(), Rejection> {
    match draft.restore(uid) {
        // A restore runs once: what its user changes afterwards has no effect.
        Some(known) if known.step != Step::Declared => return Ok(()),
        Some(known) if known.hash == hash => {}
        _ => draft.emit(Event::Declared {
            uid,
            key: key.clone(),
            generation,
            hash,
            spec: recordable(spec),
        }),
    }
    consider(draft, &get(draft, uid)?)
}

pub(super) fn reconcile(draft: &mut Draft<'_>, uid: Uid) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    if restore.step == Step::Declared { consider(draft, &restore) } else { Ok(()) }
}

fn consider(draft: &mut Draft<'_>, restore: &Restore) -> Result<(), Rejection> {
    let uid = restore.uid;
    let passed = restore.conditions.is_true(Type::ValidationPassed);
    let obstacle = match check::check(draft.base(), restore) {
        Ok(ready) => {
            if !passed {
                draft.emit(Event::ValidationPassed { uid });
            }
            start(draft, restore, ready);
            return advance::advance(draft, uid);
        }
        Err(obstacle) => obstacle,
    };
    if check::is_known(restore, &obstacle) {
        return Ok(());
    }
    match obstacle {
        Obstacle::Invalid { reason, message } => {
            draft.emit(Event::ValidationFailed { uid, reason: reason.into(), message });
        }
        Obstacle::Waiting(_) => draft.emit(Event::ValidationPassed { uid }),
        Obstacle::TargetMissing(message) => {
            if !passed {
                draft.emit(Event::ValidationPassed { uid });
            }
            draft.emit(Event::TargetNotFound { uid, message });
        }
    }
    Ok(())
}

fn start(draft: &mut Draft<'_>, restore: &Restore, ready: Ready) {
    let uid = restore.uid;
    let deadline = restore.spec.timeout.map(|timeout| draft.at().plus(timeout));
    let Ready { snapshot, frozen } = ready;
    draft.emit(Event::Started { uid, snapshot, deadline, frozen });
    let Some(target) = &restore.spec.target else { return };
    // A backup of half-restored data is worse than a backup that is late.
    let same = draft.configurations().filter(|c| c.target.as_ref() == Some(target) && !c.deleting);
    let same: alloc::vec::Vec<Uid> = same.map(|configuration| configuration.uid).collect();
    for configuration in same {
        draft.emit(configuration::Event::PausedByRestore { uid: configuration, restore: uid });
    }
}
