//! What this machine has as a place.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use holdfast_eventlog::Attachments;

use super::declared::catalog::Shared;
use super::declared::watch::Watcher;
use super::layout::Layout;
use super::publish::Statuses;
use super::workers::Workers;
use crate::operator::Ports;
use crate::place::Trouble;
use crate::ports::clock;
use crate::ports::secrets::Secrets;

/// This machine as a cluster.
pub struct Local {
    pub(super) catalog: Shared,
    pub(super) secrets: Arc<dyn Secrets>,
    pub(super) attachments: Attachments,
    pub(super) volumes: PathBuf,
    pub(super) workers: Workers,
    /// What is started for tasks of storages, and to guard hooks.
    pub(super) program: PathBuf,
    pub(super) statuses: Statuses,
    pub(super) watcher: Watcher,
    pub(super) clock: clock::Handle,
    /// Nobody takes the lead from whoever has the log's lock.
    pub(super) lost: tokio::sync::watch::Sender<bool>,
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

    /// How a command is begun that ends with this process.
    pub(super) fn guard(&self) -> [OsString; 4] {
        [self.program.clone().into(), "work".into(), "--guard".into(), "--".into()]
    }
}

/// Work that holds a thread.
pub(super) async fn blocking<T: Send + 'static>(
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
