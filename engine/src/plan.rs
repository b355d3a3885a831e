//! What a place needs to know to carry out an effect: plain owned data, so that it gets neither log nor state.
//!
//! | A plan has | and never |
//! |---|---|
//! | names and keys of Secrets | their values |
//! | hashes of attachments | the documents |
//! | volumes and claims | directories |
//! | what a description beside the data says | its spelling |

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::phase::{Phase, phase};
use crate::backup::state::Backup;
use crate::backup::{self, Component, Worker};
use crate::effect::Once;
use crate::hook::{HookSpec, Run, Stage};
use crate::ids::{Attempt, Hash, Key, TypedRef, Uid};
use crate::outcome::Failure;
use crate::restore::state::Restore;
use crate::run::component::{self, ComponentState};
use crate::snapshot::state::Snapshot;
use crate::state::State;
use crate::time::{Millis, Timestamp};
use crate::view::object::{self, RepositoryObject, SnapshotObject};
use crate::view::phases::{backup_error, restore_error};
use crate::view::storage::{self, StorageStatus};
use crate::{repository, restore};

/// How to carry out one effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Check a storage's backend and write its description.
    InitializeBackend(Box<Description>),
    /// Remove a storage's own description.
    WipeBackend(Stored),
    /// Open or initialise a repository, and describe it.
    InitializeRepository(Box<(Located, RepositoryObject)>),
    /// Remove everything below a repository's path.
    WipeRepository(Box<Located>),
    /// Find the hosts of a target; absent: manifests of the cluster.
    Survey(Option<TypedRef>),
    /// Run one try of a hook.
    RunHook(Box<Hook>),
    /// Start a worker that backs up.
    StartBackup(Box<BackupWork>),
    /// Start a worker that restores.
    StartRestore(Box<RestoreWork>),
    /// Stop the worker of an attempt and see that it is gone.
    StopWorker(Attempt),
    /// Store a snapshot's description beside the data, and the lists that name it.
    UploadMetadata(Box<Metadata>),
    /// Remove a snapshot's commits; absent: nothing of it has to go.
    RemoveSnapshot(Option<Box<Doomed>>),
}

/// Where a storage's declaration is: it was frozen when the engine decided on it, so that a storage whose object is gone
/// can still be wiped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Namespace and name.
    pub key: Key,
    /// The declaration.
    pub hash: Hash,
}

/// A storage and what its description says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The storage.
    pub storage: Stored,
    /// When it was first declared.
    pub created_at: Timestamp,
    /// What is known of it.
    pub status: StorageStatus,
}

/// A repository, where it lies and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Its uid; a job and its report name it by this.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// Where it lies.
    pub storage: Stored,
    /// Below the storage.
    pub path: String,
    /// The Secret with its passphrase.
    pub secret: Option<Key>,
    /// The identity that the log remembers.
    pub id: Option<Uid>,
}

/// One try of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The hook as its session names it.
    pub spec: HookSpec,
    /// Its template as it was when the session started; absent: it was not there.
    pub template: Option<Hash>,
    /// The namespace of the session.
    pub namespace: String,
    /// What the template may say about its session.
    pub summary: Summary,
}

/// What a hook's template may say about its session (the documents' `Summary`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The session.
    pub session: Key,
    /// Kind of its invoker.
    pub invoker_kind: &'static str,
    /// Name of its invoker.
    pub invoker: String,
    /// What is moved.
    pub target: Option<TypedRef>,
    /// How it stands.
    pub phase: &'static str,
    /// How long it has taken.
    pub duration: Millis,
    /// What went wrong; empty: nothing.
    pub error: String,
}

/// A backup of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupWork {
    /// The attempt.
    pub attempt: Attempt,
    /// The component as planned.
    pub component: Component,
    /// Name of the BackupSession.
    pub session_name: String,
    /// Name of the session in the configuration.
    pub session: String,
    /// The configuration; empty when it is not known any more.
    pub configuration: Key,
    /// A partial result is a success.
    pub allow_partial: bool,
    /// Where the data is.
    pub target: Option<TypedRef>,
    /// Where the data goes.
    pub repositories: Vec<Located>,
}

/// A restore of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreWork {
    /// The attempt.
    pub attempt: Attempt,
    /// The component as planned.
    pub component: Component,
    /// Where the data comes from, with the Secret that the restore names.
    pub repository: Located,
    /// Name of the commit object.
    pub commit: String,
    /// The paths that were backed up; empty when the log does not know them.
    pub paths: Vec<String>,
    /// Where the data goes.
    pub target: Option<TypedRef>,
}

/// A snapshot and all that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The snapshot.
    pub snapshot: SnapshotObject,
    /// Its repository's description.
    pub repository: RepositoryObject,
    /// Where that lies.
    pub place: Located,
    /// Its storage's description.
    pub storage: Description,
}

/// A snapshot that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Where it lies.
    pub repository: Located,
    /// Its name.
    pub name: String,
    /// Its commits.
    pub commits: Vec<String>,
}

/// A worker that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attended {
    /// Its attempt.
    pub attempt: Attempt,
    /// Which worker.
    pub worker: Worker,
    /// What it does.
    pub work: Work,
}

/// What a worker does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// It backs up this component.
    Backup(Box<Component>),
    /// It restores.
    Restore,
}

/// How an effect is to be carried out, as the state is now.
///
/// # Errors
/// A permanent failure where the state does not know any more what the effect is about.
pub fn plan(state: &State, once: &Once) -> Result<Plan, Failure> {
    Ok(match once {
        Once::InitializeBackend { storage } => {
            Plan::InitializeBackend(Box::new(description(state, *storage)?))
        }
        Once::WipeBackend { storage } => Plan::WipeBackend(description(state, *storage)?.storage),
        Once::InitializeRepository { repository } => {
            let described = object::of_repository(state, *repository).ok_or_else(no_repository)?;
            let place = located(state, &described.repository)?;
            Plan::InitializeRepository(Box::new((place, described)))
        }
        Once::WipeRepository { repository } => {
            let found = state.repositories.get(repository).ok_or_else(no_repository)?;
            Plan::WipeRepository(Box::new(located(state, found)?))
        }
        Once::Survey { session } => Plan::Survey(target(state, *session)),
        Once::RunHook { session, run } => Plan::RunHook(Box::new(hook(state, *session, *run)?)),
        Once::StartWorker { attempt } => start(state, attempt)?,
        Once::StopWorker { attempt } => Plan::StopWorker(attempt.clone()),
        Once::UploadMetadata { snapshot } => {
            Plan::UploadMetadata(Box::new(metadata(state, *snapshot)?))
        }
        Once::RemoveSnapshot { snapshot, .. } => {
            Plan::RemoveSnapshot(doomed(state, *snapshot)?.map(Box::new))
        }
    })
}

/// The attempts that have a worker and no end: what a new operator has to look after.
#[must_use]
pub fn attended(state: &State) -> Vec<Attended> {
    let of = |session: Uid, known: &ComponentState, work: Work| {
        let worker = known.worker.filter(|_| known.outcome.is_none())?;
        let (component, number) = (known.component.name.clone(), known.attempt);
        Some(Attended { attempt: Attempt { session, component, number }, worker, work })
    };
    let backups = state.backups.values().flat_map(|backup| {
        let all = backup.components.iter();
        all.filter_map(|c| of(backup.uid, c, Work::Backup(Box::new(c.component.clone()))))
    });
    let restores = state.restores.values().flat_map(|restore| {
        restore.components.iter().filter_map(|c| of(restore.uid, c, Work::Restore))
    });
    backups.chain(restores).collect()
}

fn description(state: &State, uid: Uid) -> Result<Description, Failure> {
    let found = state
        .storages
        .get(&uid)
        .ok_or_else(|| gone("BackupStorageGone", "the storage is not known any more"))?;
    Ok(Description {
        storage: Stored { key: found.key.clone(), hash: found.hash },
        created_at: found.created_at,
        status: storage::status(state, found),
    })
}

fn located(state: &State, repository: &repository::state::Repository) -> Result<Located, Failure> {
    let storage = state.storage_named(&repository.storage).ok_or_else(|| {
        gone("BackupStorageNotReady", format!("BackupStorage {} not found", repository.storage))
    })?;
    Ok(Located {
        uid: repository.uid,
        key: repository.key.clone(),
        storage: Stored { key: storage.key.clone(), hash: storage.hash },
        path: repository.path.clone(),
        secret: repository.secret.clone(),
        id: repository.id,
    })
}

fn target(state: &State, session: Uid) -> Option<TypedRef> {
    match state.backups.get(&session) {
        Some(backup) => backup.plan.as_ref()?.target.clone(),
        None => state.restores.get(&session)?.spec.target.clone(),
    }
}

fn hook(state: &State, session: Uid, run: Run) -> Result<Hook, Failure> {
    let gone = || gone("SessionGone", "the hook's session is not known any more");
    let (pre, post, frozen, namespace, summary) = match state.backups.get(&session) {
        Some(backup) => {
            let spec = &backup.plan.as_ref().ok_or_else(gone)?.spec;
            let summary = of_backup(state, backup);
            (&spec.pre_hooks, &spec.post_hooks, &backup.frozen, &backup.key.namespace, summary)
        }
        None => {
            let restore = state.restores.get(&session).ok_or_else(gone)?;
            let (spec, key) = (&restore.spec, &restore.key);
            let summary = of_restore(restore);
            (&spec.pre_hooks, &spec.post_hooks, &restore.frozen, &key.namespace, summary)
        }
    };
    let hooks = if run.stage == Stage::Pre { pre } else { post };
    let spec = usize::try_from(run.index).ok().and_then(|index| hooks.get(index));
    let spec = spec.ok_or_else(gone)?.clone();
    let template = frozen.hooks.iter().find(|(key, _)| *key == spec.template);
    let template = template.map(|(_, hash)| *hash);
    Ok(Hook { template, namespace: namespace.clone(), summary, spec })
}

fn of_backup(state: &State, backup: &Backup) -> Summary {
    let configuration = state.configurations.get(&backup.configuration);
    let error = backup_error(backup).unwrap_or_default();
    let known = phase(backup);
    // Whoever thaws asks how the work ended; that the session has not ended yet is plain to him.
    let phase = match known == Phase::Running && backup.is_work_over() {
        true if error.is_empty() => "Succeeded",
        true => "Failed",
        false => known.as_str(),
    };
    Summary {
        session: backup.key.clone(),
        invoker_kind: "BackupConfiguration",
        invoker: configuration.map(|found| found.key.name.clone()).unwrap_or_default(),
        target: backup.plan.as_ref().and_then(|plan| plan.target.clone()),
        phase,
        duration: state.last_at.since(backup.created_at),
        error,
    }
}

fn of_restore(restore: &Restore) -> Summary {
    let error = restore_error(restore).unwrap_or_default();
    Summary {
        session: restore.key.clone(),
        invoker_kind: "RestoreSession",
        invoker: restore.key.name.clone(),
        target: restore.spec.target.clone(),
        phase: match (restore.is_work_over(), error.is_empty()) {
            (false, _) => "Running",
            (true, true) => "Succeeded",
            (true, false) => "Failed",
        },
        duration: restore.components.iter().map(|c| c.duration).max().unwrap_or(Millis(0)),
        error,
    }
}

fn start(state: &State, attempt: &Attempt) -> Result<Plan, Failure> {
    if let Some(backup) = state.backups.get(&attempt.session) {
        let work = start_backup(state, backup, attempt)?;
        return Ok(Plan::StartBackup(Box::new(work)));
    }
    let restore = state.restores.get(&attempt.session).ok_or_else(|| session_gone(attempt))?;
    Ok(Plan::StartRestore(Box::new(start_restore(state, restore, attempt)?)))
}

fn start_backup(
    state: &State,
    backup: &backup::state::Backup,
    attempt: &Attempt,
) -> Result<BackupWork, Failure> {
    let gone = || session_gone(attempt);
    let component = backup.component(&attempt.component).ok_or_else(gone)?;
    let plan = backup.plan.as_ref().ok_or_else(gone)?;
    let repositories = backup.snapshots.iter().map(|snapshot| {
        let repository = state.repositories.get(&snapshot.repository).ok_or_else(gone)?;
        located(state, repository)
    });
    let configuration = state.configurations.get(&backup.configuration);
    Ok(BackupWork {
        attempt: attempt.clone(),
        component: component.component.clone(),
        session_name: backup.key.name.clone(),
        session: backup.session.clone(),
        configuration: configuration.map(|found| found.key.clone()).unwrap_or_default(),
        allow_partial: plan.allow_partial,
        target: plan.target.clone(),
        repositories: repositories.collect::<Result<_, _>>()?,
    })
}

fn start_restore(
    state: &State,
    restore: &restore::state::Restore,
    attempt: &Attempt,
) -> Result<RestoreWork, Failure> {
    let gone = || session_gone(attempt);
    let component =
        component::find(&restore.run.components, &attempt.component).ok_or_else(gone)?;
    let snapshot: &Snapshot =
        restore.snapshot.and_then(|uid| state.snapshots.get(&uid)).ok_or_else(gone)?;
    let stored = snapshot.component(&attempt.component).filter(|stored| !stored.commit.is_empty());
    let stored = stored.ok_or_else(|| {
        let (key, component) = (&snapshot.key, &attempt.component);
        let message = format!("Snapshot {key} holds nothing of component {component}");
        self::gone("ComponentNotFound", message)
    })?;
    let repository = state.repositories.get(&snapshot.repository).ok_or_else(gone)?;
    let mut repository = located(state, repository)?;
    repository.secret = restore.spec.source.secret.clone().or(repository.secret);
    Ok(RestoreWork {
        attempt: attempt.clone(),
        component: component.component.clone(),
        repository,
        commit: stored.commit.clone(),
        paths: stored.paths.iter().map(|path| path.path.clone()).collect(),
        target: restore.spec.target.clone(),
    })
}

fn metadata(state: &State, uid: Uid) -> Result<Metadata, Failure> {
    let gone = || gone("SnapshotGone", "the snapshot or its repository is not known any more");
    let snapshot = object::of_snapshot(state, uid).ok_or_else(gone)?;
    let repository = object::of_repository(state, snapshot.snapshot.repository).ok_or_else(gone)?;
    let place = located(state, &repository.repository)?;
    let storage = state.storage_named(&repository.repository.storage).ok_or_else(gone)?;
    Ok(Metadata { storage: description(state, storage.uid)?, place, repository, snapshot })
}

fn doomed(state: &State, uid: Uid) -> Result<Option<Doomed>, Failure> {
    let wipes = |found: &&Snapshot| found.removal.as_ref().is_some_and(|removal| removal.wipe);
    let Some(found) = state.snapshots.get(&uid).filter(wipes) else { return Ok(None) };
    let Some(repository) = state.repositories.get(&found.repository) else { return Ok(None) };
    let commits = found.components.iter().map(|c| c.commit.clone());
    Ok(Some(Doomed {
        repository: located(state, repository)?,
        name: found.key.name.clone(),
        commits: commits.filter(|commit| !commit.is_empty()).collect(),
    }))
}

fn session_gone(attempt: &Attempt) -> Failure {
    let of = &attempt.component;
    let message = format!("nothing is known any more of what component {of} belongs to");
    gone("SessionGone", message)
}

fn no_repository() -> Failure {
    gone("RepositoryGone", "the repository is not known any more")
}

fn gone(reason: &str, message: impl Into<String>) -> Failure {
    Failure { reason: reason.into(), message: message.into(), permanent: true }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::testing::given;
    use crate::testing::world::{World, attempt, named};

    #[test]
    fn whatever_the_state_asks_for_can_be_planned() {
        let mut world = World::ready();
        world.working(2);
        for once in world.outbox() {
            assert!(plan(&world.state, &once).is_ok(), "{once:?}");
        }
        let mut world = World::restorable();
        world.restoring(given::restore(&["pod-0"]));
        for once in world.outbox() {
            assert!(plan(&world.state, &once).is_ok(), "{once:?}");
        }
    }

    #[test]
    fn what_nobody_knows_any_more_fails_for_good() {
        let (state, nobody) = (State::default(), named("nobody"));
        let all = [
            Once::InitializeBackend { storage: nobody },
            Once::WipeBackend { storage: nobody },
            Once::InitializeRepository { repository: nobody },
            Once::WipeRepository { repository: nobody },
            Once::RunHook { session: nobody, run: Run { stage: Stage::Pre, index: 0, number: 1 } },
            Once::StartWorker { attempt: attempt(nobody, "pod-0") },
            Once::UploadMetadata { snapshot: nobody },
        ];
        for once in all {
            assert!(plan(&state, &once).unwrap_err().permanent, "{once:?}");
        }
        let attempt = attempt(nobody, "pod-0");
        let stop = Once::StopWorker { attempt: attempt.clone() };
        assert_eq!(plan(&state, &stop), Ok(Plan::StopWorker(attempt)), "it may still be there");
        let remove = Once::RemoveSnapshot { snapshot: nobody, by: None };
        assert_eq!(plan(&state, &remove), Ok(Plan::RemoveSnapshot(None)));
    }

    #[test]
    fn a_restore_is_planned_with_the_secret_that_it_names() {
        let mut world = World::restorable();
        let mut spec = given::restore(&["pod-0"]);
        let secret = Key::core("demo", "of-the-restore");
        world.observe(crate::dependency::state::secret(&secret), given::passphrase(1, None));
        spec.source.secret = Some(secret.clone());
        world.restoring(spec);
        let session = crate::testing::world::BACK;
        let once = Once::StartWorker { attempt: attempt(session, "pod-0") };
        match plan(&world.state, &once).unwrap() {
            Plan::StartRestore(work) => {
                assert_eq!(work.repository.secret, Some(secret));
                assert!(!work.commit.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn attempts_without_an_end_are_attended() {
        let mut world = World::ready();
        let session = world.working(2);
        world.started(session, "pod-0");
        world.started(session, "pod-1");
        let names = |world: &World| -> Vec<String> {
            attended(&world.state).into_iter().map(|found| found.attempt.component).collect()
        };
        assert_eq!(names(&world), vec!["pod-0", "pod-1"]);
        world.reported(session, "pod-0");
        assert_eq!(names(&world), vec!["pod-1"]);
    }
}
