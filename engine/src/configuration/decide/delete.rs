//! A configuration is to be deleted: its sessions end, its repositories follow their policies.

use alloc::vec::Vec;

use crate::backup;
use crate::configuration::Event;
use crate::configuration::state::Configuration;
use crate::draft::Draft;
use crate::ids::{Key, Uid};
use crate::rejection::Rejection;
use crate::repository;
use crate::schedule;
use crate::storage::DeletionPolicy;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(known) = draft.configuration(uid) else { return Ok(()) };
    if known.deleting {
        retry(draft, uid);
        return Ok(());
    }
    draft.emit(Event::DeletionRequested { uid });
    for session in draft.scheduled_sessions(uid) {
        draft.emit(schedule::Event::Withdrawn { configuration: uid, session });
    }
    let open: Vec<Uid> = draft
        .backups()
        .filter(|backup| backup.configuration == uid && !backup.is_finished())
        .map(|backup| backup.uid)
        .collect();
    for backup in open {
        backup::decide::stop(draft, backup, "its configuration is being deleted");
    }
    finish(draft, uid);
    Ok(())
}

/// Tries again what failed.
pub(crate) fn retry(draft: &mut Draft, uid: Uid) {
    for repository in owned(draft, uid) {
        begin(draft, repository);
    }
    finish(draft, uid);
}

/// Goes on with a deletion: after a session ended, or a repository is gone.
pub(crate) fn finish(draft: &mut Draft, uid: Uid) {
    let Some(known) = draft.configuration(uid) else { return };
    if !known.deleting || draft.backups().any(|b| b.configuration == uid && !b.is_finished()) {
        return;
    }
    for repository in owned(draft, uid) {
        if draft.repository(repository).is_some_and(|found| !found.deleting) {
            begin(draft, repository);
        }
    }
    // The last repository that goes may have come back here and finished already.
    if draft.configuration(uid).is_none() || !owned(draft, uid).is_empty() {
        return;
    }
    let sessions: Vec<Uid> =
        draft.backups().filter(|b| b.configuration == uid).map(|b| b.uid).collect();
    for session in sessions {
        draft.emit(backup::Event::Archived { uid: session });
    }
    draft.emit(Event::Deleted { uid });
}

/// One that a restore reads from waits until the deletion is asked for again.
fn begin(draft: &mut Draft, repository: Uid) {
    if repository::decide::refuse_if_used(draft, repository).is_ok() {
        repository::decide::begin_deletion(draft, repository, DeletionPolicy::Delete);
    }
}

/// Repositories that go with the configuration: made for it, used by no other, not to be retained.
fn owned(draft: &Draft, uid: Uid) -> Vec<Uid> {
    let Some(known) = draft.configuration(uid) else { return Vec::new() };
    draft
        .repositories()
        .filter(|repository| repository.configuration == uid)
        .filter(|repository| !is_retained(known, &repository.key))
        .filter(|repository| {
            !draft.configurations().any(|other| other.uid != uid && uses(other, &repository.key))
        })
        .map(|repository| repository.uid)
        .collect()
}

fn uses(configuration: &Configuration, key: &Key) -> bool {
    let mut wanted = configuration.sessions.iter().flat_map(|session| &session.spec.repositories);
    configuration.key.namespace == key.namespace && wanted.any(|wanted| wanted.name == key.name)
}

/// One wish to retain it is enough.
fn is_retained(configuration: &Configuration, key: &Key) -> bool {
    let mut wanted = configuration.sessions.iter().flat_map(|session| &session.spec.repositories);
    wanted.any(|wanted| wanted.name == key.name && wanted.deletion == Some(DeletionPolicy::Retain))
}
