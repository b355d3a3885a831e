//! The object of a session is to be deleted.

use crate::backup::Event;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;
use crate::run::StopCause;
use crate::run::decide::stop;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(backup) = draft.backup(uid) else { return Ok(()) };
    if backup.is_finished() && draft.is_stopping(uid) {
        return Err(Rejection::retry(&backup.key, "a worker of it has not stopped yet"));
    } else if backup.is_finished() {
        draft.emit(Event::Archived { uid });
    } else if backup.is_going() && backup.is_work_over() {
        return Err(Rejection::retry(&backup.key, "it is ending"));
    } else {
        stop(draft, uid, StopCause::Deleted);
        if draft.backup(uid).is_some_and(|known| known.is_finished()) {
            draft.emit(Event::Archived { uid });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::Command;
    use crate::effect::Once;
    use crate::outbox::Answer;
    use crate::testing::given;
    use crate::testing::world::{World, attempt, named};

    fn delete(session: Uid) -> Command {
        Command::Delete { session }
    }

    #[test]
    fn one_that_ended_or_never_was_leaves_at_once() {
        let mut world = World::ready();
        let session = world.succeed();
        assert_eq!(world.ask(delete(session)), "backup.Archived");
        assert_eq!(world.ask(delete(session)), "");
        assert_eq!(world.ask(delete(named("nobody"))), "");
    }

    #[test]
    fn one_that_works_is_stopped_and_leaves_at_its_end() {
        let mut world = World::ready();
        let session = world.working(2);
        assert_eq!(
            world.ask(delete(session)),
            "backup.Cancelled given-up given-up backup.ComponentEnded backup.ComponentEnded \
             snapshot.Incomplete backup.ExecutorNotEnsured"
        );
        assert_eq!(
            world.refused(delete(session)),
            Rejection::retry("demo/app-nightly-1700438400", "it is ending")
        );
        assert!(world.described().ends_with("backup.MetricsPushed"));
        let stop = |name| Once::StopWorker { attempt: attempt(session, name) };
        assert_eq!(world.answer_to(&stop("pod-0"), Answer::Done), "done");
        assert_eq!(
            world.refused(delete(session)),
            Rejection::retry("demo/app-nightly-1700438400", "a worker of it has not stopped yet")
        );
        assert_eq!(world.answer_to(&stop("pod-1"), Answer::Done), "done backup.Archived");
        assert!(world.state.backups.is_empty());
    }

    #[test]
    fn one_that_ends_anyway_is_let_be() {
        let mut world = World::ready();
        let session = world.working(1);
        world.started(session, "pod-0");
        world.reported(session, "pod-0");
        assert_eq!(
            world.refused(delete(session)),
            Rejection::retry("demo/app-nightly-1700438400", "it is ending")
        );
        world.described();
        assert!(world.backup(session).is_finished());
    }

    #[test]
    fn one_that_waits_is_skipped_and_leaves() {
        let mut world = World::with(vec![given::session("nightly"), given::session("weekly")]);
        world.create("nightly");
        let (waiting, _) = world.create("weekly");
        assert_eq!(world.ask(delete(waiting)), "backup.Skipped backup.Archived");
    }
}
