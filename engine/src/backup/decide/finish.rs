//! The end of a session: its history, its final fact, its retry.

use alloc::vec::Vec;

use crate::backup::Event;
use crate::backup::decide::result;
use crate::backup::phase::{Phase, phase};
use crate::backup::state::Backup;
use crate::configuration;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::time::Timestamp;

/// Why a session is stopped whose object is being deleted; it is archived as soon as it has ended.
pub(crate) const DELETED: &str = "the BackupSession is being deleted";

/// The final step; false, because nothing follows it.
pub(crate) fn finish(draft: &mut Draft, uid: Uid) -> bool {
    clean_history(draft, uid);
    draft.emit(Event::HistoryCleaned { uid });
    draft.emit(Event::MetricsPushed { uid });
    schedule_retry(draft, uid);
    after_end(draft, uid);
    false
}

/// Older finished sessions of the same name leave the state; one whose retry is due stays for it.
fn clean_history(draft: &mut Draft, uid: Uid) {
    let Some(backup) = draft.backup(uid) else { return };
    // The session itself is the newest that is kept.
    let others = history_limit(draft, backup).saturating_sub(1);
    for old in older(draft, backup, |_| true).into_iter().skip(others) {
        draft.emit(Event::Archived { uid: old });
    }
}

/// Skipped sessions among themselves: they must not push the last real one out of the history.
pub(crate) fn clean_skipped(draft: &mut Draft, uid: Uid) {
    let Some(backup) = draft.backup(uid) else { return };
    let others = history_limit(draft, backup).saturating_sub(1);
    let skipped = |other: &Backup| phase(other) == Phase::Skipped;
    for old in older(draft, backup, skipped).into_iter().skip(others) {
        draft.emit(Event::Archived { uid: old });
    }
}

fn history_limit(draft: &Draft, backup: &Backup) -> usize {
    let of_plan = backup.plan.as_ref().map(|plan| plan.spec.history_limit);
    let of_spec = || {
        let known = draft.configuration(backup.configuration)?;
        Some(known.session(&backup.session)?.spec.history_limit)
    };
    let limit = of_plan.or_else(of_spec).unwrap_or(1).max(1);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Finished sessions of the same name, newest first.
fn older(draft: &Draft, backup: &Backup, fits: impl Fn(&Backup) -> bool) -> Vec<Uid> {
    let waits_for_retry = |other: &Backup| other.retry_at.is_some() && other.retried_by.is_none();
    let mut found: Vec<&Backup> = draft
        .backups()
        .filter(|other| {
            other.uid != backup.uid
                && other.configuration == backup.configuration
                && other.session == backup.session
                && other.is_finished()
                && !waits_for_retry(other)
                && fits(other)
        })
        .collect();
    found.sort_by_key(|other| core::cmp::Reverse((other.created_at, other.uid)));
    found.into_iter().map(|other| other.uid).collect()
}

fn schedule_retry(draft: &mut Draft, uid: Uid) {
    if let Some(at) = draft.backup(uid).and_then(|backup| retry_time(draft, backup)) {
        draft.emit(Event::RetryScheduled { uid, at });
    }
}

/// When a failed session is tried again: after the delay, and not past the next slot.
fn retry_time(draft: &Draft, backup: &Backup) -> Option<Timestamp> {
    let hopeless =
        backup.retry_left == 0 || backup.cancelled.is_some() || result::is_permanent(backup);
    if phase(backup) != Phase::Failed || hopeless {
        return None;
    }
    let configuration = draft.configuration(backup.configuration)?;
    if configuration.deleting {
        return None;
    }
    let delay = configuration.session(&backup.session)?.spec.retry?.delay;
    let at = draft.at().plus(delay);
    let schedule = draft.schedule(backup.configuration, &backup.session);
    let next = schedule.and_then(|s| s.next.iter().find(|slot| **slot > draft.at()));
    next.is_none_or(|slot| at < *slot).then_some(at)
}

/// What waits for the end of this session.
pub(crate) fn after_end(draft: &mut Draft, uid: Uid) {
    let Some(backup) = draft.backup(uid) else { return };
    let configuration = backup.configuration;
    if backup.cancelled.as_deref() == Some(DELETED) {
        draft.emit(Event::Archived { uid });
    }
    configuration::decide::finish_deletion(draft, configuration);
}
