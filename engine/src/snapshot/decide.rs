//! Decides on snapshots.
//!
//! A snapshot is made by its session and described beside its data once nothing more is written to it;
//! it goes by a deletion or by the retention of a later session.

use alloc::format;
use alloc::string::String;

use crate::backup;
use crate::dependency::Driver;
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{EffectId, Key, Uid};
use crate::limits;
use crate::names;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::report::Grade;
use crate::snapshot::{Command, Event};
use crate::storage::DeletionPolicy;
use crate::time::Millis;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::MetadataReported { uid, effect, outcome } => {
            uploaded(draft, *uid, *effect, outcome)
        }
        Command::Adopt { .. } => adopt(draft, command),
        Command::Delete { uid } => delete(draft, *uid),
        Command::RemovalReported { uid, effect, outcome } => removed(draft, *uid, *effect, outcome),
    }
}

fn uploaded(
    draft: &mut Draft,
    uid: Uid,
    effect: EffectId,
    outcome: &Outcome,
) -> Result<(), Rejection> {
    draft.expect(effect, "snapshot", |once| *once == Once::UploadMetadata { snapshot: uid })?;
    draft.settle(effect);
    let Some(snapshot) = draft.snapshot(uid) else { return Ok(()) };
    let session = snapshot.backup;
    draft.emit(Event::MetadataUploaded { uid, outcome: outcome.clone() });
    if let Some(session) = session {
        backup::decide::advance(draft, session);
    }
    Ok(())
}

fn adopt(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    let Command::Adopt { uid, repository, key, session, taken, components } = command else {
        return Ok(());
    };
    if draft.snapshot(*uid).is_some() || draft.uid_of(crate::StreamKind::Snapshot, key).is_some() {
        return Ok(());
    }
    let Some(home) = draft.repository(*repository) else {
        return Err(Rejection::retry(key, "its repository is not known"));
    };
    if components.len() > limits::ADOPTED_COMPONENTS {
        return Err(Rejection::never(key, "it has more components than a snapshot may have"));
    }
    let app = home.app.clone();
    draft.emit(Event::Adopted {
        uid: *uid,
        key: key.clone(),
        repository: *repository,
        session: session.clone(),
        app,
        taken: *taken,
    });
    draft.emit(Event::ListUpdated { uid: *uid });
    let total = u32::try_from(components.len()).unwrap_or(u32::MAX);
    draft.emit(Event::ComponentsCounted { uid: *uid, total });
    for (component, commit, complete) in components {
        draft.emit(Event::ComponentStarted {
            uid: *uid,
            component: component.clone(),
            path: names::component_path(session, component),
            driver: Driver::Restic,
        });
        draft.emit(Event::ComponentEnded {
            uid: *uid,
            component: component.clone(),
            outcome: adopted_outcome(*complete),
            commit: commit.clone(),
            partial: !complete,
            source_empty: false,
            grade: Grade::Written,
            size: 0,
            duration: Millis(0),
        });
    }
    // Its description is what it was found by.
    draft.emit(Event::MetadataUploaded { uid: *uid, outcome: Outcome::Succeeded });
    let described = draft.effects(|once| *once == Once::UploadMetadata { snapshot: *uid });
    described.into_iter().for_each(|effect| draft.settle(effect));
    Ok(())
}

fn adopted_outcome(complete: bool) -> Outcome {
    if complete {
        return Outcome::Succeeded;
    }
    Outcome::Failed(Failure {
        reason: "PartialBackup".into(),
        message: "it was found in the repository as partial".into(),
        permanent: true,
    })
}

fn delete(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(snapshot) = draft.snapshot(uid) else { return Ok(()) };
    let (key, policy) = (snapshot.key.clone(), snapshot.deletion);
    let remover = snapshot.removal.as_ref().and_then(|removal| removal.by);
    if let Some(writer) = snapshot.backup.and_then(|backup| draft.backup(backup))
        && writer.is_going()
    {
        return Err(Rejection::retry(key, format!("BackupSession {} writes it", writer.key)));
    }
    if let Some(reader) = reader(draft, uid) {
        return Err(Rejection::retry(key, format!("RestoreSession {reader} reads it")));
    }
    if policy == DeletionPolicy::WipeOut {
        let removing =
            |once: &Once| matches!(once, Once::RemoveSnapshot { snapshot, .. } if *snapshot == uid);
        if draft.effects(removing).is_empty() {
            draft.emit(Event::RemovalRequested { uid, by: None, wipe: true });
        }
    } else {
        forget(draft, uid, "the snapshot was deleted");
        if let Some(session) = remover {
            // The session whose retention asked has one snapshot less to wait for.
            backup::decide::advance(draft, session);
        }
    }
    Ok(())
}

fn removed(
    draft: &mut Draft,
    uid: Uid,
    effect: EffectId,
    outcome: &Outcome,
) -> Result<(), Rejection> {
    let asked = Once::RemoveSnapshot { snapshot: uid, by: None };
    draft.expect(effect, "snapshot", |once| *once == asked)?;
    draft.settle(effect);
    match outcome {
        Outcome::Succeeded => forget(draft, uid, "the snapshot was removed"),
        Outcome::Failed(failure) => {
            draft.emit(Event::RemovalFailed { uid, message: failure.message.clone() });
        }
    }
    Ok(())
}

/// The going restore that reads a snapshot.
pub(crate) fn reader(draft: &Draft, uid: Uid) -> Option<Key> {
    let mut going = draft.restores().filter(|restore| restore.is_going());
    going.find(|restore| restore.snapshot == Some(uid)).map(|restore| restore.key.clone())
}

/// Takes a snapshot out of the state, and with it what is still asked about it.
pub(crate) fn forget(draft: &mut Draft, uid: Uid, why: &str) {
    let about = |once: &Once| match once {
        Once::UploadMetadata { snapshot } | Once::RemoveSnapshot { snapshot, .. } => {
            *snapshot == uid
        }
        _ => false,
    };
    for effect in draft.effects(about) {
        draft.give_up(effect, String::from(why));
    }
    draft.emit(Event::Forgotten { uid });
}
