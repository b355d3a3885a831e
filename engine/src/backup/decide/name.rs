//! Names of sessions.

use alloc::string::String;

use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::Key;
use crate::limits;
use crate::names;
use crate::time::Timestamp;

/// The name of a session; a name that is taken moves one second on.
pub(super) fn free(draft: &Draft, key: &Key, session: &str, at: Timestamp) -> String {
    let second = at.unix_seconds();
    let candidates = (0..=limits::NAME_SHIFT_SECONDS)
        .map(|shift| names::backup_session(&key.name, session, second.saturating_add(shift)));
    let mut last = String::new();
    for name in candidates {
        last = name;
        let taken = key.sibling(StreamKind::Backup, &*last);
        if draft.uid_of(StreamKind::Backup, &taken).is_none() {
            break;
        }
    }
    last
}
