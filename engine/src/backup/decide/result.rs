//! What a session's work came to.

use alloc::string::String;

use crate::backup::state::Backup;
use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::Stage;
use crate::ids::Uid;
use crate::outcome::{Failure, Outcome};
use crate::snapshot::state::Snapshot;

/// A failure that another try may heal.
pub(crate) fn failure(reason: &str, message: &str) -> Failure {
    Failure { reason: reason.into(), message: message.into(), permanent: false }
}

/// Everything was moved and nothing went wrong: what `OnSuccess` and `OnFailure` look at.
pub(crate) fn has_work_succeeded(draft: &Draft, backup: &Backup) -> bool {
    let whole = |snapshot: &Snapshot| {
        snapshot.total > 0
            && !snapshot.conditions.is_true(Type::BackupIncomplete)
            && snapshot.components.iter().all(|c| c.outcome == Some(Outcome::Succeeded))
    };
    !backup.components.is_empty()
        && backup.components.iter().all(|known| known.outcome == Some(Outcome::Succeeded))
        && backup.snapshots.iter().all(|listed| draft.snapshot(listed.uid).is_some_and(whole))
}

/// Why the work did not succeed, as far as known.
pub(crate) fn first_failure(backup: &Backup) -> Option<String> {
    if backup.conditions.is_true(Type::DeadlineExceeded) {
        return Some("the session's deadline passed".into());
    }
    if let Some(cause) = &backup.cancelled {
        return Some(cause.sentence());
    }
    let of_component = backup.components.iter().find_map(|known| match &known.outcome {
        Some(Outcome::Failed(failure)) => {
            Some(alloc::format!("component {}: {}", known.component.name, failure.message))
        }
        _ => None,
    });
    let of_hooks = || match backup.hooks.result(Stage::Pre) {
        Some(Outcome::Failed(failure)) => Some(failure.message.clone()),
        _ => None,
    };
    let of_executor = || {
        let found = backup.conditions.get(Type::BackupExecutorEnsured)?;
        backup.conditions.is_false(Type::BackupExecutorEnsured).then(|| found.message.clone())
    };
    of_component.or_else(of_hooks).or_else(of_executor)
}

/// Trying again cannot help: some component says so.
pub(crate) fn is_permanent(backup: &Backup) -> bool {
    backup
        .components
        .iter()
        .any(|known| matches!(&known.outcome, Some(Outcome::Failed(failure)) if failure.permanent))
}

/// Nobody waits any more for a snapshot's description.
pub(crate) fn give_up_upload(draft: &mut Draft, snapshot: Uid, message: &str) {
    for effect in draft.effects(|once| *once == Once::UploadMetadata { snapshot }) {
        draft.give_up(effect, message);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::envelope::{Actor, Envelope};
    use crate::ids::CommandId;
    use crate::testing::given;
    use crate::testing::world::{World, broken};
    use crate::work::ComponentState;

    fn asked(world: &World, session: Uid) -> bool {
        let command = crate::Command::Run(crate::run::Command::Expire { session });
        let (id, at, epoch) = (CommandId::default(), world.now, world.state.epoch);
        let envelope = Envelope { id, at, actor: Actor::Clock, epoch, command };
        has_work_succeeded(&Draft::new(&world.state, &envelope), world.backup(session))
    }

    #[test]
    fn work_succeeded_when_every_component_did_in_every_snapshot() {
        let mut world = World::ready();
        let (session, _) = world.create("nightly");
        assert!(!asked(&world, session), "nothing was planned");
        world.surveyed(session, 2);
        assert!(!asked(&world, session), "nothing has ended");
        world.reported(session, "pod-0");
        assert!(!asked(&world, session), "one is missing");
        let mut failed = world.clone();
        world.reported(session, "pod-1");
        assert!(asked(&world, session));
        failed.vanished(session, "pod-1");
        assert!(!asked(&failed, session));
    }

    #[test]
    fn the_first_failure_is_the_cause_and_not_its_consequences() {
        let mut session = given::session("nightly");
        session.pre_hooks = vec![given::hook("freeze")];
        let mut world = World::with(vec![session]);
        let uid = world.working(1);
        let mut backup = world.backup(uid).clone();
        let expect = |backup: &Backup, said: Option<&str>| {
            assert_eq!(first_failure(backup).as_deref(), said);
        };
        expect(&backup, None);
        backup.conditions.state(world.now, Type::BackupExecutorEnsured, Some("no worker"));
        expect(&backup, Some("no worker"));
        backup.hooks.finish(Stage::Pre, &broken("ExitCode"));
        expect(&backup, Some("it went wrong"));
        let component: &mut ComponentState = &mut backup.components[0];
        component.outcome = Some(broken("Evicted"));
        expect(&backup, Some("component pod-0: it went wrong"));
        backup.cancelled = Some("enough".into());
        expect(&backup, Some("enough"));
        backup.conditions.raise(world.now, Type::DeadlineExceeded, "late");
        expect(&backup, Some("the session's deadline passed"));
    }

    #[test]
    fn one_permanent_failure_is_enough() {
        let mut world = World::ready();
        let uid = world.working(2);
        let mut backup = world.backup(uid).clone();
        assert!(!is_permanent(&backup));
        backup.components[0].outcome = Some(broken("Evicted"));
        assert!(!is_permanent(&backup));
        let forever = Failure { permanent: true, ..failure("WrongPassphrase", "no") };
        backup.components[1].outcome = Some(Outcome::Failed(forever));
        assert!(is_permanent(&backup));
    }
}
