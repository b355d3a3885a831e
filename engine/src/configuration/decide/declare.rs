//! A configuration exists with this spec.

use alloc::string::String;

use crate::condition::Type;
use crate::configuration::bounds;
use crate::configuration::decide::reconcile;
use crate::configuration::{Event, ScheduleEvaluation, Spec};
use crate::declared::{Declared, Known};
use crate::draft::Draft;
use crate::ids::Uid;
use crate::limits;
use crate::outcome::Reason;
use crate::rejection::Rejection;
use crate::schedule;

pub(crate) fn decide(
    draft: &mut Draft,
    declared: &Declared<Spec>,
    schedules: &[ScheduleEvaluation],
) -> Result<(), Rejection> {
    let Declared { uid, spec, .. } = declared;
    let uid = *uid;
    let found = draft.configuration(uid);
    let known = found.map(|found| Known { hash: found.hash, deleting: found.deleting });
    let is_news = declared.is_news(known)?;
    let resumed = found.is_some_and(|found| found.paused && !spec.paused);
    if !is_news {
        return reconcile::decide(draft, uid);
    }
    let too_large = bounds::exceeded(spec);
    emit_spec(draft, declared, too_large.is_some());
    set_schedules(draft, uid, if too_large.is_some() { &[] } else { schedules }, resumed);
    if let Some(message) = too_large {
        fail(draft, uid, Reason::SpecTooLarge, message);
    } else if let Some(message) = &spec.invalid {
        fail(draft, uid, Reason::InvalidSpec, message.clone());
    } else {
        reconcile::check(draft, uid);
    }
    Ok(())
}

fn emit_spec(draft: &mut Draft, declared: &Declared<Spec>, too_large: bool) {
    let spec = &declared.spec;
    let sessions: &[_] = if too_large { &[] } else { &spec.sessions };
    draft.emit(Event::Declared {
        uid: declared.uid,
        key: declared.key.clone(),
        generation: declared.generation,
        hash: declared.hash,
        target: spec.target.clone(),
        backends: spec.backends.iter().take(limits::BACKENDS).cloned().collect(),
        paused: spec.paused,
        allow_partial: spec.allow_partial,
        sessions: u32::try_from(sessions.len()).unwrap_or(u32::MAX),
    });
    for session in sessions {
        draft.emit(Event::SessionDeclared { uid: declared.uid, session: session.clone() });
    }
}

/// A schedule is set anew when its slots differ: a new expression, or slots that passed in a pause.
fn set_schedules(draft: &mut Draft, uid: Uid, schedules: &[ScheduleEvaluation], resumed: bool) {
    for session in draft.scheduled_sessions(uid) {
        if !schedules.iter().any(|schedule| schedule.session == session) {
            draft.emit(schedule::Event::Withdrawn { configuration: uid, session });
        }
    }
    for evaluation in schedules {
        let session = evaluation.session.clone();
        if let Some(message) = &evaluation.error {
            let message: String = alloc::format!("scheduler.schedule: {message}");
            if draft.configuration(uid).is_some_and(|c| c.session(&session).is_some()) {
                draft.emit(Event::SchedulerNotEnsured { uid, session, message });
            }
            continue;
        }
        let known = draft.schedule(uid, &session);
        let next = evaluation.next.iter().take(limits::SLOTS_AHEAD).copied().collect();
        if resumed || known.is_none_or(|known| known.next != next) {
            let version = known.map_or(1, |known| known.version.saturating_add(1));
            draft.emit(schedule::Event::Declared { configuration: uid, session, version, next });
        }
    }
}

fn fail(draft: &mut Draft, uid: Uid, reason: Reason, message: String) {
    draft.emit(Event::ValidationFailed { uid, reason: reason.into(), message });
}

/// The object as it was declared is wrong in itself.
pub(crate) fn standing_problem(draft: &Draft, uid: Uid) -> bool {
    let known = draft.configuration(uid);
    let condition = known.and_then(|known| known.conditions.get(Type::ValidationPassed));
    let reason = condition.map(|found| Reason::from(&*found.reason));
    matches!(reason, Some(Reason::InvalidSpec | Reason::SpecTooLarge))
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::condition::Type;
    use crate::configuration::{Command, SessionSpec};
    use crate::storage::DeletionPolicy;
    use crate::testing::given::{self, key};
    use crate::testing::world::{APP, DAY, World};
    use crate::time::{Millis, Timestamp};

    fn sessions(names: &[&str]) -> Vec<SessionSpec> {
        names.iter().map(|name| given::session(name)).collect()
    }

    fn spec(names: &[&str]) -> Spec {
        given::configuration(sessions(names))
    }

    fn versions(world: &World) -> Vec<(&str, u32)> {
        let mine = world.state.schedules.get(&APP).into_iter().flatten();
        mine.map(|(name, schedule)| (name.as_str(), schedule.version)).collect()
    }

    fn told(world: &World) -> (&str, &str) {
        let found = world.state.configurations[&APP].conditions.get(Type::ValidationPassed);
        let found = found.unwrap();
        (&*found.reason, &*found.message)
    }

    #[test]
    fn one_session_a_record_then_schedules_then_the_checks() {
        let mut world = World::furnished();
        world.declare_storage("store", given::storage("store"));
        world.declare_retention("keep", given::retention(1));
        assert_eq!(
            world.declare(&spec(&["nightly", "weekly"])),
            "configuration.Declared configuration.SessionDeclared configuration.SessionDeclared \
             schedule.Declared schedule.Declared configuration.ValidationPassed \
             repository.Created repository.InitializationFailed"
        );
        assert_eq!(versions(&world), [("nightly", 1), ("weekly", 1)]);
    }

    #[test]
    fn the_same_object_twice_only_tries_again() {
        let mut world = World::ready();
        let again = Command::Declare {
            declared: Declared {
                uid: APP,
                key: key("app"),
                generation: 1,
                hash: world.state.configurations[&APP].hash,
                spec: spec(&["nightly"]),
            },
            schedules: vec![],
        };
        assert_eq!(world.ask(again.clone()), "");
        let uid = world.repository("one");
        let failure = crate::testing::failure("WrongPassphrase");
        world.record(crate::repository::Event::InitializationFailed {
            uid,
            failure,
            retry_at: None,
        });
        assert_eq!(world.ask(again), "repository.InitializationRequested");
    }

    #[test]
    fn sessions_of_the_same_name_keep_their_facts_and_the_others_go() {
        let mut world = World::with(sessions(&["nightly", "weekly"]));
        world.declare(&spec(&["weekly", "monthly"]));
        let app = &world.state.configurations[&APP];
        assert!(app.session("weekly").unwrap().conditions.is_true(Type::SchedulerEnsured));
        assert!(app.session("weekly").unwrap().initial.is_some());
        assert!(!app.session("monthly").unwrap().conditions.has(Type::SchedulerEnsured));
        assert!(app.session("nightly").is_none() && app.former.is_empty());
        assert_eq!(versions(&world), [("monthly", 1), ("weekly", 1)]);
    }

    #[test]
    fn a_schedule_is_set_anew_when_its_slots_differ_or_after_a_pause() {
        let mut world = World::ready();
        world.declare(&spec(&["nightly"]));
        assert_eq!(versions(&world), [("nightly", 1)]);
        world.pass(DAY);
        world.declare(&spec(&["nightly"]));
        assert_eq!(versions(&world), [("nightly", 2)], "a slot has passed");
        let resumed = |world: &World| world.state.configurations[&APP].resumed_at;
        assert_eq!(resumed(&world), None, "one that was not paused does not go on");
        let mut paused = spec(&["nightly"]);
        paused.paused = true;
        world.declare(&paused);
        assert_eq!(versions(&world), [("nightly", 2)]);
        assert_eq!(resumed(&world), None);
        world.declare(&spec(&["nightly"]));
        assert_eq!(versions(&world), [("nightly", 3)]);
        assert_eq!(resumed(&world), Some(world.now));
    }

    #[test]
    fn an_expression_that_cannot_be_used_leaves_no_schedule() {
        let mut world = World::ready();
        let mut command = world.declaration(&spec(&["nightly"]));
        let Command::Declare { declared: Declared { hash, .. }, schedules } = &mut command else {
            return;
        };
        schedules[0].error = Some("no such day".into());
        schedules[0].next.clear();
        *hash = given::hash(9_999);
        world.ask(command);
        let session = world.state.configurations[&APP].session("nightly").unwrap();
        let found = session.conditions.get(Type::SchedulerEnsured).unwrap();
        assert_eq!(found.message, "scheduler.schedule: no such day");
    }

    #[test]
    fn no_more_slots_than_the_limit_are_kept_ahead() {
        let mut world = World::ready();
        let mut command = world.declaration(&spec(&["nightly"]));
        let Command::Declare { declared: Declared { hash, .. }, schedules } = &mut command else {
            return;
        };
        schedules[0].next = (1..9).map(Timestamp).collect();
        *hash = given::hash(9_999);
        world.ask(command);
        let next = &world.state.schedule(APP, "nightly").unwrap().next;
        assert_eq!(*next, [Timestamp(1), Timestamp(2), Timestamp(3)]);
    }

    #[test]
    fn what_is_wrong_in_itself_stands_whatever_happens_around_it() {
        let mut odd = spec(&["nightly"]);
        odd.invalid = Some("it is odd".into());
        let mut world = World::furnished();
        assert!(world.declare(&odd).ends_with("configuration.ValidationFailed"));
        assert_eq!(told(&world), ("InvalidSpec", "it is odd"));
        assert_eq!(world.declare_storage("store", given::storage("store")), "storage.Declared");
        assert_eq!(world.ask(Command::Reconcile { uid: APP }), "");
        assert_eq!(told(&world), ("InvalidSpec", "it is odd"));
        world.declare_retention("keep", given::retention(1));
        assert!(world.declare(&spec(&["nightly"])).contains("configuration.ValidationPassed"));
    }

    #[test]
    fn what_is_too_large_is_recorded_without_its_sessions() {
        let mut large = spec(&["nightly"]);
        large.sessions = sessions(&["nightly"; 65]);
        large.backends = vec![large.backends[0].clone(); 40];
        let mut world = World::ready();
        assert_eq!(
            world.declare(&large),
            "configuration.Declared schedule.Withdrawn configuration.ValidationFailed"
        );
        assert_eq!(told(&world), ("SpecTooLarge", "spec.backends: at most 32 are possible"));
        let app = &world.state.configurations[&APP];
        assert_eq!((app.sessions.len(), app.backends.len()), (0, limits::BACKENDS));
        assert_eq!(versions(&world), []);
    }

    #[test]
    fn one_that_is_being_deleted_is_declared_no_more() {
        let mut session = given::session("nightly");
        session.repositories[0].deletion = Some(DeletionPolicy::WipeOut);
        let mut world = World::with(vec![session]);
        world.ask(Command::Delete { uid: APP });
        let again = world.declaration(&spec(&["nightly"]));
        assert_eq!(world.refused(again), Rejection::conflict("demo/app", "it is being deleted"));
    }

    #[test]
    fn a_pause_by_a_restore_outlives_a_declaration() {
        let mut world = World::restorable();
        world.declare_restore(given::restore(&[]));
        world.pass(1);
        world.declare(&spec(&["nightly"]));
        assert!(world.state.configurations[&APP].is_paused());
        assert_eq!(world.state.configurations[&APP].created_at, world.now.minus(Millis(1)));
    }
}
