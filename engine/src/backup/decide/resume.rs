//! A session that waited looks again.

use crate::backup::decide::known;
use crate::backup::decide::open::{consider, skip};
use crate::backup::phase::Step;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let backup = known(draft, uid)?;
    if backup.step != Step::Queued {
        return Err(Rejection::conflict(&backup.key, "it does not wait"));
    }
    if backup.until.is_some_and(|until| until <= draft.at()) {
        skip(draft, uid, "another session of the configuration took too long".into());
    } else {
        consider(draft, uid);
    }
    Ok(())
}
