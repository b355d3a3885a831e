//! Folds repositories.

use alloc::string::String;

use crate::condition::{Conditions, Status, Type};
use crate::event::StreamKind;
use crate::ids::Uid;
use crate::repository::Event;
use crate::repository::state::Repository;
use crate::state::{State, unknown};
use crate::time::Timestamp;

/// Folds one event.
pub(crate) fn apply(state: &mut State, at: Timestamp, event: &Event) -> Result<(), String> {
    match event {
        Event::Created { uid, .. } if state.repositories.contains_key(uid) => {
            return Err(alloc::format!("repository {uid} exists already"));
        }
        Event::Created { uid, key, .. } => {
            let repository = create(at, event).ok_or_else(|| unknown("repository", *uid))?;
            state.repositories.insert(*uid, repository);
            state.take_name(StreamKind::Repository, key, *uid);
        }
        Event::Updated { uid, secret, deletion } => {
            let repository = get(state, *uid)?;
            repository.failures = 0;
            repository.secret.clone_from(secret);
            repository.deletion = *deletion;
        }
        Event::Initialized { uid, id } => {
            let repository = get(state, *uid)?;
            repository.id = Some(*id);
            repository.failure = None;
            repository.retry_at = None;
            repository.failures = 0;
            repository.initializing = false;
            repository.conditions.state(at, Type::RepositoryInitialized, None);
        }
        Event::InitializationFailed { uid, failure, retry_at } => {
            let repository = get(state, *uid)?;
            repository.retry_at = *retry_at;
            repository.failures = repository.failures.saturating_add(1);
            repository.failure = Some(failure.clone());
            repository.initializing = false;
            repository.conditions.set(
                at,
                Type::RepositoryInitialized,
                Status::False,
                String::from(failure.reason.as_str()),
                failure.message.clone(),
            );
        }
        Event::InitializationRequested { uid } => {
            let repository = get(state, *uid)?;
            // Asked for before it was due: something has changed.
            if repository.retry_at.is_none_or(|when| at < when) {
                repository.failures = 0;
            }
            repository.retry_at = None;
            repository.initializing = true;
        }
        Event::DeletionRequested { uid } => {
            let repository = get(state, *uid)?;
            repository.retry_at = None;
            if !repository.deleting {
                repository.failures = 0;
            }
            repository.deleting = true;
        }
        Event::Deleted { uid, .. } => {
            let gone = state.repositories.remove(uid).ok_or_else(|| unknown("repository", *uid))?;
            state.drop_name(StreamKind::Repository, &gone.key, *uid);
        }
    }
    Ok(())
}

fn get(state: &mut State, uid: Uid) -> Result<&mut Repository, String> {
    state.repositories.get_mut(&uid).ok_or_else(|| unknown("repository", uid))
}

fn create(at: Timestamp, event: &Event) -> Option<Repository> {
    let Event::Created { uid, key, configuration, app, storage, path, secret, deletion } = event
    else {
        return None;
    };
    Some(Repository {
        uid: *uid,
        key: key.clone(),
        configuration: *configuration,
        app: app.clone(),
        storage: storage.clone(),
        path: path.clone(),
        secret: secret.clone(),
        deletion: *deletion,
        id: None,
        failure: None,
        initializing: false,
        conditions: Conditions::default(),
        deleting: false,
        retry_at: None,
        failures: 0,
        created_at: at,
    })
}
