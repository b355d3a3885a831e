//! A session that waited looks again.

use crate::backup::decide::known;
use crate::backup::decide::open::{consider, skip};
use crate::backup::phase::Step;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let backup = known(draft, uid)?;
    if backup.step != Step::Queued {
        return Err(Rejection::conflict(&backup.key, "it does not wait"));
    }
    if backup.until.is_some_and(|until| until <= draft.at()) {
        skip(draft, uid, "another session of the configuration took too long".into());
    } else {
        consider(draft, uid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::Command;
    use crate::testing::given;
    use crate::testing::world::{MINUTE, World, named};
    use crate::time::Millis;

    /// `weekly`, which has a minute to start, waits behind `nightly`.
    fn waiting() -> (World, Uid, Uid) {
        let mut weekly = given::session("weekly");
        weekly.scheduler.iter_mut().for_each(|s| s.starting_deadline = Some(Millis(MINUTE)));
        let mut world = World::with(vec![given::session("nightly"), weekly]);
        let goes = world.working(1);
        let (waits, _) = world.create("weekly");
        (world, goes, waits)
    }

    #[test]
    fn it_starts_once_nobody_is_before_it() {
        let (mut world, goes, waits) = waiting();
        let resume = Command::Resume { session: waits };
        assert_eq!(world.ask(resume.clone()), "");
        world.reported(goes, "pod-0");
        world.closed();
        assert_eq!(
            world.ask(resume.clone()),
            "backup.Started snapshot.Created snapshot.ListUpdated backup.SnapshotsEnsured"
        );
        let behind = (world.backup(waits).behind, world.backup(waits).until);
        assert_eq!(behind, (None, None));
        assert_eq!(
            world.refused(resume),
            Rejection::conflict("demo/app-weekly-1700438400", "it does not wait")
        );
    }

    #[test]
    fn its_turn_is_over_at_the_instant_that_was_set() {
        let (mut world, _, waits) = waiting();
        world.pass(MINUTE - 1);
        assert_eq!(world.ask(Command::Resume { session: waits }), "");
        world.pass(1);
        assert_eq!(world.ask(Command::Resume { session: waits }), "backup.Skipped");
    }

    #[test]
    fn nobody_cannot_resume() {
        let (mut world, goes, _) = waiting();
        let nobody = named("nobody");
        assert_eq!(
            world.refused(Command::Resume { session: nobody }),
            Rejection::conflict(nobody, "no such backup session")
        );
        assert_eq!(
            world.refused(Command::Resume { session: goes }),
            Rejection::conflict("demo/app-nightly-1700438400", "it does not wait")
        );
    }
}
