//! Effects without a cluster: directories, files and child processes. One effect a file.

mod attempt;
mod backend;
mod document;
mod hook;
mod metadata;
mod place;
mod publish;
mod remove_snapshot;
mod repository;
mod run_hook;
mod survey;
pub mod volumes;
pub mod workers;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use holdfast_engine::{
    Actor, Command, EffectId, Level, Once, Outcome, Recorded, State, StreamKind, Uid,
    configuration, level,
};
use holdfast_eventlog::Ledger;

use self::publish::Publisher;
use self::workers::{Progress, Workers};
use super::{Place, Task};
use crate::operator::dispatcher::Order;
use crate::operator::tasks::Tasks;
use crate::translate::kubestash::object::Published;
use crate::watch::catalog::Shared;

/// Hears of every object whose status may have changed.
pub trait Audience: Send {
    /// An object as it is published now.
    fn published(&mut self, kind: StreamKind, uid: Uid, object: &Published);
}

/// This machine as a cluster.
pub struct Local {
    tasks: Tasks,
    catalog: Shared,
    volumes: PathBuf,
    workers: Workers,
    publisher: Publisher,
    audience: Box<dyn Audience>,
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
    /// A place below `layout`; the ends of workers are awaited as `tasks`.
    #[must_use]
    pub fn new(
        tasks: Tasks,
        catalog: Shared,
        layout: &Layout,
        program: PathBuf,
        audience: Box<dyn Audience>,
        progress: Progress,
    ) -> Self {
        Self {
            tasks,
            catalog,
            volumes: layout.volumes(),
            workers: Workers::new(layout.work(), program, progress),
            publisher: Publisher::new(layout.status()),
            audience,
        }
    }

    /// Looks after the attempts that an earlier operator left: those that have ended become commands, which
    /// have to be taken before any deadline; the others are awaited.
    pub fn adopt(&mut self, state: &State) -> Vec<Order> {
        let mut ended = Vec::new();
        let open = attempt::open_attempts(state);
        let names: BTreeSet<String> = open
            .iter()
            .map(|(attempt, _, _)| crate::translate::job::attempt_name(attempt))
            .collect();
        let waiting = state.outbox.values().filter_map(|once| match once {
            Once::StartWorker { attempt } | Once::StopWorker { attempt } => {
                Some(crate::translate::job::attempt_name(attempt))
            }
            _ => None,
        });
        let keep: BTreeSet<String> = waiting.chain(names).collect();
        self.workers.clean(|name| keep.contains(name));
        for (attempt, worker, session) in open {
            match attempt::ended(&self.workers, &attempt, worker, &session) {
                Some(command) => ended.push(Order::new(Actor::Worker, command)),
                None => attempt::adopt(self, attempt, worker, session),
            }
        }
        ended
    }

    /// Publishes everything anew.
    pub fn publish_all(&mut self, state: &State) {
        for level in level::all(state) {
            if let Level::Object { kind, uid } = level {
                self.publish(state, kind, uid);
            }
        }
        self.publisher.sweep();
    }

    fn publish(&mut self, state: &State, kind: StreamKind, uid: Uid) {
        let catalog = self.catalog.get();
        if let Some(object) = self.publisher.publish(state, &catalog, kind, uid) {
            self.audience.published(kind, uid, &object);
        }
    }
}

impl Place for Local {
    fn task(&mut self, ledger: &Ledger, id: EffectId, once: Once) -> Option<Task> {
        match once {
            Once::InitializeBackend { storage } => backend::initialize(self, ledger, id, storage),
            Once::WipeBackend { storage } => backend::wipe(self, ledger, id, storage),
            Once::InitializeRepository { repository } => {
                repository::initialize(self, ledger, id, repository)
            }
            Once::WipeRepository { repository } => repository::wipe(self, ledger, id, repository),
            Once::Survey { session } => Some(survey::survey(self, ledger, id, session)),
            Once::RunHook { session, run } => Some(run_hook::run(self, ledger, id, session, run)),
            Once::StartWorker { attempt } => Some(attempt::start(self, ledger, id, attempt)),
            Once::StopWorker { attempt } => Some(attempt::stop(self, id, attempt)),
            Once::UploadMetadata { snapshot } => Some(metadata::upload(self, ledger, id, snapshot)),
            Once::RemoveSnapshot { snapshot, .. } => {
                Some(remove_snapshot::remove(self, ledger, id, snapshot))
            }
        }
    }

    fn recorded(&mut self, _: &Ledger, _: &[Recorded]) {}

    fn level(&mut self, ledger: &Ledger, level: Level) -> Option<Command> {
        match level {
            Level::Object { kind, uid } => self.publish(ledger.state(), kind, uid),
            // The wake-up is the dispatcher's own, so there is nothing to set up.
            Level::Scheduler { configuration: uid, session } => {
                ledger.state().schedule(uid, &session)?;
                let outcome = Outcome::Succeeded;
                return Some(Command::Configuration(configuration::Command::SchedulerReported {
                    uid,
                    session,
                    outcome,
                }));
            }
        }
        None
    }
}
