//! The trigger of a session was set up, or could not be.

use crate::condition::{Status, Type};
use crate::configuration::Event;
use crate::configuration::decide::reconcile;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::outcome::Outcome;
use crate::rejection::Rejection;

pub(crate) fn decide(
    draft: &mut Draft,
    uid: Uid,
    session: &str,
    outcome: &Outcome,
) -> Result<(), Rejection> {
    let known = draft.configuration(uid).and_then(|known| known.session(session));
    let Some(known) = known else {
        return Err(Rejection::conflict(session, "no such session"));
    };
    if draft.schedule(uid, session).is_none() {
        // Its expression cannot be used; that stands whatever was set up for it.
        return Err(Rejection::conflict(session, "it has no schedule"));
    }
    let standing = known.conditions.get(Type::SchedulerEnsured);
    match outcome {
        Outcome::Succeeded => {
            if standing.is_some_and(|found| found.status == Status::True) {
                return Ok(());
            }
            draft.emit(Event::SchedulerEnsured { uid, session: session.into() });
            reconcile::trigger_initial_backups(draft, uid);
        }
        Outcome::Failed(failure) => {
            let same = standing.is_some_and(|found| {
                found.status == Status::False && found.message == failure.message
            });
            if !same {
                let message = failure.message.clone();
                draft.emit(Event::SchedulerNotEnsured { uid, session: session.into(), message });
            }
        }
    }
    Ok(())
}
