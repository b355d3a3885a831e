//! Decides on namespaces.

use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::Key;
use crate::namespace::state::Namespace;
use crate::namespace::{Command, Event};
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Observe { uid, name, labels, allowed_namespaces } => {
            let known = draft.base().namespaces.get(uid);
            let seen = Namespace {
                name: name.clone(),
                labels: labels.clone(),
                allowed_namespaces: allowed_namespaces.clone(),
            };
            if known == Some(&seen) {
                return Ok(());
            }
            let former = draft.uid_of(StreamKind::Namespace, &Key::core("", name.clone()));
            if let Some(former) = former.filter(|former| former != uid) {
                draft.emit(Event::Gone { uid: former, name: name.clone() });
            }
            draft.emit(Event::Observed {
                uid: *uid,
                name: name.clone(),
                labels: labels.clone(),
                allowed_namespaces: allowed_namespaces.clone(),
            });
        }
        Command::Forget { uid } => {
            if let Some(known) = draft.base().namespaces.get(uid) {
                draft.emit(Event::Gone { uid: *uid, name: known.name.clone() });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::testing::given;
    use crate::testing::world::{APP, World, named};
    use crate::usage::{Selector, UsagePolicy};

    fn demo() -> Command {
        Command::Forget { uid: named("namespace/demo") }
    }

    #[test]
    fn only_a_difference_is_recorded() {
        let mut world = World::new();
        assert_eq!(world.label("demo", &[("team", "blue")]), "namespace.Observed");
        assert_eq!(world.label("demo", &[("team", "blue")]), "");
        assert_eq!(world.label("demo", &[]), "namespace.Observed");
        assert_eq!(world.ask(demo()), "namespace.Gone");
        assert_eq!(world.ask(demo()), "");
        assert_eq!(world.state.labels_of("demo"), BTreeMap::new());
    }

    #[test]
    fn a_namespace_that_was_made_anew_replaces_the_one_of_its_name() {
        let mut world = World::new();
        world.label("demo", &[("team", "blue")]);
        let labels: BTreeMap<_, _> = [("team".into(), "red".into())].into();
        let uid = named("another demo");
        assert_eq!(
            world.ask(Command::Observe {
                uid,
                name: "demo".into(),
                labels: labels.clone(),
                allowed_namespaces: None
            }),
            "namespace.Gone namespace.Observed"
        );
        assert_eq!(world.state.labels_of("demo"), labels);
        assert_eq!(world.state.namespaces.len(), 1);
        assert_eq!(world.ask(demo()), "", "the old one is gone");
    }

    #[test]
    fn its_labels_decide_whom_selectors_allow() {
        let mut world = World::furnished();
        let mut selector = Selector::default();
        selector.match_labels.insert("team".into(), "blue".into());
        let mut storage = given::storage("store");
        storage.usage = Some(UsagePolicy::Selector(selector));
        world.declare_storage("store", storage);
        world.answer_backends();
        world.declare_retention("keep", given::retention(1));
        world.declare(&given::configuration(vec![given::session("nightly")]));
        let valid = |world: &World| {
            world.state.configurations[&APP].conditions.is_true(Type::ValidationPassed)
        };
        assert!(!valid(&world));
        assert_eq!(
            world.label("demo", &[("team", "blue")]),
            "namespace.Observed configuration.ValidationPassed repository.Created \
             repository.InitializationRequested"
        );
        assert_eq!(world.label("other", &[("team", "blue")]), "namespace.Observed");
        assert!(world.label("demo", &[]).ends_with("configuration.ValidationFailed"));
    }
}
