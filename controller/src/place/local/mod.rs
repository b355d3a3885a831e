//! Effects without a cluster: directories, files and child processes. One effect a file, each a function from a plan to
//! an answer.

mod attempt;
pub mod declared;
mod document;
mod hook;
mod location;
mod publish;
mod run_hook;
mod store;
mod survey;
mod trouble;
pub mod volumes;
pub mod workers;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_api::Kind;
use holdfast_engine::Once;
use holdfast_engine::plan::{Attended, Plan};
use holdfast_engine::{Attempt, EffectId, Key};
use holdfast_eventlog::Attachments;
use serde_json::Value;

use self::declared::catalog::Shared;
use self::declared::watch::Watcher;
use self::publish::Statuses;
use self::workers::Workers;
use super::{Answer, End, Place, Standing, Term, Trigger, Trouble};
use crate::operator::Ports;
use crate::operator::progress::Teller;
use crate::ports::clock;
use crate::ports::secrets::Secrets;
use crate::sighting::Sightings;
use crate::sighting::name::ObjectName;
use crate::translate::job::attempt_name;
use crate::translate::kubestash::object::Published;

/// This machine as a cluster.
pub struct Local {
    catalog: Shared,
    secrets: Arc<dyn Secrets>,
    attachments: Attachments,
    volumes: PathBuf,
    workers: Workers,
    /// What is started for tasks of storages.
    program: PathBuf,
    statuses: Statuses,
    watcher: Watcher,
    clock: clock::Handle,
    /// Nobody takes the lead from whoever has the log's lock.
    lost: tokio::sync::watch::Sender<bool>,
}

/// Directories below the state directory.
#[derive(Clone, Debug)]
pub struct Layout(PathBuf);

impl Layout {
    /// The layout below a directory.
    #[must_use]
    pub fn below(state: &Path) -> Self {
        Self(state.to_path_buf())
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Directories of workers.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// Published objects.
    #[must_use]
    pub fn status(&self) -> PathBuf {
        self.0.join("status")
    }

    /// Volumes of claims that no PersistentVolume stands for.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.0.join("volumes")
    }

    /// The key under which versions of Secrets are recorded.
    #[must_use]
    pub fn version_key(&self) -> PathBuf {
        self.0.join("secret-version.key")
    }
}

impl Local {
    /// A place below `layout` that reads manifests at `manifests`, and whose workers are processes of `program`.
    #[must_use]
    pub fn new(
        manifests: PathBuf,
        layout: &Layout,
        program: PathBuf,
        attachments: Attachments,
        ports: Ports,
    ) -> Self {
        let catalog = Shared::default();
        Self {
            secrets: Arc::new(catalog.clone()),
            attachments,
            volumes: layout.volumes(),
            workers: Workers::new(layout.work(), program.clone(), ports.ids),
            program,
            statuses: Statuses::new(layout.status()),
            watcher: Watcher::new(manifests, catalog.clone()),
            catalog,
            clock: ports.clock,
            lost: tokio::sync::watch::Sender::new(false),
        }
    }
}

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

    async fn publish(&self, object: &Published) -> Result<(), Trouble> {
        self.statuses.publish(object)
    }

    async fn retract(&self, name: &ObjectName) -> Result<(), Trouble> {
        self.statuses.retract(name)
    }

    /// The wake-up is the operator's own, so there is nothing to set up.
    async fn trigger(&self, _: &Trigger) -> Result<(), Trouble> {
        Ok(())
    }

    async fn sweep(&self, known: &[ObjectName]) {
        self.statuses.sweep(known);
    }

    async fn lease(&self) -> Result<Term, Trouble> {
        Ok(Term::new(format!("local-{}", std::process::id()), self.lost.subscribe()))
    }
}

/// Work that holds a thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(broken) => match broken.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The process ends: nobody hears an answer any more.
            Err(_ended) => std::future::pending().await,
        },
    }
}
