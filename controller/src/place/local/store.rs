//! Effects at a storage: each becomes a task, and a child does it. A directory may hang as a server does.

use holdfast_engine::Failure;
use holdfast_engine::plan::{Description, Doomed, Located, Metadata, Stored};
use holdfast_engine::view::object::{Object, RepositoryObject};
use holdfast_executor::job::{Document, Passphrase};
use holdfast_executor::report::FailureKind;
use holdfast_executor::task::{Done, Task, Work};

use super::document;
use super::location::{Location, Paths};
use super::machine::Local;
use crate::place::{Answer, Trouble};
use crate::translate::job::{hex, text};
use crate::translate::report::uid;
use crate::worker::task;

/// The description of a storage, at its root.
const METADATA: &str = "metadata.yaml";

/// The description of a repository, at its path.
const DESCRIPTION: &str = "repository.yaml";

/// Descriptions of its snapshots, below its path.
const SNAPSHOTS: &str = "snapshots";

/// Writes the description of a storage: who cannot do that cannot store anything there.
pub(super) async fn initialize_backend(
    local: &Local,
    storage: Description,
) -> Result<Answer, Trouble> {
    let documents = vec![written(METADATA.to_owned(), document::backend(&storage)?)];
    ask(local, &storage.storage, Work::Describe { documents }).await
}

/// Removes the description; repositories were wiped before.
pub(super) async fn wipe_backend(local: &Local, storage: Stored) -> Result<Answer, Trouble> {
    let documents = vec![METADATA.to_owned()];
    let work = Work::Wipe { folders: Vec::new(), documents, path: String::new() };
    ask(local, &storage, work).await
}

/// Opens the repository; makes it only where provably nothing is, and never where the log remembers one.
pub(super) async fn initialize_repository(
    local: &Local,
    place: Located,
    described: RepositoryObject,
) -> Result<Answer, Trouble> {
    let paths = Paths::of(&place);
    let passphrase = local.passphrase(&place).await?;
    let described = document::of(&Object::Repository(Box::new(described)))?;
    let work = Work::Initialise {
        folder: paths.objects(),
        passphrase: Passphrase::new(text(passphrase)?),
        expected_id: place.id.map(hex),
        at_ms: local.clock.now().0,
        documents: vec![written(paths.below(DESCRIPTION), described)],
    };
    ask(local, &place.storage, work).await
}

/// Removes what belongs to the repository: another one may lie below its path.
pub(super) async fn wipe_repository(local: &Local, place: Located) -> Result<Answer, Trouble> {
    let paths = Paths::of(&place);
    let work = Work::Wipe {
        folders: vec![paths.folder(), paths.below(SNAPSHOTS)],
        documents: vec![paths.below(DESCRIPTION)],
        path: paths.path(),
    };
    ask(local, &place.storage, work).await
}

/// Writes `snapshots/<name>.yaml`, and `repository.yaml` and `metadata.yaml` as they are now.
pub(super) async fn upload_metadata(local: &Local, metadata: Metadata) -> Result<Answer, Trouble> {
    let Metadata { snapshot, repository, place, storage } = metadata;
    let paths = Paths::of(&place);
    let name = paths.below(&description_of(&snapshot.snapshot.key.name));
    let documents = vec![
        written(name, document::of(&Object::Snapshot(Box::new(snapshot)))?),
        written(paths.below(DESCRIPTION), document::of(&Object::Repository(Box::new(repository)))?),
        written(METADATA.to_owned(), document::backend(&storage)?),
    ];
    ask(local, &storage.storage, Work::Describe { documents }).await
}

/// Removes a snapshot's commits and its description. The space comes back with the next collection.
pub(super) async fn remove_snapshot(local: &Local, doomed: Doomed) -> Result<Answer, Trouble> {
    let Doomed { repository, name, commits } = doomed;
    let paths = Paths::of(&repository);
    let work = Work::Forget {
        folder: paths.objects(),
        snapshots: commits,
        documents: vec![paths.below(&description_of(&name))],
    };
    ask(local, &repository.storage, work).await
}

fn description_of(snapshot: &str) -> String {
    format!("{SNAPSHOTS}/{snapshot}.yaml")
}

fn written(stored_as: String, content: String) -> Document {
    Document { stored_as, content }
}

/// Has a child do it.
async fn ask(local: &Local, storage: &Stored, work: Work) -> Result<Answer, Trouble> {
    let Location { url, access } = local.location(storage).await?;
    let done = task::delegate(&local.program, &Task { url, access, work }).await;
    answer(done.map_err(|error| Failure {
        reason: "TaskNotStarted".into(),
        message: format!("no process for the store can be started: {error}"),
        permanent: false,
    })?)
}

fn answer(done: Done) -> Result<Answer, Trouble> {
    match done {
        Done::Done => Ok(Answer::Done),
        Done::Repository { id } => match uid(&id) {
            Some(id) => Ok(Answer::Repository { id }),
            None => Err(Failure {
                reason: "Internal".into(),
                message: format!("the store's process names {id:?}, which is no repository"),
                permanent: true,
            }
            .into()),
        },
        Done::Failed(failed) => Err(Trouble {
            // A store that does not answer now may in a moment.
            transient: !failed.permanent && failed.kind != FailureKind::StoreFull,
            failure: Failure {
                reason: format!("{:?}", failed.kind).into(),
                message: failed.message,
                permanent: failed.permanent,
            },
        }),
    }
}
