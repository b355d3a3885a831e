//! Decides on snapshots.
//!
//! A snapshot is made by its session and described beside its data once nothing more is written to it;
//! it goes by a deletion or by the retention of a later session.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::dependency::Driver;
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::Uid;
use crate::limits;
use crate::names;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::report::Grade;
use crate::snapshot::{Command, Event};
use crate::storage::DeletionPolicy;
use crate::time::Millis;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Adopt { .. } => adopt(draft, command),
        Command::Delete { uid } => delete(draft, *uid),
    }
}

/// Its description was stored beside the data, or could not be.
pub(crate) fn uploaded(draft: &mut Draft, uid: Uid, outcome: Outcome) {
    if draft.snapshot(uid).is_some() {
        draft.emit(Event::MetadataUploaded { uid, outcome });
    }
}

fn adopt(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    let Command::Adopt { uid, repository, key, session, taken, components } = command else {
        return Ok(());
    };
    if draft.snapshot(*uid).is_some() || draft.uid_of(crate::StreamKind::Snapshot, key).is_some() {
        return Ok(());
    }
    let Some(home) = draft.repository(*repository) else {
        return Err(Rejection::retry(key, "its repository is not known"));
    };
    if components.len() > limits::ADOPTED_COMPONENTS {
        return Err(Rejection::never(key, "it has more components than a snapshot may have"));
    }
    let mut names: Vec<&str> = components.iter().map(|(name, _, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Rejection::never(key, format!("it names component {} twice", pair[0])));
    }
    let app = home.app.clone();
    draft.emit(Event::Adopted {
        uid: *uid,
        key: key.clone(),
        repository: *repository,
        session: session.clone(),
        app,
        taken: *taken,
    });
    draft.emit(Event::ListUpdated { uid: *uid });
    let total = u32::try_from(components.len()).unwrap_or(u32::MAX);
    draft.emit(Event::ComponentsCounted { uid: *uid, total });
    for (component, commit, complete) in components {
        draft.emit(Event::ComponentStarted {
            uid: *uid,
            component: component.clone(),
            path: names::component_path(session, component),
            driver: Driver::Restic,
        });
        draft.emit(Event::ComponentEnded {
            uid: *uid,
            component: component.clone(),
            outcome: adopted_outcome(*complete),
            commit: commit.clone(),
            partial: !complete,
            source_empty: false,
            grade: Grade::Written,
            size: 0,
            duration: Millis(0),
        });
    }
    // Its description is what it was found by.
    draft.emit(Event::MetadataUploaded { uid: *uid, outcome: Outcome::Succeeded });
    let described = draft.effects(|once| *once == Once::UploadMetadata { snapshot: *uid });
    described.into_iter().for_each(|effect| draft.settle(effect));
    Ok(())
}

fn adopted_outcome(complete: bool) -> Outcome {
    if complete {
        return Outcome::Succeeded;
    }
    Outcome::Failed(Failure {
        reason: "PartialBackup".into(),
        message: "it was found in the repository as partial".into(),
        permanent: true,
    })
}

fn delete(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(snapshot) = draft.snapshot(uid) else { return Ok(()) };
    let (key, policy) = (snapshot.key.clone(), snapshot.deletion);
    if let Some(used) = draft.user_of(snapshot) {
        return Err(Rejection::retry(key, used));
    }
    if policy == DeletionPolicy::WipeOut {
        let removing =
            |once: &Once| matches!(once, Once::RemoveSnapshot { snapshot, .. } if *snapshot == uid);
        if draft.effects(removing).is_empty() {
            draft.emit(Event::RemovalRequested { uid, by: None, wipe: true });
        }
    } else {
        forget(draft, uid, "the snapshot was deleted");
    }
    Ok(())
}

/// It was removed from its repository, or could not be.
pub(crate) fn removed(draft: &mut Draft, uid: Uid, outcome: Outcome) {
    if draft.snapshot(uid).is_none() {
        return;
    }
    match outcome {
        Outcome::Succeeded => forget(draft, uid, "the snapshot was removed"),
        Outcome::Failed(failure) => {
            draft.emit(Event::RemovalFailed { uid, message: failure.message });
        }
    }
}

/// Forgets the snapshots of a repository that is gone; behind which one some are left, if any are.
pub(crate) fn forget_all(draft: &mut Draft, repository: Uid, after: Option<Uid>) -> Option<Uid> {
    let inside = draft.snapshots_in(repository).map(|known| known.uid);
    let inside =
        inside.filter(|uid| Some(*uid) > after).take(limits::OBJECTS_A_REACTION + 1).collect();
    draft.each(inside, |draft, uid| forget(draft, uid, "its repository is gone"))
}

/// Takes a snapshot out of the state, and with it what is still asked about it.
fn forget(draft: &mut Draft, uid: Uid, why: &str) {
    let about = |once: &Once| match once {
        Once::UploadMetadata { snapshot } | Once::RemoveSnapshot { snapshot, .. } => {
            *snapshot == uid
        }
        _ => false,
    };
    for effect in draft.effects(about) {
        draft.give_up(effect, String::from(why));
    }
    let Some(snapshot) = draft.snapshot(uid) else { return };
    let by = snapshot.removal.as_ref().and_then(|removal| removal.by);
    draft.emit(Event::Forgotten { uid, repository: snapshot.repository, by });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Type;
    use crate::outbox::Command as Answer;
    use crate::run::Command as Run;
    use crate::snapshot::phase::{Phase, phase};
    use crate::snapshot::state::Snapshot;
    use crate::table::Table;
    use crate::testing::given::{self, stored};
    use crate::testing::world::{World, broken, named};
    use crate::time::Timestamp;

    fn found() -> Uid {
        named("found")
    }

    fn adoption(world: &World, components: &[(&str, bool)]) -> Command {
        Command::Adopt {
            uid: found(),
            repository: world.repository("one"),
            key: stored("found"),
            session: "nightly".into(),
            taken: Timestamp(7),
            components: components
                .iter()
                .map(|(name, whole)| (String::from(*name), "commit".into(), *whole))
                .collect(),
        }
    }

    fn get(world: &World) -> &Snapshot {
        &world.state.snapshots[&found()]
    }

    /// A snapshot that is wiped with its deletion.
    fn wiped() -> World {
        let mut world = World::ready();
        let command = adoption(&world, &[("pod-0", true)]);
        world.ask(command);
        world.state.snapshots.get_mut(&found()).unwrap().deletion = DeletionPolicy::WipeOut;
        world
    }

    const DELETE: fn() -> Command = || Command::Delete { uid: found() };

    fn removed(world: &World, outcome: Outcome) -> Answer {
        let effect = world.effect(&Once::RemoveSnapshot { snapshot: found(), by: None });
        Answer::Answer { effect, answer: outcome.into() }
    }

    #[test]
    fn what_is_found_in_a_repository_is_taken_as_it_is() {
        for (second, expected) in [(true, Phase::Succeeded), (false, Phase::Failed)] {
            let mut world = World::ready();
            let command = adoption(&world, &[("pod-0", true), ("pod-1", second)]);
            assert_eq!(
                world.ask(command.clone()),
                "snapshot.Adopted snapshot.ListUpdated snapshot.ComponentsCounted \
                 snapshot.ComponentStarted snapshot.ComponentEnded snapshot.ComponentStarted \
                 snapshot.ComponentEnded snapshot.MetadataUploaded done"
            );
            assert_eq!(phase(get(&world)), expected);
            assert_eq!(get(&world).is_partial(), !second);
            assert_eq!((get(&world).taken, get(&world).backup), (Timestamp(7), None));
            assert_eq!(get(&world).app, given::target());
            assert_eq!(get(&world).components[0].grade, Grade::Written);
            assert_eq!(world.outbox(), [], "its description is what it was found by");
            assert_eq!(world.ask(command), "");
        }
    }

    #[test]
    fn one_that_is_known_by_its_name_is_not_taken_twice() {
        let mut world = World::ready();
        let command = adoption(&world, &[("pod-0", true)]);
        world.ask(command.clone());
        let Command::Adopt { repository, key, session, taken, components, .. } = command else {
            return;
        };
        let uid = named("other");
        let again = Command::Adopt { uid, repository, key, session, taken, components };
        assert_eq!(world.ask(again), "");
    }

    #[test]
    fn what_cannot_be_taken_is_refused() {
        let mut world = World::ready();
        let mut homeless = adoption(&world, &[]);
        if let Command::Adopt { repository, .. } = &mut homeless {
            *repository = named("other");
        }
        assert_eq!(
            world.refused(homeless),
            Rejection::retry("demo/found", "its repository is not known")
        );
        let twice = adoption(&world, &[("pod-0", true), ("pod-0", false)]);
        assert_eq!(
            world.refused(twice),
            Rejection::never("demo/found", "it names component pod-0 twice")
        );
        let names: Vec<String> =
            (0..=limits::ADOPTED_COMPONENTS).map(|n| format!("pod-{n}")).collect();
        let all: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), true)).collect();
        let beyond = adoption(&world, &all);
        assert_eq!(
            world.refused(beyond),
            Rejection::never("demo/found", "it has more components than a snapshot may have")
        );
        let most = adoption(&world, &all[..limits::ADOPTED_COMPONENTS]);
        world.ask(most);
        assert_eq!(get(&world).components.len(), limits::ADOPTED_COMPONENTS);
    }

    #[test]
    fn a_description_is_taken_once_and_moves_its_session() {
        let mut world = World::ready();
        let session = world.working(1);
        world.reported(session, "pod-0");
        let uid = world.snapshot_of(session);
        let effect = world.effect(&Once::UploadMetadata { snapshot: uid });
        let answer = |outcome: Outcome| Answer::Answer { effect, answer: outcome.into() };
        let mut failing = world.clone();
        assert!(world.ask(answer(Outcome::Succeeded)).ends_with("backup.MetricsPushed"));
        assert!(matches!(world.refused(answer(Outcome::Succeeded)), Rejection::Conflict { .. }));
        failing.ask(answer(broken("Forbidden")));
        let snapshot = &failing.state.snapshots[&uid];
        assert_eq!(phase(snapshot), Phase::Failed);
        assert!(snapshot.conditions.is_false(Type::SnapshotMetadataUploaded));
    }

    #[test]
    fn deletion_leaves_the_data_unless_a_wipe_was_wished() {
        let mut world = World::ready();
        let command = adoption(&world, &[("pod-0", true)]);
        world.ask(command);
        assert_eq!(world.ask(DELETE()), "snapshot.Forgotten");
        assert_eq!(world.ask(DELETE()), "");
        assert_eq!(world.outbox(), []);

        let mut world = wiped();
        assert_eq!(world.ask(DELETE()), "snapshot.RemovalRequested");
        assert_eq!(world.ask(DELETE()), "", "asked for once more while it goes on");
        let done = removed(&world, Outcome::Succeeded);
        assert_eq!(world.ask(done.clone()), "done snapshot.Forgotten");
        assert!(matches!(world.refused(done), Rejection::Conflict { .. }));
    }

    #[test]
    fn a_removal_that_fails_is_said_and_tried_again_when_asked() {
        let mut world = wiped();
        world.ask(DELETE());
        let failed = removed(&world, broken("Locked"));
        assert_eq!(world.ask(failed), "given-up snapshot.RemovalFailed");
        let removal = get(&world).removal.clone().unwrap();
        assert_eq!(removal.error.as_deref(), Some("it went wrong"));
        assert_eq!(world.ask(DELETE()), "snapshot.RemovalRequested");
        assert_eq!(get(&world).removal.clone().unwrap().error, None);
    }

    #[test]
    fn one_that_is_written_or_read_is_not_deleted() {
        let mut writing = World::ready();
        let session = writing.working(1);
        let uid = writing.snapshot_of(session);
        let name = writing.state.snapshots[&uid].key.clone();
        assert_eq!(
            writing.refused(Command::Delete { uid }),
            Rejection::retry(name, "BackupSession demo/app-nightly-1700438400 writes it")
        );
        let mut reading = World::restorable();
        reading.declare_restore(given::restore(&[]));
        let uid = named("snapshot/snap-1");
        assert_eq!(
            reading.refused(Command::Delete { uid }),
            Rejection::retry("demo/snap-1", "RestoreSession demo/back reads it")
        );
        reading.ask(Run::Cancel { session: crate::testing::world::BACK, cause: "no".into() });
        assert_eq!(reading.ask(Command::Delete { uid }), "snapshot.Forgotten");
    }

    #[test]
    fn one_whose_worker_has_not_stopped_is_not_deleted() {
        let mut reading = World::restorable();
        reading.restoring(given::restore(&[]));
        let back = crate::testing::world::BACK;
        let mut writing = World::ready();
        let session = writing.working(1);
        let (read, written) = (named("snapshot/snap-1"), writing.snapshot_of(session));
        for (mut world, session, uid, used) in [
            (reading, back, read, "RestoreSession demo/back reads it"),
            (writing, session, written, "BackupSession demo/app-nightly-1700438400 writes it"),
        ] {
            world.ask(Run::Cancel { session, cause: "no".into() });
            world.described();
            let stops = |world: &World| world.find(|once| once.stops(session));
            let key = world.state.snapshots[&uid].key.clone();
            assert!(stops(&world).is_some(), "{used}");
            let expected = Rejection::retry(key, used);
            assert_eq!(world.refused(Command::Delete { uid }), expected);
            while let Some(effect) = stops(&world) {
                world.answer(effect, crate::outbox::Answer::Done);
            }
            assert_eq!(world.ask(Command::Delete { uid }), "snapshot.Forgotten");
        }
    }

    #[test]
    fn what_is_forgotten_takes_its_questions_along() {
        let mut world = World::ready();
        let session = world.working(1);
        world.reported(session, "pod-0");
        let uid = world.snapshot_of(session);
        world.effect(&Once::UploadMetadata { snapshot: uid });
        world.state.backups = Table::default();
        assert_eq!(world.ask(Command::Delete { uid }), "given-up snapshot.Forgotten");
    }
}

#[cfg(test)]
mod retained {
    use super::*;
    use crate::backup::phase::{Phase, phase};
    use crate::backup::state::Retention;
    use crate::effect::Once;
    use crate::outbox::Command;
    use crate::snapshot;
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
