//! The target's hosts are known, or cannot be.

use alloc::vec::Vec;

use crate::draft::Draft;
use crate::ids::Uid;
use crate::outcome::Failure;
use crate::rejection::Rejection;
use crate::run::Event;
use crate::run::decide::advance;
use crate::run::session::{self, Session};
use crate::survey::Host;

/// Takes the hosts; what is answered to a session that is gone concerns nobody.
pub(crate) fn surveyed(
    draft: &mut Draft,
    uid: Uid,
    hosts: Result<Vec<Host>, Failure>,
) -> Result<(), Rejection> {
    if let Some(session) = session::get(draft, uid) {
        plan(draft, &*session, hosts);
        advance(draft, uid);
    }
    Ok(())
}

/// Components, or the reason why there are none.
pub(super) fn plan(draft: &mut Draft, session: &dyn Session, hosts: Result<Vec<Host>, Failure>) {
    let uid = session.uid();
    let planned = match hosts {
        Ok(hosts) => session.plan(draft, &hosts),
        Err(failure) => {
            session.target_missing(draft, &failure.message);
            Err(failure.message)
        }
    };
    match planned {
        Err(message) => draft.emit(session.says(Event::ExecutorNotEnsured { uid, message })),
        Ok(components) => {
            let total = u32::try_from(components.len()).unwrap_or(u32::MAX);
            let storages = session.storages(draft);
            draft.emit(session.says(Event::Surveyed { uid, components: total, storages }));
            for (asked, component) in components {
                draft.emit(session.says(Event::ComponentPlanned { uid, asked, component }));
            }
            session.planned(draft, total);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use crate::condition::Type;
    use crate::effect::Once;
    use crate::ids::EffectId;
    use crate::outbox::{Answer, Command};
    use crate::rejection::Rejection;
    use crate::restore::phase::{Phase, phase};
    use crate::run::Command as Run;
    use crate::testing::given;
    use crate::testing::world::{BACK, World};

    fn begun() -> (World, EffectId) {
        let mut world = World::restorable();
        world.declare_restore(given::restore(&[]));
        let effect = world.effect(&Once::Survey { session: BACK });
        (world, effect)
    }

    fn found(pods: u32) -> Answer {
        Answer::Hosts((0..pods).map(given::pod).collect())
    }

    #[test]
    fn components_are_planned_and_their_workers_asked_for() {
        let (mut world, effect) = begun();
        let answer = found(2);
        assert_eq!(
            world.ask(Command::Answer { effect, answer }),
            "done restore.Surveyed restore.ComponentPlanned restore.ComponentPlanned \
             restore.AttemptStarted restore.AttemptStarted"
        );
        assert_eq!(world.back().total_components, 2);
        assert_eq!(phase(world.back()), Phase::Running);
    }

    #[test]
    fn a_target_that_went_meanwhile_ends_the_restore() {
        let (mut world, effect) = begun();
        let answer = Answer::Failed(crate::testing::failure("TargetNotFound"));
        assert_eq!(
            world.ask(Command::Answer { effect, answer }),
            "given-up restore.TargetNotFound restore.ExecutorNotEnsured restore.Incomplete \
             restore.MetricsPushed configuration.ResumedAfterRestore"
        );
        let facts = &world.back().conditions;
        for kind in [Type::RestoreTargetFound, Type::RestoreExecutorEnsured] {
            assert!(facts.is_false(kind), "{kind:?}");
            assert_eq!(facts.get(kind).unwrap().message, "it went wrong");
        }
        assert_eq!(phase(world.back()), Phase::Failed);
    }

    #[test]
    fn after_a_stop_hosts_are_of_no_interest() {
        let (mut world, effect) = begun();
        world.ask(Run::Cancel { session: BACK, cause: "no".into() });
        let answer = Answer::Hosts(vec![]);
        assert!(matches!(
            world.refused(Command::Answer { effect, answer }),
            Rejection::Conflict { .. }
        ));
    }
}
