//! Decides on retention policies.

use crate::draft::Draft;
use crate::rejection::Rejection;
use crate::retention::{Command, Event};

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Declare(declared) => {
            let known = draft.retention(declared.uid).map(|known| known.hash.into());
            if declared.is_news(known)? {
                draft.emit(Event::from(declared.clone()));
            }
        }
        Command::Delete { uid } => {
            if let Some(known) = draft.retention(*uid) {
                let key = known.key.clone();
                draft.emit(Event::Deleted { uid: *uid, key });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::declared::Declared;
    use crate::ids::Uid;
    use crate::retention::Spec;
    use crate::testing::given::{self, hash, stored};
    use crate::testing::world::{APP, World, named};
    use crate::usage::UsagePolicy;

    fn keep() -> Uid {
        named("retention/keep")
    }

    fn declare(number: u64, spec: Spec) -> Command {
        let (uid, key) = (keep(), stored("keep"));
        Command::Declare(Declared { uid, key, generation: 1, hash: hash(number), spec })
    }

    fn said(world: &World) -> &str {
        let facts = &world.state.configurations[&APP].conditions;
        &facts.get(Type::ValidationPassed).unwrap().message
    }

    #[test]
    fn the_same_object_twice_is_nothing_new_and_gone_is_gone() {
        let mut world = World::new();
        assert_eq!(world.ask(declare(1, given::retention(1))), "retention.Declared");
        assert_eq!(world.ask(declare(1, given::retention(1))), "");
        assert_eq!(world.ask(declare(2, given::retention(2))), "retention.Declared");
        let named = world.state.retention_named(&stored("keep")).unwrap();
        assert_eq!(named.spec, given::retention(2));
        assert_eq!(world.ask(Command::Delete { uid: keep() }), "retention.Deleted");
        assert_eq!(world.ask(Command::Delete { uid: keep() }), "");
        assert_eq!(world.state.retention_named(&stored("keep")), None);
    }

    #[test]
    fn an_object_that_took_a_name_over_keeps_it() {
        let mut world = World::new();
        world.ask(declare(1, given::retention(1)));
        let command = Command::Declare(Declared {
            uid: named("newer"),
            key: stored("keep"),
            generation: 1,
            hash: hash(2),
            spec: given::retention(2),
        });
        world.ask(command);
        world.ask(Command::Delete { uid: keep() });
        assert_eq!(world.state.retention_named(&stored("keep")).unwrap().uid, named("newer"));
    }

    #[test]
    fn configurations_that_use_it_are_checked_again() {
        let mut world = World::ready();
        let closed = Spec { usage: None, ..given::retention(2) };
        assert_eq!(
            world.ask(declare(100, closed)),
            "retention.Declared configuration.ValidationFailed"
        );
        assert_eq!(
            said(&world),
            "spec.backends: RetentionPolicy demo/keep may not be used from namespace demo; its \
             usagePolicy decides"
        );
        let odd = Spec { invalid: Some("it is odd".into()), ..given::retention(2) };
        assert_eq!(
            world.ask(declare(101, odd)),
            "retention.Declared configuration.ValidationFailed"
        );
        assert_eq!(said(&world), "RetentionPolicy demo/keep: it is odd");
        let open = Spec { usage: Some(UsagePolicy::Same), ..given::retention(2) };
        assert_eq!(
            world.ask(declare(102, open)),
            "retention.Declared configuration.ValidationPassed"
        );
    }

    #[test]
    fn a_default_is_chosen_when_it_comes_and_others_are_left_alone() {
        let mut world = World::furnished();
        world.declare_storage("store", given::storage("store"));
        world.answer_backends();
        let mut spec = given::configuration(vec![given::session("nightly")]);
        spec.backends[0].retention = None;
        world.declare(&spec);
        assert_eq!(
            said(&world),
            "spec.backends[0].retentionPolicy: none is given, and there is no default"
        );
        let default = Spec { default: true, ..given::retention(2) };
        assert!(
            world
                .ask(declare(100, default))
                .starts_with("retention.Declared configuration.BackendDefaulted")
        );
        let unused = Command::Declare(Declared {
            uid: named("unused"),
            key: stored("unused"),
            generation: 1,
            hash: hash(1),
            spec: given::retention(1),
        });
        assert_eq!(world.ask(unused), "retention.Declared");
    }
}
