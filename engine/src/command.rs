//! What can be asked of the engine, one variant per aggregate.

use serde::{Deserialize, Serialize};

use crate::{
    backup, binding, configuration, dependency, hook, lease, namespace, outbox, reaction,
    repository, restore, retention, run, schedule, snapshot, storage,
};

/// A request to record something; [`crate::decide`] answers with events or a rejection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is its aggregate's own word")]
pub enum Command {
    Lease(lease::Command),
    Namespace(namespace::Command),
    Dependency(dependency::Command),
    Storage(storage::Command),
    Retention(retention::Command),
    Hook(hook::Command),
    Configuration(configuration::Command),
    Schedule(schedule::Command),
    Repository(repository::Command),
    Backup(backup::Command),
    Snapshot(snapshot::Command),
    Restore(restore::Command),
    Run(run::Command),
    Outbox(outbox::Command),
    Binding(binding::Command),
    Reaction(reaction::Command),
}
