//! A session is stopped, or its time is up.

use crate::backup::Event;
use crate::backup::decide::advance::{advance, force};
use crate::backup::decide::{known, open, result};
use crate::backup::phase::Step;
use crate::backup::state::Backup;
use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::Stage;
use crate::hook::run::patience;
use crate::ids::Uid;
use crate::limits;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::run::StopCause;
use crate::time::{Millis, Timestamp};
use crate::work;

pub(crate) fn cancel(draft: &mut Draft, uid: Uid, cause: &StopCause) -> Result<(), Rejection> {
    let backup = known(draft, uid)?;
    if backup.is_finished() || backup.is_work_over() {
        return Err(Rejection::conflict(&backup.key, "nothing is left to stop"));
    }
    stop(draft, uid, cause.clone());
    Ok(())
}

/// Stops a session that has work left; one that waits is skipped, one that ends anyway is let be.
pub(crate) fn stop(draft: &mut Draft, uid: Uid, cause: StopCause) {
    let Some(backup) = draft.backup(uid) else { return };
    if !backup.is_going() {
        if !backup.is_finished() {
            open::skip(draft, uid, cause.sentence());
        }
        return;
    }
    if backup.is_work_over() {
        return;
    }
    let failure = result::failure("Cancelled", &cause.sentence());
    draft.emit(Event::Cancelled { uid, cause });
    give_up_work(draft, uid, &failure);
}

/// When something about a session expires; the wake-up of [`crate::deadline`].
pub(crate) fn expiry(backup: &Backup) -> Option<Timestamp> {
    match backup.step {
        Step::Created | Step::Skipped | Step::Finished => None,
        Step::Queued => backup.until,
        _ => match backup.work_ended_at {
            None => backup.deadline,
            Some(ended) => Some(ended.plus(closing_time(backup))),
        },
    }
}

/// How long closing may take: its own time, and that of the hooks that still run.
fn closing_time(backup: &Backup) -> Millis {
    if backup.conditions.is_true(Type::DeadlineExceeded) {
        return limits::CLOSING_MILLIS;
    }
    let hooks = backup.plan.as_ref().map_or(Millis(0), |plan| patience(&plan.spec.post_hooks));
    Millis(limits::CLOSING_MILLIS.0.saturating_add(hooks.0))
}

pub(crate) fn expire(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let backup = known(draft, uid)?.clone();
    let due = expiry(&backup).is_some_and(|when| when <= draft.at());
    if !due {
        return Err(Rejection::conflict(&backup.key, "its time is not up"));
    }
    if backup.step == Step::Queued {
        open::skip(draft, uid, "another session of the configuration took too long".into());
        return Ok(());
    }
    if backup.work_ended_at.is_none() {
        time_out(draft, uid);
        return Ok(());
    }
    if !backup.conditions.is_true(Type::DeadlineExceeded) {
        draft.emit(Event::DeadlineExceeded { uid });
    }
    force(draft, uid, "nobody answered in time");
    Ok(())
}

/// Its deadline passed while work was left.
pub(crate) fn time_out(draft: &mut Draft, uid: Uid) {
    draft.emit(Event::DeadlineExceeded { uid });
    give_up_work(draft, uid, &result::failure("DeadlineExceeded", "its deadline passed"));
}

/// Ends everything that is under way, on record; workers are stopped by the event before.
fn give_up_work(draft: &mut Draft, uid: Uid, failure: &Failure) {
    let asked = draft.effects(|once| match once {
        Once::Survey { session } | Once::RunHook { session, .. } => *session == uid,
        Once::StartWorker { attempt } => attempt.session == uid,
        _ => false,
    });
    for effect in asked {
        draft.give_up(effect, failure.message.clone());
    }
    let Some(backup) = draft.backup(uid).cloned() else { return };
    let failed = || Outcome::Failed(failure.clone());
    if let Some(run) = backup.hooks.open() {
        draft.emit(Event::HookEnded { uid, run, outcome: failed() });
    }
    let began = backup.hooks.tries.iter().any(|known| known.run.stage == Stage::Pre);
    if began && backup.hooks.result(Stage::Pre).is_none() {
        draft.emit(Event::HooksFinished { uid, stage: Stage::Pre, outcome: failed() });
    }
    for (attempt, worked) in work::running(uid, &backup.components, draft.at()) {
        super::worker::end(draft, &attempt, failed(), worked);
    }
    advance(draft, uid);
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::phase::{Phase, phase};
    use crate::hook::Executor;
    use crate::run::Command as Run;
    use crate::testing::given;
    use crate::testing::world::{MINUTE, World, attempt, broken, named};

    fn cancel(session: Uid) -> Run {
        Run::Cancel { session, cause: "enough".into() }
    }

    fn expire(session: Uid) -> Run {
        Run::Expire { session }
    }

    /// `nightly` with a timeout of ten minutes, a hook before the work and one after it.
    fn hooked() -> World {
        let mut session = given::session("nightly");
        session.timeout = Some(Millis(10 * MINUTE));
        session.pre_hooks = vec![given::hook("freeze")];
        session.post_hooks = vec![given::hook("thaw")];
        let mut world = World::with(vec![session]);
        world.declare_hook("freeze", Executor::Pod);
        world.declare_hook("thaw", Executor::Pod);
        world
    }

    /// A session of [`hooked`] that runs its hook after the work.
    fn thawing() -> (World, Uid) {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, Outcome::Succeeded);
        world.started(session, "pod-0");
        world.reported(session, "pod-0");
        (world, session)
    }

    #[test]
    fn a_stop_ends_on_record_whatever_is_under_way() {
        // How far the session has come, and what the stop says.
        let mut surveying = World::ready();
        let (session, _) = surveying.create("nightly");
        assert_eq!(
            surveying.ask(cancel(session)),
            "backup.Cancelled given-up snapshot.Incomplete backup.ExecutorNotEnsured"
        );

        let mut planning = hooked();
        let session = planning.working(1);
        assert_eq!(
            planning.ask(cancel(session)),
            "backup.Cancelled given-up backup.HookEnded backup.HooksFinished snapshot.Incomplete \
             backup.ExecutorNotEnsured backup.HookStarted"
        );

        let mut working = World::ready();
        let session = working.working(2);
        working.started(session, "pod-0");
        assert_eq!(
            working.ask(cancel(session)),
            "backup.Cancelled given-up backup.ComponentEnded backup.ComponentEnded \
             snapshot.Incomplete backup.ExecutorNotEnsured"
        );
        let stops = |name| Once::StopWorker { attempt: attempt(session, name) };
        working.effect(&stops("pod-0"));
        working.effect(&stops("pod-1"));
        working.described();
        assert_eq!(phase(working.backup(session)), Phase::Failed);
        assert_eq!(working.backup(session).cancelled, Some("enough".into()));
    }

    #[test]
    fn one_that_waits_is_skipped() {
        let mut world = World::with(vec![given::session("nightly"), given::session("weekly")]);
        world.create("nightly");
        let (waiting, _) = world.create("weekly");
        assert_eq!(world.ask(cancel(waiting)), "backup.Skipped");
    }

    #[test]
    fn nothing_is_stopped_twice_or_after_its_work() {
        let (mut world, session) = thawing();
        let over = Rejection::conflict("demo/app-nightly-1700438400", "nothing is left to stop");
        assert_eq!(world.refused(cancel(session)), over);
        world.hook_ended(session, Outcome::Succeeded);
        world.described();
        assert_eq!(world.refused(cancel(session)), over);

        let mut stopped = World::ready();
        let session = stopped.working(1);
        stopped.ask(cancel(session));
        assert_eq!(stopped.refused(cancel(session)), over);

        let nobody = named("nobody");
        let unknown = Rejection::conflict(nobody, "no such session");
        assert_eq!(stopped.refused(cancel(nobody)), unknown);
        assert_eq!(stopped.refused(expire(nobody)), unknown);
    }

    #[test]
    fn a_deadline_is_over_at_its_instant_and_not_before() {
        let early = Rejection::conflict("demo/app-nightly-1700438400", "its time is not up");
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, Outcome::Succeeded);
        world.pass(10 * MINUTE - 1);
        assert_eq!(world.refused(expire(session)), early);
        world.pass(1);
        assert_eq!(
            world.ask(expire(session)),
            "backup.DeadlineExceeded given-up backup.ComponentEnded snapshot.Incomplete \
             backup.ExecutorNotEnsured backup.HookStarted"
        );
        assert!(world.backup(session).conditions.is_true(Type::DeadlineExceeded));
        assert_eq!(world.refused(expire(session)), early, "closing has a time of its own");
    }

    #[test]
    fn without_a_timeout_work_may_take_for_ever() {
        let mut world = World::ready();
        let session = world.working(1);
        assert_eq!(expiry(world.backup(session)), None);
        world.pass(365 * 24 * 60 * MINUTE);
        assert_eq!(
            world.refused(expire(session)),
            Rejection::conflict("demo/app-nightly-1700438400", "its time is not up")
        );
    }

    #[test]
    fn closing_ends_when_nobody_answers() {
        let (mut world, session) = thawing();
        let patience = limits::CLOSING_MILLIS.0 + limits::HOOK_DEFAULT_MILLIS.0;
        assert_eq!(expiry(world.backup(session)), Some(world.now.plus(Millis(patience))));
        world.pass(patience);
        assert_eq!(
            world.ask(expire(session)),
            "backup.DeadlineExceeded given-up backup.HookEnded backup.HooksFinished given-up \
             snapshot.MetadataUploaded backup.RetentionStarted backup.RetentionApplied \
             backup.HistoryCleaned backup.MetricsPushed"
        );
        assert_eq!(phase(world.backup(session)), Phase::Failed);
        assert_eq!(world.outbox(), []);
    }

    #[test]
    fn hooks_after_the_work_lengthen_closing_by_all_their_tries() {
        // Timeout and retries of the hook; minutes that closing may take besides its own.
        for (timeout, retries, extra) in [
            (Some(MINUTE), 0, 1),
            (Some(MINUTE), 2, 3),
            (None, 1, 120),
            (Some(MINUTE), limits::HOOK_RETRIES, 101),
        ] {
            let mut session = given::session("nightly");
            let mut thaw = given::hook("thaw");
            thaw.timeout = timeout.map(Millis);
            thaw.max_retry = retries;
            session.post_hooks = vec![thaw];
            let mut world = World::with(vec![session]);
            let session = world.working(1);
            world.vanished(session, "pod-0");
            let expected = limits::CLOSING_MILLIS.0 + extra * MINUTE;
            let when = expiry(world.backup(session));
            assert_eq!(when, Some(world.now.plus(Millis(expected))), "{timeout:?} {retries}");
        }
    }

    #[test]
    fn after_a_deadline_hooks_get_no_more_time() {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, Outcome::Succeeded);
        world.pass(10 * MINUTE);
        world.ask(expire(session));
        assert_eq!(expiry(world.backup(session)), Some(world.now.plus(limits::CLOSING_MILLIS)));
    }

    #[test]
    fn a_session_that_waited_too_long_has_lost_its_turn() {
        let mut weekly = given::session("weekly");
        if let Some(scheduler) = &mut weekly.scheduler {
            scheduler.starting_deadline = Some(Millis(MINUTE));
        }
        let mut world = World::with(vec![given::session("nightly"), weekly]);
        world.create("nightly");
        let (waiting, _) = world.create("weekly");
        world.pass(MINUTE);
        assert_eq!(world.ask(expire(waiting)), "backup.Skipped");
        let said = &world.backup(waiting).conditions.get(Type::BackupSkipped).unwrap().message;
        assert_eq!(said, "another session of the configuration took too long");
    }

    #[test]
    fn a_failed_hook_before_the_work_leaves_nothing_to_stop() {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, broken("ExitCode"));
        assert_eq!(
            world.refused(cancel(session)),
            Rejection::conflict("demo/app-nightly-1700438400", "nothing is left to stop")
        );
    }
}
