//! Sessions go with their configuration.

use crate::backup::Event;
use crate::configuration::leaving;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::limits;
use crate::run::StopCause;
use crate::run::decide::stop;

/// Stops the open sessions of a configuration that is to be deleted; behind which one some are left, if any
/// are.
pub(crate) fn stop_all(draft: &mut Draft, configuration: Uid, after: Option<Uid>) -> Option<Uid> {
    let open = draft
        .backups_of(configuration)
        .filter(|known| Some(known.uid) > after && !known.is_finished())
        .map(|known| known.uid)
        .take(limits::OBJECTS_A_REACTION + 1)
        .collect();
    draft.each(open, |draft, uid| {
        stop(draft, uid, StopCause::ConfigurationDeleted);
    })
}

/// Archives the sessions of a configuration whose repositories are gone; behind which one some are left, if
/// any are.
pub(crate) fn archive_all(
    draft: &mut Draft,
    configuration: Uid,
    after: Option<Uid>,
) -> Option<Uid> {
    leaving::left(draft, configuration).filter(|left| left.is_empty())?;
    let mine = draft
        .backups_of(configuration)
        .filter(|known| Some(known.uid) > after)
        .map(|known| known.uid)
        .take(limits::OBJECTS_A_REACTION + 1)
        .collect();
    draft.each(mine, |draft, uid| draft.emit(Event::Archived { uid }))
}
