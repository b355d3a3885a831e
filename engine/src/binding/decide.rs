//! Decides which live objects are ours.

use crate::binding::{Command, Event, Made};
use crate::draft::Draft;
use crate::event::StreamKind;

/// Decides on one command. What is said of an object that left the state concerns nobody.
pub(crate) fn decide(draft: &mut Draft, command: &Command) {
    match command {
        Command::Bind { made, live } => {
            let known = draft.base().live_uid(made);
            if known != *live && is_known(draft, made) {
                draft.emit(Event::Bound { made: made.clone(), live: *live });
            }
        }
        Command::Miss { made, live } => {
            if draft.base().bound.get(made) == Some(live) {
                draft.emit(Event::Missed { made: made.clone(), live: *live });
            }
        }
    }
}

fn is_known(draft: &Draft, made: &Made) -> bool {
    match made.kind {
        StreamKind::Schedule => draft.schedule(made.uid, &made.part).is_some(),
        StreamKind::Repository => draft.repository(made.uid).is_some(),
        StreamKind::Backup => draft.backup(made.uid).is_some(),
        StreamKind::Snapshot => draft.snapshot(made.uid).is_some(),
        StreamKind::Restore => draft.restore(made.uid).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding::Standing;
    use crate::effect::Once;
    use crate::ids::Uid;
    use crate::outbox::Answer;
    use crate::testing::world::{APP, World, named};
    use crate::{backup, configuration, snapshot};

    fn bind(made: &Made, live: Uid) -> Command {
        Command::Bind { made: made.clone(), live }
    }

    fn miss(made: &Made, live: Uid) -> Command {
        Command::Miss { made: made.clone(), live }
    }

    #[test]
    fn only_the_uid_that_was_bound_is_ours() {
        let mut world = World::ready();
        let session = world.succeed();
        let made = Made::whole(StreamKind::Backup, session);
        let (first, copy, second) = (named("first"), named("copy"), named("second"));
        assert_eq!(world.state.live_uid(&made), session);
        assert_eq!(world.state.standing(&made, first), Standing::Unbound);
        assert_eq!(world.ask(bind(&made, first)), "binding.Bound");
        assert_eq!(world.ask(bind(&made, first)), "");
        assert_eq!(world.state.standing(&made, first), Standing::Ours);
        assert_eq!(world.state.standing(&made, copy), Standing::Another);
        assert_eq!(world.ask(miss(&made, copy)), "", "a copy is gone");
        assert_eq!(world.ask(miss(&made, first)), "binding.Missed");
        assert_eq!(world.ask(miss(&made, first)), "");
        assert_eq!(world.ask(bind(&made, second)), "binding.Bound");
        assert_eq!(world.state.live_uid(&made), second);
        assert_eq!(world.ask(miss(&made, first)), "", "what is older than the newest look");
    }

    #[test]
    fn a_place_that_has_no_uids_of_its_own_says_nothing() {
        let mut world = World::ready();
        let session = world.succeed();
        assert_eq!(world.ask(bind(&Made::whole(StreamKind::Backup, session), session)), "");
        assert!(world.state.bound.is_empty());
    }

    #[test]
    fn what_was_made_goes_with_what_it_was_made_for() {
        let mut world = World::ready();
        let session = world.succeed();
        let snapshot = world.snapshot_of(session);
        let all = [
            Made::whole(StreamKind::Backup, session),
            Made::whole(StreamKind::Snapshot, snapshot),
            Made::trigger(APP, "nightly"),
        ];
        for made in &all {
            assert_eq!(world.ask(bind(made, named("live"))), "binding.Bound");
        }
        world.ask(snapshot::Command::Delete { uid: snapshot });
        while let Some(removal) = world.find(|once| matches!(once, Once::RemoveSnapshot { .. })) {
            world.answer(removal, Answer::Done);
        }
        assert!(!world.state.snapshots.contains_key(&snapshot));
        assert!(!world.state.bound.contains_key(&all[1]));
        world.ask(backup::Command::Delete { session });
        assert!(!world.state.bound.contains_key(&all[0]));
        assert!(world.state.bound.contains_key(&all[2]));
        world.ask(configuration::Command::Delete { uid: APP });
        assert!(world.state.bound.is_empty(), "{:?}", world.state.bound);
        assert_eq!(world.ask(bind(&all[0], named("late"))), "");
    }
}
