//! The facts around a configuration may have changed: it is checked, and what it lacked may be there.

use alloc::format;

use crate::condition::{Status, Type};
use crate::configuration::decide::declare;
use crate::configuration::phase::{Phase, phase};
use crate::configuration::state::{Configuration, Session};
use crate::configuration::validate::{Problem, validate};
use crate::configuration::{Event, default, watch};
use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::Uid;
use crate::reaction::Watched;
use crate::rejection::Rejection;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(known) = draft.configuration(uid) else {
        return Err(Rejection::conflict(uid, "no such configuration"));
    };
    if !known.deleting {
        reconcile(draft, uid);
    }
    Ok(())
}

/// Checks the configurations that look at something; behind which one some are left, if any are.
pub(crate) fn check_all(draft: &mut Draft, watching: &Watched, after: Option<Uid>) -> Option<Uid> {
    let some = watch::some(draft, watching, after);
    draft.each(some, reconcile)
}

/// Triggers first backups of the configurations that look at something; behind which one some are left, if any
/// are.
pub(crate) fn trigger_all(
    draft: &mut Draft,
    watching: &Watched,
    after: Option<Uid>,
) -> Option<Uid> {
    let some = watch::some(draft, watching, after);
    draft.each(some, trigger_initial_backups)
}

fn reconcile(draft: &mut Draft, uid: Uid) {
    if !declare::standing_problem(draft, uid) {
        check(draft, uid);
    }
}

/// The same for an object that was just declared, whatever was wrong with the one before it.
pub(crate) fn check(draft: &mut Draft, uid: Uid) {
    let Some(known) = draft.configuration(uid).cloned() else { return };
    default::choose(draft, &known);
    let Some(known) = draft.configuration(uid).cloned() else { return };
    match validate(draft, &known) {
        Err(problem) => record_problem(draft, &known, problem),
        Ok(()) if known.conditions.is_true(Type::ValidationPassed) => {}
        Ok(()) => draft.emit(Event::ValidationPassed { uid }),
    }
}

fn record_problem(draft: &mut Draft, known: &Configuration, problem: Problem) {
    let standing = known.conditions.get(Type::ValidationPassed);
    let same = standing.is_some_and(|found| {
        found.status == Status::False
            && found.reason == problem.reason
            && found.message == problem.message
    });
    if !same {
        draft.emit(Event::ValidationFailed {
            uid: known.uid,
            reason: problem.reason.into(),
            message: problem.message,
        });
    }
}

/// The first backup of a session runs at once, when everything it needs has been tried.
pub(crate) fn trigger_initial_backups(draft: &mut Draft, uid: Uid) {
    let Some(known) = draft.configuration(uid).cloned() else { return };
    if known.deleting || known.is_paused() || phase(draft, &known) != Phase::Ready {
        return;
    }
    for session in known.sessions.iter().filter(|session| session.initial.is_none()) {
        if !is_settled(draft, &known, session) {
            continue;
        }
        let session = session.spec.name.clone();
        let backup = uid.derive(&format!("initial/{session}"));
        draft.emit(Event::InitialBackupTriggered { uid, session, backup });
    }
}

/// It is not suspended, and each of its repositories can be used or cannot.
fn is_settled(draft: &Draft, known: &Configuration, session: &Session) -> bool {
    let suspended = session.spec.scheduler.as_ref().is_some_and(|s| s.suspend);
    let mut wanted = session.spec.repositories.iter();
    !suspended
        && wanted.all(|wanted| {
            let key = known.key.sibling(StreamKind::Repository, &*wanted.name);
            draft
                .repository_named(&key)
                .is_some_and(|r| !r.initializing && (r.is_ready() || r.failure.is_some()))
        })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use crate::configuration::{Command, SessionSpec, Spec};
    use crate::dependency::state::secret;
    use crate::effect::Once;
    use crate::outcome::Outcome;
    use crate::storage::DeletionPolicy;
    use crate::testing::given::{self, core, stored};
    use crate::testing::world::{APP, BACK, World};
    use alloc::string::String;
    use alloc::vec::Vec;

    const RECONCILE: Command = Command::Reconcile { uid: APP };

    fn spec(change: impl FnOnce(&mut SessionSpec)) -> Spec {
        let mut session = given::session("nightly");
        change(&mut session);
        given::configuration(vec![session])
    }

    /// All that `app` needs is there; nobody answered about its repository or its trigger.
    fn furnished(spec: &Spec) -> World {
        let mut world = World::furnished();
        world.declare_storage("store", given::storage("store"));
        world.answer_backends();
        world.declare_retention("keep", given::retention(1));
        world.declare(spec);
        world
    }

    fn trigger(world: &mut World) -> String {
        let (session, outcome) = ("nightly".into(), Outcome::Succeeded);
        world.ask(Command::SchedulerReported { uid: APP, session, outcome })
    }

    #[test]
    fn nothing_new_is_nothing() {
        assert_eq!(World::ready().ask(RECONCILE), "");
    }

    #[test]
    fn one_repository_is_made_for_each_name() {
        let mut two = given::configuration(vec![given::session("a"), given::session("b")]);
        two.sessions[1].repositories.push(given::repository("two"));
        let world = furnished(&two);
        let names: Vec<&str> =
            world.state.repositories.values().map(|r| r.key.name.as_str()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        let one = &world.state.repositories[&world.repository("one")];
        assert_eq!(
            (one.configuration, &one.app, &one.storage, one.path.as_str()),
            (APP, &given::target(), &stored("store"), "dir/one")
        );
    }

    #[test]
    fn a_wish_about_the_object_is_none_about_its_data() {
        for (wish, expected) in [
            (None, DeletionPolicy::Delete),
            (Some(DeletionPolicy::Delete), DeletionPolicy::Delete),
            (Some(DeletionPolicy::Retain), DeletionPolicy::Delete),
            (Some(DeletionPolicy::WipeOut), DeletionPolicy::WipeOut),
        ] {
            let world = furnished(&spec(|session| session.repositories[0].deletion = wish));
            let one = &world.state.repositories[&world.repository("one")];
            assert_eq!(one.deletion, expected);
        }
    }

    #[test]
    fn a_changed_wish_is_recorded_and_a_changed_secret_has_to_open() {
        let mut world = World::ready();
        let wiped = spec(|s| s.repositories[0].deletion = Some(DeletionPolicy::WipeOut));
        assert!(world.declare(&wiped).ends_with("repository.Updated"));
        world.observe(secret(&core("new")), given::passphrase(1, None));
        let moved = spec(|s| s.repositories[0].secret = Some(core("new")));
        assert!(
            world
                .declare(&moved)
                .ends_with("repository.Updated repository.InitializationRequested")
        );
        let repository = world.repository("one");
        world.effect(&Once::InitializeRepository { repository });
    }

    #[test]
    fn first_backups_wait_for_everything_that_they_need() {
        // A repository that nobody tried yet.
        let mut world = furnished(&spec(|_| {}));
        assert_eq!(trigger(&mut world), "configuration.SchedulerEnsured");
        world.answer_repositories();
        assert!(world.state.backups.contains_key(&APP.derive("initial/nightly")));

        // A session that is suspended.
        let mut suspended = furnished(&spec(|s| s.scheduler.as_mut().unwrap().suspend = true));
        suspended.answer_repositories();
        assert_eq!(trigger(&mut suspended), "configuration.SchedulerEnsured");
        let resumed = suspended.declare(&spec(|_| {}));
        assert!(resumed.contains("configuration.InitialBackupTriggered"), "{resumed}");

        // A configuration that is paused.
        let mut held = spec(|_| {});
        held.paused = true;
        let mut paused = furnished(&held);
        paused.answer_repositories();
        assert_eq!(trigger(&mut paused), "configuration.SchedulerEnsured");
        let resumed = paused.declare(&spec(|_| {}));
        assert!(resumed.contains("configuration.InitialBackupTriggered"), "{resumed}");
    }

    #[test]
    fn a_first_backup_that_a_restore_held_up_runs_at_its_end() {
        let mut world = World::restorable();
        world.restoring(given::restore(&["pod-0"]));
        let mut both = given::configuration(vec![given::session("nightly")]);
        both.sessions.push(given::session("weekly"));
        world.declare(&both);
        let (session, outcome) = ("weekly".into(), Outcome::Succeeded);
        let ready = world.ask(Command::SchedulerReported { uid: APP, session, outcome });
        assert_eq!(ready, "configuration.SchedulerEnsured");
        let end = world.reported(BACK, "pod-0");
        assert!(
            end.contains(
                "configuration.ResumedAfterRestore configuration.InitialBackupTriggered \
                 backup.Created backup.Started"
            ),
            "{end}"
        );
    }

    #[test]
    fn a_first_backup_is_made_once() {
        let mut world = furnished(&spec(|_| {}));
        world.answer_repositories();
        trigger(&mut world);
        let initial = APP.derive("initial/nightly");
        world.surveyed(initial, 1);
        world.reported(initial, "pod-0");
        world.closed();
        world.ask(crate::backup::Command::Delete { session: initial });
        assert_eq!(world.ask(RECONCILE), "");
        assert!(world.state.backups.is_empty());
    }

    #[test]
    fn a_problem_is_said_once_and_healed_when_it_is_gone() {
        let mut world = World::ready();
        world.declare_storage(
            "store",
            crate::storage::Spec { usage: None, ..given::storage("store") },
        );
        assert_eq!(world.ask(RECONCILE), "", "it was said");
        assert_eq!(
            world.declare_storage("store", given::storage("store")),
            "given-up storage.Declared configuration.ValidationPassed"
        );
    }
}
