//! A configuration is to be deleted; what it leaves behind goes before it.

use crate::configuration::{Event, leaving};
use crate::draft::Draft;
use crate::ids::Uid;
use crate::schedule;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) {
    if draft.configuration(uid).is_none_or(|known| known.deleting) {
        return;
    }
    draft.emit(Event::DeletionRequested { uid });
    for session in draft.scheduled_sessions(uid) {
        draft.emit(schedule::Event::Withdrawn { configuration: uid, session });
    }
}

/// It goes once nothing of it is left.
pub(crate) fn finish(draft: &mut Draft, uid: Uid) {
    let nothing = leaving::left(draft, uid).is_some_and(|left| left.is_empty());
    if nothing && draft.backups_of(uid).next().is_none() {
        draft.emit(Event::Deleted { uid });
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use crate::configuration::Command;
    use crate::declared::Declared;
    use crate::effect::Once;
    use crate::outbox::Answer;
    use crate::rejection::Rejection;
    use crate::storage::DeletionPolicy;
    use crate::testing::given;
    use crate::testing::world::{APP, BACK, World, named};

    const DELETE: Command = Command::Delete { uid: APP };

    /// `nightly` with this wish for its repository.
    fn with(deletion: Option<DeletionPolicy>) -> World {
        let mut session = given::session("nightly");
        session.repositories[0].deletion = deletion;
        World::with(vec![session])
    }

    fn answer(world: &mut World, answer: Answer) -> alloc::string::String {
        let repository = world.repository("one");
        world.answer_to(&Once::WipeRepository { repository }, answer)
    }

    #[test]
    fn repositories_follow_their_policies() {
        for deletion in [None, Some(DeletionPolicy::Delete)] {
            let mut world = with(deletion);
            assert_eq!(
                world.ask(DELETE),
                "configuration.DeletionRequested schedule.Withdrawn repository.DeletionRequested \
                 repository.Deleted configuration.Deleted"
            );
            assert_eq!(world.ask(DELETE), "");
            assert_eq!(world.outbox(), []);
        }
        let mut world = with(Some(DeletionPolicy::Retain));
        assert_eq!(
            world.ask(DELETE),
            "configuration.DeletionRequested schedule.Withdrawn configuration.Deleted"
        );
        assert!(world.state.repositories.contains_key(&world.repository("one")));

        let mut world = with(Some(DeletionPolicy::WipeOut));
        assert_eq!(
            world.ask(DELETE),
            "configuration.DeletionRequested schedule.Withdrawn repository.DeletionRequested"
        );
        assert_eq!(world.ask(DELETE), "", "asked for once more while it goes on");
        assert_eq!(
            answer(&mut world, Answer::Done),
            "done repository.Deleted configuration.Deleted"
        );
    }

    #[test]
    fn a_wipe_that_fails_is_tried_again_when_asked() {
        let mut world = with(Some(DeletionPolicy::WipeOut));
        world.ask(DELETE);
        answer(&mut world, Answer::Failed(crate::testing::failure("Locked")));
        assert!(world.state.configurations.contains_key(&APP));
        for again in [DELETE, Command::Reconcile { uid: APP }] {
            let mut world = world.clone();
            assert_eq!(world.ask(again), "repository.DeletionRequested");
            assert!(answer(&mut world, Answer::Done).ends_with("configuration.Deleted"));
        }
    }

    #[test]
    fn a_repository_that_another_configuration_uses_stays() {
        let mut world = World::ready();
        let mut command = world.declaration(&given::configuration(vec![given::session("weekly")]));
        let other = named("other");
        if let Command::Declare { declared: Declared { uid, key, .. }, .. } = &mut command {
            *uid = other;
            *key = given::key("other");
        }
        world.ask(command);
        assert_eq!(
            world.ask(DELETE),
            "configuration.DeletionRequested schedule.Withdrawn configuration.Deleted"
        );
        assert!(world.state.repositories.contains_key(&world.repository("one")));
    }

    #[test]
    fn sessions_end_first_and_go_with_it() {
        let mut world = World::with(vec![given::session("nightly"), given::session("weekly")]);
        let over = world.succeed();
        let works = world.working(1);
        let (waits, _) = world.create("weekly");
        let happened = world.ask(DELETE);
        assert!(happened.contains("backup.Cancelled") && happened.contains("backup.Skipped"));
        assert!(world.state.configurations.contains_key(&APP));
        for uid in [over, works, waits] {
            assert!(world.state.backups.contains_key(&uid));
        }
        world.closed();
        assert!(!world.state.configurations.is_empty(), "a worker may still write");
        let attempt = crate::testing::world::attempt(works, "pod-0");
        world.answer_to(&Once::StopWorker { attempt }, Answer::Done);
        assert!(world.state.configurations.is_empty() && world.state.backups.is_empty());
        assert!(world.state.schedules.is_empty());
    }

    #[test]
    fn what_a_restore_reads_from_stays_until_its_end() {
        let mut world = World::restorable();
        world.restoring(given::restore(&["pod-0"]));
        assert_eq!(world.ask(DELETE), "configuration.DeletionRequested schedule.Withdrawn");
        assert_eq!(world.ask(DELETE), "");
        assert!(world.reported(BACK, "pod-0").ends_with("configuration.Deleted"));
    }

    #[test]
    fn nobody_is_deleted_and_nobody_is_reconciled() {
        let mut world = World::new();
        assert_eq!(world.ask(DELETE), "");
        assert_eq!(
            world.refused(Command::Reconcile { uid: APP }),
            Rejection::conflict(APP, "no such configuration")
        );
    }
}
