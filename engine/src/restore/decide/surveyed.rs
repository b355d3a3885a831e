//! The target's hosts are known, or cannot be.

use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{EffectId, Uid};
use crate::rejection::Rejection;
use crate::restore::Event;
use crate::survey::Survey;

use super::{advance, get, plan};

pub(super) fn decide(
    draft: &mut Draft<'_>,
    uid: Uid,
    effect: EffectId,
    survey: &Survey,
) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    draft.expect(effect, "survey", |once| *once == Once::Survey { session: uid })?;
    draft.settle(effect);
    match survey {
        Survey::Found { hosts } => plan::plan(draft, &restore, hosts),
        Survey::Failed(failure) => {
            let message = failure.message.clone();
            draft.emit(Event::TargetNotFound { uid, message: message.clone() });
            draft.emit(Event::ExecutorNotEnsured { uid, message });
        }
    }
    advance::advance(draft, uid)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::restore::Command;
    use crate::restore::phase::{Phase, phase};
    use crate::testing::given;
    use crate::testing::world::{BACK, World, named};

    fn begun() -> (World, EffectId) {
        let mut world = World::restorable();
        world.declare_restore(given::restore(&[]));
        let effect = world.effect(&Once::Survey { session: BACK });
        (world, effect)
    }

    fn found(pods: u32) -> Survey {
        Survey::Found { hosts: (0..pods).map(given::pod).collect() }
    }

    #[test]
    fn components_are_planned_and_their_workers_asked_for() {
        let (mut world, effect) = begun();
        let survey = found(2);
        assert_eq!(
            world.ask(Command::Surveyed { session: BACK, effect, survey }),
            "done restore.Surveyed restore.ComponentPlanned restore.ComponentPlanned \
             restore.AttemptStarted restore.AttemptStarted"
        );
        assert_eq!(world.back().total_components, 2);
        assert_eq!(phase(world.back()), Phase::Running);
    }

    #[test]
    fn a_target_that_went_meanwhile_ends_the_restore() {
        let (mut world, effect) = begun();
        let survey = Survey::Failed(crate::testing::failure("TargetNotFound"));
        assert_eq!(
            world.ask(Command::Surveyed { session: BACK, effect, survey }),
            "done restore.TargetNotFound restore.ExecutorNotEnsured restore.Incomplete \
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
    fn an_answer_is_taken_once_and_only_to_what_was_asked() {
        let (mut world, effect) = begun();
        let answer = |session, effect| Command::Surveyed { session, effect, survey: found(2) };
        let nobody = named("nobody");
        assert_eq!(
            world.refused(answer(nobody, effect)),
            Rejection::never(nobody, "there is no such restore")
        );
        let unknown = EffectId { seq: 1, ordinal: 7 };
        let late = |effect| {
            Rejection::conflict("survey", format!("nobody waits for effect {effect} any more"))
        };
        assert_eq!(world.refused(answer(BACK, unknown)), late(unknown));
        world.ask(answer(BACK, effect));
        assert_eq!(world.refused(answer(BACK, effect)), late(effect));
        let other = world.find(|once| matches!(once, Once::StartWorker { .. })).unwrap();
        assert_eq!(
            world.refused(answer(BACK, other)),
            Rejection::conflict("survey", format!("effect {other} is another one"))
        );
    }

    #[test]
    fn after_a_stop_hosts_are_of_no_interest() {
        let (mut world, effect) = begun();
        world.ask(Command::Cancel { session: BACK, reason: "no".into() });
        let survey = Survey::Found { hosts: vec![] };
        assert!(matches!(
            world.refused(Command::Surveyed { session: BACK, effect, survey }),
            Rejection::Conflict { .. }
        ));
    }
}
