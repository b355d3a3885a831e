//! Decides on slots.
//!
//! A slot is taken once: by a wake-up of ours, or by the BackupSession that a CronJob made for it. Of
//! several that passed unused only the latest is caught up.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::{self, Trigger};
use crate::configuration::state::Configuration;
use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::{Key, Uid};
use crate::limits;
use crate::names;
use crate::rejection::Rejection;
use crate::schedule::{Command, Event};
use crate::time::Timestamp;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    let Command::Wake { configuration: uid, session, version, slot, missed, next } = command;
    let Some(schedule) = draft.schedule(*uid, session) else {
        return Err(Rejection::conflict(session, "it has no schedule"));
    };
    if schedule.version != *version {
        let current = schedule.version;
        return Err(Rejection::conflict(
            session,
            format!("version {version} of its schedule is stale, the current one is {current}"),
        ));
    }
    if *slot > draft.at() {
        return Err(Rejection::conflict(session, "its slot has not come yet"));
    }
    let next: Vec<Timestamp> = next.iter().take(limits::SLOTS_AHEAD).copied().collect();
    let taken = schedule.last_slot.is_some_and(|last| *slot <= last);
    if taken {
        // A trigger from outside took it and brought no new slots: the calendar was asked for them.
        let last = schedule.last_slot.unwrap_or(*slot);
        draft.emit(Event::SlotTaken {
            configuration: *uid,
            session: session.clone(),
            slot: last,
            next,
        });
        return Ok(());
    }
    if *missed > 0 {
        let last = *slot;
        draft.emit(missed_event(*uid, session, *missed, last));
    }
    draft.emit(Event::SlotTaken {
        configuration: *uid,
        session: session.clone(),
        slot: *slot,
        next,
    });
    let Some(configuration) = draft.configuration(*uid) else { return Ok(()) };
    let (key, late) =
        (configuration.key.clone(), too_late(configuration, session, *slot, draft.at()));
    let backup = draft.mint();
    let name = free_name(draft, &key, session, *slot);
    let request = backup::decide::Request {
        uid: backup,
        key: Key::new(key.namespace, name),
        configuration: *uid,
        session: session.clone(),
        trigger: Trigger::Slot { slot: *slot },
        retry_left: None,
        timeout: None,
    };
    backup::decide::open(draft, request, late);
    Ok(())
}

/// Takes the slot for which a BackupSession was made outside; the reason why that session must not
/// run, if there is one.
pub(crate) fn take(draft: &mut Draft, uid: Uid, session: &str, slot: Timestamp) -> Option<String> {
    let schedule = draft.schedule(uid, session)?;
    if schedule.last_slot.is_some_and(|last| slot <= last) {
        return Some(format!("its slot, {} s since 1970, was taken before", slot.unix_seconds()));
    }
    let passed = schedule.next.iter().filter(|ahead| **ahead < slot);
    let missed = u32::try_from(passed.count()).unwrap_or(u32::MAX);
    let mut next: Vec<Timestamp> =
        schedule.next.iter().filter(|ahead| **ahead > slot).copied().collect();
    if next.is_empty() {
        // One slot that has passed says: ask the calendar again.
        next.push(slot);
    }
    if missed > 0 {
        draft.emit(missed_event(uid, session, missed, slot));
    }
    draft.emit(Event::SlotTaken { configuration: uid, session: session.into(), slot, next });
    let configuration = draft.configuration(uid)?;
    too_late(configuration, session, slot, draft.at())
}

fn missed_event(configuration: Uid, session: &str, count: u32, last: Timestamp) -> Event {
    Event::SlotsMissed { configuration, session: session.into(), count, last }
}

/// Why a slot is not caught up any more.
fn too_late(
    configuration: &Configuration,
    session: &str,
    slot: Timestamp,
    now: Timestamp,
) -> Option<String> {
    if configuration.resumed_at.is_some_and(|resumed| slot < resumed) {
        return Some("its slot passed while the configuration was paused".into());
    }
    let scheduler = configuration.session(session)?.spec.scheduler.as_ref()?;
    if scheduler.suspend {
        return Some("the schedule is suspended".into());
    }
    let limit = slot.plus(scheduler.starting_deadline?);
    (now > limit).then(|| "startingDeadlineSeconds after its slot have passed".into())
}

/// The name of a session; a name that is taken moves one second on.
pub(crate) fn free_name(draft: &Draft, key: &Key, session: &str, at: Timestamp) -> String {
    let second = at.unix_seconds();
    let candidates = (0..=limits::NAME_SHIFT_SECONDS)
        .map(|shift| names::backup_session(&key.name, session, second.saturating_add(shift)));
    let mut last = String::new();
    for name in candidates {
        last = name;
        let taken = Key::new(key.namespace.clone(), last.clone());
        if draft.uid_of(StreamKind::Backup, &taken).is_none() {
            break;
        }
    }
    last
}
