//! Places of workers: whoever's turn it is begins, and whoever finds none says that it waits.
//!
//! This ends every decision that touched a session, so that a place that was given back is taken in the
//! same step.

use crate::deadline::is_anything_free;
use crate::draft::Draft;
use crate::hook::Stage;
use crate::ids::Uid;
use crate::limits::STARTS_A_STEP;
use crate::rejection::Rejection;
use crate::run::Event;
use crate::run::decide::advance;
use crate::run::decide::advance::{begin, run_hooks};
use crate::run::phase::Step;
use crate::run::queue::{Line, Standing};
use crate::run::session;

/// Lets begin who can, beginning with nothing that was changed.
pub(super) fn begin_waiting(draft: &mut Draft) -> Result<(), Rejection> {
    match is_anything_free(draft.base()) {
        true => Ok(()),
        false => Err(Rejection::conflict("queue", "nobody waits for a place that is free")),
    }
}

/// Gives places to whoever's turn it is, given what the decision has changed.
pub(crate) fn fill(draft: &mut Draft, asked: bool) {
    let touched = draft.touched_sessions();
    let limits = draft.base().limits;
    // Under new limits all lanes are new: they are made by the record, and filled by the wake after it.
    if touched.is_empty() && !asked || draft.limits() != limits {
        return;
    }
    let mut line = Line::new(draft.base().index.queue(), limits);
    for uid in touched {
        line.change(uid, standing(draft, uid));
    }
    for _ in 0..STARTS_A_STEP {
        let Some(ticket) = line.next() else { break };
        start(draft, ticket.session, ticket.component);
        line.change(ticket.session, standing(draft, ticket.session));
    }
    for (uid, now) in line.waiting() {
        note(draft, &line, uid, now);
    }
}

fn standing(draft: &Draft, uid: Uid) -> Standing {
    let limits = draft.base().limits;
    session::get(draft, uid).map(|known| Standing::of(&known.waiter(), &limits)).unwrap_or_default()
}

fn start(draft: &mut Draft, uid: Uid, component: usize) {
    let Some(session) = session::get(draft, uid) else { return };
    let hooks = session.hooks(Stage::Pre);
    let thawed = session.run().step == Step::Planning && !hooks.is_empty();
    if !thawed {
        begin(draft, &*session, component);
    } else if run_hooks(draft, &*session) {
        advance(draft, uid);
    }
}

/// Says of a session that it waits; once, and not of one whose time is up anyway.
fn note(draft: &mut Draft, line: &Line, uid: Uid, now: &Standing) {
    let Some(session) = session::get(draft, uid) else { return };
    let run = session.run();
    if run.queued.is_some() || run.deadline.is_some_and(|deadline| deadline <= draft.at()) {
        return;
    }
    let lack = now.first().and_then(|lane| line.lack(&session.key().namespace, lane));
    if let Some((lack, limit)) = lack {
        let left = run.deadline.map(|deadline| deadline.since(draft.at()));
        draft.emit(session.says(Event::QueuedForWorker { uid, lack, limit, left }));
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::deadline::{Due, due};
    use crate::lease;
    use crate::outcome::Outcome;
    use crate::run::Command as Run;
    use crate::run::limit::Limits;
    use crate::testing::given;
    use crate::testing::world::{BACK, DAY, MINUTE, World};
    use crate::time::Millis;

    fn limited(cluster: u32) -> World {
        let mut session = given::session("nightly");
        session.timeout = Some(Millis(10 * MINUTE));
        let mut world = World::with(vec![session]);
        limit(&mut world, cluster);
        world
    }

    fn limit(world: &mut World, cluster: u32) {
        let limits = Limits { cluster: Some(cluster), ..Limits::default() };
        assert_eq!(world.ask(lease::Command::Limit { limits }), "lease.LimitsSet");
    }

    fn said(world: &World, session: Uid) -> Option<alloc::string::String> {
        let run = &world.backup(session).run;
        run.conditions.get(Type::Queued).map(|found| found.message.clone().into_owned())
    }

    #[test]
    fn who_finds_a_place_begins_at_once_and_the_rest_says_what_it_waits_for() {
        let mut world = limited(1);
        let (session, _) = world.create("nightly");
        assert_eq!(
            world.surveyed(session, 2),
            "done backup.Surveyed backup.ComponentPlanned backup.ComponentPlanned \
             snapshot.ComponentsCounted snapshot.ComponentStarted backup.AttemptStarted \
             backup.QueuedForWorker"
        );
        let expected = "It waits for a worker: the limit of the cluster (1) is reached.";
        assert_eq!(said(&world, session).as_deref(), Some(expected));
        world.pass(9 * MINUTE);
        assert_eq!(
            world.reported(session, "pod-0"),
            "done backup.WorkerObserved snapshot.PathRecorded snapshot.ComponentEnded \
             backup.ComponentEnded \
             snapshot.ComponentStarted backup.AttemptStarted",
            "the place is taken in the same step"
        );
        assert_eq!(said(&world, session), None);
        let until = world.now.plus(Millis(10 * MINUTE));
        assert_eq!(world.backup(session).deadline, Some(until), "waiting took nothing of its time");
    }

    #[test]
    fn time_stands_still_while_a_session_only_waits() {
        let mut world = limited(1);
        world.adopt("snap", &["pod-0", "pod-1"]);
        let session = world.working(1);
        let mut spec = given::restore(&["pod-0"]);
        spec.timeout = Some(Millis(MINUTE));
        world.restoring(spec);
        assert_eq!(world.back().deadline, None);
        world.pass(9 * MINUTE);
        assert_eq!(due(&world.state, world.now, Millis(0)), []);
        world.reported(session, "pod-0");
        assert_eq!(world.back().deadline, Some(world.now.plus(Millis(MINUTE))));
        world.pass(MINUTE);
        let expire = Due::Expire { session: BACK };
        assert_eq!(due(&world.state, world.now, Millis(0)), [expire]);
    }

    #[test]
    fn nothing_is_frozen_before_there_is_a_place() {
        let mut frozen = given::restore(&["pod-0", "pod-1"]);
        frozen.pre_hooks = vec![given::hook("freeze")];
        let mut world = limited(1);
        world.declare_hook("freeze", crate::hook::Executor::Pod);
        world.adopt("snap", &["pod-0", "pod-1"]);
        let session = world.working(1);
        world.restoring(frozen);
        assert!(world.back().hooks.tries.is_empty() && world.back().queued.is_some());
        assert!(world.reported(session, "pod-0").ends_with("restore.HookStarted"));
        assert!(world.back().queued.is_none());
        // What the hook froze has its place for sure.
        assert_eq!(
            world.hook_ended(BACK, Outcome::Succeeded),
            "done restore.HookEnded restore.HooksFinished restore.AttemptStarted \
             restore.QueuedForWorker"
        );
    }

    #[test]
    fn who_is_stopped_while_it_waits_leaves_the_queue() {
        let mut world = limited(1);
        world.adopt("snap", &["pod-0", "pod-1"]);
        let session = world.working(1);
        world.restoring(given::restore(&["pod-0"]));
        world.ask(Run::Cancel { session: BACK, cause: "enough".into() });
        assert!(!world.back().conditions.has(Type::Queued) && world.back().is_finished());
        assert!(!world.reported(session, "pod-0").contains("AttemptStarted"));
    }

    #[test]
    fn a_place_is_free_with_the_end_of_whoever_is_stopped() {
        let mut world = limited(1);
        world.adopt("snap", &["pod-0", "pod-1"]);
        let session = world.working(1);
        world.restoring(given::restore(&["pod-0"]));
        let stopped = world.ask(Run::Cancel { session, cause: "enough".into() });
        assert!(stopped.ends_with("restore.AttemptStarted"), "{stopped}");
    }

    #[test]
    fn what_has_waited_a_day_is_given_up() {
        let mut world = limited(1);
        world.adopt("snap", &["pod-0", "pod-1"]);
        world.restoring(given::restore(&["pod-0", "pod-1"]));
        let expire = Due::Expire { session: BACK };
        world.started(BACK, "pod-0");
        world.pass(3 * DAY);
        assert!(!due(&world.state, world.now, Millis(0)).contains(&expire), "it works");
        assert!(world.back().queued.is_some_and(|queued| queued.since.is_none()));

        let mut world = World::restorable();
        limit(&mut world, 1);
        world.working(1);
        world.restoring(given::restore(&["pod-0"]));
        world.pass(DAY - 1);
        assert!(!due(&world.state, world.now, Millis(0)).contains(&expire));
        world.pass(1);
        assert!(due(&world.state, world.now, Millis(0)).contains(&expire));
        world.ask(Run::Expire { session: BACK });
        let facts = &world.back().conditions;
        assert!(!facts.has(Type::DeadlineExceeded) && world.back().is_finished());
        let said = &facts.get(Type::RestoreIncomplete).unwrap().message;
        assert_eq!(said, "no place for a worker became free within a day");
    }

    #[test]
    fn a_limit_that_rises_lets_in_who_waits() {
        let mut world = limited(1);
        let (session, _) = world.create("nightly");
        world.surveyed(session, 3);
        assert_eq!(
            world.refused(Run::BeginWaiting),
            Rejection::conflict("queue", "nobody waits for a place that is free")
        );
        limit(&mut world, 2);
        assert_eq!(due(&world.state, world.now, Millis(0)), [Due::BeginWaiting]);
        assert_eq!(world.ask(Run::BeginWaiting), "snapshot.ComponentStarted backup.AttemptStarted");
        assert_eq!(due(&world.state, world.now, Millis(0)), []);
        let limits = Limits::default();
        world.ask(lease::Command::Limit { limits });
        world.ask(Run::BeginWaiting);
        assert!(world.backup(session).components.iter().all(|known| known.attempt == 1));
    }

    #[test]
    fn a_limit_of_zero_is_refused_and_the_same_one_says_nothing() {
        let mut world = limited(1);
        let limits = Limits { node: Some(0), ..Limits::default() };
        let refused = world.refused(lease::Command::Limit { limits });
        assert_eq!(refused, Rejection::never("limits", "a limit of 0 would let no worker begin"));
        let limits = Limits { cluster: Some(1), ..Limits::default() };
        assert_eq!(world.ask(lease::Command::Limit { limits }), "");
    }
}
