//! Decides on answers to effects.

use alloc::format;

use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::EffectId;
use crate::outbox::Answer;
use crate::rejection::Rejection;

/// Takes an effect out that was answered; whoever asked for it is told by `answers.rs`.
pub(crate) fn take(
    draft: &mut Draft,
    effect: EffectId,
    answer: &Answer,
) -> Result<Once, Rejection> {
    let once = expected(draft, effect, answer)?;
    match answer {
        Answer::Failed(failure) => draft.give_up(effect, failure.message.clone()),
        _ => draft.settle(effect),
    }
    Ok(once)
}

/// What was asked, when it is still waited for and the answer is of its kind.
fn expected(draft: &Draft, effect: EffectId, answer: &Answer) -> Result<Once, Rejection> {
    let Some(once) = draft.effect(effect) else {
        let reason = format!("nobody waits for effect {effect} any more");
        return Err(Rejection::conflict("effect", reason));
    };
    if fits(once, answer) {
        return Ok(once.clone());
    }
    let (asked, given) = (once.kind(), answer.kind());
    let reason = format!("effect {effect} asks for {asked}, which {given} does not answer");
    Err(Rejection::conflict("effect", reason))
}

fn fits(once: &Once, answer: &Answer) -> bool {
    match answer {
        Answer::Failed(_) => true,
        Answer::Repository { .. } => matches!(once, Once::InitializeRepository { .. }),
        Answer::Hosts(_) => matches!(once, Once::Survey { .. }),
        Answer::Worker(_) => matches!(once, Once::StartWorker { .. }),
        Answer::Done => !matches!(
            once,
            Once::InitializeRepository { .. } | Once::Survey { .. } | Once::StartWorker { .. }
        ),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::ids::Uid;
    use crate::outbox::Command;
    use crate::run;
    use crate::testing::failure;
    use crate::testing::world::{BACK, World, attempt, named, worker};

    fn answer(effect: EffectId, answer: Answer) -> Command {
        Command::Answer { effect, answer }
    }

    /// A session that was stopped, and the stop of its worker.
    fn stopped() -> (World, Uid, EffectId) {
        let mut world = World::ready();
        let session = world.working(1);
        world.ask(run::Command::Cancel { session, cause: "no".into() });
        let effect = world.effect(&Once::StopWorker { attempt: attempt(session, "pod-0") });
        (world, session, effect)
    }

    fn late(effect: EffectId) -> Rejection {
        Rejection::conflict("effect", format!("nobody waits for effect {effect} any more"))
    }

    #[test]
    fn the_stop_of_a_worker_is_settled_either_way_and_once() {
        let (mut world, _, effect) = stopped();
        assert_eq!(world.ask(answer(effect, Answer::Done)), "done");
        assert_eq!(world.refused(answer(effect, Answer::Done)), late(effect));
        let (mut world, _, effect) = stopped();
        let failed = answer(effect, Answer::Failed(failure("Stuck")));
        assert_eq!(world.ask(failed.clone()), "given-up");
        assert_eq!(world.refused(failed), late(effect));
    }

    #[test]
    fn its_session_outlives_it() {
        let (mut world, session, effect) = stopped();
        world.closed();
        let delete = crate::backup::Command::Delete { session };
        assert_eq!(
            world.refused(delete.clone()),
            Rejection::retry("demo/app-nightly-1700438400", "a worker of it has not stopped yet")
        );
        assert_eq!(world.ask(answer(effect, Answer::Done)), "done");
        assert_eq!(world.ask(delete), "backup.Archived");
    }

    #[test]
    fn an_answer_to_what_nobody_asked_is_refused() {
        let (mut world, _, _) = stopped();
        let unknown = EffectId(9_999);
        assert_eq!(world.refused(answer(unknown, Answer::Done)), late(unknown));
    }

    /// One of each kind of effect, all waited for at the ids from one on.
    fn every_effect() -> (World, vec::Vec<Once>) {
        let world = World::restorable();
        let (storage, repository) = (named("storage/store"), world.repository("one"));
        let (session, snapshot) = (BACK, named("snapshot/snap-1"));
        let run = crate::hook::Run { stage: crate::hook::Stage::Pre, index: 0, number: 1 };
        let attempt = attempt(BACK, "pod-0");
        let all = vec![
            Once::InitializeBackend { storage },
            Once::WipeBackend { storage },
            Once::InitializeRepository { repository },
            Once::WipeRepository { repository },
            Once::Survey { session },
            Once::RunHook { session, run },
            Once::StartWorker { attempt: attempt.clone() },
            Once::StopWorker { attempt },
            Once::UploadMetadata { snapshot },
            Once::RemoveSnapshot { snapshot, by: None },
        ];
        (world, all)
    }

    #[test]
    fn an_answer_of_the_wrong_kind_names_both() {
        let answers = [
            Answer::Done,
            Answer::Repository { id: named("id") },
            Answer::Hosts(vec![]),
            Answer::Worker(worker()),
        ];
        let (world, all) = every_effect();
        for once in all {
            let mut world = world.clone();
            world.record(crate::outbox::Event::Requested { once: once.clone() });
            let effect = world.effect(&once);
            let fitting: vec::Vec<&Answer> =
                answers.iter().filter(|answer| fits(&once, answer)).collect();
            assert_eq!(fitting.len(), 1, "every effect has one kind of answer besides Failed");
            assert!(fits(&once, &Answer::Failed(failure("Broken"))));
            for wrong in answers.iter().filter(|answer| !fits(&once, answer)) {
                let (asked, given) = (once.kind(), wrong.kind());
                assert_eq!(
                    world.refused(answer(effect, wrong.clone())),
                    Rejection::conflict(
                        "effect",
                        format!("effect {effect} asks for {asked}, which {given} does not answer")
                    )
                );
            }
        }
    }

    #[test]
    fn an_outcome_must_be_about_what_was_asked() {
        let (mut world, all) = every_effect();
        world.record(crate::outbox::Event::Requested { once: all[0].clone() });
        let effect = world.effect(&all[0]);
        let mut state = world.state.clone();
        let event = crate::outbox::Event::EffectDone { effect, subject: named("another") };
        let recorded = crate::Recorded {
            seq: state.seq + 1,
            at: world.now,
            cause: crate::CommandId::default(),
            epoch: state.epoch,
            event: event.into(),
        };
        let illegal = crate::apply(&mut state, &recorded).unwrap_err();
        assert!(illegal.reason.contains("is not about"), "{illegal}");
        assert_eq!(state, world.state);
    }
}
