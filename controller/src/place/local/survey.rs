//! Pods and volumes of a session's target.

use holdfast_engine::survey::Survey;
use holdfast_engine::{Command, EffectId, Failure, TypedRef, Uid, backup, restore};
use holdfast_eventlog::Ledger;

use super::Local;
use super::volumes::Volumes;
use crate::place::Task;

/// Answers from the declared objects.
pub(super) fn survey(local: &Local, ledger: &Ledger, effect: EffectId, session: Uid) -> Task {
    let state = ledger.state();
    let of_backup = state.backups.get(&session);
    let target = match of_backup {
        Some(backup) => backup.plan.as_ref().and_then(|plan| plan.target.clone()),
        None => state.restores.get(&session).and_then(|restore| restore.spec.target.clone()),
    };
    let survey = hosts(local, target.as_ref());
    Task::known(if of_backup.is_some() {
        Command::Backup(backup::Command::Surveyed { session, effect, survey })
    } else {
        Command::Restore(restore::Command::Surveyed { session, effect, survey })
    })
}

fn hosts(local: &Local, target: Option<&TypedRef>) -> Survey {
    let Some(target) = target else {
        return Survey::Failed(Failure {
            reason: "UnsupportedTarget".into(),
            message: "manifests of a cluster cannot be read without one; name a workload or a claim as target".into(),
            permanent: true,
        });
    };
    let catalog = local.catalog.get();
    let volumes = Volumes { catalog: &catalog, root: &local.volumes };
    let found =
        volumes.hosts(target).and_then(|hosts| volumes.provide(target, &hosts).map(|()| hosts));
    match found {
        Ok(hosts) => Survey::Found { hosts },
        Err(failure) => Survey::Failed(failure),
    }
}
