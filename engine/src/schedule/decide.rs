//! Decides on slots.
//!
//! A slot is taken once: by a wake-up of ours, or by the BackupSession that a CronJob made for it. Of
//! several that passed unused only the latest is caught up.

use alloc::format;
use alloc::vec::Vec;

use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::Uid;
use crate::limits;
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
            by: None,
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
        by: Some(draft.mint(StreamKind::Backup, session)),
    });
    Ok(())
}

/// Takes the slot of a session that was made outside, unless it was taken before.
pub(crate) fn take(draft: &mut Draft, uid: Uid, session: &str, slot: Timestamp, by: Uid) {
    let Some(schedule) = draft.schedule(uid, session) else { return };
    if schedule.last_slot.is_some_and(|last| slot <= last) {
        return;
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
    let (session, by) = (session.into(), Some(by));
    draft.emit(Event::SlotTaken { configuration: uid, session, slot, next, by });
}

fn missed_event(configuration: Uid, session: &str, count: u32, last: Timestamp) -> Event {
    Event::SlotsMissed { configuration, session: session.into(), count, last }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::state::Backup;
    use crate::backup::{self, Trigger};
    use crate::condition::Type;
    use crate::schedule::state::Schedule;
    use crate::testing::given::{self, key};
    use crate::testing::world::{APP, DAY, MIDNIGHT, MINUTE, World, named};
    use crate::time::Millis;

    const RUNS: &str = "backup.Created backup.Started snapshot.Created snapshot.ListUpdated \
                        backup.SnapshotsEnsured";

    fn wake(world: &World, slot: Timestamp, missed: u32) -> Command {
        Command::Wake {
            configuration: APP,
            session: "nightly".into(),
            version: 1,
            slot,
            missed,
            next: world.midnights(),
        }
    }

    fn schedule(world: &World) -> Schedule {
        world.state.schedule(APP, "nightly").unwrap().clone()
    }

    fn only(world: &World) -> &Backup {
        assert_eq!(world.state.backups.len(), 1);
        world.state.backups.values().next().unwrap()
    }

    fn said(world: &World) -> &str {
        &only(world).conditions.get(Type::BackupSkipped).unwrap().message
    }

    /// `nightly` at the midnight after the first.
    fn at_slot() -> (World, Timestamp) {
        let mut world = World::ready();
        world.pass(DAY);
        let slot = world.now;
        (world, slot)
    }

    #[test]
    fn a_slot_that_is_due_makes_a_session() {
        let (mut world, slot) = at_slot();
        let command = wake(&world, slot, 0);
        assert_eq!(world.ask(command), ["schedule.SlotTaken ", RUNS].concat());
        assert_eq!(only(&world).trigger, Trigger::Slot { slot });
        assert_eq!(only(&world).key, key("app-nightly-1700524800"));
        let expected =
            Schedule { version: 1, next: world.midnights(), last_slot: Some(slot), missed: 0 };
        assert_eq!(schedule(&world), expected);
    }

    #[test]
    fn of_several_that_passed_the_latest_is_caught_up() {
        let mut world = World::ready();
        world.pass(3 * DAY + MINUTE);
        let slot = MIDNIGHT.plus(Millis(3 * DAY));
        let command = wake(&world, slot, 2);
        assert_eq!(world.ask(command), ["schedule.SlotsMissed schedule.SlotTaken ", RUNS].concat());
        assert_eq!(schedule(&world).missed, 2);
        assert_eq!(only(&world).key, key("app-nightly-1700697600"), "named after its slot");
    }

    #[test]
    fn a_slot_is_taken_once_and_only_its_successors_are_news_then() {
        let (mut world, slot) = at_slot();
        let command = wake(&world, slot, 0);
        world.ask(command.clone());
        assert_eq!(world.ask(command), "schedule.SlotTaken");
        assert_eq!(only(&world).trigger, Trigger::Slot { slot });
        assert_eq!(schedule(&world).last_slot, Some(slot));
        // An older one does not set the clock back.
        let older = wake(&world, MIDNIGHT, 0);
        assert_eq!(world.ask(older), "schedule.SlotTaken");
        assert_eq!(schedule(&world).last_slot, Some(slot));
    }

    #[test]
    fn a_wake_that_is_stale_early_or_about_nothing_is_a_conflict() {
        let (mut world, slot) = at_slot();
        let with = |change: fn(&mut Command)| {
            let mut command = wake(&world, slot, 0);
            change(&mut command);
            command
        };
        let cases = [
            (
                with(|Command::Wake { version, .. }| *version = 2),
                Rejection::conflict(
                    "nightly",
                    "version 2 of its schedule is stale, the current one is 1",
                ),
            ),
            (
                with(|Command::Wake { slot, .. }| slot.0 += 1),
                Rejection::conflict("nightly", "its slot has not come yet"),
            ),
            (
                with(|Command::Wake { session, .. }| *session = "weekly".into()),
                Rejection::conflict("weekly", "it has no schedule"),
            ),
            (
                with(|Command::Wake { configuration, .. }| *configuration = named("other")),
                Rejection::conflict("nightly", "it has no schedule"),
            ),
        ];
        for (command, refused) in cases {
            assert_eq!(world.refused(command), refused);
        }
    }

    #[test]
    fn a_starting_deadline_counts_from_the_slot_and_includes_its_instant() {
        for (late, runs) in [(MINUTE, true), (MINUTE + 1, false)] {
            let mut session = given::session("nightly");
            session.scheduler.as_mut().unwrap().starting_deadline = Some(Millis(MINUTE));
            let mut world = World::with(vec![session]);
            world.pass(DAY + late);
            let command = wake(&world, MIDNIGHT.plus(Millis(DAY)), 0);
            world.ask(command);
            assert_eq!(only(&world).is_going(), runs, "{late}");
            if !runs {
                assert_eq!(said(&world), "startingDeadlineSeconds after its slot have passed");
            }
        }
    }

    #[test]
    fn slots_of_a_pause_are_not_caught_up() {
        let mut world = World::ready();
        let mut spec = given::configuration(vec![given::session("nightly")]);
        spec.paused = true;
        world.declare(&spec);
        world.pass(DAY + MINUTE);
        spec.paused = false;
        world.declare(&spec);
        let mut command = wake(&world, MIDNIGHT.plus(Millis(DAY)), 0);
        let Command::Wake { version, .. } = &mut command;
        *version = schedule(&world).version;
        assert_eq!(world.ask(command), "schedule.SlotTaken backup.Created backup.Skipped");
        assert_eq!(said(&world), "its slot passed while the configuration was paused");
    }

    #[test]
    fn a_suspended_schedule_makes_nothing_run() {
        let (mut world, slot) = at_slot();
        let mut session = given::session("nightly");
        session.scheduler.as_mut().unwrap().suspend = true;
        world.now = MIDNIGHT.plus(Millis(MINUTE));
        world.declare(&given::configuration(vec![session]));
        world.now = slot;
        let command = wake(&world, slot, 0);
        world.ask(command);
        assert_eq!(said(&world), "the schedule is suspended");
    }

    #[test]
    fn no_more_slots_than_the_limit_are_kept_ahead() {
        let (mut world, slot) = at_slot();
        let mut command = wake(&world, slot, 0);
        let Command::Wake { next, .. } = &mut command;
        *next = (1..=9).map(|n| slot.plus(Millis(n * DAY))).collect();
        world.ask(command);
        assert_eq!(schedule(&world).next.len(), limits::SLOTS_AHEAD);
    }

    #[test]
    fn a_name_moves_on_by_seconds_until_the_limit() {
        let mut session = given::session("nightly");
        session.history_limit = 100;
        let mut world = World::with(vec![session]);
        let limit = limits::NAME_SHIFT_SECONDS;
        for shift in 0..limit {
            let name = alloc::format!("app-nightly-{}", 1_700_438_400 + shift);
            let mut command = world.creation(named(&name), "nightly", None);
            if let backup::Command::Create { key, .. } = &mut command {
                key.name = name;
            }
            world.ask(command);
        }
        let (last, _) = world.create("nightly");
        let name = alloc::format!("app-nightly-{}", 1_700_438_400 + limit);
        assert_eq!(world.backup(last).key, key(&name));
        let command = world.creation(named("beyond"), "nightly", None);
        assert_eq!(
            world.refused(command),
            Rejection::never(key(&name), "a session of this name exists; choose another name")
        );
    }
}
