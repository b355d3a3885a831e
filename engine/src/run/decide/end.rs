//! A session is stopped, or its time is up.

use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::Stage;
use crate::ids::Uid;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::run::component;
use crate::run::decide::{advance, has_run, worker};
use crate::run::expiry::{expiry, waits_until};
use crate::run::phase::Step;
use crate::run::session;
use crate::run::{Event, StopCause};

pub(super) fn cancel(draft: &mut Draft, uid: Uid, cause: &StopCause) -> Result<(), Rejection> {
    let session = session::known(draft, uid)?;
    if stop(draft, uid, cause.clone()) {
        return Ok(());
    }
    Err(Rejection::conflict(session.key(), "nothing is left to stop"))
}

/// Stops a session that has work left; one that waits is skipped, one that ends anyway is let be. False
/// when nothing was to be stopped.
pub(crate) fn stop(draft: &mut Draft, uid: Uid, cause: StopCause) -> bool {
    let Some(session) = session::get(draft, uid) else { return false };
    let run = session.run();
    if run.is_finished() || run.is_work_over() {
        return false;
    }
    if !run.is_going() {
        return session.skip(draft, cause.sentence());
    }
    // Whoever stopped it does not want another try.
    let failure = Failure { permanent: true, ..Failure::passing("Cancelled", cause.sentence()) };
    draft.emit(session.says(Event::Cancelled { uid, cause }));
    give_up_work(draft, uid, &failure);
    true
}

pub(super) fn expire(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let session = session::known(draft, uid)?;
    let expires = expiry(session.run(), session.until(), session.hooks(Stage::Post));
    if expires.is_none_or(|when| when > draft.at()) {
        return Err(Rejection::conflict(session.key(), "its time is not up"));
    }
    let run = session.run();
    if run.step == Step::Queued {
        session.skip(draft, "another session of the configuration took too long".into());
        return Ok(());
    }
    if waits_until(session.run()).is_some() {
        stop(draft, uid, StopCause::NoWorker);
        return Ok(());
    }
    if run.work_ended_at.is_none() {
        time_out(draft, uid);
        return Ok(());
    }
    if !run.conditions.is_true(Type::DeadlineExceeded) {
        draft.emit(session.says(Event::DeadlineExceeded { uid }));
    }
    force(draft, uid, "nobody answered in time");
    Ok(())
}

/// Its deadline passed while work was left.
pub(super) fn time_out(draft: &mut Draft, uid: Uid) {
    let Some(session) = session::get(draft, uid) else { return };
    draft.emit(session.says(Event::DeadlineExceeded { uid }));
    give_up_work(draft, uid, &Failure::passing("DeadlineExceeded", "its deadline passed"));
}

/// Ends everything that is under way, on record; workers are stopped by the event before. Hooks after the
/// work still run: one of them may thaw what a hook before it froze.
fn give_up_work(draft: &mut Draft, uid: Uid, failure: &Failure) {
    let asked = draft.effects(|once| match once {
        Once::Survey { session } | Once::RunHook { session, .. } => *session == uid,
        Once::StartWorker { attempt } => attempt.session == uid,
        _ => false,
    });
    for effect in asked {
        draft.give_up(effect, failure.message.clone());
    }
    let Some(session) = session::get(draft, uid) else { return };
    let run = session.run();
    let failed = || Outcome::Failed(failure.clone());
    if let Some(run) = run.hooks.open() {
        draft.emit(session.says(Event::HookEnded { uid, run, outcome: failed() }));
    }
    if has_run(run, Stage::Pre) && run.hooks.result(Stage::Pre).is_none() {
        let stage = Stage::Pre;
        draft.emit(session.says(Event::HooksFinished { uid, stage, outcome: failed() }));
    }
    for (attempt, worked) in component::running(uid, &run.components, draft.at()) {
        worker::unreported(draft, &*session, &attempt, failed(), worked);
    }
    advance(draft, uid);
}

/// Ends whatever closing still waits for, as failed: nobody answered in time.
fn force(draft: &mut Draft, uid: Uid, message: &str) {
    let Some(session) = session::get(draft, uid) else { return };
    let run = session.run();
    let failed = || Outcome::Failed(Failure::passing("NoAnswer", message));
    if let Some(run) = run.hooks.open() {
        for effect in draft.effects(|once| *once == Once::RunHook { session: uid, run }) {
            draft.give_up(effect, message);
        }
        draft.emit(session.says(Event::HookEnded { uid, run, outcome: failed() }));
    }
    let pending = run.step != Step::Retaining
        && run.hooks.result(Stage::Post).is_none()
        && has_run(run, Stage::Post);
    if pending {
        let stage = Stage::Post;
        draft.emit(session.says(Event::HooksFinished { uid, stage, outcome: failed() }));
    }
    session.force(draft, message);
    advance(draft, uid);
}

#[cfg(test)]
mod backups {
    use alloc::vec;

    use super::*;
    use crate::backup::phase::{Phase, phase};
    use crate::hook::Executor;
    use crate::limits;
    use crate::run::Command as Run;
    use crate::run::session::Session;
    use crate::testing::given;
    use crate::testing::world::{MINUTE, World, attempt, broken, named};
    use crate::time::{Millis, Timestamp};

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

    fn expires(world: &World, session: Uid) -> Option<Timestamp> {
        let known = world.backup(session);
        expiry(&known.run, known.until, known.hooks(Stage::Post))
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
        assert_eq!(expires(&world, session), None);
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
        assert_eq!(expires(&world, session), Some(world.now.plus(Millis(patience))));
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
            let when = expires(&world, session);
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
        assert_eq!(expires(&world, session), Some(world.now.plus(limits::CLOSING_MILLIS)));
    }

    #[test]
    fn after_a_deadline_a_session_without_hooks_ends_within_a_minute_whatever_does_not_answer() {
        let mut session = given::session("nightly");
        session.timeout = Some(Millis(10 * MINUTE));
        let mut world = World::with(vec![session]);
        let session = world.working(1);
        world.pass(10 * MINUTE);
        world.ask(expire(session));
        assert_eq!(expires(&world, session), Some(world.now.plus(Millis(MINUTE))));
        world.pass(MINUTE);
        world.ask(expire(session));
        assert!(world.backup(session).is_finished());
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

#[cfg(test)]
mod restores {
    use alloc::vec;

    use super::*;
    use crate::hook::{Executor, HookSpec};
    use crate::ids::Attempt;
    use crate::limits;
    use crate::restore::Spec;
    use crate::restore::phase::{Phase, phase};
    use crate::run::Command as Run;
    use crate::testing::given;
    use crate::testing::world::{BACK, MINUTE, World, attempt, named};
    use crate::time::{Millis, Timestamp};

    const EXPIRE: Run = Run::Expire { session: BACK };

    fn cancel() -> Run {
        Run::Cancel { session: BACK, cause: "enough".into() }
    }

    /// Ten minutes for two pods, with a hook before and one after.
    fn spec() -> Spec {
        Spec {
            timeout: Some(Millis(10 * MINUTE)),
            pre_hooks: vec![given::hook("freeze")],
            post_hooks: vec![given::hook("thaw")],
            ..given::restore(&[])
        }
    }

    fn declared(spec: Spec) -> World {
        let mut world = World::restorable();
        for name in ["freeze", "thaw"] {
            world.declare_hook(name, Executor::Pod);
        }
        world.declare_restore(spec);
        world
    }

    fn working(spec: Spec) -> World {
        let mut world = declared(spec);
        world.surveyed(BACK, 2);
        world.hook_ended(BACK, Outcome::Succeeded);
        world
    }

    fn thawing(spec: Spec) -> World {
        let mut world = working(spec);
        world.reported(BACK, "pod-0");
        world.reported(BACK, "pod-1");
        world
    }

    fn conflict(reason: &str) -> Rejection {
        Rejection::conflict("demo/back", reason)
    }

    #[test]
    fn a_stop_ends_on_record_whatever_is_under_way() {
        let mut surveying = declared(spec());
        assert_eq!(
            surveying.ask(cancel()),
            "restore.Cancelled given-up restore.Incomplete restore.ExecutorNotEnsured \
             restore.HookStarted"
        );
        let mut planning = declared(spec());
        planning.surveyed(BACK, 2);
        assert_eq!(
            planning.ask(cancel()),
            "restore.Cancelled given-up restore.HookEnded restore.HooksFinished \
             restore.Incomplete restore.ExecutorNotEnsured \
             restore.HookStarted"
        );
        let mut working = working(spec());
        working.started(BACK, "pod-0");
        working.pass(MINUTE);
        assert_eq!(
            working.ask(cancel()),
            "restore.Cancelled given-up restore.ComponentEnded restore.ComponentEnded \
             restore.Incomplete restore.ExecutorNotEnsured \
             restore.HookStarted"
        );
        for name in ["pod-0", "pod-1"] {
            working.effect(&Once::StopWorker { attempt: attempt(BACK, name) });
            let component = working.back().component(name).unwrap();
            assert_eq!(component.duration, Millis(MINUTE));
            let Some(Outcome::Failed(failure)) = &component.outcome else { panic!("{name}") };
            assert_eq!(
                (failure.reason.as_str(), failure.message.as_str(), failure.permanent),
                ("Cancelled", "enough", true)
            );
        }
        working.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(phase(working.back()), Phase::Failed);
    }

    #[test]
    fn what_has_ended_keeps_its_outcome() {
        let mut world = working(spec());
        world.reported(BACK, "pod-0");
        world.ask(cancel());
        let outcome = |name| world.back().component(name).unwrap().outcome.clone();
        assert_eq!(outcome("pod-0"), Some(Outcome::Succeeded));
        assert!(matches!(outcome("pod-1"), Some(Outcome::Failed(_))));
        let stopped = Once::StopWorker { attempt: Attempt { number: 1, ..attempt(BACK, "pod-1") } };
        assert_eq!(world.outbox().into_iter().filter(|once| *once == stopped).count(), 1);
        assert!(
            world
                .find(|once| *once == Once::StopWorker { attempt: attempt(BACK, "pod-0") })
                .is_none()
        );
    }

    #[test]
    fn nothing_is_stopped_before_its_begin_after_its_work_or_twice() {
        let over = conflict("nothing is left to stop");
        let mut waiting = declared(Spec { target: Some(Default::default()), ..spec() });
        assert_eq!(waiting.back().step, Step::Created);
        assert_eq!(waiting.refused(cancel()), over);
        let mut thawing = thawing(spec());
        assert_eq!(thawing.refused(cancel()), over);
        thawing.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(phase(thawing.back()), Phase::Succeeded);
        assert_eq!(thawing.refused(cancel()), over);
        let mut stopped = working(spec());
        stopped.ask(cancel());
        assert_eq!(stopped.refused(cancel()), over);
        let nobody = named("nobody");
        let unknown = Rejection::conflict(nobody, "no such session");
        let command = Run::Cancel { session: nobody, cause: "x".into() };
        assert_eq!(stopped.refused(command), unknown);
        assert_eq!(stopped.refused(Run::Expire { session: nobody }), unknown);
    }

    #[test]
    fn a_deadline_is_over_at_its_instant_and_not_before() {
        let mut world = working(spec());
        world.pass(10 * MINUTE - 1);
        assert_eq!(world.refused(EXPIRE), conflict("its time is not up"));
        world.pass(1);
        assert_eq!(
            world.ask(EXPIRE),
            "restore.DeadlineExceeded given-up given-up restore.ComponentEnded \
             restore.ComponentEnded restore.Incomplete restore.ExecutorNotEnsured \
             restore.HookStarted"
        );
        let facts = &world.back().conditions;
        let said = &facts.get(Type::RestoreIncomplete).unwrap().message;
        assert_eq!(said, "the session's deadline passed");
        assert_eq!(world.refused(EXPIRE), conflict("its time is not up"));
        assert_eq!(expires(&world), Some(world.now.plus(limits::CLOSING_MILLIS)));
    }

    #[test]
    fn hooks_after_the_work_have_a_time_of_their_own() {
        let mut world = thawing(spec());
        world.pass(10 * MINUTE);
        assert_eq!(world.refused(EXPIRE), conflict("its time is not up"));
        let mut answered = world.clone();
        answered.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(phase(answered.back()), Phase::Succeeded);

        let all = limits::CLOSING_MILLIS.0 + limits::HOOK_DEFAULT_MILLIS.0;
        world.pass(all - 10 * MINUTE);
        assert_eq!(
            world.ask(EXPIRE),
            "restore.DeadlineExceeded given-up restore.HookEnded restore.HooksFinished \
             restore.MetricsPushed configuration.ResumedAfterRestore"
        );
        assert_eq!(phase(world.back()), Phase::Failed);
        assert_eq!(world.outbox(), []);
        assert_eq!(world.refused(EXPIRE), conflict("its time is not up"));
    }

    #[test]
    fn tries_of_hooks_lengthen_closing_and_a_deadline_ends_that() {
        let thaw = HookSpec { timeout: Some(Millis(MINUTE)), max_retry: 2, ..given::hook("thaw") };
        let mut world = thawing(Spec { post_hooks: vec![thaw], ..spec() });
        let now = world.now;
        let closing = |extra| Some(now.plus(Millis(limits::CLOSING_MILLIS.0 + extra)));
        assert_eq!(expires(&world), closing(3 * MINUTE));
        world.record(crate::testing::in_restore(Event::DeadlineExceeded { uid: BACK }));
        assert_eq!(expires(&world), closing(0));
    }

    fn expires(world: &World) -> Option<Timestamp> {
        expiry(&world.back().run, None, &world.back().spec.post_hooks)
    }

    #[test]
    fn without_a_timeout_work_may_take_for_ever() {
        let mut world = declared(Spec { timeout: None, ..spec() });
        assert_eq!(expires(&world), None);
        world.pass(365 * 24 * 60 * MINUTE);
        assert_eq!(world.refused(EXPIRE), conflict("its time is not up"));
    }
}
