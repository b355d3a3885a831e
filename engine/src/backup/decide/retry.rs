//! The retry of a failed session is due.

use crate::backup::decide::known;
use crate::backup::decide::open::{Request, open};
use crate::backup::{Event, Trigger};
use crate::draft::Draft;
use crate::ids::{Key, Uid};
use crate::rejection::Rejection;
use crate::schedule;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let failed = known(draft, uid)?.clone();
    let due = failed.retry_at.is_some_and(|at| at <= draft.at());
    if !due || failed.retried_by.is_some() {
        return Err(Rejection::conflict(&failed.key, "no retry is due"));
    }
    let configuration =
        draft
            .configuration(failed.configuration)
            .filter(|known| !known.deleting)
            .ok_or_else(|| Rejection::conflict(&failed.key, "its configuration is gone"))?;
    let invoker = configuration.key.clone();
    let by = draft.mint();
    let name = schedule::decide::free_name(draft, &invoker, &failed.session, draft.at());
    draft.emit(Event::Retried { uid, by });
    let request = Request {
        uid: by,
        key: Key::new(invoker.namespace, name),
        configuration: failed.configuration,
        session: failed.session.clone(),
        trigger: Trigger::Retry { of: uid },
        retry_left: Some(failed.retry_left.saturating_sub(1)),
        timeout: failed.timeout,
    };
    open(draft, request, None);
    Ok(())
}
