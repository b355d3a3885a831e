//! A configuration is to be deleted: its sessions end, its repositories follow their policies.

use alloc::vec::Vec;

use crate::backup;
use crate::configuration::Event;
use crate::configuration::state::Configuration;
use crate::draft::Draft;
use crate::ids::{Key, Uid};
use crate::rejection::Rejection;
use crate::repository;
use crate::run::StopCause;
use crate::run::decide::stop;
use crate::schedule;
use crate::storage::DeletionPolicy;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(known) = draft.configuration(uid) else { return Ok(()) };
    if known.deleting {
        retry(draft, uid);
        return Ok(());
    }
    draft.emit(Event::DeletionRequested { uid });
    for session in draft.scheduled_sessions(uid) {
        draft.emit(schedule::Event::Withdrawn { configuration: uid, session });
    }
    let open: Vec<Uid> = draft
        .backups()
        .filter(|backup| backup.configuration == uid && !backup.is_finished())
        .map(|backup| backup.uid)
        .collect();
    for backup in open {
        stop(draft, backup, StopCause::ConfigurationDeleted);
    }
    finish(draft, uid);
    Ok(())
}

/// Tries again what failed.
pub(crate) fn retry(draft: &mut Draft, uid: Uid) {
    for repository in owned(draft, uid) {
        begin(draft, repository);
    }
    finish(draft, uid);
}

/// Goes on with a deletion: after a session ended, or a repository is gone.
pub(crate) fn finish(draft: &mut Draft, uid: Uid) {
    let Some(known) = draft.configuration(uid) else { return };
    if !known.deleting || draft.backups().any(|b| b.configuration == uid && !b.is_finished()) {
        return;
    }
    for repository in owned(draft, uid) {
        if draft.repository(repository).is_some_and(|found| !found.deleting) {
            begin(draft, repository);
        }
    }
    // The last repository that goes may have come back here and finished already.
    if draft.configuration(uid).is_none() || !owned(draft, uid).is_empty() {
        return;
    }
    let sessions: Vec<Uid> =
        draft.backups().filter(|b| b.configuration == uid).map(|b| b.uid).collect();
    for session in sessions {
        draft.emit(backup::Event::Archived { uid: session });
    }
    draft.emit(Event::Deleted { uid });
}

/// One that a restore reads from waits until the deletion is asked for again.
fn begin(draft: &mut Draft, repository: Uid) {
    if repository::decide::refuse_if_used(draft, repository).is_ok() {
        repository::decide::begin_deletion(draft, repository, DeletionPolicy::Delete);
    }
}

/// Repositories that go with the configuration: made for it, used by no other, not to be retained.
fn owned(draft: &Draft, uid: Uid) -> Vec<Uid> {
    let Some(known) = draft.configuration(uid) else { return Vec::new() };
    draft
        .repositories()
        .filter(|repository| repository.configuration == uid)
        .filter(|repository| !is_retained(known, &repository.key))
        .filter(|repository| {
            !draft.configurations().any(|other| other.uid != uid && uses(other, &repository.key))
        })
        .map(|repository| repository.uid)
        .collect()
}

fn uses(configuration: &Configuration, key: &Key) -> bool {
    let mut wanted = configuration.sessions.iter().flat_map(|session| &session.spec.repositories);
    configuration.key.namespace == key.namespace && wanted.any(|wanted| wanted.name == key.name)
}

/// One wish to retain it is enough.
fn is_retained(configuration: &Configuration, key: &Key) -> bool {
    let mut wanted = configuration.sessions.iter().flat_map(|session| &session.spec.repositories);
    wanted.any(|wanted| wanted.name == key.name && wanted.deletion == Some(DeletionPolicy::Retain))
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::configuration::Command;
    use crate::effect::Once;
    use crate::outbox::Answer;
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
        if let Command::Declare { uid, key, .. } = &mut command {
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
