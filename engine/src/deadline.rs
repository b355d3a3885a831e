//! When the engine has to be asked again, and about what.
//!
//! Deadlines are no timers: they follow from the state, and a wake-up that comes too early is refused
//! or does nothing.

use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::decide::expiry;
use crate::backup::phase::Step;
use crate::backup::state::Backup;
use crate::condition::Type;
use crate::ids::Uid;
use crate::restore::check;
use crate::restore::decide::expiry as restore_expiry;
use crate::restore::state::Restore;
use crate::state::State;
use crate::time::{Millis, Timestamp};

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A slot of a schedule: evaluate its calendar and submit `schedule::Wake`.
    Slot {
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
        /// The schedule's version.
        version: u32,
    },
    /// Submit `backup::Expire`.
    ExpireBackup {
        /// The session.
        session: Uid,
    },
    /// Submit `backup::Retry`.
    RetryBackup {
        /// The failed session.
        session: Uid,
    },
    /// Submit `backup::Resume`.
    ResumeBackup {
        /// The waiting session.
        session: Uid,
    },
    /// Submit `restore::Expire`.
    ExpireRestore {
        /// The restore.
        session: Uid,
    },
    /// Submit `restore::Reconcile`: what it waited for is there, or is gone.
    ReconcileRestore {
        /// The restore.
        uid: Uid,
    },
}

/// When something is due next; absent: not before another event. An instant that has passed means now.
///
/// `slot_grace` is how long a slot is left to a trigger from outside (a CronJob); zero without one.
#[must_use]
pub fn next_wakeup(state: &State, slot_grace: Millis) -> Option<Timestamp> {
    wakeups(state, slot_grace).map(|(when, _)| when).min()
}

/// What is due now, in order of its time.
#[must_use]
pub fn due(state: &State, now: Timestamp, slot_grace: Millis) -> Vec<Due> {
    let mut due: Vec<(Timestamp, Due)> =
        wakeups(state, slot_grace).filter(|(when, _)| *when <= now).collect();
    due.sort();
    due.into_iter().map(|(_, due)| due).collect()
}

fn wakeups(state: &State, grace: Millis) -> impl Iterator<Item = (Timestamp, Due)> {
    slots(state, grace)
        .chain(state.backups.values().flat_map(move |backup| of_backup(state, backup)))
        .chain(state.restores.values().filter_map(move |restore| of_restore(state, restore)))
}

fn of_restore(state: &State, restore: &Restore) -> Option<(Timestamp, Due)> {
    let session = restore.uid;
    if check::is_stale(state, restore) {
        return Some((state.last_at, Due::ReconcileRestore { uid: session }));
    }
    Some((restore_expiry(restore)?, Due::ExpireRestore { session }))
}

/// Slots of configurations that take them: valid, not paused, not suspended.
fn slots(state: &State, grace: Millis) -> impl Iterator<Item = (Timestamp, Due)> {
    let awake = state.schedules.iter().filter_map(|(uid, schedules)| {
        let known = state.configurations.get(uid)?;
        let valid = known.conditions.is_true(Type::ValidationPassed);
        (valid && !known.deleting && !known.is_paused()).then_some((known, schedules))
    });
    awake.flat_map(move |(known, schedules)| {
        schedules.iter().filter_map(move |(session, schedule)| {
            let scheduler = known.session(session)?.spec.scheduler.as_ref()?;
            let slot = *schedule.next.first()?;
            let taken = schedule.last_slot.is_some_and(|last| slot <= last);
            // A slot that was taken from outside only asks for the ones after it.
            let when = if taken { slot } else { slot.plus(grace) };
            let due = Due::Slot {
                configuration: known.uid,
                session: session.clone(),
                version: schedule.version,
            };
            (!scheduler.suspend).then_some((when, due))
        })
    })
}

fn of_backup(state: &State, backup: &Backup) -> Vec<(Timestamp, Due)> {
    let session = backup.uid;
    let mut due = Vec::new();
    due.extend(expiry(backup).map(|when| (when, Due::ExpireBackup { session })));
    let configuration = state.configurations.get(&backup.configuration);
    // A retry would be refused while its configuration goes: it must not be due until that is gone.
    if backup.retried_by.is_none() && configuration.is_some_and(|known| !known.deleting) {
        due.extend(backup.retry_at.map(|when| (when, Due::RetryBackup { session })));
    }
    if backup.step == Step::Queued {
        let behind = backup.behind.and_then(|behind| state.backups.get(&behind));
        if behind.is_none_or(Backup::is_finished) {
            due.push((state.last_at, Due::ResumeBackup { session }));
        }
    }
    due
}
