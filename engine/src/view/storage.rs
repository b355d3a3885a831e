//! `status` of a BackupStorage: a join over its Secret and its repositories.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::phases::{self, Readiness};
use super::repository;
use crate::condition::{Condition, Conditions, Type};
use crate::dependency::state::secret;
use crate::state::State;
use crate::storage::state::Storage;
use crate::units::format_size;

/// `status` of a BackupStorage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// `phase`.
    pub phase: Readiness,
    /// `totalSize`; empty while unknown.
    pub total_size: String,
    /// `repositories`, by name.
    pub repositories: Vec<StoredRepository>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// One entry of `repositories`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRepository {
    /// `name`.
    pub name: String,
    /// `namespace`.
    pub namespace: String,
    /// `path`.
    pub path: String,
    /// `size`; empty while unknown.
    pub size: String,
    /// `synced`: it opens.
    pub synced: bool,
    /// `error`: why it does not.
    pub error: Option<String>,
}

/// Whether the credential Secret is there; absent when the storage names none.
#[must_use]
pub fn secret_found(state: &State, storage: &Storage) -> Option<bool> {
    let key = storage.spec.secret.as_ref()?;
    Some(state.dependency(&secret(key)).is_some())
}

/// The phase of a storage.
#[must_use]
pub fn phase(state: &State, storage: &Storage) -> Readiness {
    phases::storage(storage.is_initialized(), secret_found(state, storage))
}

/// Why a storage is not Ready, in one sentence; absent when it is.
#[must_use]
pub fn reason(state: &State, storage: &Storage) -> Option<String> {
    if phase(state, storage) == Readiness::Ready {
        return None;
    }
    let missing = || {
        let key = storage.spec.secret.as_ref()?;
        (secret_found(state, storage) == Some(false))
            .then(|| alloc::format!("Secret {key} is not there"))
    };
    let known = storage.conditions.get(Type::BackendInitialized);
    missing()
        .or_else(|| known.map(|condition| condition.message.clone().into_owned()))
        .or_else(|| Some("its backend has not been checked yet".into()))
}

/// The status of a storage.
#[must_use]
pub fn status(state: &State, storage: &Storage) -> StorageStatus {
    let mut mine: Vec<_> = state
        .repositories
        .values()
        .filter(|repository| repository.storage == storage.key)
        .collect();
    mine.sort_by(|a, b| a.key.cmp(&b.key));
    let sizes: Vec<u64> =
        mine.iter().filter_map(|known| repository::bytes(state, known.uid)).collect();
    let total = sizes.iter().fold(0u64, |sum, size| sum.saturating_add(*size));
    let repositories = mine.iter().map(|known| StoredRepository {
        name: known.key.name.clone(),
        namespace: known.key.namespace.clone(),
        path: known.path.clone(),
        size: repository::bytes(state, known.uid).map(format_size).unwrap_or_default(),
        synced: known.is_ready(),
        error: known.failure.as_ref().map(|failure| failure.message.clone()),
    });
    StorageStatus {
        phase: phase(state, storage),
        total_size: if sizes.is_empty() { String::new() } else { format_size(total) },
        repositories: repositories.collect(),
        conditions: conditions(state, storage),
    }
}

/// The joined condition has no event of its own; it stands since the storage was last checked.
fn conditions(state: &State, storage: &Storage) -> Vec<Condition> {
    let mut joined = Conditions::default();
    let checked = storage.conditions.get(Type::BackendInitialized);
    let since = checked.map_or(storage.created_at, |condition| condition.since);
    if let (Some(found), Some(key)) = (secret_found(state, storage), &storage.spec.secret) {
        let missing = alloc::format!("Secret {key} is not there.");
        joined.state(since, Type::BackendSecretFound, (!found).then_some(missing.as_str()));
    }
    joined.iter().chain(storage.conditions.iter()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::outcome::Outcome;
    use crate::run::Command as Run;
    use crate::storage::Spec;
    use crate::testing::given::{self, core};
    use crate::testing::world::{World, broken, named};

    fn store(world: &World) -> &Storage {
        &world.state.storages[&named("storage/store")]
    }

    fn answer(world: &mut World, outcome: Outcome) {
        let storage = named("storage/store");
        world.answer_to(&crate::Once::InitializeBackend { storage }, outcome.into());
    }

    /// A storage with a Secret of its own.
    fn with_secret() -> World {
        let mut world = World::new();
        let spec = Spec { secret: Some(core("credentials")), ..given::storage("store") };
        world.declare_storage("store", spec);
        world
    }

    #[test]
    fn the_phase_needs_the_backend_and_the_secret_and_says_which_is_missing() {
        let mut world = with_secret();
        let shown =
            |world: &World| (phase(&world.state, store(world)), reason(&world.state, store(world)));
        let gone = || Some("Secret demo/credentials is not there".into());
        assert_eq!(shown(&world), (Readiness::NotReady, gone()));
        answer(&mut world, Outcome::Succeeded);
        assert_eq!(shown(&world), (Readiness::NotReady, gone()));
        world.observe(secret(&core("credentials")), given::passphrase(1, None));
        assert_eq!(shown(&world), (Readiness::Ready, None));
        world.declare_storage("store", store(&world).spec.clone());
        answer(&mut world, broken("AccessDenied"));
        assert_eq!(shown(&world), (Readiness::NotReady, Some("it went wrong".into())));
    }

    #[test]
    fn one_that_was_never_checked_says_so() {
        let mut world = World::new();
        world.declare_storage("store", given::storage("store"));
        assert_eq!(
            reason(&world.state, store(&world)).as_deref(),
            Some("its backend has not been checked yet")
        );
        assert_eq!(status(&world.state, store(&world)).conditions, []);
    }

    #[test]
    fn the_secret_is_a_condition_before_that_of_the_backend() {
        let mut world = with_secret();
        let facts = |world: &World| -> Vec<(&'static str, &'static str)> {
            let all = status(&world.state, store(world)).conditions;
            all.iter().map(|c| (c.kind.as_str(), c.status.as_str())).collect()
        };
        assert_eq!(facts(&world), [("BackendSecretFound", "False")]);
        world.observe(secret(&core("credentials")), given::passphrase(1, None));
        answer(&mut world, Outcome::Succeeded);
        assert_eq!(facts(&world), [("BackendSecretFound", "True"), ("BackendInitialized", "True")]);
    }

    #[test]
    fn sizes_of_repositories_add_up_and_unknown_ones_do_not_count() {
        let mut session = given::session("nightly");
        session.repositories.push(given::repository("two"));
        session.repositories.push(given::repository("three"));
        let mut world = World::with(vec![session]);
        let session = world.working(1);
        assert_eq!(status(&world.state, store(&world)).total_size, "");
        let mut report = world.report(session);
        report.repositories[0].repository_size = 2_048;
        report.repositories[1].repository_size = 4_096;
        report.repositories[2].repository_size = 0;
        let (attempt, worker) =
            (crate::testing::world::attempt(session, "pod-0"), crate::testing::world::worker());
        let report = crate::run::Report::Backup(report);
        world.ask(Run::WorkerReported { attempt, worker, report });
        let uid = world.repository("three");
        let failure = crate::testing::failure("WrongPassphrase");
        world.record(crate::repository::Event::InitializationFailed {
            uid,
            failure,
            retry_at: None,
        });
        let shown = status(&world.state, store(&world));
        assert_eq!(shown.total_size, "6.000 KiB");
        let rows: Vec<(&str, &str, bool, Option<&str>)> = shown
            .repositories
            .iter()
            .map(|r| (r.name.as_str(), r.size.as_str(), r.synced, r.error.as_deref()))
            .collect();
        assert_eq!(
            rows,
            [
                ("one", "2.000 KiB", true, None),
                ("three", "", false, Some("it went wrong")),
                ("two", "4.000 KiB", true, None),
            ]
        );
    }
}
