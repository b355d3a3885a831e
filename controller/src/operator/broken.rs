//! What is reported of an effect whose work broke off: a failure with its reason, as if the place had told it.

use holdfast_engine::effect::Once;
use holdfast_engine::repository::{Initialization, Wipe};
use holdfast_engine::survey::Survey;
use holdfast_engine::{
    Command, EffectId, Failure, Outcome, State, Uid, backup, outbox, repository, restore, snapshot,
    storage,
};

/// The reason of a failure that is a defect of ours.
pub const REASON: &str = "EffectBrokeOff";

/// The failure of a panic.
#[must_use]
pub fn failure(words: &str) -> Failure {
    Failure {
        reason: REASON.into(),
        message: format!("the operator's own code broke off: {words}"),
        permanent: false,
    }
}

/// The report of a failure, by what was to be done.
#[must_use]
pub fn report(state: &State, effect: EffectId, once: &Once, failure: Failure) -> Command {
    let is_backup = |session: &Uid| state.backups.contains_key(session);
    let outcome = |failure| Outcome::Failed(failure);
    match once.clone() {
        Once::InitializeBackend { storage: uid } => {
            let outcome = outcome(failure);
            Command::Storage(storage::Command::BackendReported { uid, effect, outcome })
        }
        Once::WipeBackend { storage: uid } => {
            let outcome = outcome(failure);
            Command::Storage(storage::Command::WipeReported { uid, effect, outcome })
        }
        Once::InitializeRepository { repository: uid } => {
            let result = Initialization::Failed(failure);
            Command::Repository(repository::Command::InitializationReported { uid, effect, result })
        }
        Once::WipeRepository { repository: uid } => {
            let result = Wipe::Failed(failure);
            Command::Repository(repository::Command::WipeReported { uid, effect, result })
        }
        Once::Survey { session } => {
            let survey = Survey::Failed(failure);
            match is_backup(&session) {
                true => Command::Backup(backup::Command::Surveyed { session, effect, survey }),
                false => Command::Restore(restore::Command::Surveyed { session, effect, survey }),
            }
        }
        Once::RunHook { session, run } => hook(is_backup(&session), session, effect, run, failure),
        Once::StartWorker { attempt } => match is_backup(&attempt.session) {
            true => Command::Backup(backup::Command::WorkerNotStarted { attempt, effect, failure }),
            false => {
                Command::Restore(restore::Command::WorkerNotStarted { attempt, effect, failure })
            }
        },
        Once::StopWorker { .. } => {
            Command::Outbox(outbox::Command::Fail { effect, message: failure.message })
        }
        Once::UploadMetadata { snapshot: uid } => {
            let outcome = outcome(failure);
            Command::Snapshot(snapshot::Command::MetadataReported { uid, effect, outcome })
        }
        Once::RemoveSnapshot { snapshot: uid, by } => {
            let outcome = outcome(failure);
            match by {
                Some(session) => Command::Backup(backup::Command::RemovalReported {
                    session,
                    effect,
                    snapshot: uid,
                    outcome,
                }),
                None => {
                    Command::Snapshot(snapshot::Command::RemovalReported { uid, effect, outcome })
                }
            }
        }
    }
}

fn hook(
    is_backup: bool,
    session: Uid,
    effect: EffectId,
    run: holdfast_engine::hook::Run,
    failure: Failure,
) -> Command {
    let outcome = Outcome::Failed(failure);
    match is_backup {
        true => Command::Backup(backup::Command::HookReported { session, effect, run, outcome }),
        false => Command::Restore(restore::Command::HookReported { session, effect, run, outcome }),
    }
}
