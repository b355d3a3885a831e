//! Retention at the end of a session: for each of its repositories, over the snapshots of this
//! session's name (behaviour reference, section 7).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::Event;
use crate::backup::state::{Backup, SnapshotSummary};
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{Key, Uid};
use crate::retention::select::{self, Candidate, Standing};
use crate::snapshot;
use crate::snapshot::phase::{Phase, phase};

/// Begins retention in every repository of the session.
pub(crate) fn begin(draft: &mut Draft, backup: &Backup) {
    for listed in &backup.snapshots {
        let (uid, repository) = (backup.uid, listed.repository);
        let Some(policy) = policy_of(draft, backup, repository) else { continue };
        match removals(draft, backup, listed, &policy) {
            Err(message) => {
                draft.emit(Event::RetentionFailed { uid, repository, policy, message });
            }
            Ok(removals) => {
                let removing = u32::try_from(removals.len()).unwrap_or(u32::MAX);
                draft.emit(Event::RetentionStarted { uid, repository, policy, removing });
                for snapshot in removals {
                    draft.emit(snapshot::Event::RemovalRequested {
                        uid: snapshot,
                        by: Some(uid),
                        wipe: true,
                    });
                }
            }
        }
    }
}

fn policy_of(draft: &Draft, backup: &Backup, repository: Uid) -> Option<Key> {
    let plan = backup.plan.as_ref()?;
    let name = &draft.repository(repository)?.key.name;
    let wanted = plan.spec.repositories.iter().find(|wanted| wanted.name == *name)?;
    let backend = plan.backends.iter().find(|backend| backend.name == wanted.backend)?;
    Some(backend.retention.clone())
}

fn removals(
    draft: &Draft,
    backup: &Backup,
    listed: &SnapshotSummary,
    policy: &Key,
) -> Result<Vec<Uid>, String> {
    let Some(found) = draft.retention_named(policy) else {
        return Err(format!("RetentionPolicy {policy} not found"));
    };
    if let Some(invalid) = &found.spec.invalid {
        return Err(format!("RetentionPolicy {policy}: {invalid}"));
    }
    let candidates: Vec<Candidate> = draft
        .snapshots()
        .filter(|snapshot| {
            snapshot.repository == listed.repository && snapshot.session == backup.session
        })
        .filter(|snapshot| snapshot.removal.as_ref().is_none_or(|asked| asked.error.is_some()))
        .map(|snapshot| Candidate {
            uid: snapshot.uid,
            name: snapshot.key.name.clone(),
            taken: snapshot.taken,
            standing: match phase(snapshot) {
                Phase::Pending | Phase::Running => Standing::Unfinished,
                Phase::Succeeded => Standing::Succeeded,
                Phase::Failed => Standing::Failed,
            },
        })
        .collect();
    let chosen = select::removals(&found.spec, draft.at(), &candidates)
        .map_err(|error| format!("RetentionPolicy {policy}: {error}"))?;
    // A snapshot that is being restored outlives its policy by one session.
    Ok(chosen.into_iter().filter(|uid| snapshot::decide::reader(draft, *uid).is_none()).collect())
}

/// Records what is through; true when nothing is waited for.
pub(crate) fn conclude(draft: &mut Draft, backup: &Backup) -> bool {
    let uid = backup.uid;
    let open: Vec<(Uid, Key)> = backup
        .retention
        .iter()
        .filter(|entry| entry.result.is_none())
        .map(|entry| (entry.repository, entry.policy.clone()))
        .collect();
    let mut all = true;
    for (repository, policy) in open {
        let asked: Vec<Option<String>> = draft
            .snapshots()
            .filter(|snapshot| snapshot.repository == repository)
            .filter_map(|snapshot| snapshot.removal.as_ref())
            .filter(|removal| removal.by == Some(uid))
            .map(|removal| removal.error.clone())
            .collect();
        if asked.iter().any(Option::is_none) {
            all = false;
        } else if let Some(message) = asked.into_iter().flatten().next() {
            draft.emit(Event::RetentionFailed { uid, repository, policy, message });
        } else {
            draft.emit(Event::RetentionApplied { uid, repository });
        }
    }
    all
}

/// Ends what is still waited for as failed.
pub(crate) fn give_up(draft: &mut Draft, uid: Uid, message: &str) {
    let pending: Vec<Uid> = draft
        .snapshots()
        .filter(|snapshot| {
            let asked = snapshot.removal.as_ref();
            asked.is_some_and(|removal| removal.by == Some(uid) && removal.error.is_none())
        })
        .map(|snapshot| snapshot.uid)
        .collect();
    for snapshot in pending {
        let asked = Once::RemoveSnapshot { snapshot, by: Some(uid) };
        for effect in draft.effects(|once| *once == asked) {
            draft.give_up(effect, message);
        }
        draft.emit(snapshot::Event::RemovalFailed { uid: snapshot, message: message.into() });
    }
}
