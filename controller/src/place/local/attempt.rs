//! Workers of attempts: given a job and started.

use holdfast_engine::backup::Worker;
use holdfast_engine::plan::{BackupWork, RestoreWork};
use holdfast_engine::survey::Volume;
use holdfast_engine::{Attempt, Failure, TypedRef};
use holdfast_executor::job::Job;

use super::machine::Local;
use super::volumes::Volumes;
use crate::place::{Answer, Trouble};
use crate::translate::job::{self, BackupOrder, Mounted, RestoreOrder};

/// Starts a worker that backs up.
pub(super) async fn start_backup(local: &Local, plan: BackupWork) -> Result<Answer, Trouble> {
    let mut places = Vec::with_capacity(plan.repositories.len());
    for repository in &plan.repositories {
        places.push(local.place(repository).await?);
    }
    let mounted = mounted(local, plan.target.as_ref(), &plan.component.volumes)?;
    let at = local.clock.nanos();
    let job = job::backup(BackupOrder { plan: &plan, at, places, mounted })?;
    start(local, &plan.attempt, &job).await
}

/// Starts a worker that restores.
pub(super) async fn start_restore(local: &Local, plan: RestoreWork) -> Result<Answer, Trouble> {
    let place = local.place(&plan.repository).await?;
    let mounted = mounted(local, plan.target.as_ref(), &plan.component.volumes)?;
    let at = local.clock.nanos();
    let job = job::restore(RestoreOrder { plan: &plan, at, place, mounted })?;
    start(local, &plan.attempt, &job).await
}

async fn start(local: &Local, attempt: &Attempt, job: &Job) -> Result<Answer, Trouble> {
    let uid = local.workers.start(attempt, job).await?;
    Ok(Answer::Worker(Worker { job: uid, pod: uid }))
}

fn mounted(
    local: &Local,
    target: Option<&TypedRef>,
    volumes: &[Volume],
) -> Result<Vec<Mounted>, Failure> {
    let Some(target) = target else { return Ok(Vec::new()) };
    let catalog = local.catalog.get();
    let resolver = Volumes { catalog: &catalog, root: &local.volumes };
    let mounted = volumes.iter().map(|volume| {
        Ok(Mounted { volume: volume.clone(), directory: resolver.directory(target, volume)? })
    });
    mounted.collect()
}
