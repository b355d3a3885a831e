//! A session is wanted by an object or a person.

use alloc::format;
use alloc::string::String;

use crate::StreamKind;
use crate::backup::decide::open::{Request, open};
use crate::backup::decide::{late, name};
use crate::backup::{Command, Trigger};
use crate::draft::Draft;
use crate::rejection::Rejection;

pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    let Command::Create { uid, key, configuration, session, retry_left, timeout, slot } = command
    else {
        return Ok(());
    };
    if draft.backup(*uid).is_some() {
        return Ok(());
    }
    let invoker = key.sibling(StreamKind::Configuration, &**configuration);
    let found =
        draft.uid_of(StreamKind::Configuration, &invoker).and_then(|uid| draft.configuration(uid));
    let Some(found) = found else {
        return Err(Rejection::retry(key, format!("BackupConfiguration {invoker} not found")));
    };
    if found.deleting {
        return Err(Rejection::never(key, format!("{invoker} is being deleted")));
    }
    if found.session(session).is_none() {
        return Err(Rejection::retry(key, format!("{invoker} has no session {session:?}")));
    }
    let configuration = found.uid;
    let free = if key.name.is_empty() {
        name::free(draft, &invoker, session, slot.unwrap_or(draft.at()))
    } else {
        key.name.clone()
    };
    let key = key.sibling(StreamKind::Backup, free);
    if draft.uid_of(StreamKind::Backup, &key).is_some() {
        return Err(Rejection::never(key, "a session of this name exists; choose another name"));
    }
    let late: Option<String> =
        slot.and_then(|slot| late::refused(draft, configuration, session, slot));
    let request = Request {
        uid: *uid,
        key,
        configuration,
        session: session.clone(),
        trigger: slot.map_or(Trigger::Manual, |slot| Trigger::Slot { slot }),
        // A CronJob's call cannot know the spec; what it leaves open the session's spec fills.
        retry_left: slot.is_none().then_some(*retry_left).or(positive(*retry_left)),
        timeout: *timeout,
    };
    open(draft, request, late);
    Ok(())
}

fn positive(number: u32) -> Option<u32> {
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::configuration::Retry;
    use crate::effect::Once;
    use crate::ids::Uid;
    use crate::storage::DeletionPolicy;
    use crate::testing::given::{self, key};
    use crate::testing::world::{APP, DAY, MIDNIGHT, World, named};
    use crate::time::Millis;
    use crate::{Timestamp, configuration};

    const RUNS: &str = "backup.Created backup.Started snapshot.Created snapshot.ListUpdated \
                        backup.SnapshotsEnsured";

    /// The midnight after the first, when the world has come to it.
    fn slot(world: &mut World) -> Timestamp {
        world.pass(DAY);
        world.now
    }

    #[test]
    fn a_session_by_hand_gets_its_name_and_starts() {
        let mut world = World::ready();
        let (uid, happened) = world.create("nightly");
        assert_eq!(happened, RUNS);
        assert_eq!(world.backup(uid).key, key("app-nightly-1700438400"));
        assert_eq!(world.backup(uid).trigger, Trigger::Manual);
        assert_eq!(world.outbox(), [Once::Survey { session: uid }]);
    }

    #[test]
    fn the_same_object_twice_is_one_session() {
        let mut world = World::ready();
        let (uid, _) = world.create("nightly");
        let again = world.creation(uid, "nightly", None);
        assert_eq!(world.ask(again), "");
    }

    #[test]
    fn a_name_that_was_given_is_kept_and_belongs_to_one() {
        let mut world = World::ready();
        let named_by = |uid: Uid| Command::Create {
            uid,
            key: key("mine"),
            configuration: "app".into(),
            session: "nightly".into(),
            retry_left: 0,
            timeout: None,
            slot: None,
        };
        world.ask(named_by(named("a")));
        assert_eq!(world.backup(named("a")).key, key("mine"));
        assert_eq!(
            world.refused(named_by(named("b"))),
            Rejection::never("demo/mine", "a session of this name exists; choose another name")
        );
    }

    #[test]
    fn a_name_that_is_taken_moves_one_second_on() {
        let mut world = World::ready();
        world.create("nightly");
        let (second, _) = world.create("nightly");
        assert_eq!(world.backup(second).key, key("app-nightly-1700438401"));
    }

    #[test]
    fn what_is_not_there_yet_is_asked_again_and_what_goes_is_not() {
        let mut world = World::ready();
        let mut stray = world.creation(named("x"), "nightly", None);
        if let Command::Create { configuration, .. } = &mut stray {
            *configuration = "other".into();
        }
        assert_eq!(
            world.refused(stray),
            Rejection::retry("demo/", "BackupConfiguration demo/other not found")
        );
        let weekly = world.creation(named("x"), "weekly", None);
        assert_eq!(
            world.refused(weekly),
            Rejection::retry("demo/", "demo/app has no session \"weekly\"")
        );

        let mut session = given::session("nightly");
        session.repositories[0].deletion = Some(DeletionPolicy::WipeOut);
        let mut going = World::with(vec![session]);
        going.ask(configuration::Command::Delete { uid: APP });
        let late = going.creation(named("x"), "nightly", None);
        assert_eq!(going.refused(late), Rejection::never("demo/", "demo/app is being deleted"));
    }

    #[test]
    fn a_slot_is_taken_once() {
        let mut world = World::ready();
        let slot = slot(&mut world);
        let first = world.creation(named("a"), "nightly", Some(slot));
        assert_eq!(world.ask(first), [RUNS, " schedule.SlotTaken"].concat());
        assert_eq!(world.backup(named("a")).trigger, Trigger::Slot { slot });
        let second = world.creation(named("b"), "nightly", Some(slot));
        assert_eq!(world.ask(second), "backup.Created backup.Skipped");
        let schedule = world.state.schedule(APP, "nightly").unwrap();
        assert_eq!(schedule.last_slot, Some(slot));
        assert_eq!(schedule.next.first(), Some(&MIDNIGHT.plus(Millis(2 * DAY))));
    }

    #[test]
    fn a_slot_that_jumps_over_others_says_how_many() {
        let mut world = World::ready();
        world.pass(3 * DAY);
        let late = world.creation(named("a"), "nightly", Some(world.now));
        assert_eq!(world.ask(late), [RUNS, " schedule.SlotsMissed schedule.SlotTaken"].concat());
        let schedule = world.state.schedule(APP, "nightly").unwrap();
        assert_eq!(schedule.missed, 2);
        assert_eq!(schedule.next, [world.now], "the calendar has to be asked for more");
    }

    #[test]
    fn retries_and_timeout_come_from_the_command_then_from_the_spec() {
        // Retries as given, by slot or by hand; what the session has then.
        for (given_retries, by_slot, expected) in
            [(0, false, 0), (3, false, 3), (0, true, 2), (5, true, 5)]
        {
            let mut session = given::session("nightly");
            session.retry = Some(Retry { max: 2, delay: Millis(1) });
            session.timeout = Some(Millis(60));
            let mut world = World::with(vec![session]);
            let slot = by_slot.then(|| slot(&mut world));
            let mut command = world.creation(named("a"), "nightly", slot);
            if let Command::Create { retry_left, timeout, .. } = &mut command {
                *retry_left = given_retries;
                *timeout = by_slot.then_some(Millis(7));
            }
            world.ask(command);
            let backup = world.backup(named("a"));
            assert_eq!(backup.retry_left, expected, "{given_retries} {by_slot}");
            let timeout = Millis(if by_slot { 7 } else { 60 });
            assert_eq!(backup.timeout, Some(timeout));
            assert_eq!(backup.deadline, Some(world.now.plus(timeout)));
        }
    }
}
