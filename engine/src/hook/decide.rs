//! Decides on hook templates.

use crate::draft::Draft;
use crate::hook::{Command, Event};
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Declare(declared) => {
            let known = draft.hook(declared.uid).map(|known| known.hash.into());
            if declared.is_news(known)? {
                draft.emit(Event::from(declared.clone()));
            }
        }
        Command::Delete { uid } => {
            if let Some(known) = draft.hook(*uid) {
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
    use crate::hook::{Executor, Spec};
    use crate::ids::Uid;
    use crate::testing::given::{self, hash, key};
    use crate::testing::world::{APP, World, named};
    use crate::usage::UsagePolicy;

    fn thaw() -> Uid {
        named("hook/thaw")
    }

    fn declare(number: u64, spec: Spec) -> Command {
        let (uid, key) = (thaw(), key("thaw"));
        Command::Declare(Declared { uid, key, generation: 1, hash: hash(number), spec })
    }

    fn template() -> Spec {
        given::template(Executor::Pod)
    }

    #[test]
    fn the_same_object_twice_is_nothing_new_and_gone_is_gone() {
        let mut world = World::new();
        assert_eq!(world.ask(declare(1, template())), "hook.Declared");
        assert_eq!(world.ask(declare(1, template())), "");
        let function = given::template(Executor::Function);
        assert_eq!(world.ask(declare(2, function)), "hook.Declared");
        let found = world.state.hook_named(&key("thaw")).unwrap();
        assert_eq!(found.spec.executor, Executor::Function);
        assert_eq!(world.ask(Command::Delete { uid: thaw() }), "hook.Deleted");
        assert_eq!(world.ask(Command::Delete { uid: thaw() }), "");
        assert_eq!(world.state.hook_named(&key("thaw")), None);
    }

    #[test]
    fn configurations_that_name_it_before_or_after_their_work_are_checked_again() {
        for before in [true, false] {
            let mut session = given::session("nightly");
            let hooks = vec![given::hook("thaw")];
            if before {
                session.pre_hooks = hooks;
            } else {
                session.post_hooks = hooks;
            }
            let mut world = World::with(vec![session]);
            let said = |world: &World| {
                let facts = &world.state.configurations[&APP].conditions;
                facts.get(Type::ValidationPassed).unwrap().message.clone()
            };
            let closed = Spec { usage: None, ..template() };
            assert_eq!(
                world.ask(declare(1, closed)),
                "hook.Declared configuration.ValidationFailed"
            );
            assert_eq!(
                said(&world),
                "session nightly: HookTemplate demo/thaw may not be used from namespace demo; its \
                 usagePolicy decides"
            );
            let odd = Spec { invalid: Some("it is odd".into()), ..template() };
            world.ask(declare(2, odd));
            assert_eq!(said(&world), "HookTemplate demo/thaw: it is odd");
            let open = Spec { usage: Some(UsagePolicy::All), ..template() };
            assert_eq!(world.ask(declare(3, open)), "hook.Declared configuration.ValidationPassed");
        }
    }

    #[test]
    fn those_that_do_not_name_it_are_left_alone() {
        let mut world = World::ready();
        let closed = Spec { usage: None, ..template() };
        assert_eq!(world.ask(declare(1, closed)), "hook.Declared");
    }
}
