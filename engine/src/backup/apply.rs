//! Folds backup sessions.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::apply::unknown;
use crate::backup::state::{Backup, Plan, Retention};
use crate::backup::{Event, Frozen, phase};
use crate::condition::{Conditions, Type};
use crate::event::StreamKind;
use crate::hook::Stage;
use crate::hook::run::Progress;
use crate::ids::Uid;
use crate::state::State;
use crate::time::Timestamp;
use crate::work::{self, ComponentState, Misfit};

/// Folds one event.
pub(crate) fn apply(state: &mut State, at: Timestamp, event: &Event) -> Result<(), String> {
    let uid = event.uid();
    if let Event::Created { key, .. } = event {
        if state.backups.contains_key(&uid) {
            return Err(format!("backup session {uid} exists already"));
        }
        let backup = create(at, event).ok_or_else(|| unknown("backup session", uid))?;
        state.backups.insert(uid, backup);
        state.take_name(StreamKind::Backup, key, uid);
        return Ok(());
    }
    let plan = match event {
        Event::Started { .. } => Some(plan_of(state, uid)?),
        _ => None,
    };
    let backup = state.backups.get_mut(&uid).ok_or_else(|| unknown("backup session", uid))?;
    let step = phase::next(backup.step, event).map_err(|illegal| illegal.to_string())?;
    fold(backup, at, event)?;
    backup.come_to(at, step);
    backup.plan = plan.or_else(|| backup.plan.take());
    if let Event::Archived { .. } = event
        && let Some(gone) = state.backups.remove(&uid)
    {
        state.drop_name(StreamKind::Backup, &gone.key, uid);
    }
    Ok(())
}

/// A running session does not follow changes of its configuration.
pub(crate) fn plan_of(state: &State, uid: Uid) -> Result<Plan, String> {
    let backup = state.backups.get(&uid).ok_or_else(|| unknown("backup session", uid))?;
    let configuration = state
        .configurations
        .get(&backup.configuration)
        .ok_or_else(|| unknown("configuration", backup.configuration))?;
    let session = configuration
        .session(&backup.session)
        .ok_or_else(|| format!("no session {:?} in {}", backup.session, configuration.key))?;
    Ok(Plan {
        target: configuration.target.clone(),
        spec: session.spec.clone(),
        backends: configuration.resolved_backends(),
        allow_partial: configuration.allow_partial,
    })
}

pub(crate) fn fold(backup: &mut Backup, at: Timestamp, event: &Event) -> Result<(), String> {
    let facts = &mut backup.conditions;
    match event {
        Event::Created { .. } | Event::Archived { .. } => {}
        Event::Skipped { reason, .. } => {
            facts.raise(at, Type::BackupSkipped, reason);
            backup.ended_at = Some(at);
        }
        Event::Queued { behind, until, .. } => {
            backup.behind = Some(*behind);
            backup.until = *until;
        }
        Event::Started { deadline, frozen, .. } => {
            backup.behind = None;
            backup.until = None;
            backup.started_at = Some(at);
            backup.deadline = *deadline;
            backup.frozen = frozen.clone();
        }
        Event::SnapshotsEnsured { total, .. } => {
            backup.total_snapshots = *total;
            facts.state(at, Type::SnapshotsEnsured, None);
        }
        Event::SnapshotsNotEnsured { message, .. } => {
            facts.state(at, Type::SnapshotsEnsured, Some(message));
        }
        Event::Surveyed { components, .. } => backup.total_components = *components,
        Event::HooksFinished { stage, outcome, .. } => {
            backup.hooks.finish(*stage, outcome);
            facts.state(at, hooks_condition(*stage), outcome.problem());
        }
        Event::ExecutorEnsured { .. } => facts.state(at, Type::BackupExecutorEnsured, None),
        Event::ExecutorNotEnsured { message, .. } => {
            facts.state(at, Type::BackupExecutorEnsured, Some(message));
        }
        Event::DeadlineExceeded { .. } => {
            facts.raise(at, Type::DeadlineExceeded, "The session did not end in time.");
        }
        Event::Cancelled { cause, .. } => backup.cancelled = Some(cause.clone()),
        Event::HistoryCleaned { .. } => facts.state(at, Type::SessionHistoryCleaned, None),
        Event::MetricsPushed { .. } => {
            facts.state(at, Type::MetricsPushed, None);
            backup.ended_at = Some(at);
        }
        Event::RetryScheduled { at: when, .. } => backup.retry_at = Some(*when),
        Event::Retried { by, .. } => backup.retried_by = Some(*by),
        Event::HookStarted { run, .. } => backup.hooks.start(at, *run),
        Event::HookEnded { run, outcome, .. } => {
            if !backup.hooks.end(*run, outcome) {
                return Err(format!("no hook {run:?} is running in {}", backup.key));
            }
        }
        Event::ComponentPlanned { .. }
        | Event::AttemptStarted { .. }
        | Event::WorkerObserved { .. }
        | Event::ComponentEnded { .. } => {
            let key = backup.key.clone();
            fold_component(backup, at, event).map_err(|misfit| format!("{key}: {misfit}"))?;
        }
        Event::RetentionStarted { .. }
        | Event::RetentionApplied { .. }
        | Event::RetentionFailed { .. } => fold_retention(backup, at, event),
    }
    Ok(())
}

fn fold_component(backup: &mut Backup, at: Timestamp, event: &Event) -> Result<(), Misfit> {
    let all = &mut backup.components;
    match event {
        Event::ComponentPlanned { component, .. } => {
            all.push(ComponentState::planned(component.name.clone(), component.clone()));
            Ok(())
        }
        Event::AttemptStarted { component, number, .. } => work::begin(all, at, component, *number),
        Event::WorkerObserved { component, number, worker, .. } => {
            work::observe(all, component, *number, *worker)
        }
        Event::ComponentEnded { component, outcome, duration, .. } => {
            work::end(all, component, outcome, *duration)
        }
        _ => Ok(()),
    }
}

fn fold_retention(backup: &mut Backup, at: Timestamp, event: &Event) {
    let facts = &mut backup.conditions;
    match event {
        Event::RetentionStarted { repository, policy, removing, .. } => {
            facts.state(at, Type::RetentionPolicyExecutorEnsured, None);
            backup.retention.push(Retention {
                repository: *repository,
                policy: policy.clone(),
                removing: *removing,
                result: None,
            });
        }
        Event::RetentionApplied { repository, .. } => {
            let entry = backup.retention.iter_mut().find(|known| known.repository == *repository);
            if let Some(entry) = entry {
                entry.result = Some(Ok(()));
            }
        }
        Event::RetentionFailed { repository, policy, message, .. } => {
            let result = Some(Err(message.clone()));
            match backup.retention.iter_mut().find(|known| known.repository == *repository) {
                Some(entry) => entry.result = result,
                None => backup.retention.push(Retention {
                    repository: *repository,
                    policy: policy.clone(),
                    removing: 0,
                    result,
                }),
            }
        }
        _ => {}
    }
}

fn hooks_condition(stage: Stage) -> Type {
    match stage {
        Stage::Pre => Type::PreBackupHooksExecutionSucceeded,
        Stage::Post => Type::PostBackupHooksExecutionSucceeded,
    }
}

fn create(at: Timestamp, event: &Event) -> Option<Backup> {
    let Event::Created { uid, key, configuration, session, trigger, retry_left, timeout } = event
    else {
        return None;
    };
    Some(Backup {
        uid: *uid,
        key: key.clone(),
        configuration: *configuration,
        session: session.clone(),
        trigger: trigger.clone(),
        retry_left: *retry_left,
        timeout: *timeout,
        created_at: at,
        step: phase::Step::Created,
        behind: None,
        until: None,
        started_at: None,
        deadline: None,
        frozen: Frozen::default(),
        plan: None,
        total_snapshots: 0,
        snapshots: Vec::new(),
        total_components: 0,
        components: Vec::new(),
        hooks: Progress::default(),
        retention: Vec::new(),
        conditions: Conditions::default(),
        cancelled: None,
        work_ended_at: None,
        ended_at: None,
        retry_at: None,
        retried_by: None,
    })
}
