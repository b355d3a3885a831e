//! The trigger of a session was set up, or could not be.

use crate::condition::{Status, Type};
use crate::configuration::Event;
use crate::configuration::decide::reconcile;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::outcome::Outcome;
use crate::rejection::Rejection;

pub(crate) fn decide(
    draft: &mut Draft,
    uid: Uid,
    session: &str,
    outcome: &Outcome,
) -> Result<(), Rejection> {
    let known = draft.configuration(uid).and_then(|known| known.session(session));
    let Some(known) = known else {
        return Err(Rejection::conflict(session, "no such session"));
    };
    if draft.schedule(uid, session).is_none() {
        // Its expression cannot be used; that stands whatever was set up for it.
        return Err(Rejection::conflict(session, "it has no schedule"));
    }
    let standing = known.conditions.get(Type::SchedulerEnsured);
    match outcome {
        Outcome::Succeeded => {
            if standing.is_some_and(|found| found.status == Status::True) {
                return Ok(());
            }
            draft.emit(Event::SchedulerEnsured { uid, session: session.into() });
            reconcile::trigger_initial_backups(draft, uid);
        }
        Outcome::Failed(failure) => {
            let same = standing.is_some_and(|found| {
                found.status == Status::False && found.message == failure.message
            });
            if !same {
                let message = failure.message.clone();
                draft.emit(Event::SchedulerNotEnsured { uid, session: session.into(), message });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::configuration::Command;
    use crate::testing::given;
    use crate::testing::world::{APP, World, broken};

    fn report(session: &str, outcome: Outcome) -> Command {
        Command::SchedulerReported { uid: APP, session: session.into(), outcome }
    }

    /// `app` is declared and its repository is ready; nothing triggers its sessions yet.
    fn declared() -> World {
        let mut world = World::furnished();
        world.declare_storage("store", given::storage("store"));
        world.answer_backends();
        world.declare_retention("keep", given::retention(1));
        world.declare(&given::configuration(vec![given::session("nightly")]));
        world.answer_repositories();
        world
    }

    #[test]
    fn the_last_trigger_makes_it_ready_and_the_first_backup_runs() {
        let mut world = declared();
        assert_eq!(
            world.ask(report("nightly", Outcome::Succeeded)),
            "configuration.SchedulerEnsured configuration.InitialBackupTriggered backup.Created \
             backup.Started snapshot.Created snapshot.ListUpdated backup.SnapshotsEnsured"
        );
        let initial = APP.derive("initial/nightly");
        assert_eq!(world.backup(initial).trigger, crate::backup::Trigger::Initial);
        assert_eq!(world.ask(report("nightly", Outcome::Succeeded)), "");
    }

    #[test]
    fn a_failure_is_said_once_and_healed_by_a_success() {
        let mut world = declared();
        assert_eq!(
            world.ask(report("nightly", broken("Forbidden"))),
            "configuration.SchedulerNotEnsured"
        );
        assert_eq!(world.ask(report("nightly", broken("Forbidden"))), "");
        let healed = world.ask(report("nightly", Outcome::Succeeded));
        assert!(healed.starts_with("configuration.SchedulerEnsured"));
        assert_eq!(
            world.ask(report("nightly", broken("Forbidden"))),
            "configuration.SchedulerNotEnsured"
        );
    }

    #[test]
    fn one_without_a_session_or_a_schedule_is_refused() {
        let mut world = declared();
        let none = Rejection::conflict("weekly", "no such session");
        assert_eq!(world.refused(report("weekly", Outcome::Succeeded)), none);
        world.record(crate::schedule::Event::Withdrawn {
            configuration: APP,
            session: "nightly".into(),
        });
        assert_eq!(
            world.refused(report("nightly", Outcome::Succeeded)),
            Rejection::conflict("nightly", "it has no schedule")
        );
    }
}
