//! The facts around a configuration may have changed.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::{self, Trigger};
use crate::condition::{Status, Type};
use crate::configuration::decide::{declare, delete};
use crate::configuration::phase::{Phase, phase};
use crate::configuration::state::Configuration;
use crate::configuration::validate::{Problem, validate};
use crate::configuration::{Event, RepositoryRef, default};
use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::{TypedRef, Uid};
use crate::rejection::Rejection;
use crate::repository;
use crate::schedule;
use crate::storage::DeletionPolicy;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(known) = draft.configuration(uid) else {
        return Err(Rejection::conflict(uid, "no such configuration"));
    };
    if known.deleting {
        delete::retry(draft, uid);
    } else {
        reconcile(draft, uid, true);
    }
    Ok(())
}

/// Checks all configurations again that a changed fact concerns.
pub(crate) fn reconcile_where(draft: &mut Draft, concerns: impl Fn(&Configuration) -> bool) {
    let concerned: Vec<Uid> = draft
        .configurations()
        .filter(|known| !known.deleting && concerns(known))
        .map(|known| known.uid)
        .collect();
    concerned.into_iter().for_each(|uid| reconcile(draft, uid, false));
}

/// Checks a configuration and makes what it asks for; `again` tries failed repositories once more.
pub(crate) fn reconcile(draft: &mut Draft, uid: Uid, again: bool) {
    if !declare::standing_problem(draft, uid) {
        check(draft, uid, again);
    }
}

/// The same for an object that was just declared, whatever was wrong with the one before it.
pub(crate) fn check(draft: &mut Draft, uid: Uid, again: bool) {
    let Some(known) = draft.configuration(uid).cloned() else { return };
    default::choose(draft, &known);
    let Some(known) = draft.configuration(uid).cloned() else { return };
    match validate(draft, &known) {
        Err(problem) => return record_problem(draft, &known, problem),
        Ok(()) if known.conditions.is_true(Type::ValidationPassed) => {}
        Ok(()) => draft.emit(Event::ValidationPassed { uid }),
    }
    ensure_repositories(draft, &known, again);
    trigger_initial_backups(draft, uid);
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

/// One Repository for each distinct name (behaviour reference, section 1.1).
fn ensure_repositories(draft: &mut Draft, known: &Configuration, again: bool) {
    for session in &known.sessions {
        for wanted in &session.spec.repositories {
            ensure_repository(draft, known, wanted, again);
        }
    }
}

fn ensure_repository(
    draft: &mut Draft,
    known: &Configuration,
    wanted: &RepositoryRef,
    again: bool,
) {
    let key = known.key.sibling(StreamKind::Repository, &*wanted.name);
    let deletion = match wanted.deletion {
        Some(DeletionPolicy::WipeOut) => DeletionPolicy::WipeOut,
        // Retain is a wish about the object, not about its data.
        Some(DeletionPolicy::Delete | DeletionPolicy::Retain) | None => DeletionPolicy::Delete,
    };
    let Some(existing) = draft.repository_named(&key) else {
        let Some(backend) = known.backend(&wanted.backend) else { return };
        let uid = draft.mint();
        draft.emit(repository::Event::Created {
            uid,
            key,
            configuration: known.uid,
            app: known.target.clone().unwrap_or_else(TypedRef::absent),
            storage: backend.storage,
            path: wanted.directory.clone(),
            secret: wanted.secret.clone(),
            deletion,
        });
        return repository::decide::ensure(draft, uid, true);
    };
    let (uid, new_secret) = (existing.uid, existing.secret != wanted.secret);
    if existing.deleting {
        return;
    }
    if new_secret || existing.deletion != deletion {
        let secret = wanted.secret.clone();
        draft.emit(repository::Event::Updated { uid, secret, deletion });
    }
    if new_secret {
        // It has to open with the new Secret as well, before a session relies on it.
        return repository::decide::reopen(draft, uid);
    }
    repository::decide::ensure(draft, uid, again);
}

/// Triggers first backups that waited for a repository.
pub(crate) fn trigger_initial_backups_of(draft: &mut Draft, repository: Uid) {
    let Some(found) = draft.repository(repository) else { return };
    let (namespace, name) = (found.key.namespace.clone(), found.key.name.clone());
    let waiting: Vec<Uid> = draft
        .configurations()
        .filter(|known| known.key.namespace == namespace)
        .filter(|known| {
            let mut wanted = known.sessions.iter().flat_map(|session| &session.spec.repositories);
            wanted.any(|wanted| wanted.name == name)
        })
        .map(|known| known.uid)
        .collect();
    waiting.into_iter().for_each(|uid| trigger_initial_backups(draft, uid));
}

/// The first backup of a session runs at once, when everything it needs has been tried.
pub(crate) fn trigger_initial_backups(draft: &mut Draft, uid: Uid) {
    let Some(known) = draft.configuration(uid).cloned() else { return };
    if known.deleting || known.is_paused() || phase(draft, &known) != Phase::Ready {
        return;
    }
    for session in known.sessions.iter().filter(|session| session.initial.is_none()) {
        let name = &session.spec.name;
        let suspended = session.spec.scheduler.as_ref().is_some_and(|s| s.suspend);
        let settled = session.spec.repositories.iter().all(|wanted| {
            let key = known.key.sibling(StreamKind::Repository, &*wanted.name);
            draft
                .repository_named(&key)
                .is_some_and(|r| !r.initializing && (r.is_ready() || r.failure.is_some()))
        });
        if suspended || !settled {
            continue;
        }
        trigger(draft, &known, name);
    }
}

fn trigger(draft: &mut Draft, known: &Configuration, session: &str) {
    let backup = known.uid.derive(&format!("initial/{session}"));
    draft.emit(Event::InitialBackupTriggered { uid: known.uid, session: session.into(), backup });
    if draft.backup(backup).is_some() {
        return;
    }
    let name: String = schedule::decide::free_name(draft, &known.key, session, draft.at());
    let request = backup::decide::Request {
        uid: backup,
        key: known.key.sibling(StreamKind::Backup, name),
        configuration: known.uid,
        session: session.into(),
        trigger: Trigger::Initial,
        retry_left: None,
        timeout: None,
    };
    backup::decide::open(draft, request, None);
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::configuration::{Command, SessionSpec, Spec};
    use crate::dependency::state::secret;
    use crate::effect::Once;
    use crate::outcome::Outcome;
    use crate::testing::given::{self, core, stored};
    use crate::testing::world::{APP, BACK, World};

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
