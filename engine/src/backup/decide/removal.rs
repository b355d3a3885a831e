//! A snapshot that retention removes is gone from its repository, or could not be removed.

use crate::draft::Draft;
use crate::ids::Uid;
use crate::outcome::Outcome;
use crate::run::decide::advance;
use crate::snapshot;

pub(crate) fn removed(draft: &mut Draft, uid: Uid, snapshot: Uid, outcome: Outcome) {
    match outcome {
        Outcome::Succeeded => {
            snapshot::decide::forget(draft, snapshot, "the snapshot was removed");
        }
        Outcome::Failed(failure) => {
            let message = failure.message;
            draft.emit(snapshot::Event::RemovalFailed { uid: snapshot, message });
        }
    }
    advance(draft, uid);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::phase::{Phase, phase};
    use crate::backup::state::Retention;
    use crate::effect::Once;
    use crate::outbox::Command;
    use crate::rejection::Rejection;
    use crate::testing::given::stored;
    use crate::testing::world::{MINUTE, World, broken};

    /// A session whose retention removes the oldest of three snapshots.
    fn retaining() -> (World, Uid, Uid) {
        let mut world = World::ready();
        let oldest = world.succeed();
        let oldest = world.snapshot_of(oldest);
        world.pass(MINUTE);
        world.succeed();
        world.pass(MINUTE);
        let session = world.working(1);
        world.reported(session, "pod-0");
        world.described();
        (world, session, oldest)
    }

    fn answer(world: &World, session: Uid, snapshot: Uid, outcome: Outcome) -> Command {
        let effect = world.effect(&Once::RemoveSnapshot { snapshot, by: Some(session) });
        Command::Answer { effect, answer: outcome.into() }
    }

    fn retention(world: &World, result: Result<(), &str>) -> Retention {
        Retention {
            repository: world.repository("one"),
            policy: stored("keep"),
            removing: 1,
            result: Some(result.map_err(Into::into)),
        }
    }

    const END: &str = "backup.HistoryCleaned backup.MetricsPushed";

    #[test]
    fn what_is_removed_is_forgotten_and_the_session_ends() {
        let (mut world, session, oldest) = retaining();
        let done = answer(&world, session, oldest, Outcome::Succeeded);
        assert_eq!(
            world.ask(done.clone()),
            ["done snapshot.Forgotten backup.RetentionApplied ", END].concat()
        );
        assert!(!world.state.snapshots.contains_key(&oldest));
        assert_eq!(world.backup(session).retention, [retention(&world, Ok(()))]);
        assert_eq!(phase(world.backup(session)), Phase::Succeeded);
        let Command::Answer { effect, .. } = done;
        assert_eq!(
            world.refused(done),
            Rejection::conflict(
                "effect",
                alloc::format!("nobody waits for effect {effect} any more")
            )
        );
    }

    #[test]
    fn what_cannot_be_removed_stays_and_is_asked_for_by_the_next_session() {
        let (mut world, session, oldest) = retaining();
        let failed = answer(&world, session, oldest, broken("Locked"));
        assert_eq!(
            world.ask(failed),
            ["given-up snapshot.RemovalFailed backup.RetentionFailed ", END].concat()
        );
        assert_eq!(world.backup(session).retention, [retention(&world, Err("it went wrong"))]);
        assert_eq!(phase(world.backup(session)), Phase::Failed);
        assert!(world.state.snapshots.contains_key(&oldest));
        world.pass(MINUTE);
        let next = world.working(1);
        world.reported(next, "pod-0");
        world.described();
        assert!(
            world
                .find(|once| *once == Once::RemoveSnapshot { snapshot: oldest, by: Some(next) })
                .is_some()
        );
    }

    #[test]
    fn a_snapshot_that_is_deleted_meanwhile_keeps_nobody_waiting() {
        let (mut world, session, oldest) = retaining();
        world.ask(snapshot::Command::Delete { uid: oldest });
        assert!(!world.state.snapshots.contains_key(&oldest));
        assert!(world.backup(session).is_finished(), "nothing is left to remove");
        assert_eq!(world.backup(session).retention, [retention(&world, Ok(()))]);
    }
}
