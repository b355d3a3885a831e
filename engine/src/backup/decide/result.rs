//! What a session's work came to.

use alloc::string::String;

use crate::backup::state::Backup;
use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::Stage;
use crate::ids::Uid;
use crate::outcome::{Failure, Outcome};
use crate::snapshot::state::Snapshot;

/// A failure that another try may heal.
pub(crate) fn failure(reason: &str, message: &str) -> Failure {
    Failure { reason: reason.into(), message: message.into(), permanent: false }
}

/// Everything was moved and nothing went wrong: what `OnSuccess` and `OnFailure` look at.
pub(crate) fn has_work_succeeded(draft: &Draft, backup: &Backup) -> bool {
    let whole = |snapshot: &Snapshot| {
        snapshot.total > 0
            && !snapshot.conditions.is_true(Type::BackupIncomplete)
            && snapshot.components.iter().all(|c| c.outcome == Some(Outcome::Succeeded))
    };
    !backup.components.is_empty()
        && backup.components.iter().all(|known| known.outcome == Some(Outcome::Succeeded))
        && backup.snapshots.iter().all(|listed| draft.snapshot(listed.uid).is_some_and(whole))
}

/// Why the work did not succeed, as far as known.
pub(crate) fn first_failure(backup: &Backup) -> Option<String> {
    if backup.conditions.is_true(Type::DeadlineExceeded) {
        return Some("the session's deadline passed".into());
    }
    if let Some(reason) = &backup.cancelled {
        return Some(reason.clone());
    }
    let of_component = backup.components.iter().find_map(|known| match &known.outcome {
        Some(Outcome::Failed(failure)) => {
            Some(alloc::format!("component {}: {}", known.component.name, failure.message))
        }
        _ => None,
    });
    let of_hooks = || match backup.hooks.result(Stage::Pre) {
        Some(Outcome::Failed(failure)) => Some(failure.message.clone()),
        _ => None,
    };
    let of_executor = || {
        let found = backup.conditions.get(Type::BackupExecutorEnsured)?;
        backup.conditions.is_false(Type::BackupExecutorEnsured).then(|| found.message.clone())
    };
    of_component.or_else(of_hooks).or_else(of_executor)
}

/// Trying again cannot help: some component says so.
pub(crate) fn is_permanent(backup: &Backup) -> bool {
    backup
        .components
        .iter()
        .any(|known| matches!(&known.outcome, Some(Outcome::Failed(failure)) if failure.permanent))
}

/// Nobody waits any more for a snapshot's description.
pub(crate) fn give_up_upload(draft: &mut Draft, snapshot: Uid, message: &str) {
    for effect in draft.effects(|once| *once == Once::UploadMetadata { snapshot }) {
        draft.give_up(effect, message);
    }
}
