//! Decides on repositories.
//!
//! | Standing | Event | then |
//! |---|---|---|
//! | made | InitializationRequested, once storage and Secret are there | initialising |
//! | initialising | Initialized | ready |
//! | initialising | InitializationFailed | not ready, with the reason |
//! | not ready | InitializationRequested, when somebody asks | initialising |
//! | any of these | InitializationRequested, when what opens it changes | initialising, and ready for as long as it was |
//! | any of these | InitializationFailed, when what opens it is gone | not ready |
//! | any | DeletionRequested, once no session uses it | its data is wiped, or stays |
//! | deleting | Deleted | gone, with its snapshots |

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::configuration::leaving;
use crate::dependency::{Facts, state as dependency};
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{Key, Uid};
use crate::limits;
use crate::outcome::{Failure, Outcome, Reason};
use crate::reaction::{Opener, Owner};
use crate::rejection::Rejection;
use crate::repository::state::Repository;
use crate::repository::{Command, Event};
use crate::storage::DeletionPolicy;

/// Key of the passphrase in an encryption Secret (API reference, section 8).
pub const PASSPHRASE_KEY: &str = "RESTIC_PASSWORD";

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Reconcile { uid } => {
            let Some(repository) = draft.repository(*uid) else {
                return Err(Rejection::conflict(uid, "no such repository"));
            };
            if repository.deleting {
                begin_deletion(draft, *uid, DeletionPolicy::Delete);
            } else {
                ensure(draft, *uid, true);
            }
            Ok(())
        }
        Command::Delete { uid } => {
            if let Some(repository) = draft.repository(*uid) {
                draft.refuse_if_used(repository)?;
                begin_deletion(draft, *uid, DeletionPolicy::Delete);
            }
            Ok(())
        }
    }
}

/// Has a repository initialised that is not ready: at once when it never was, after a failure only
/// when `again` says that something changed.
pub(crate) fn ensure(draft: &mut Draft, uid: Uid, again: bool) {
    let Some(repository) = draft.repository(uid) else { return };
    if repository.is_ready() || repository.initializing || repository.deleting {
        return;
    }
    let former = repository.failure.clone();
    if let Some(failure) = missing(draft, &repository.storage, repository.secret.as_ref()) {
        if former.as_ref() != Some(&failure) {
            fail(draft, uid, failure, false);
        }
    } else if again || former.is_none_or(|failure| failure.reason.is_missing()) {
        draft.emit(Event::InitializationRequested { uid });
    }
}

/// Records why a repository cannot be used. What is missing comes with an event of its own; anything else
/// that may recover by itself is tried again, `always` whatever it says.
fn fail(draft: &mut Draft, uid: Uid, failure: Failure, always: bool) {
    let failures = draft.repository(uid).map_or(0, |known| known.failures).saturating_add(1);
    let again = always || !failure.permanent && !failure.reason.is_missing();
    let retry_at = again.then(|| draft.at().plus(limits::retry_after(failures)));
    draft.emit(Event::InitializationFailed { uid, failure, retry_at });
}

/// What has to be there before an initialisation can be tried.
fn missing(draft: &Draft, storage: &Key, secret: Option<&Key>) -> Option<Failure> {
    let failure =
        |reason: Reason, message: String| Some(Failure { reason, message, permanent: false });
    match draft.storage_named(storage) {
        None => {
            return failure(
                Reason::BackupStorageNotReady,
                format!("BackupStorage {storage} not found"),
            );
        }
        Some(found) if !found.is_initialized() => {
            let why = found.why_unusable();
            return failure(
                Reason::BackupStorageNotReady,
                format!("BackupStorage {storage}: {why}"),
            );
        }
        Some(_) => {}
    }
    let secret = secret?;
    match draft.facts(&dependency::secret(secret)) {
        Some(Facts::Secret { keys, .. }) if keys.iter().any(|key| key == PASSPHRASE_KEY) => None,
        Some(_) => failure(
            Reason::EncryptionSecretNotFound,
            format!("encryption Secret {secret} has no key {PASSPHRASE_KEY}"),
        ),
        None => failure(
            Reason::EncryptionSecretNotFound,
            format!("encryption Secret {secret} not found"),
        ),
    }
}

/// Has a repository opened anew, ready or not, since what opens it changed. An answer that is still to
/// come may rest on what was there before, so nobody waits for it.
pub(crate) fn reopen(draft: &mut Draft, uid: Uid) {
    let Some(repository) = draft.repository(uid) else { return };
    if repository.deleting {
        return;
    }
    let (former, initializing) = (repository.failure.clone(), repository.initializing);
    let missing = missing(draft, &repository.storage, repository.secret.as_ref());
    for superseded in draft.effects(|once| *once == Once::InitializeRepository { repository: uid })
    {
        draft.give_up(superseded, "what opens the repository changed");
    }
    match missing {
        None => draft.emit(Event::InitializationRequested { uid }),
        Some(failure) if initializing || former.as_ref() != Some(&failure) => {
            fail(draft, uid, failure, false);
        }
        Some(_) => {}
    }
}

/// Has repositories opened anew whose opener changed; behind which one some are left, if any are.
pub(crate) fn reopen_all(draft: &mut Draft, opener: &Opener, after: Option<Uid>) -> Option<Uid> {
    let opened = |known: &Repository| match opener {
        Opener::Secret(secret) => known.secret.as_ref() == Some(secret),
        Opener::Storage(storage) => known.storage == *storage,
    };
    let opened = draft.repositories_behind(after).filter(|known| opened(known));
    let opened = opened.map(|known| known.uid).take(limits::OBJECTS_A_REACTION + 1).collect();
    draft.each(opened, reopen)
}

/// The repository is open, or could not be opened.
pub(crate) fn initialized(
    draft: &mut Draft,
    uid: Uid,
    opened: Result<Uid, Failure>,
) -> Result<(), Rejection> {
    let Some(repository) = draft.repository(uid) else { return Ok(()) };
    let former = repository.id;
    match opened.and_then(|id| same(former, id)) {
        Ok(id) => draft.emit(Event::Initialized { uid, id }),
        Err(failure) => fail(draft, uid, failure, false),
    }
    Ok(())
}

/// What lies at its path must be what its snapshots are in.
fn same(former: Option<Uid>, id: Uid) -> Result<Uid, Failure> {
    match former {
        Some(known) if known != id => Err(Failure {
            reason: "RepositoryReplaced".into(),
            message: format!(
                "at its path lies repository {id}, not {known} that its snapshots are in; put the \
                 old one back, or delete this Repository to begin anew"
            ),
            permanent: true,
        }),
        _ => Ok(id),
    }
}

/// Begins a deletion, or begins it again when its wipe failed; `above` is the policy of whoever deletes
/// it, and the more thorough one holds.
pub(crate) fn begin_deletion(draft: &mut Draft, uid: Uid, above: DeletionPolicy) {
    let Some(repository) = draft.repository(uid) else { return };
    let (secret, own) = (repository.secret.clone(), repository.deletion);
    let wiping = Once::WipeRepository { repository: uid };
    if !draft.effects(|once| *once == wiping).is_empty() {
        return;
    }
    for superseded in draft.effects(|once| *once == Once::InitializeRepository { repository: uid })
    {
        draft.give_up(superseded, "the repository is being deleted");
    }
    if above == DeletionPolicy::WipeOut && own != above {
        draft.emit(Event::Updated { uid, secret, deletion: above });
    }
    draft.emit(Event::DeletionRequested { uid });
    if above != DeletionPolicy::WipeOut && own != DeletionPolicy::WipeOut {
        finish_deletion(draft, uid, false);
    }
}

/// Its data was removed, or could not be.
pub(crate) fn wiped(draft: &mut Draft, uid: Uid, outcome: Outcome) {
    match outcome {
        Outcome::Succeeded => finish_deletion(draft, uid, true),
        // Without its Secret nobody can reach the data; the object must not hang for ever.
        Outcome::Failed(failure) if failure.reason == Reason::BackendSecretNotFound => {
            finish_deletion(draft, uid, false);
        }
        Outcome::Failed(failure) => {
            let message = format!("wiping: {}", failure.message);
            let permanent = failure.permanent;
            let failure = Failure { reason: "WipeFailed".into(), message, permanent };
            fail(draft, uid, failure, true);
        }
    }
}

fn finish_deletion(draft: &mut Draft, uid: Uid, wiped: bool) {
    let Some(Repository { key, storage, configuration, .. }) = draft.repository(uid).cloned()
    else {
        return;
    };
    draft.emit(Event::Deleted { uid, key, storage, wiped, configuration });
}

/// Deletes the repositories of something that goes; behind which one some are left, if any are. One that a
/// session uses waits for its end, or until the deletion is asked for again.
pub(crate) fn delete_all(draft: &mut Draft, owner: &Owner, after: Option<Uid>) -> Option<Uid> {
    let (mut mine, above) = match owner {
        Owner::Storage(uid) => {
            let storage = draft.storage(*uid).filter(|storage| storage.deleting)?;
            let inside = draft.repositories_in(&storage.key).map(|known| known.uid);
            (inside.collect(), storage.spec.deletion)
        }
        Owner::Configuration { uid, again } => {
            let left: Vec<Uid> = leaving::left(draft, *uid)?;
            let begun = |uid: &Uid| draft.repository(*uid).is_some_and(|known| known.deleting);
            let mine: Vec<Uid> = left.into_iter().filter(|uid| *again || !begun(uid)).collect();
            (mine, DeletionPolicy::Delete)
        }
    };
    mine.retain(|uid| Some(*uid) > after);
    draft.each(mine, |draft, uid| {
        if draft.repository(uid).is_some_and(|known| draft.refuse_if_used(known).is_ok()) {
            begin_deletion(draft, uid, above);
        }
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::configuration;
    use crate::outbox::{self, Answer};
    use crate::testing::given::{self, core};
    use crate::testing::world::{APP, World, named};

    fn one(world: &World) -> &Repository {
        &world.state.repositories[&world.repository("one")]
    }

    fn why(world: &World) -> (&str, &str) {
        let failure = one(world).failure.as_ref().unwrap();
        (failure.reason.as_str(), failure.message.as_str())
    }

    /// Everything is there, and `one` is being initialised.
    fn opening() -> World {
        let mut world = World::furnished();
        world.declare_storage("store", given::storage("store"));
        world.answer_backends();
        world.declare_retention("keep", given::retention(2));
        world.declare(&given::configuration(vec![given::session("nightly")]));
        world
    }

    fn report(world: &World, answer: Answer) -> outbox::Command {
        let repository = world.repository("one");
        let effect = world.effect(&Once::InitializeRepository { repository });
        outbox::Command::Answer { effect, answer }
    }

    fn reconcile(world: &World) -> Command {
        Command::Reconcile { uid: world.repository("one") }
    }

    fn delete(world: &World) -> Command {
        Command::Delete { uid: world.repository("one") }
    }

    fn failed(reason: &str) -> Answer {
        Answer::Failed(crate::testing::failure(reason))
    }

    fn ready(name: &str) -> Answer {
        Answer::Repository { id: named(name) }
    }

    /// A repository that is wiped with its deletion.
    fn wiped() -> World {
        let mut session = given::session("nightly");
        session.repositories[0].deletion = Some(DeletionPolicy::WipeOut);
        let mut world = World::with(vec![session]);
        world.adopt("snap", &["pod-0"]);
        world
    }

    fn wipe(world: &World, answer: Answer) -> outbox::Command {
        let repository = world.repository("one");
        let effect = world.effect(&Once::WipeRepository { repository });
        outbox::Command::Answer { effect, answer }
    }

    #[test]
    fn one_that_opens_is_ready_with_its_identity() {
        let mut world = opening();
        let good = report(&world, ready("id"));
        assert_eq!(world.ask(good.clone()), "done repository.Initialized");
        assert!(one(&world).is_ready());
        assert_eq!(one(&world).id, Some(named("id")));
        let outbox::Command::Answer { effect, .. } = good;
        assert_eq!(
            world.refused(good),
            Rejection::conflict("effect", format!("nobody waits for effect {effect} any more"))
        );
    }

    #[test]
    fn one_that_does_not_open_says_why_and_is_tried_when_asked() {
        let mut world = opening();
        let bad = report(&world, failed("WrongPassphrase"));
        assert_eq!(world.ask(bad), "given-up repository.InitializationFailed");
        assert_eq!(why(&world), ("WrongPassphrase", "it went wrong"));
        let condition = one(&world).conditions.get(Type::RepositoryInitialized).unwrap();
        assert_eq!(condition.reason, "WrongPassphrase");
        let again = reconcile(&world);
        assert_eq!(world.ask(again.clone()), "repository.InitializationRequested");
        assert_eq!(world.ask(again), "", "it is under way");
        let good = report(&world, ready("id"));
        world.ask(good);
        let again = reconcile(&world);
        assert_eq!(world.ask(again), "", "it is ready");
    }

    #[test]
    fn another_repository_in_its_place_is_not_taken_for_it() {
        let mut world = opening();
        let good = report(&world, ready("id"));
        world.ask(good);
        let uid = world.repository("one");
        world.record(Event::InitializationRequested { uid });
        let other = report(&world, ready("other"));
        assert_eq!(world.ask(other), "done repository.InitializationFailed");
        let failure = one(&world).failure.clone().unwrap();
        assert_eq!((failure.reason.as_str(), failure.permanent), ("RepositoryReplaced", true));
        assert_eq!(one(&world).id, Some(named("id")), "what its snapshots are in is remembered");
        assert!(!one(&world).is_ready());
        world.record(Event::InitializationRequested { uid });
        let back = report(&world, ready("id"));
        assert_eq!(world.ask(back), "done repository.Initialized");
    }

    #[test]
    fn what_is_missing_is_said_once_and_tried_when_it_comes() {
        let mut world = World::furnished();
        world.forget(&dependency::secret(&core("key")));
        world.declare_retention("keep", given::retention(2));
        let happened = world.declare(&given::configuration(vec![given::session("nightly")]));
        assert!(happened.ends_with("repository.Created repository.InitializationFailed"));
        assert_eq!(why(&world), ("BackupStorageNotReady", "BackupStorage demo/store not found"));
        let again = reconcile(&world);
        assert_eq!(world.ask(again.clone()), "");

        world.declare_storage("store", given::storage("store"));
        assert_eq!(
            why(&world),
            (
                "BackupStorageNotReady",
                "BackupStorage demo/store: its backend has not been checked yet"
            )
        );
        world.answer_backends();
        assert_eq!(
            why(&world),
            ("EncryptionSecretNotFound", "encryption Secret demo/key not found")
        );
        let bare = Facts::Secret { version: "1".into(), keys: vec![], allowed_namespaces: None };
        world.observe(dependency::secret(&core("key")), bare);
        assert_eq!(
            why(&world),
            ("EncryptionSecretNotFound", "encryption Secret demo/key has no key RESTIC_PASSWORD")
        );
        let seen = world.observe(dependency::secret(&core("key")), given::passphrase(2, None));
        assert_eq!(seen, "dependency.Observed repository.InitializationRequested");
    }

    #[test]
    fn a_wrong_passphrase_is_tried_again_with_the_next_version_of_the_secret() {
        let mut world = opening();
        let bad = report(&world, failed("WrongPassphrase"));
        world.ask(bad);
        let seen = world.observe(dependency::secret(&core("key")), given::passphrase(2, None));
        assert_eq!(seen, "dependency.Observed repository.InitializationRequested");
    }

    #[test]
    fn nobody_is_reconciled_or_deleted() {
        let mut world = World::new();
        let uid = named("nobody");
        assert_eq!(
            world.refused(Command::Reconcile { uid }),
            Rejection::conflict(uid, "no such repository")
        );
        assert_eq!(world.ask(Command::Delete { uid }), "");
    }

    #[test]
    fn deletion_leaves_the_data_unless_a_wipe_was_wished() {
        let mut world = World::restorable();
        let command = delete(&world);
        assert_eq!(
            world.ask(command),
            "repository.DeletionRequested repository.Deleted snapshot.Forgotten"
        );
        assert_eq!(world.outbox(), []);

        let mut world = wiped();
        let command = delete(&world);
        assert_eq!(world.ask(command.clone()), "repository.DeletionRequested");
        assert_eq!(world.ask(command), "", "asked for once more while it goes on");
        let done = wipe(&world, Answer::Done);
        assert_eq!(world.ask(done), "done repository.Deleted snapshot.Forgotten");
        assert!(world.state.snapshots.is_empty());
    }

    #[test]
    fn what_failed_is_due_again_unless_nothing_can_help_or_something_is_missing() {
        let first = crate::limits::RETRY_FIRST_MILLIS;
        let due = |world: &World| crate::due(&world.state, world.now, crate::Millis(0));
        let permanent = Failure { permanent: true, ..crate::testing::failure("WrongPassphrase") };
        for (answer, again) in
            [(failed("StoreUnreachable"), true), (Answer::Failed(permanent), false)]
        {
            let mut world = opening();
            let bad = report(&world, answer);
            world.ask(bad);
            world.pass(first.0);
            let uid = world.repository("one");
            let expected = again.then_some(crate::Due::RetryRepository { uid });
            assert_eq!(due(&world), Vec::from_iter(expected));
        }
        let mut world = opening();
        let bad = report(&world, failed("StoreUnreachable"));
        world.ask(bad);
        world.pass(first.0);
        let again = reconcile(&world);
        assert_eq!(world.ask(again), "repository.InitializationRequested");
        assert_eq!(due(&world), []);
        let bad = report(&world, failed("StoreUnreachable"));
        world.ask(bad);
        assert_eq!(one(&world).retry_at, Some(world.now.plus(crate::Millis(2 * first.0))));
        world.forget(&dependency::secret(&core("key")));
        assert_eq!(one(&world).retry_at, None, "its Secret will be an event of its own");
    }

    #[test]
    fn a_wipe_that_fails_is_said_and_tried_again_when_asked() {
        let mut world = wiped();
        let command = delete(&world);
        world.ask(command.clone());
        let locked = wipe(&world, Answer::Failed(crate::testing::failure("Locked")));
        assert_eq!(world.ask(locked), "given-up repository.InitializationFailed");
        assert_eq!(why(&world), ("WipeFailed", "wiping: it went wrong"));
        assert_eq!(world.state.snapshots.len(), 1, "what is there stays listed");
        let again = reconcile(&world);
        for again in [command, again] {
            let mut world = world.clone();
            assert_eq!(world.ask(again), "repository.DeletionRequested");
            let done = wipe(&world, Answer::Done);
            assert!(world.ask(done).ends_with("repository.Deleted snapshot.Forgotten"));
        }
    }

    #[test]
    fn without_its_secret_a_wipe_cannot_hang() {
        let mut world = wiped();
        let command = delete(&world);
        world.ask(command);
        let failure = crate::testing::failure("BackendSecretNotFound");
        let gone = wipe(&world, Answer::Failed(failure));
        assert_eq!(world.ask(gone), "given-up repository.Deleted snapshot.Forgotten");
    }

    #[test]
    fn one_in_use_is_not_deleted() {
        let mut writing = World::ready();
        let session = writing.working(1);
        let command = delete(&writing);
        let writes =
            Rejection::retry("demo/one", "BackupSession demo/app-nightly-1700438400 writes to it");
        assert_eq!(writing.refused(command.clone()), writes);
        writing.reported(session, "pod-0");
        assert_eq!(writing.refused(command.clone()), writes, "until its end");
        writing.closed();
        assert!(writing.ask(command).ends_with("repository.Deleted snapshot.Forgotten"));

        let mut reading = World::restorable();
        reading.declare_restore(given::restore(&[]));
        let command = delete(&reading);
        assert_eq!(
            reading.refused(command),
            Rejection::retry("demo/one", "RestoreSession demo/back reads from it")
        );
    }

    #[test]
    fn an_initialisation_under_way_is_given_up_by_a_deletion() {
        let mut world = opening();
        let late = report(&world, ready("id"));
        let command = delete(&world);
        assert_eq!(world.ask(command), "given-up repository.DeletionRequested repository.Deleted");
        assert!(matches!(world.refused(late), Rejection::Conflict { .. }));
    }

    #[test]
    fn a_first_backup_runs_as_soon_as_its_repository_was_tried() {
        for result in [ready("id"), failed("WrongPassphrase")] {
            let mut world = opening();
            let session = "nightly".into();
            let outcome = crate::outcome::Outcome::Succeeded;
            let trigger = configuration::Command::SchedulerReported { uid: APP, session, outcome };
            assert_eq!(world.ask(trigger), "configuration.SchedulerEnsured");
            let tried = report(&world, result);
            let happened = world.ask(tried);
            assert!(
                happened.contains("configuration.InitialBackupTriggered backup.Created"),
                "{happened}"
            );
        }
    }
}
