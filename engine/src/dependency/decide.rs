//! Decides on objects that others depend on: only a difference is recorded.

use crate::dependency::{Command, Event};
use crate::draft::Draft;
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Observe { uid, object, hash, facts } => {
            let known = draft.base().dependencies.get(uid);
            let same = known.is_some_and(|known| {
                known.object == *object && known.hash == *hash && known.facts == *facts
            });
            if same {
                return Ok(());
            }
            let former = draft.base().objects.get(object).copied();
            if let Some(former) = former.filter(|former| former != uid) {
                draft.emit(Event::Gone { uid: former, object: object.clone() });
            }
            draft.emit(Event::Observed {
                uid: *uid,
                object: object.clone(),
                hash: *hash,
                facts: facts.clone(),
            });
        }
        Command::Forget { uid } => {
            if let Some(known) = draft.base().dependencies.get(uid) {
                draft.emit(Event::Gone { uid: *uid, object: known.object.clone() });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::configuration::phase::{Phase, phase};
    use crate::dependency::Facts;
    use crate::dependency::state::{addon, function, secret};
    use crate::ids::{Hash, Key};
    use crate::testing::given::{self, core, hash};
    use crate::testing::world::{APP, World, named};

    fn app(world: &World) -> Phase {
        phase(&world.state, &world.state.configurations[&APP])
    }

    fn said(world: &World) -> &str {
        let facts = &world.state.configurations[&APP].conditions;
        &facts.get(Type::ValidationPassed).unwrap().message
    }

    #[test]
    fn only_a_difference_is_recorded() {
        let mut world = World::new();
        let object = secret(&core("key"));
        let see = |hash: Hash, version| Command::Observe {
            uid: named("key"),
            object: object.clone(),
            hash,
            facts: given::passphrase(version, None),
        };
        assert_eq!(world.ask(see(hash(1), 1)), "dependency.Observed");
        assert_eq!(world.ask(see(hash(1), 1)), "");
        assert_eq!(world.ask(see(hash(1), 2)), "dependency.Observed");
        assert_eq!(world.ask(see(hash(2), 2)), "dependency.Observed");
        let gone = Command::Forget { uid: named("key") };
        assert_eq!(world.ask(gone.clone()), "dependency.Gone");
        assert_eq!(world.ask(gone), "");
        assert_eq!(world.state.facts(&object), None);
    }

    #[test]
    fn an_object_that_was_made_anew_replaces_the_one_of_its_name() {
        let mut world = World::furnished();
        let object = given::target();
        let again = Command::Observe {
            uid: named("another"),
            object: object.clone(),
            hash: hash(9),
            facts: Facts::Target { replicas: Some(9) },
        };
        assert_eq!(world.ask(again), "dependency.Gone dependency.Observed");
        assert_eq!(world.state.facts(&object), Some(&Facts::Target { replicas: Some(9) }));
        // That the old one is gone may be seen afterwards.
        assert_eq!(world.ask(Command::Forget { uid: named(&object.to_string()) }), "");
        assert!(world.state.facts(&object).is_some());
    }

    #[test]
    fn a_target_that_goes_and_comes_is_seen_by_its_configurations() {
        let mut world = World::ready();
        world.forget(&given::target());
        assert_eq!(app(&world), Phase::NotReady);
        world.observe(given::target(), Facts::Target { replicas: None });
        assert_eq!(app(&world), Phase::Ready);
    }

    #[test]
    fn an_addon_and_its_functions_are_looked_at_when_they_come() {
        let mut world = World::ready();
        let tasks = vec![given::task("other", false)];
        assert_eq!(
            world.observe(addon("workload-addon"), Facts::Addon { tasks }),
            "dependency.Observed configuration.ValidationFailed"
        );
        assert_eq!(
            said(&world),
            "session nightly: Addon workload-addon has no backup task logical-backup"
        );
        assert_eq!(
            world.forget(&addon("workload-addon")),
            "dependency.Gone configuration.ValidationPassed",
            "one that is not there is no mistake of the configuration"
        );
        world.observe(addon("workload-addon"), Facts::Addon { tasks: given::tasks() });
        assert_eq!(
            world.observe(function("workload-backup"), Facts::Function { supported: false }),
            "dependency.Observed configuration.ValidationFailed"
        );
        assert_eq!(
            said(&world),
            "session nightly: Function workload-backup of task logical-backup has an image and a \
             command of its own, which this operator gives no rights to run"
        );
        assert_eq!(
            world.observe(addon("another"), Facts::Addon { tasks: vec![] }),
            "dependency.Observed"
        );
    }

    #[test]
    fn an_annotation_of_a_secret_is_seen_by_those_who_refer_to_it() {
        let vault = Key::core("vault", "key");
        let mut world = World::furnished();
        world.observe(secret(&vault), given::passphrase(1, None));
        let mut session = given::session("nightly");
        session.repositories[0].secret = Some(vault.clone());
        world.declare_storage("store", given::storage("store"));
        world.answer_backends();
        world.declare_retention("keep", given::retention(1));
        world.declare(&given::configuration(vec![session]));
        assert_eq!(
            said(&world),
            "session nightly: Secret vault/key is in another namespace and does not allow demo; \
             add demo to its annotation holdfast.dev/allowed-namespaces, or run the operator with \
             --cross-namespace-references any-but-targets"
        );
        let allowed = world.observe(secret(&vault), given::passphrase(2, Some("demo")));
        assert_eq!(
            allowed,
            "dependency.Observed configuration.ValidationPassed repository.Created \
             repository.InitializationRequested"
        );
    }
}
