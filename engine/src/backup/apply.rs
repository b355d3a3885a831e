//! Folds backup sessions.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::backup::state::{Backup, Plan, Retention};
use crate::backup::words::WORDS;
use crate::backup::{Event, phase};
use crate::condition::Type;
use crate::event::StreamKind;
use crate::ids::Uid;
use crate::run;
use crate::run::state::Run;
use crate::state::{State, unknown};
use crate::time::Timestamp;

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
    backup.run.come_to(at, step);
    backup.plan = plan.or_else(|| backup.plan.take());
    if backup.is_finished() {
        // It stays for as long as the history does: a copy has no room to spare.
        *backup = backup.clone();
    }
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
    let run = &mut backup.run;
    let facts = &mut run.conditions;
    match event {
        Event::Created { .. } | Event::Archived { .. } => {}
        Event::Run { event } => {
            run::apply::fold(run, &WORDS, at, event)
                .map_err(|reason| format!("{}: {reason}", backup.key))?;
        }
        Event::Skipped { reason, .. } => {
            facts.raise(at, Type::BackupSkipped, reason);
            run.ended_at = Some(at);
        }
        Event::Queued { behind, until, .. } => {
            backup.behind = Some(*behind);
            backup.until = *until;
        }
        Event::Started { deadline, frozen, .. } => {
            backup.behind = None;
            backup.until = None;
            run.started_at = Some(at);
            run.deadline = *deadline;
            run.frozen = frozen.clone();
        }
        Event::SnapshotsEnsured { total, .. } => {
            backup.total_snapshots = *total;
            facts.state(at, Type::SnapshotsEnsured, None);
        }
        Event::SnapshotsNotEnsured { message, .. } => {
            facts.state(at, Type::SnapshotsEnsured, Some(message));
        }
        Event::HistoryCleaned { .. } => facts.state(at, Type::SessionHistoryCleaned, None),
        Event::MetricsPushed { .. } => {
            facts.state(at, Type::MetricsPushed, None);
            run.ended_at = Some(at);
        }
        Event::RetryScheduled { at: when, .. } => backup.retry_at = Some(*when),
        Event::Retried { by, .. } => backup.retried_by = Some(*by),
        Event::RetentionStarted { .. }
        | Event::RetentionApplied { .. }
        | Event::RetentionFailed { .. } => fold_retention(backup, at, event),
    }
    Ok(())
}

fn fold_retention(backup: &mut Backup, at: Timestamp, event: &Event) {
    let facts = &mut backup.run.conditions;
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
        run: Run::default(),
        behind: None,
        until: None,
        plan: None,
        total_snapshots: 0,
        snapshots: Vec::new(),
        retention: Vec::new(),
        retry_at: None,
        retried_by: None,
    })
}
