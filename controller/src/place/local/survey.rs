//! Pods and volumes of a session's target.

use holdfast_engine::outbox::Answer;
use holdfast_engine::survey::Host;
use holdfast_engine::{EffectId, Failure, TypedRef, Uid};
use holdfast_eventlog::Ledger;

use super::Local;
use super::volumes::Volumes;
use crate::place::{Task, answered};

/// Answers from the declared objects.
pub(super) fn survey(local: &Local, ledger: &Ledger, effect: EffectId, session: Uid) -> Task {
    let state = ledger.state();
    let of_backup = state.backups.get(&session);
    let target = match of_backup {
        Some(backup) => backup.plan.as_ref().and_then(|plan| plan.target.clone()),
        None => state.restores.get(&session).and_then(|restore| restore.spec.target.clone()),
    };
    let hosts = hosts(local, target.as_ref());
    Task::known(answered(effect, hosts.map_or_else(Answer::Failed, Answer::Hosts)))
}

fn hosts(local: &Local, target: Option<&TypedRef>) -> Result<Vec<Host>, Failure> {
    let Some(target) = target else {
        return Err(Failure {
            reason: "UnsupportedTarget".into(),
            message: "manifests of a cluster cannot be read without one; name a workload or a claim as target".into(),
            permanent: true,
        });
    };
    let catalog = local.catalog.get();
    let volumes = Volumes { catalog: &catalog, root: &local.volumes };
    let hosts = volumes.hosts(target)?;
    volumes.provide(target, &hosts)?;
    Ok(hosts)
}
