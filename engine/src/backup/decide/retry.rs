//! The retry of a failed session is due.

use crate::backup::decide::open::{Request, open};
use crate::backup::decide::{known, name};
use crate::backup::{Event, Trigger};
use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::Uid;
use crate::rejection::Rejection;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let failed = known(draft, uid)?.clone();
    let due = failed.retry_at.is_some_and(|at| at <= draft.at());
    if !due || failed.retried_by.is_some() {
        return Err(Rejection::conflict(&failed.key, "no retry is due"));
    }
    let configuration =
        draft
            .configuration(failed.configuration)
            .filter(|known| !known.deleting)
            .ok_or_else(|| Rejection::conflict(&failed.key, "its configuration is gone"))?;
    let invoker = configuration.key.clone();
    let by = uid.derive("retry");
    let free = name::free(draft, &invoker, &failed.session, draft.at());
    draft.emit(Event::Retried { uid, by });
    let request = Request {
        uid: by,
        key: invoker.sibling(StreamKind::Backup, free),
        configuration: failed.configuration,
        session: failed.session.clone(),
        trigger: Trigger::Retry { of: uid },
        retry_left: Some(failed.retry_left.saturating_sub(1)),
        timeout: failed.timeout,
    };
    open(draft, request, None);
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::Command;
    use crate::configuration::Retry;
    use crate::testing::given::{self, key};
    use crate::testing::world::{APP, MINUTE, World, named};
    use crate::time::Millis;
    use crate::{Timestamp, configuration};

    const NAME: &str = "demo/app-nightly-1700438400";

    /// A session with two retries left that failed, to be tried again in a minute.
    fn failed() -> (World, Uid) {
        let mut session = given::session("nightly");
        session.retry = Some(Retry { max: 9, delay: Millis(MINUTE) });
        let mut world = World::with(vec![session]);
        let uid = named("failed");
        let mut command = world.creation(uid, "nightly", None);
        if let Command::Create { retry_left, timeout, .. } = &mut command {
            *retry_left = 2;
            *timeout = Some(Millis(9 * MINUTE));
        }
        world.ask(command);
        world.surveyed(uid, 1);
        world.vanished(uid, "pod-0");
        world.closed();
        (world, uid)
    }

    #[test]
    fn the_retry_is_a_session_of_its_own_with_one_less_left() {
        let (mut world, uid) = failed();
        world.pass(MINUTE);
        assert_eq!(
            world.ask(Command::Retry { session: uid }),
            "backup.Retried backup.Created backup.Started snapshot.Created snapshot.ListUpdated \
             backup.SnapshotsEnsured"
        );
        let by = world.backup(uid).retried_by.unwrap();
        let retry = world.backup(by);
        assert_eq!(retry.key, key("app-nightly-1700438460"));
        assert_eq!(retry.trigger, Trigger::Retry { of: uid });
        assert_eq!((retry.retry_left, retry.timeout), (1, Some(Millis(9 * MINUTE))));
        assert_eq!(
            world.refused(Command::Retry { session: uid }),
            Rejection::conflict(NAME, "no retry is due")
        );
    }

    #[test]
    fn none_is_due_before_its_instant_or_where_none_was_announced() {
        let (mut world, uid) = failed();
        let early = Rejection::conflict(NAME, "no retry is due");
        world.pass(MINUTE - 1);
        assert_eq!(world.refused(Command::Retry { session: uid }), early);

        let mut fine = World::ready();
        let session = fine.succeed();
        assert_eq!(fine.refused(Command::Retry { session }), early);
        let nobody = named("nobody");
        assert_eq!(
            fine.refused(Command::Retry { session: nobody }),
            Rejection::conflict(nobody, "no such backup session")
        );
    }

    #[test]
    fn a_retry_of_a_paused_configuration_is_skipped_and_uses_up_its_turn() {
        let (mut world, uid) = failed();
        let mut spec = given::configuration(vec![given::session("nightly")]);
        spec.paused = true;
        world.declare(&spec);
        world.pass(MINUTE);
        assert_eq!(
            world.ask(Command::Retry { session: uid }),
            "backup.Retried backup.Created backup.Skipped"
        );
        let by = world.backup(uid).retried_by.unwrap();
        assert_eq!(world.backup(by).retry_at, None);
    }

    #[test]
    fn without_its_configuration_there_is_no_retry() {
        let (mut world, uid) = failed();
        world.pass(MINUTE);
        world.record(configuration::Event::DeletionRequested { uid: APP });
        assert_eq!(
            world.refused(Command::Retry { session: uid }),
            Rejection::conflict(NAME, "its configuration is gone")
        );
        let due = crate::due(&world.state, Timestamp(i64::MAX), Millis(0));
        assert_eq!(due, [], "what is refused must not be due");
    }
}
