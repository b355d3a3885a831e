//! Answers a command with events: its own decision first, then what each event means for other objects
//! (`reactions.rs`), until nothing is left.

use alloc::vec::Vec;

use crate::command::Command;
use crate::draft::Draft;
use crate::envelope::Envelope;
use crate::event::Event;
use crate::reactions::Manner;
use crate::reactions::waiting::Waiting;
use crate::rejection::Rejection;
use crate::state::State;
use crate::{answers, binding, reaction, reactions};
use crate::{
    backup, configuration, dependency, hook, lease, namespace, repository, restore, retention, run,
    schedule, snapshot, storage,
};

/// What happens because of a command; an empty answer means that nothing changes.
///
/// # Errors
/// A [`Rejection`] when the command is refused; nothing is to be recorded then.
pub fn decide(state: &State, envelope: &Envelope) -> Result<Vec<Event>, Rejection> {
    decide_in(state, envelope, &Manner::default())
}

/// The same in another manner: what all its steps lead to must be the same, but for the order of the events.
///
/// # Errors
/// As [`decide`].
pub fn decide_in(
    state: &State,
    envelope: &Envelope,
    manner: &Manner,
) -> Result<Vec<Event>, Rejection> {
    let begins = matches!(envelope.command, Command::Lease(lease::Command::Begin { .. }));
    let fits = if begins { envelope.epoch > state.epoch } else { envelope.epoch == state.epoch };
    if !fits {
        return Err(Rejection::StaleEpoch { given: envelope.epoch, current: state.epoch });
    }
    if envelope.at < state.last_at {
        return Err(Rejection::conflict("time", "the command is older than the last event"));
    }
    let waiting = Waiting::new(manner.seed);
    let mut draft = Draft::new(state, envelope, &waiting);
    draft.take_on(manner.objects);
    route(&mut draft, &envelope.command)?;
    waiting.heard_command(&draft, &envelope.command);
    if let Command::Reaction(reaction::Command::Continue) = envelope.command {
        waiting.go_on_with(&draft);
    }
    react(&mut draft, &waiting, manner.events);
    let asked = matches!(envelope.command, Command::Run(run::Command::BeginWaiting));
    run::decide::fill(&mut draft, asked);
    react(&mut draft, &waiting, manner.events);
    for reaction in waiting.left() {
        draft.emit(reaction::Event::Postponed { reaction });
    }
    draft.finish()
}

/// What the events mean for other objects, until nothing waits; a step that is full stops between two
/// reactions.
fn react(draft: &mut Draft, waiting: &Waiting, full: usize) {
    while draft.len() < full && !draft.is_broken() {
        let Some(next) = waiting.take() else { return };
        if let Some(number) = next.number {
            draft.emit(reaction::Event::TakenUp { number });
        }
        let follows = reactions::carry_out(draft, next.reaction);
        follows.into_iter().for_each(|reaction| waiting.add(reaction));
    }
}

fn route(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Lease(command) => lease::decide::decide(draft, command),
        Command::Namespace(command) => namespace::decide::decide(draft, command),
        Command::Dependency(command) => dependency::decide::decide(draft, command),
        Command::Storage(command) => storage::decide::decide(draft, command),
        Command::Retention(command) => retention::decide::decide(draft, command),
        Command::Hook(command) => hook::decide::decide(draft, command),
        Command::Configuration(command) => configuration::decide::decide(draft, command),
        Command::Schedule(command) => schedule::decide::decide(draft, command),
        Command::Repository(command) => repository::decide::decide(draft, command),
        Command::Backup(command) => backup::decide::decide(draft, command),
        Command::Snapshot(command) => snapshot::decide::decide(draft, command),
        Command::Restore(command) => restore::decide::decide(draft, command),
        Command::Run(command) => run::decide::decide(draft, command),
        Command::Outbox(command) => answers::decide(draft, command),
        Command::Reaction(reaction::Command::Continue) => Ok(()),
        Command::Binding(command) => {
            binding::decide::decide(draft, command);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::declared::Declared;
    use crate::effect::Once;
    use crate::outbox;
    use crate::testing::given;
    use crate::testing::world::{APP, BACK, World, attempt, named};
    use crate::time::Timestamp;

    /// One command of every aggregate that would be taken now.
    fn commands(world: &World, session: crate::Uid) -> vec::Vec<Command> {
        let failure = crate::testing::failure("Evicted");
        let uid = named("new");
        let stop = Once::StopWorker { attempt: attempt(BACK, "pod-0") };
        vec![
            lease::Command::AcknowledgeGap { from: 1, to: 1 }.into(),
            namespace::Command::Observe {
                uid,
                name: "n".into(),
                labels: Default::default(),
                allowed_namespaces: None,
            }
            .into(),
            dependency::Command::Forget { uid: named("StatefulSet demo/db") }.into(),
            storage::Command::Declare(Declared {
                uid,
                key: given::key("new"),
                generation: 1,
                hash: given::hash(1),
                spec: given::storage("new"),
            })
            .into(),
            retention::Command::Delete { uid: named("retention/keep") }.into(),
            hook::Command::Delete { uid: named("hook/thaw") }.into(),
            configuration::Command::Delete { uid: APP }.into(),
            schedule::Command::Wake {
                configuration: APP,
                session: "nightly".into(),
                version: 1,
                slot: world.now,
                missed: 0,
                next: vec![],
            }
            .into(),
            repository::Command::Delete { uid: world.repository("two") }.into(),
            run::Command::WorkerVanished { attempt: attempt(session, "pod-0"), failure }.into(),
            snapshot::Command::Delete { uid: named("snapshot/old") }.into(),
            restore::Command::Delete { session: named("idle") }.into(),
            outbox::Command::Answer { effect: world.effect(&stop), answer: outbox::Answer::Done }
                .into(),
        ]
    }

    /// A session that works, a restore that was stopped, a snapshot that nobody uses.
    fn world() -> (World, crate::Uid) {
        let mut other = given::session("weekly");
        other.repositories = vec![given::repository("two")];
        let mut world = World::with(vec![given::session("nightly"), other]);
        world.declare_hook("thaw", crate::hook::Executor::Pod);
        world.adopt("old", &["pod-0"]);
        world.pass(1);
        world.adopt("snap", &["pod-0"]);
        let session = world.working(1);
        world.restoring(given::restore(&["pod-0"]));
        world.ask(run::Command::Cancel { session: BACK, cause: "no".into() });
        world.ask(restore::Command::Declare(Declared {
            uid: named("idle"),
            key: given::key("idle"),
            generation: 1,
            hash: given::hash(1),
            spec: given::restore(&[]),
        }));
        (world, session)
    }

    #[test]
    fn an_operator_whose_epoch_is_over_changes_nothing() {
        let (world, session) = world();
        let current = world.state.epoch;
        for command in commands(&world, session) {
            for given in [current - 1, current + 1] {
                let mut world = world.clone();
                let before = world.state.clone();
                assert_eq!(
                    world.submit(given, command.clone()),
                    Err(Rejection::StaleEpoch { given, current }),
                    "{command:?}"
                );
                assert_eq!(world.state, before);
            }
            let mut world = world.clone();
            let happened = world.submit(current, command.clone());
            assert!(
                happened.as_ref().is_ok_and(|names| !names.is_empty()),
                "{command:?}: {happened:?}"
            );
        }
    }

    #[test]
    fn time_does_not_run_backwards() {
        let (mut world, session) = world();
        for command in commands(&world, session) {
            let mut world = world.clone();
            world.now = Timestamp(world.state.last_at.0 - 1);
            assert_eq!(
                world.refused(command),
                Rejection::conflict("time", "the command is older than the last event")
            );
        }
        world.now = world.state.last_at;
        world.ask(lease::Command::AcknowledgeGap { from: 1, to: 1 });
    }

    #[test]
    fn a_rejection_says_whom_it_is_about_and_what_to_do() {
        for (rejection, text) in [
            (Rejection::retry("a", "b"), "a: b; ask again"),
            (Rejection::never("a", "b"), "a: b"),
            (Rejection::conflict("a", "b"), "a: superseded, b"),
            (Rejection::denied("a", "b"), "a: denied, b"),
            (
                Rejection::StaleEpoch { given: 1, current: 2 },
                "epoch 1 is over, the log is in epoch 2",
            ),
        ] {
            assert_eq!(alloc::format!("{rejection}"), text);
        }
    }
}
