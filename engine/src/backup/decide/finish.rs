//! The end of a session: its history, its final fact, its retry.

use alloc::vec::Vec;

use crate::backup::Event;
use crate::backup::phase::{Phase, phase};
use crate::backup::state::Backup;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// The final step; false, because nothing follows it.
pub(crate) fn finish(draft: &mut Draft, uid: Uid) -> bool {
    clean_history(draft, uid);
    draft.emit(Event::HistoryCleaned { uid });
    draft.emit(Event::MetricsPushed { uid });
    schedule_retry(draft, uid);
    false
}

/// Older finished sessions of the same name leave the state. One whose retry is due stays for it, and one that has a
/// worker to be stopped until that has stopped.
fn clean_history(draft: &mut Draft, uid: Uid) {
    let Some(backup) = draft.backup(uid) else { return };
    // The session itself is the newest that is kept.
    let others = history_limit(draft, backup).saturating_sub(1);
    for old in older(draft, backup, |_| true).into_iter().skip(others) {
        if !draft.is_stopping(old) {
            draft.emit(Event::Archived { uid: old });
        }
    }
}

/// Skipped sessions among themselves: they must not push the last real one out of the history.
pub(crate) fn clean_skipped(draft: &mut Draft, uid: Uid) {
    let Some(backup) = draft.backup(uid) else { return };
    let others = history_limit(draft, backup).saturating_sub(1);
    let skipped = |other: &Backup| phase(other) == Phase::Skipped;
    for old in older(draft, backup, skipped).into_iter().skip(others) {
        draft.emit(Event::Archived { uid: old });
    }
}

fn history_limit(draft: &Draft, backup: &Backup) -> usize {
    let of_plan = backup.plan.as_ref().map(|plan| plan.spec.history_limit);
    let of_spec = || {
        let known = draft.configuration(backup.configuration)?;
        Some(known.session(&backup.session)?.spec.history_limit)
    };
    let limit = of_plan.or_else(of_spec).unwrap_or(1).max(1);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Finished sessions of the same name, newest first.
fn older(draft: &Draft, backup: &Backup, fits: impl Fn(&Backup) -> bool) -> Vec<Uid> {
    let waits_for_retry = |other: &Backup| other.retry_at.is_some() && other.retried_by.is_none();
    let mut found: Vec<&Backup> = draft
        .backups_of(backup.configuration)
        .filter(|other| {
            other.uid != backup.uid
                && other.session == backup.session
                && other.is_finished()
                && !waits_for_retry(other)
                && fits(other)
        })
        .collect();
    found.sort_by_key(|other| core::cmp::Reverse((other.created_at, other.uid)));
    found.into_iter().map(|other| other.uid).collect()
}

fn schedule_retry(draft: &mut Draft, uid: Uid) {
    if let Some(at) = draft.backup(uid).and_then(|backup| retry_time(draft, backup)) {
        draft.emit(Event::RetryScheduled { uid, at });
    }
}

/// When a failed session is tried again: after the delay, and not past the next slot.
fn retry_time(draft: &Draft, backup: &Backup) -> Option<Timestamp> {
    let hopeless = backup.retry_left == 0 || backup.cancelled.is_some() || is_permanent(backup);
    if phase(backup) != Phase::Failed || hopeless {
        return None;
    }
    let configuration = draft.configuration(backup.configuration)?;
    if configuration.deleting {
        return None;
    }
    let delay = configuration.session(&backup.session)?.spec.retry?.delay;
    let at = draft.at().plus(delay);
    let schedule = draft.schedule(backup.configuration, &backup.session);
    let next = schedule.and_then(|s| s.next.iter().find(|slot| **slot > draft.at()));
    next.is_none_or(|slot| at < *slot).then_some(at)
}

/// Trying again cannot help: some component says so.
fn is_permanent(backup: &Backup) -> bool {
    let mut ended = backup.components.iter().filter_map(|known| known.outcome.as_ref());
    ended.any(|outcome| matches!(outcome, Outcome::Failed(failure) if failure.permanent))
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::{Command, Trigger};
    use crate::configuration::{Retry, SessionSpec};
    use crate::effect::Once;
    use crate::outbox::Answer;
    use crate::outcome::Failure;
    use crate::run::Command as Run;
    use crate::storage::DeletionPolicy;
    use crate::testing::given;
    use crate::testing::world::{APP, DAY, MINUTE, World, attempt};
    use crate::time::Millis;
    use crate::{Command as Any, configuration as app};

    fn nightly(history: u32, retry: Option<(u32, u64)>) -> SessionSpec {
        let mut session = given::session("nightly");
        session.history_limit = history;
        session.retry = retry.map(|(max, delay)| Retry { max, delay: Millis(delay) });
        session
    }

    /// A session by hand with one retry left; its only worker is gone, its snapshot is described.
    fn fail(world: &mut World) -> Uid {
        let session = begin(world);
        world.vanished(session, "pod-0");
        world.described();
        session
    }

    fn begin(world: &mut World) -> Uid {
        let session = crate::testing::world::named("one retry left")
            .derive(alloc::format!("{}", world.state.seq).as_str());
        let mut command = world.creation(session, "nightly", None);
        if let Command::Create { retry_left, .. } = &mut command {
            *retry_left = 1;
        }
        world.ask(command);
        world.surveyed(session, 1);
        session
    }

    #[test]
    fn the_history_keeps_the_newest_of_a_name() {
        // The limit, and how many of four sessions stay; zero is read as one.
        for (limit, kept) in [(0, 1), (1, 1), (2, 2), (3, 3), (9, 4)] {
            let mut world = World::with(vec![nightly(limit, None)]);
            let made: Vec<Uid> = (0..4)
                .map(|_| {
                    world.pass(MINUTE);
                    world.succeed()
                })
                .collect();
            let mut left: Vec<&Backup> = world.state.backups.values().collect();
            left.sort_by_key(|backup| backup.created_at);
            let left: Vec<Uid> = left.into_iter().map(|backup| backup.uid).collect();
            assert_eq!(left, made[4 - kept..], "{limit}");
        }
    }

    #[test]
    fn names_have_histories_of_their_own() {
        let weekly = SessionSpec { name: "weekly".into(), ..nightly(1, None) };
        let mut world = World::with(vec![nightly(1, None), weekly]);
        world.succeed();
        let (other, _) = world.create("weekly");
        world.surveyed(other, 1);
        world.reported(other, "pod-0");
        world.described();
        assert_eq!(world.state.backups.len(), 2);
    }

    #[test]
    fn one_that_waits_for_its_retry_stays_for_it() {
        let mut world = World::with(vec![nightly(1, Some((1, MINUTE)))]);
        let failed = fail(&mut world);
        assert!(world.backup(failed).retry_at.is_some());
        world.pass(1_000);
        world.succeed();
        assert!(world.state.backups.contains_key(&failed));
        world.pass(MINUTE);
        world.ask(Command::Retry { session: failed });
        let by = world.backup(failed).retried_by.unwrap();
        world.surveyed(by, 1);
        world.reported(by, "pod-0");
        world.described();
        assert!(!world.state.backups.contains_key(&failed), "its retry exists");
    }

    #[test]
    fn skipped_ones_push_no_real_one_out() {
        let mut world = World::with(vec![nightly(1, None)]);
        let real = world.succeed();
        let mut spec = given::configuration(vec![nightly(1, None)]);
        spec.paused = true;
        world.declare(&spec);
        world.pass(MINUTE);
        let (first, happened) = world.create("nightly");
        assert_eq!(happened, "backup.Created backup.Skipped");
        world.pass(MINUTE);
        let (_, happened) = world.create("nightly");
        assert_eq!(happened, "backup.Created backup.Skipped backup.Archived");
        assert!(!world.state.backups.contains_key(&first));
        assert!(world.state.backups.contains_key(&real));
    }

    #[test]
    fn a_failed_session_is_tried_again_after_its_delay_and_not_past_the_next_slot() {
        // The delay; the next slot is a day away.
        for (delay, again) in [(0, true), (MINUTE, true), (DAY - 1, true), (DAY, false)] {
            let mut world = World::with(vec![nightly(9, Some((1, delay)))]);
            let failed = fail(&mut world);
            let when = again.then(|| world.now.plus(Millis(delay)));
            assert_eq!(world.backup(failed).retry_at, when, "{delay}");
        }
    }

    #[test]
    fn what_cannot_help_is_not_tried_again() {
        // One that succeeded.
        let mut world = World::with(vec![nightly(9, Some((1, MINUTE)))]);
        let session = begin(&mut world);
        world.reported(session, "pod-0");
        world.closed();
        assert_eq!(world.backup(session).retry_at, None);

        // One without retries left.
        let (none_left, _) = world.create("nightly");
        world.surveyed(none_left, 1);
        world.vanished(none_left, "pod-0");
        world.closed();
        assert_eq!(world.backup(none_left).retry_at, None);

        // One that somebody stopped.
        let stopped = begin(&mut world);
        world.ask(Run::Cancel { session: stopped, cause: "no".into() });
        world.closed();
        assert_eq!(world.backup(stopped).retry_at, None);

        // One that failed for good.
        let hopeless = begin(&mut world);
        let failure = Failure { permanent: true, ..crate::testing::failure("WrongPassphrase") };
        let attempt = attempt(hopeless, "pod-0");
        world.ask(Run::WorkerVanished { attempt, failure });
        world.closed();
        assert_eq!(world.backup(hopeless).retry_at, None);

        // One whose configuration says so no longer.
        let orphan = begin(&mut world);
        world.declare(&given::configuration(vec![nightly(9, None)]));
        world.vanished(orphan, "pod-0");
        world.closed();
        assert_eq!(world.backup(orphan).retry_at, None);
    }

    #[test]
    fn the_last_session_of_a_configuration_that_goes_takes_it_along() {
        let mut world = World::ready();
        let session = world.working(1);
        assert!(!world.ask(app::Command::Delete { uid: APP }).contains("configuration.Deleted"));
        assert_eq!(world.backup(session).trigger, Trigger::Manual);
        let end = world.described();
        assert!(end.ends_with("backup.MetricsPushed"), "its worker may still write: {end}");
        let stop = Once::StopWorker { attempt: attempt(session, "pod-0") };
        assert_eq!(
            world.answer_to(&stop, Answer::Done),
            "done repository.DeletionRequested repository.Deleted snapshot.Forgotten \
             backup.Archived configuration.Deleted"
        );
        assert!(world.state.configurations.is_empty());
    }

    #[test]
    fn a_configuration_that_is_being_wiped_gets_no_retry() {
        let mut session = nightly(9, Some((1, MINUTE)));
        session.repositories[0].deletion = Some(DeletionPolicy::WipeOut);
        let mut world = World::with(vec![session]);
        let failed = fail(&mut world);
        world.ask(Any::from(app::Command::Delete { uid: APP }));
        assert!(world.state.configurations.contains_key(&APP), "the wipe goes on");
        world.pass(MINUTE);
        let due = crate::due(&world.state, world.now, Millis(0));
        assert_eq!(due, [], "a wake-up that is refused would be due for ever: {failed}");
    }

    #[test]
    fn one_permanent_failure_is_enough() {
        let mut world = World::ready();
        let uid = world.working(2);
        let mut backup = world.backup(uid).clone();
        assert!(!is_permanent(&backup));
        backup.run.components[0].outcome = Some(crate::testing::world::broken("Evicted"));
        assert!(!is_permanent(&backup));
        let forever = Failure { permanent: true, ..crate::testing::failure("WrongPassphrase") };
        backup.run.components[1].outcome = Some(Outcome::Failed(forever));
        assert!(is_permanent(&backup));
    }
}
