//! Laws of the engine, over random histories with a simulated outside that loses answers.

mod history;
mod steps;
mod world;

use history::{EFFECTS, act, action, ask, begin, meddling, restore_uid};
use holdfast_engine::backup::phase::phase;
use holdfast_engine::run::limit::Limits;
use holdfast_engine::{Command, configuration, restore, storage};
use proptest::prelude::*;
use world::{World, minutes, uid};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 3,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// `World::submit` holds the laws of single commands; here are those of whole histories.
    #[test]
    fn histories_keep_the_laws(actions in prop::collection::vec(action(), 1..60)) {
        let mut world = begin();
        for action in &actions {
            act(&mut world, action);
        }
        prop_assert_eq!(world.replay(), world.state.clone(), "replay = live");
        no_session_outlives_its_deadline(&mut world)?;
        the_outbox_empties_when_answers_come(&mut world)?;
    }

    /// Whatever changes what a status says names it.
    #[test]
    fn no_status_changes_unnamed(actions in prop::collection::vec(action(), 1..30)) {
        let mut world = begin();
        world.statuses = Some(world::statuses::all(&world.state));
        for action in &actions {
            act(&mut world, action);
        }
    }

    /// The same when people stop, pause and delete between any two answers.
    #[test]
    fn meddling_keeps_the_laws(actions in prop::collection::vec(meddling(), 1..120)) {
        let mut world = begin();
        world.pass(minutes(10));
        for action in &actions {
            act(&mut world, action);
        }
        prop_assert_eq!(world.replay(), world.state.clone(), "replay = live");
        no_session_outlives_its_deadline(&mut world)?;
        the_outbox_empties_when_answers_come(&mut world)?;
    }
}

#[test]
fn an_event_happens_where_it_can_and_nowhere_else() {
    steps::every_event_at_every_step();
}

/// Whatever answers are lost: a day later no session of before is open, and another day later none that stood
/// behind it.
fn no_session_outlives_its_deadline(world: &mut World) -> Result<(), TestCaseError> {
    for kind in EFFECTS {
        world.outside.silent.insert(kind.into());
    }
    let open: Vec<_> =
        world.state.backups.values().filter(|b| b.is_going()).map(|b| b.uid).collect();
    let restoring: Vec<_> = world
        .state
        .restores
        .values()
        .filter(|restore| restore.is_going() && restore.spec.timeout.is_some())
        .map(|restore| restore.uid)
        .collect();
    world.pass(minutes(24 * 60));
    if world.state.limits != Limits::default() {
        world.pass(minutes(24 * 60));
    }
    for uid in restoring {
        if let Some(restore) = world.state.restores.get(&uid) {
            prop_assert!(restore.is_finished(), "{:#?}", restore);
        }
    }
    for uid in open {
        if let Some(backup) = world.state.backups.get(&uid) {
            prop_assert!(phase(backup).is_completed(), "{:#?}", backup);
        }
    }
    Ok(())
}

fn delete_restores(world: &mut World) {
    for number in 0..2 {
        let session = restore_uid(world, number);
        ask(world, Command::Restore(restore::Command::Delete { session }));
    }
}

fn the_outbox_empties_when_answers_come(world: &mut World) -> Result<(), TestCaseError> {
    world.outside.silent.clear();
    world.outside.broken_repositories.clear();
    world.outside.broken_removal = None;
    let uid = uid("configuration/app");
    if world.state.configurations.contains_key(&uid) {
        ask(world, Command::Configuration(configuration::Command::Delete { uid }));
    }
    // What lies in a storage goes before it, whichever of them is told first.
    let store = self::uid("storage/store");
    let delete = Command::Storage(storage::Command::Delete { uid: store });
    let first = world.state.seq.is_multiple_of(2);
    // One that a session uses is not taken away from it.
    let goes = first && world.ask(delete.clone()).is_ok();
    delete_restores(world);
    world.restart();
    world.pass(minutes(24 * 60));
    world.pass(minutes(24 * 60));
    // One whose worker had not stopped stayed, and its deletion is asked for again.
    delete_restores(world);
    world.settle();
    if !goes {
        ask(world, delete);
        world.settle();
    }
    prop_assert!(world.state.storages.is_empty(), "{:#?}", world.state.storages);
    prop_assert!(world.state.repositories.is_empty(), "{:#?}", world.state.repositories);
    prop_assert!(world.state.restores.is_empty(), "{:#?}", world.state.restores);
    prop_assert!(world.state.outbox.is_empty(), "{:#?}", world.state.outbox);
    prop_assert!(world.state.backups.is_empty(), "{:#?}", world.state.backups);
    prop_assert!(!world.state.configurations.contains_key(&uid));
    Ok(())
}
