//! The target's hosts are known, or cannot be.

use alloc::vec::Vec;

use crate::draft::Draft;
use crate::ids::Uid;
use crate::outcome::Failure;
use crate::rejection::Rejection;
use crate::restore::Event;
use crate::survey::Host;

use super::{advance, get, plan};

pub(crate) fn surveyed(
    draft: &mut Draft<'_>,
    uid: Uid,
    hosts: Result<Vec<Host>, Failure>,
) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    match hosts {
        Ok(hosts) => plan::plan(draft, &restore, &hosts),
        Err(Failure { message, .. }) => {
            draft.emit(Event::TargetNotFound { uid, message: message.clone() });
            draft.emit(Event::ExecutorNotEnsured { uid, message });
        }
    }
    advance::advance(draft, uid)
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
