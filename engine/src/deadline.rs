//! When the engine has to be asked again, and about what.
//!
//! Deadlines are no timers: they follow from the state, and a wake-up that comes too early is refused
//! or does nothing.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::backup::phase::Step;
use crate::backup::state::Backup;
use crate::command::Command;
use crate::condition::Type;
pub use crate::due::Due;
use crate::due::Wakeup;
use crate::event::StreamKind;
use crate::ids::Uid;
use crate::index::Object;
use crate::restore::check;
use crate::restore::state::Restore;
use crate::run::expiry::expiry;
use crate::run::queue::Line;
use crate::state::State;
use crate::time::{Millis, Timestamp};
use crate::{backup, reaction, repository, restore, run, storage};

/// Now, whenever that is asked.
const NOW: Timestamp = Timestamp(i64::MIN);

/// When something is due next; absent: not before another event. An instant that has passed means now.
///
/// `slot_grace` is how long a slot is left to a trigger from outside (a CronJob); zero without one.
#[must_use]
pub fn next_wakeup(state: &State, slot_grace: Millis) -> Option<Timestamp> {
    if is_anything_free(state) {
        return Some(state.last_at);
    }
    state.index.next(slot_grace).map(|when| if when == NOW { state.last_at } else { when })
}

/// What is due now, in order of its time.
#[must_use]
pub fn due(state: &State, now: Timestamp, slot_grace: Millis) -> Vec<Due> {
    let waiting = is_anything_free(state).then_some(Due::BeginWaiting);
    waiting.into_iter().chain(state.index.due(now, slot_grace)).collect()
}

/// The command that a deadline asks for. The calendar of a slot lies outside: `slot` evaluates it, given the
/// configuration, the name of its session and the schedule's version; absent where there is none.
pub fn command(
    due: Due,
    slot: impl FnOnce(Uid, String, u32) -> Option<Command>,
) -> Option<Command> {
    Some(match due {
        Due::Slot { configuration, session, version } => {
            return slot(configuration, session, version);
        }
        Due::Continue => Command::Reaction(reaction::Command::Continue),
        Due::BeginWaiting => Command::Run(run::Command::BeginWaiting),
        Due::Expire { session } => Command::Run(run::Command::Expire { session }),
        Due::RetryBackup { session } => Command::Backup(backup::Command::Retry { session }),
        Due::ResumeBackup { session } => Command::Backup(backup::Command::Resume { session }),
        Due::RetryStorage { uid } => Command::Storage(storage::Command::Retry { uid }),
        Due::RetryRepository { uid } => Command::Repository(repository::Command::Reconcile { uid }),
        Due::ReconcileRestore { uid } => Command::Restore(restore::Command::Reconcile { uid }),
    })
}

/// Somebody who waits for a worker could have one: what one step had to leave to the next.
pub(crate) fn is_anything_free(state: &State) -> bool {
    Line::new(state.index.queue(), state.limits).next().is_some()
}

/// Whether some session is open: a backup that has not ended, a restore that goes.
#[must_use]
pub fn is_anything_open(state: &State) -> bool {
    state.index.is_open()
}

/// What one object has to be woken for.
pub(crate) fn of(state: &State, (kind, uid): Object) -> Vec<Wakeup> {
    let at = |when, due| Wakeup { when, due, is_slot: false };
    match kind {
        StreamKind::Reaction if state.waiting.is_empty() => Vec::new(),
        StreamKind::Reaction => vec![at(NOW, Due::Continue)],
        StreamKind::Configuration => of_configuration(state, uid),
        StreamKind::Backup => {
            let backup = state.backups.get(&uid);
            let found = backup.map(|known| of_backup(state, known)).unwrap_or_default();
            found.into_iter().map(|(when, due)| at(when, due)).collect()
        }
        StreamKind::Restore => {
            let found = state.restores.get(&uid).and_then(|known| of_restore(state, known));
            found.map(|(when, due)| at(when, due)).into_iter().collect()
        }
        StreamKind::Storage => {
            let when = state.storages.get(&uid).and_then(|known| known.retry_at);
            when.map(|when| at(when, Due::RetryStorage { uid })).into_iter().collect()
        }
        StreamKind::Repository => {
            let when = state.repositories.get(&uid).and_then(|known| known.retry_at);
            when.map(|when| at(when, Due::RetryRepository { uid })).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn of_restore(state: &State, restore: &Restore) -> Option<(Timestamp, Due)> {
    let session = restore.uid;
    if check::is_stale(state, restore) {
        return Some((NOW, Due::ReconcileRestore { uid: session }));
    }
    let when = expiry(&restore.run, None, &restore.spec.post_hooks)?;
    Some((when, Due::Expire { session }))
}

/// Slots of a configuration that takes them: valid, not paused, not suspended.
fn of_configuration(state: &State, uid: Uid) -> Vec<Wakeup> {
    let Some(known) = state.configurations.get(&uid) else { return Vec::new() };
    let valid = known.conditions.is_true(Type::ValidationPassed);
    if !valid || known.deleting || known.is_paused() {
        return Vec::new();
    }
    let schedules = state.schedules.get(&uid).into_iter().flatten();
    let slots = schedules.filter_map(|(session, schedule)| {
        let scheduler = known.session(session)?.spec.scheduler.as_ref()?;
        let when = *schedule.next.first()?;
        // A slot that was taken from outside only asks for the ones after it.
        let taken = schedule.last_slot.is_some_and(|last| when <= last);
        let (session, version) = (session.clone(), schedule.version);
        let due = Due::Slot { configuration: uid, session, version };
        (!scheduler.suspend).then_some(Wakeup { when, due, is_slot: !taken })
    });
    slots.collect()
}

fn of_backup(state: &State, backup: &Backup) -> Vec<(Timestamp, Due)> {
    let session = backup.uid;
    let mut due = Vec::new();
    let hooks = backup.plan.as_ref().map_or(&[][..], |plan| &plan.spec.post_hooks);
    let expires = expiry(&backup.run, backup.until, hooks);
    due.extend(expires.map(|when| (when, Due::Expire { session })));
    let configuration = state.configurations.get(&backup.configuration);
    // A retry would be refused while its configuration goes: it must not be due until that is gone.
    if backup.retried_by.is_none() && configuration.is_some_and(|known| !known.deleting) {
        due.extend(backup.retry_at.map(|when| (when, Due::RetryBackup { session })));
    }
    if backup.step == Step::Queued {
        let behind = backup.behind.and_then(|behind| state.backups.get(&behind));
        if behind.is_none_or(|known| known.is_finished()) {
            due.push((NOW, Due::ResumeBackup { session }));
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use core::slice;

    use super::*;
    use crate::backup::Command;
    use crate::configuration::{Retry, SessionSpec};
    use crate::restore::Spec;
    use crate::run::Command as Run;
    use crate::testing::given;
    use crate::testing::world::{APP, BACK, DAY, MIDNIGHT, MINUTE, World, named};

    const NO_GRACE: Millis = Millis(0);

    fn world(change: impl FnOnce(&mut SessionSpec)) -> World {
        let mut session = given::session("nightly");
        change(&mut session);
        World::with(vec![session])
    }

    fn slot() -> Due {
        Due::Slot { configuration: APP, session: "nightly".into(), version: 1 }
    }

    /// What is due up to that many milliseconds after midnight.
    fn until(world: &World, millis: u64) -> Vec<Due> {
        due(&world.state, MIDNIGHT.plus(Millis(millis)), NO_GRACE)
    }

    #[test]
    fn nothing_is_due_in_an_empty_world() {
        let world = World::new();
        assert_eq!((next_wakeup(&world.state, NO_GRACE), until(&world, DAY)), (None, vec![]));
    }

    #[test]
    fn a_slot_is_due_at_its_instant_and_left_to_others_for_the_grace() {
        let world = world(|_| {});
        assert_eq!(until(&world, DAY - 1), []);
        assert_eq!(until(&world, DAY), [slot()]);
        let grace = Millis(MINUTE);
        assert_eq!(next_wakeup(&world.state, grace), Some(MIDNIGHT.plus(Millis(DAY + MINUTE))));
    }

    #[test]
    fn slots_of_what_takes_none_are_not_due() {
        type Change = fn(&mut World);
        let changes: [Change; 4] = [
            |world| {
                let mut spec = given::configuration(vec![given::session("nightly")]);
                spec.paused = true;
                world.declare(&spec);
            },
            |world| {
                let mut spec = given::configuration(vec![given::session("nightly")]);
                spec.sessions[0].scheduler.as_mut().unwrap().suspend = true;
                world.declare(&spec);
            },
            |world| {
                let mut spec = given::configuration(vec![given::session("nightly")]);
                spec.invalid = Some("it is odd".into());
                world.declare(&spec);
            },
            |world| world.record(crate::configuration::Event::DeletionRequested { uid: APP }),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut world = world(|_| {});
            change(&mut world);
            assert_eq!(until(&world, 9 * DAY), [], "{number}");
        }
    }

    #[test]
    fn a_slot_that_was_taken_from_outside_asks_for_the_ones_after_it_at_once() {
        let mut world = world(|_| {});
        world.pass(3 * DAY);
        let trigger = world.creation(named("cron"), "nightly", Some(world.now));
        world.ask(trigger);
        let at = world.now;
        assert_eq!(next_wakeup(&world.state, Millis(DAY)), Some(at), "no grace for what is taken");
    }

    #[test]
    fn deadlines_retries_and_turns_of_sessions_are_due_in_their_order() {
        let mut weekly = given::session("weekly");
        weekly.scheduler.as_mut().unwrap().starting_deadline = Some(Millis(5 * MINUTE));
        let mut nightly = given::session("nightly");
        nightly.timeout = Some(Millis(MINUTE));
        nightly.retry = Some(Retry { max: 1, delay: Millis(2 * MINUTE) });
        let mut world = World::with(vec![nightly, weekly]);
        let session = named("goes");
        let mut command = world.creation(session, "nightly", None);
        if let Command::Create { retry_left, .. } = &mut command {
            *retry_left = 1;
        }
        world.ask(command);
        let (waits, _) = world.create("weekly");
        assert_eq!(until(&world, MINUTE - 1), []);
        assert_eq!(until(&world, MINUTE), [Due::Expire { session }]);
        let turn = Due::Expire { session: waits };
        assert_eq!(until(&world, 5 * MINUTE), [Due::Expire { session }, turn.clone()]);

        world.pass(MINUTE);
        world.ask(Run::Expire { session });
        world.closed();
        let resume = Due::ResumeBackup { session: waits };
        assert_eq!(until(&world, MINUTE), slice::from_ref(&resume), "nobody is before it any more");
        let retry = Due::RetryBackup { session };
        assert_eq!(until(&world, 3 * MINUTE), [resume.clone(), retry.clone()]);
        assert_eq!(until(&world, 5 * MINUTE), [resume, retry, turn]);
    }

    #[test]
    fn a_restore_is_due_with_its_deadline_then_with_the_end_of_its_closing() {
        let mut world = World::restorable();
        world.declare_hook("thaw", crate::hook::Executor::Pod);
        let mut spec = Spec { timeout: Some(Millis(MINUTE)), ..given::restore(&["pod-0"]) };
        spec.post_hooks = vec![given::hook("thaw")];
        world.restoring(spec);
        let expire = Due::Expire { session: BACK };
        assert_eq!(until(&world, MINUTE), slice::from_ref(&expire));
        world.reported(BACK, "pod-0");
        assert_eq!(until(&world, MINUTE), []);
        let closing = crate::limits::CLOSING_MILLIS.0 + crate::limits::HOOK_DEFAULT_MILLIS.0;
        assert_eq!(until(&world, closing - 1), []);
        assert_eq!(until(&world, closing), [expire]);
        world.hook_ended(BACK, crate::Outcome::Succeeded);
        assert_eq!(until(&world, closing), []);
    }

    #[test]
    fn a_restore_that_waits_is_due_when_it_would_say_something_new() {
        let mut world = World::furnished();
        world.declare_restore(given::restore(&[]));
        assert_eq!(until(&world, DAY), []);
        world.serve(&given::configuration(vec![given::session("nightly")]));
        world.adopt("snap", &["pod-0"]);
        let reconcile = Due::ReconcileRestore { uid: BACK };
        assert_eq!(until(&world, 0), [reconcile]);
        world.ask(crate::restore::Command::Reconcile { uid: BACK });
        assert_eq!(until(&world, 0), []);
    }
}
