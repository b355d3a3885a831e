//! What came of an effect, in the words that places have for it, and the engine's commands for them.

use holdfast_engine::backup::Worker;
use holdfast_engine::effect::Once;
use holdfast_engine::repository::{Initialization, Wipe};
use holdfast_engine::survey::{Host, Survey};
use holdfast_engine::{
    Command, EffectId, Failure, Outcome, State, Uid, backup, hook, outbox, repository, restore,
    snapshot, storage,
};

/// What came of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done, and nothing more is to be said.
    Done,
    /// It was not done.
    Failed(Failure),
    /// The repository opens, and this is its identity.
    Repository {
        /// Its identity.
        id: Uid,
    },
    /// The hosts of a target.
    Hosts(Vec<Host>),
    /// The worker that was started.
    Worker(Worker),
}

/// The command that records an answer; none when nobody waits for it any more.
#[must_use]
pub fn command(state: &State, effect: EffectId, answer: Answer) -> Option<Command> {
    let is_backup = |session: &Uid| state.backups.contains_key(session);
    let command = match state.outbox.get(&effect)?.clone() {
        Once::InitializeBackend { storage: uid } => {
            let outcome = outcome(answer);
            Command::Storage(storage::Command::BackendReported { uid, effect, outcome })
        }
        Once::WipeBackend { storage: uid } => {
            let outcome = outcome(answer);
            Command::Storage(storage::Command::WipeReported { uid, effect, outcome })
        }
        Once::InitializeRepository { repository: uid } => {
            let result = match answer {
                Answer::Repository { id } => Initialization::Ready { id },
                other => Initialization::Failed(unfit(other)),
            };
            Command::Repository(repository::Command::InitializationReported { uid, effect, result })
        }
        Once::WipeRepository { repository: uid } => {
            let result = match outcome(answer) {
                Outcome::Succeeded => Wipe::Done,
                Outcome::Failed(failure) => Wipe::Failed(failure),
            };
            Command::Repository(repository::Command::WipeReported { uid, effect, result })
        }
        Once::Survey { session } => {
            let survey = match answer {
                Answer::Hosts(hosts) => Survey::Found { hosts },
                other => Survey::Failed(unfit(other)),
            };
            match is_backup(&session) {
                true => Command::Backup(backup::Command::Surveyed { session, effect, survey }),
                false => Command::Restore(restore::Command::Surveyed { session, effect, survey }),
            }
        }
        Once::RunHook { session, run } => {
            hook(is_backup(&session), session, effect, run, outcome(answer))
        }
        Once::StartWorker { attempt } => match (is_backup(&attempt.session), answer) {
            (true, Answer::Worker(worker)) => {
                Command::Backup(backup::Command::WorkerStarted { attempt, effect, worker })
            }
            (false, Answer::Worker(worker)) => {
                Command::Restore(restore::Command::WorkerStarted { attempt, effect, worker })
            }
            (true, other) => {
                let failure = unfit(other);
                Command::Backup(backup::Command::WorkerNotStarted { attempt, effect, failure })
            }
            (false, other) => {
                let failure = unfit(other);
                Command::Restore(restore::Command::WorkerNotStarted { attempt, effect, failure })
            }
        },
        Once::StopWorker { .. } => Command::Outbox(match outcome(answer) {
            Outcome::Succeeded => outbox::Command::Done { effect },
            Outcome::Failed(failure) => outbox::Command::Fail { effect, message: failure.message },
        }),
        Once::UploadMetadata { snapshot: uid } => {
            let outcome = outcome(answer);
            Command::Snapshot(snapshot::Command::MetadataReported { uid, effect, outcome })
        }
        Once::RemoveSnapshot { snapshot: uid, by } => removal(uid, by, effect, outcome(answer)),
    };
    Some(command)
}

fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::Done => Outcome::Succeeded,
        other => Outcome::Failed(unfit(other)),
    }
}

/// The failure of an answer that is none, or that belongs to another effect.
fn unfit(answer: Answer) -> Failure {
    match answer {
        Answer::Failed(failure) => failure,
        other => Failure {
            reason: "UnfitAnswer".into(),
            message: format!("the place answered {other:?}, which is no answer to this"),
            permanent: true,
        },
    }
}

fn hook(
    is_backup: bool,
    session: Uid,
    effect: EffectId,
    run: hook::Run,
    outcome: Outcome,
) -> Command {
    match is_backup {
        true => Command::Backup(backup::Command::HookReported { session, effect, run, outcome }),
        false => Command::Restore(restore::Command::HookReported { session, effect, run, outcome }),
    }
}

fn removal(snapshot: Uid, by: Option<Uid>, effect: EffectId, outcome: Outcome) -> Command {
    match by {
        Some(session) => {
            Command::Backup(backup::Command::RemovalReported { session, effect, snapshot, outcome })
        }
        None => {
            let uid = snapshot;
            Command::Snapshot(snapshot::Command::RemovalReported { uid, effect, outcome })
        }
    }
}
