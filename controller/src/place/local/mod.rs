//! Effects without a cluster: directories, files and child processes. One effect a file, each a function from a plan to
//! an answer.

mod attempt;
pub mod declared;
mod document;
mod hook;
mod layout;
mod location;
mod machine;
mod publish;
mod run_hook;
mod store;
mod survey;
mod trouble;
pub mod volumes;
pub mod workers;

use std::collections::BTreeSet;

use holdfast_api::Kind;
use holdfast_engine::Once;
use holdfast_engine::plan::{Attended, Plan};
use holdfast_engine::{Attempt, EffectId, Key, Uid};
use serde_json::Value;

pub use layout::Layout;
pub use machine::Local;

use super::{Answer, End, Place, Standing, Term, Trigger, Trouble};
use crate::operator::progress::Teller;
use crate::sighting::Sightings;
use crate::sighting::name::ObjectName;
use crate::translate::job::attempt_name;
use crate::translate::kubestash::object::Published;

impl Place for Local {
    async fn watch(&self) -> Sightings {
        self.watcher.next().await
    }

    async fn carry_out(&self, _: EffectId, plan: Plan) -> Result<Answer, Trouble> {
        match plan {
            Plan::InitializeBackend(storage) => store::initialize_backend(self, *storage).await,
            Plan::WipeBackend(storage) => store::wipe_backend(self, storage).await,
            Plan::InitializeRepository(repository) => {
                let (place, described) = *repository;
                store::initialize_repository(self, place, described).await
            }
            Plan::WipeRepository(place) => store::wipe_repository(self, *place).await,
            Plan::Survey(target) => survey::survey(self, target).await,
            Plan::RunHook(hook) => run_hook::run(self, *hook).await,
            Plan::StartBackup(work) => attempt::start_backup(self, *work).await,
            Plan::StartRestore(work) => attempt::start_restore(self, *work).await,
            Plan::StopWorker(attempt) => {
                self.workers.stop(&attempt).await;
                Ok(Answer::Done)
            }
            Plan::UploadMetadata(metadata) => store::upload_metadata(self, *metadata).await,
            Plan::RemoveSnapshot(Some(doomed)) => store::remove_snapshot(self, *doomed).await,
            Plan::RemoveSnapshot(None) => Ok(Answer::Done),
        }
    }

    /// What works at a storage is a child, which ends with its future; so does what a hook started.
    fn ends_when_dropped(&self, once: &Once) -> bool {
        match once {
            Once::RunHook { .. }
            | Once::InitializeBackend { .. }
            | Once::InitializeRepository { .. }
            | Once::UploadMetadata { .. }
            | Once::RemoveSnapshot { .. }
            | Once::WipeRepository { .. }
            | Once::WipeBackend { .. } => true,
            Once::Survey { .. } | Once::StartWorker { .. } | Once::StopWorker { .. } => false,
        }
    }

    async fn attend(&self, attended: &Attended, teller: &Teller) -> End {
        self.workers.wait(&attended.attempt, |update| teller.tell(update)).await
    }

    async fn survey(&self, attended: &Attended) -> Standing {
        self.workers.ended(&attended.attempt).map_or(Standing::Works, Standing::Ended)
    }

    async fn release(&self, attempt: &Attempt) {
        if let Err(error) = self.workers.remove(attempt) {
            tracing::warn!(%error, "the directory of a finished worker stays");
        }
    }

    async fn tidy(&self, known: &[Attempt]) {
        let keep: BTreeSet<String> = known.iter().map(attempt_name).collect();
        self.workers.clean(|name| keep.contains(name));
    }

    fn declared(&self, kind: Kind, key: &Key) -> Option<Value> {
        self.catalog.get().get(&ObjectName::own(kind, key)).cloned()
    }

    /// A file has no uid: the object keeps its own.
    async fn publish(&self, object: &Published) -> Result<Option<Uid>, Trouble> {
        self.statuses.publish(object).map(|()| None)
    }

    async fn retract(&self, name: &ObjectName, _: Option<Uid>) -> Result<(), Trouble> {
        self.statuses.retract(name)
    }

    /// The wake-up is the operator's own, so there is nothing to set up.
    async fn trigger(&self, _: &Trigger) -> Result<Option<Uid>, Trouble> {
        Ok(None)
    }

    async fn sweep(&self, known: &[ObjectName]) {
        self.statuses.sweep(known);
    }

    async fn lease(&self) -> Result<Term, Trouble> {
        Ok(Term::new(format!("local-{}", std::process::id()), self.lost.subscribe()))
    }
}
