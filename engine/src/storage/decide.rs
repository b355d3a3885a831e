//! Decides on storages.

use alloc::format;
use alloc::string::String;

use crate::declared::{Declared, Known};
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{Key, Uid};
use crate::limits;
use crate::outcome::{Failure, Outcome, Reason};
use crate::rejection::Rejection;
use crate::storage::state::Storage;
use crate::storage::{Command, DeletionPolicy, Event, Spec};

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Declare(declared) => declare(draft, declared),
        Command::Retry { uid } => retry(draft, *uid),
        Command::Delete { uid } => delete(draft, *uid),
    }
}

fn declare(draft: &mut Draft, declared: &Declared<Spec>) -> Result<(), Rejection> {
    let uid = declared.uid;
    let found = draft.storage(uid);
    let known = found.map(|found| Known { hash: found.hash, deleting: found.deleting });
    let is_news = declared.is_news(known)?;
    // One that did not answer is checked again with the next sight of it.
    if !is_news && found.is_some_and(Storage::is_initialized) {
        return Ok(());
    }
    let initializing = |once: &Once| *once == Once::InitializeBackend { storage: uid };
    for superseded in draft.effects(initializing) {
        draft.give_up(superseded, "the storage was declared anew");
    }
    let problem = problem(draft, uid, &declared.spec);
    draft.emit(Event::from(declared.clone()));
    if let Some(message) = problem {
        draft.emit(Event::BackendInitializationFailed { uid, message, retry_at: None });
        let asked = draft.effects(initializing);
        asked.into_iter().for_each(|id| draft.give_up(id, "the storage is not valid"));
    }
    Ok(())
}

/// Two storages with one directory would take each other's repositories for their own.
fn problem(draft: &Draft, uid: Uid, spec: &Spec) -> Option<String> {
    if let Some(invalid) = &spec.invalid {
        return Some(invalid.clone());
    }
    if let Some(known) = draft.storage(uid)
        && known.spec.identity != spec.identity
        && draft.repositories_in(&known.key).next().is_some()
    {
        return Some("spec.storage: it cannot move while repositories lie in it".into());
    }
    let twin = draft.storages_behind(None).find(|other| {
        other.uid != uid && !spec.identity.is_empty() && other.spec.identity == spec.identity
    })?;
    Some(format!("spec.storage: BackupStorage {} uses the same directory", twin.key))
}

/// Checks backends again whose credential Secret has come or changed; behind which storage some are left, if
/// any are.
pub(crate) fn check_with_secret(
    draft: &mut Draft,
    secret: &Key,
    after: Option<Uid>,
) -> Option<Uid> {
    let with = draft
        .storages_behind(after)
        .filter(|known| known.spec.secret.as_ref() == Some(secret) && !known.deleting)
        .map(|known| known.uid)
        .take(limits::OBJECTS_A_REACTION + 1)
        .collect();
    draft.each(with, check_anew)
}

/// An answer that is still to come may rest on the former Secret, so nobody waits for it.
fn check_anew(draft: &mut Draft, uid: Uid) {
    let Some(known) = draft.storage(uid).cloned() else { return };
    for superseded in draft.effects(|once| *once == Once::InitializeBackend { storage: uid }) {
        draft.give_up(superseded, "the storage's credential Secret changed");
    }
    if problem(draft, uid, &known.spec).is_none() {
        let Storage { key, generation, hash, spec, .. } = known;
        draft.emit(Event::Declared { uid, key, generation, hash, spec });
    }
}

/// What failed outside may recover by itself: a directory that was not mounted, a wipe that was refused.
fn fail(draft: &mut Draft, uid: Uid, message: String) {
    let failures = draft.storage(uid).map_or(0, |known| known.failures).saturating_add(1);
    let retry_at = Some(draft.at().plus(limits::retry_after(failures)));
    draft.emit(Event::BackendInitializationFailed { uid, message, retry_at });
}

fn retry(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let known = draft.storage(uid).ok_or_else(|| Rejection::conflict(uid, "no such storage"))?;
    if known.retry_at.is_none_or(|when| when > draft.at()) {
        return Err(Rejection::conflict(&known.key, "no retry is due"));
    }
    if known.deleting {
        return delete(draft, uid);
    }
    draft.emit(Event::InitializationRequested { uid });
    Ok(())
}

/// The backend was initialised, or could not be.
pub(crate) fn initialized(draft: &mut Draft, uid: Uid, outcome: Outcome) {
    if draft.storage(uid).is_none() {
        return;
    }
    match outcome {
        Outcome::Succeeded => draft.emit(Event::BackendInitialized { uid }),
        Outcome::Failed(Failure { message, .. }) => fail(draft, uid, message),
    }
}

/// What lies in it goes first, and nothing of that may be in use.
fn delete(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(storage) = draft.storage(uid) else { return Ok(()) };
    let deleting = storage.deleting;
    for inside in draft.repositories_in(&storage.key) {
        draft.refuse_if_used(inside)?;
    }
    for superseded in draft.effects(|once| *once == Once::InitializeBackend { storage: uid }) {
        draft.give_up(superseded, "the storage is being deleted");
    }
    if !deleting {
        draft.emit(Event::DeletionRequested { uid });
    }
    Ok(())
}

/// Goes on with the deletion of a storage once its repositories are gone.
pub(crate) fn finish_deletion(draft: &mut Draft, key: &Key) {
    let Some(storage) = draft.storage_named(key) else { return };
    let (uid, policy, key) = (storage.uid, storage.spec.deletion, storage.key.clone());
    if !storage.deleting || draft.repositories_in(&key).next().is_some() {
        return;
    }
    if policy == DeletionPolicy::WipeOut {
        let wiping = |once: &Once| *once == Once::WipeBackend { storage: uid };
        if draft.effects(wiping).is_empty() {
            // The second request is the one that reaches for the data.
            draft.emit(Event::DeletionRequested { uid });
        }
    } else {
        draft.emit(Event::Deleted { uid, key, wiped: false });
    }
}

/// Its description was removed, or could not be.
pub(crate) fn wiped(draft: &mut Draft, uid: Uid, outcome: Outcome) {
    let key = draft.storage(uid).map(|storage| storage.key.clone()).unwrap_or_default();
    match outcome {
        Outcome::Succeeded => draft.emit(Event::Deleted { uid, key, wiped: true }),
        // Without its Secret nobody can reach the data; the object must not hang for ever.
        Outcome::Failed(failure) if failure.reason == Reason::BackendSecretNotFound => {
            draft.emit(Event::Deleted { uid, key, wiped: false });
        }
        Outcome::Failed(failure) => fail(draft, uid, format!("wiping: {}", failure.message)),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::configuration::state::Configuration;
    use crate::dependency::state::secret;
    use crate::outbox::Command as Answer;
    use crate::testing::given::{self, core, hash, stored};
    use crate::testing::world::{APP, World, broken, named};

    fn store() -> Uid {
        named("storage/store")
    }

    fn delete() -> Command {
        Command::Delete { uid: store() }
    }

    fn declare(number: u64, spec: Spec) -> Command {
        Command::Declare(Declared {
            uid: store(),
            key: stored("store"),
            generation: 1,
            hash: hash(number),
            spec,
        })
    }

    fn report(world: &World, outcome: Outcome) -> Answer {
        let effect = world.effect(&Once::InitializeBackend { storage: store() });
        Answer::Answer { effect, answer: outcome.into() }
    }

    fn wiped(world: &World, outcome: Outcome) -> Answer {
        let effect = world.effect(&Once::WipeBackend { storage: store() });
        Answer::Answer { effect, answer: outcome.into() }
    }

    fn wiping() -> Spec {
        Spec { deletion: DeletionPolicy::WipeOut, ..given::storage("store") }
    }

    fn said(world: &World) -> &str {
        let facts = &world.state.storages[&store()].conditions;
        &facts.get(Type::BackendInitialized).unwrap().message
    }

    #[test]
    fn a_storage_is_checked_once_until_it_changes() {
        let mut world = World::new();
        assert_eq!(world.ask(declare(1, given::storage("store"))), "storage.Declared");
        let good = report(&world, Outcome::Succeeded);
        assert_eq!(world.ask(good.clone()), "done storage.BackendInitialized");
        assert!(matches!(world.refused(good), Rejection::Conflict { .. }));
        assert_eq!(world.ask(declare(1, given::storage("store"))), "");
        assert_eq!(world.outbox(), []);
        assert_eq!(world.ask(declare(2, given::storage("store"))), "storage.Declared");
        let good = report(&world, Outcome::Succeeded);
        let before = world.state.storages[&store()].conditions.clone();
        world.pass(1);
        assert_eq!(world.ask(good), "done storage.BackendInitialized");
        assert_eq!(world.state.storages[&store()].conditions, before, "it stands as before");
    }

    #[test]
    fn one_that_failed_is_checked_again_whenever_it_is_declared() {
        let mut world = World::new();
        world.ask(declare(1, given::storage("store")));
        let bad = report(&world, broken("AccessDenied"));
        assert_eq!(world.ask(bad), "given-up storage.BackendInitializationFailed");
        assert_eq!(said(&world), "it went wrong");
        assert_eq!(world.ask(declare(1, given::storage("store"))), "storage.Declared");
    }

    #[test]
    fn what_failed_is_tried_again_at_growing_intervals_until_it_works_or_changes() {
        let due = |world: &World| crate::due(&world.state, world.now, crate::Millis(0));
        let retry = || Command::Retry { uid: store() };
        let mut world = World::new();
        world.ask(declare(1, given::storage("store")));
        for seconds in [30, 60, 120, 240, 480, 600, 600] {
            let bad = report(&world, broken("AccessDenied"));
            world.ask(bad);
            world.pass(seconds * 1_000 - 1);
            assert_eq!(due(&world), []);
            let early = Rejection::conflict("demo/store", "no retry is due");
            assert_eq!(world.refused(retry()), early);
            world.pass(1);
            assert_eq!(due(&world), [crate::Due::RetryStorage { uid: store() }]);
            assert_eq!(world.ask(retry()), "storage.InitializationRequested");
            assert_eq!(due(&world), [], "it is under way");
        }
        let mut changed = world.clone();
        changed.ask(declare(2, given::storage("store")));
        let bad = report(&changed, broken("AccessDenied"));
        changed.ask(bad);
        let first = changed.now.plus(limits::RETRY_FIRST_MILLIS);
        assert_eq!(changed.state.storages[&store()].retry_at, Some(first));
        let good = report(&world, Outcome::Succeeded);
        world.ask(good);
        let storage = &world.state.storages[&store()];
        assert_eq!((storage.retry_at, storage.failures), (None, 0));
    }

    #[test]
    fn a_check_that_was_overtaken_is_given_up() {
        let mut world = World::new();
        world.ask(declare(1, given::storage("store")));
        let old = report(&world, Outcome::Succeeded);
        assert_eq!(world.ask(declare(2, given::storage("store"))), "given-up storage.Declared");
        assert!(matches!(world.refused(old), Rejection::Conflict { .. }));
        assert_eq!(world.outbox().len(), 1);
    }

    #[test]
    fn what_is_wrong_in_itself_is_said_and_never_checked() {
        // What stands there before; what is declared then; what is said.
        let mut other = World::new();
        other.declare_storage("other", given::storage("store"));
        let mut used = World::ready();
        used.now = used.now.plus(crate::time::Millis(1));
        let cases = [
            (
                World::new(),
                Spec { invalid: Some("it is odd".into()), ..given::storage("store") },
                "it is odd",
            ),
            (
                other,
                given::storage("store"),
                "spec.storage: BackupStorage demo/other uses the same directory",
            ),
            (
                used,
                given::storage("elsewhere"),
                "spec.storage: it cannot move while repositories lie in it",
            ),
        ];
        for (mut world, spec, message) in cases {
            assert!(world.ask(declare(99, spec)).contains("BackendInitializationFailed given-up"));
            assert_eq!(said(&world), message);
            let about = |once: &Once| *once == Once::InitializeBackend { storage: store() };
            assert_eq!(world.find(about), None);
        }
    }

    #[test]
    fn two_storages_without_an_identity_are_no_twins() {
        let mut world = World::new();
        let nameless = || Spec { identity: String::new(), ..given::storage("x") };
        world.declare_storage("other", nameless());
        assert_eq!(world.ask(declare(1, nameless())), "storage.Declared");
    }

    #[test]
    fn a_secret_that_comes_has_its_storages_checked_again() {
        let mut world = World::new();
        let spec = Spec { secret: Some(core("credentials")), ..given::storage("store") };
        world.ask(declare(1, spec));
        let bad = report(&world, broken("BackendSecretNotFound"));
        world.ask(bad);
        let credentials = secret(&core("credentials"));
        let seen = world.observe(credentials.clone(), given::passphrase(1, None));
        assert_eq!(seen, "dependency.Observed storage.Declared");
        // An answer from before another version is not waited for; one that works is checked as well.
        let again = world.observe(credentials.clone(), given::passphrase(2, None));
        assert_eq!(again, "dependency.Observed given-up storage.Declared");
        world.answer_backends();
        let seen = world.observe(credentials, given::passphrase(3, None));
        assert_eq!(seen, "dependency.Observed storage.Declared");
        assert!(world.state.storages[&store()].is_initialized(), "until the answer says otherwise");
    }

    #[test]
    fn a_backend_that_works_again_has_its_repositories_tried_again() {
        let mut world = World::furnished();
        world.ask(declare(1, given::storage("store")));
        world.declare_retention("keep", given::retention(1));
        world.declare(&given::configuration(vec![given::session("nightly")]));
        let repository = &world.state.repositories[&world.repository("one")];
        let reason = &repository.failure.as_ref().unwrap().reason;
        assert_eq!(*reason, Reason::BackupStorageNotReady);
        let good = report(&world, Outcome::Succeeded);
        assert_eq!(
            world.ask(good),
            "done storage.BackendInitialized repository.InitializationRequested"
        );
    }

    #[test]
    fn deletion_without_a_wipe_takes_the_objects_and_leaves_the_data() {
        let mut world = World::restorable();
        assert_eq!(
            world.ask(delete()),
            "storage.DeletionRequested repository.DeletionRequested repository.Deleted \
             snapshot.Forgotten storage.Deleted repository.Created \
             repository.InitializationFailed",
            "its configuration still wants a repository, which waits for a storage of that name"
        );
        assert_eq!(world.outbox(), []);
        assert_eq!(world.ask(delete()), "", "it is gone");
    }

    #[test]
    fn a_wipe_goes_through_the_repositories_first() {
        let mut world = World::furnished();
        world.ask(declare(1, wiping()));
        world.answer_backends();
        world.declare_retention("keep", given::retention(1));
        world.configure(&given::configuration(vec![given::session("nightly")]));
        let repository = world.repository("one");
        assert_eq!(
            world.ask(delete()),
            "storage.DeletionRequested repository.Updated repository.DeletionRequested"
        );
        assert_eq!(world.ask(delete()), "", "asked for once more while it goes on");
        assert_eq!(
            world.refused(declare(2, wiping())),
            Rejection::conflict("demo/store", "it is being deleted")
        );
        let done = crate::outbox::Answer::Done;
        assert_eq!(
            world.answer_to(&Once::WipeRepository { repository }, done),
            "done repository.Deleted storage.DeletionRequested"
        );
        let done = wiped(&world, Outcome::Succeeded);
        assert!(world.ask(done).starts_with("done storage.Deleted"));
        assert!(world.state.storages.is_empty());
    }

    #[test]
    fn a_wipe_that_fails_is_said_and_tried_again_when_asked() {
        let mut world = World::new();
        world.ask(declare(1, wiping()));
        world.answer_backends();
        world.ask(delete());
        let failed = wiped(&world, broken("Locked"));
        assert_eq!(world.ask(failed), "given-up storage.BackendInitializationFailed");
        assert_eq!(said(&world), "wiping: it went wrong");
        let storage = &world.state.storages[&store()];
        assert_eq!(storage.wipe_error.as_deref(), Some("wiping: it went wrong"));
        assert_eq!(world.ask(delete()), "storage.DeletionRequested");
        let done = wiped(&world, Outcome::Succeeded);
        assert_eq!(world.ask(done), "done storage.Deleted");
    }

    #[test]
    fn without_its_secret_a_wipe_cannot_hang() {
        let mut world = World::new();
        world.ask(declare(1, wiping()));
        world.answer_backends();
        world.ask(delete());
        let gone = wiped(&world, broken("BackendSecretNotFound"));
        assert_eq!(world.ask(gone), "given-up storage.Deleted");
    }

    #[test]
    fn a_storage_in_use_is_not_deleted() {
        let mut writing = World::ready();
        writing.create("nightly");
        assert_eq!(
            writing.refused(delete()),
            Rejection::retry("demo/one", "BackupSession demo/app-nightly-1700438400 writes to it")
        );
        let mut reading = World::restorable();
        reading.declare_restore(given::restore(&[]));
        assert_eq!(
            reading.refused(delete()),
            Rejection::retry("demo/one", "RestoreSession demo/back reads from it")
        );
    }

    #[test]
    fn a_check_under_way_is_given_up_by_a_deletion() {
        let mut world = World::new();
        world.ask(declare(1, given::storage("store")));
        assert_eq!(world.ask(delete()), "given-up storage.DeletionRequested storage.Deleted");
        assert_eq!(world.outbox(), []);
    }

    #[test]
    fn configurations_that_use_it_are_checked_again() {
        let mut world = World::furnished();
        world.declare_retention("keep", given::retention(1));
        let mut spec = given::configuration(vec![given::session("nightly")]);
        spec.backends[0].storage = None;
        assert!(world.declare(&spec).ends_with("configuration.ValidationFailed"));
        let default = Spec { default: true, ..given::storage("store") };
        assert_eq!(
            world.ask(declare(1, default)),
            "storage.Declared configuration.BackendDefaulted configuration.ValidationPassed \
             repository.Created repository.InitializationFailed"
        );
        let app: &Configuration = &world.state.configurations[&APP];
        assert_eq!(app.resolved_backends()[0].storage, stored("store"));
    }
}
