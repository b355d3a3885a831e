//! Decides on outcomes that nobody else waits for: the stop of a worker.

use crate::draft::Draft;
use crate::effect::Once;
use crate::outbox::Command;
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    let (Command::Done { effect } | Command::Fail { effect, .. }) = command;
    draft.expect(*effect, "effect", |once| matches!(once, Once::StopWorker { .. }))?;
    match command {
        Command::Done { effect } => draft.settle(*effect),
        Command::Fail { effect, message } => draft.give_up(*effect, message.clone()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::backup;
    use crate::ids::{EffectId, Uid};
    use crate::testing::world::{World, attempt};

    /// A session that was stopped, and the stop of its worker.
    fn stopped() -> (World, Uid, EffectId) {
        let mut world = World::ready();
        let session = world.working(1);
        world.ask(backup::Command::Cancel { session, reason: "no".into() });
        let effect = world.effect(&Once::StopWorker { attempt: attempt(session, "pod-0") });
        (world, session, effect)
    }

    #[test]
    fn the_stop_of_a_worker_is_settled_either_way_and_once() {
        let late = |effect| {
            Rejection::conflict("effect", format!("nobody waits for effect {effect} any more"))
        };
        let (mut world, _, effect) = stopped();
        assert_eq!(world.ask(Command::Done { effect }), "done");
        assert_eq!(world.refused(Command::Done { effect }), late(effect));
        let (mut world, _, effect) = stopped();
        let failed = Command::Fail { effect, message: "it is stuck".into() };
        assert_eq!(world.ask(failed.clone()), "given-up");
        assert_eq!(world.refused(failed), late(effect));
    }

    #[test]
    fn it_outlives_its_session() {
        let (mut world, session, effect) = stopped();
        world.closed();
        assert_eq!(world.ask(backup::Command::Delete { session }), "backup.Archived");
        assert_eq!(world.ask(Command::Done { effect }), "done");
    }

    #[test]
    fn what_somebody_waits_for_is_not_settled_behind_his_back() {
        let (mut world, _, _) = stopped();
        let effect = world.find(|once| matches!(once, Once::UploadMetadata { .. })).unwrap();
        let other = Rejection::conflict("effect", format!("effect {effect} is another one"));
        assert_eq!(world.refused(Command::Done { effect }), other);
        assert_eq!(world.refused(Command::Fail { effect, message: "x".into() }), other);
        let unknown = EffectId { seq: 9_999, ordinal: 0 };
        assert!(matches!(
            world.refused(Command::Done { effect: unknown }),
            Rejection::Conflict { .. }
        ));
    }
}
