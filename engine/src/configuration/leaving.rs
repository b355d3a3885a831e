//! What is left of a configuration that is to be deleted: its sessions end first, then its repositories
//! follow their policies.

use alloc::vec::Vec;

use crate::configuration::state::Configuration;
use crate::draft::Draft;
use crate::ids::{Key, Uid};
use crate::storage::DeletionPolicy;

/// The repositories that go with a configuration and are not gone yet; absent where it stays, or where a
/// session has to end first.
pub(crate) fn left(draft: &Draft, uid: Uid) -> Option<Vec<Uid>> {
    let known = draft.configuration(uid).filter(|known| known.deleting)?;
    let mut sessions = draft.backups_of(uid);
    sessions.all(|backup| backup.is_finished()).then(|| owned(draft, known))
}

/// Made for it, used by no other, not to be retained.
fn owned(draft: &Draft, known: &Configuration) -> Vec<Uid> {
    let others = |key: &Key| draft.writers_to(key).any(|other| other.uid != known.uid);
    draft
        .repositories_of(known.uid)
        .filter(|repository| !is_retained(known, &repository.key))
        .filter(|repository| !others(&repository.key))
        .map(|repository| repository.uid)
        .collect()
}

/// One wish to retain it is enough.
fn is_retained(configuration: &Configuration, key: &Key) -> bool {
    let mut wanted = configuration.sessions.iter().flat_map(|session| &session.spec.repositories);
    wanted.any(|wanted| wanted.name == key.name && wanted.deletion == Some(DeletionPolicy::Retain))
}
