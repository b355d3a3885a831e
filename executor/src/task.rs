//! What is asked of a storage between sessions, as plain values that travel as JSON: work that moves no files of
//! anybody. As a job does, a task names everything that it needs.
//!
//! A task is not tried again here. Whoever asked decides whether a failure that may pass is worth another try.

use serde::{Deserialize, Serialize};

use crate::digest::{RepoId, SnapshotName};
use crate::error::{Error, Result};
use crate::job::{Document, Passphrase};
use crate::repo::{InitOptions, Repo, Unlock};
use crate::report::Failure;
use crate::run::failure_of;
use crate::store::{Access, open_documents, open_url, shown_url, url_below};

/// What the first key slot is called of a repository that a task makes.
const FIRST_SLOT_LABEL: &str = "encryption Secret";

/// Work at one storage. All paths are relative to its URL.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Task {
    /// The storage, in the form that jobs name repositories by.
    pub url: String,
    /// Opens it, where a URL alone does not.
    #[serde(default, skip_serializing_if = "Access::is_empty")]
    pub access: Access,
    /// What to do.
    pub work: Work,
}

/// What a task does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Work {
    /// Writes documents, each whole, whatever had its name.
    Describe {
        /// The documents, in the order in which they are written.
        documents: Vec<Document>,
    },
    /// Opens a repository; makes it only where provably nothing is, and never one that is known. Then writes
    /// documents.
    Initialise {
        /// Folder of its objects.
        folder: String,
        /// Opens one of its key slots.
        passphrase: Passphrase,
        /// The repository id that the log remembers (hex). Another one is `RepositoryReplaced`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_id: Option<String>,
        /// Now, milliseconds since 1970, for what is made.
        at_ms: i64,
        /// Documents that are written once it is open.
        documents: Vec<Document>,
    },
    /// Removes snapshots from a repository, and then their documents: a description without data would promise what
    /// is gone.
    Forget {
        /// Folder of the repository's objects.
        folder: String,
        /// Ids (hex) of the snapshots.
        snapshots: Vec<String>,
        /// Documents that go with them.
        documents: Vec<String>,
    },
    /// Removes folders with all that lies in them, documents, and then the folders of a path as far as they are empty.
    Wipe {
        /// Folders.
        folders: Vec<String>,
        /// Documents.
        documents: Vec<String>,
        /// The path whose empty folders go, too.
        path: String,
    },
}

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Done {
    /// It is done.
    Done,
    /// The repository is open.
    Repository {
        /// Its id (hex).
        id: String,
    },
    /// It came to nothing, or only to a part.
    Failed(Failure),
}

/// Does a task. Whatever happens, there is an answer.
#[must_use]
pub fn run(task: &Task) -> Done {
    carry_out(task).unwrap_or_else(|error| {
        let mut failure = failure_of(&error);
        failure.message = format!("{}: {}", shown_url(&task.url), failure.message);
        Done::Failed(failure)
    })
}

fn carry_out(task: &Task) -> Result<Done> {
    match &task.work {
        Work::Describe { documents } => describe(task, documents).map(|()| Done::Done),
        Work::Initialise { folder, passphrase, expected_id, at_ms, documents } => {
            let expected = expected_id.as_deref().map(repo_id).transpose()?;
            let id = initialise(task, folder, passphrase, expected, *at_ms)?;
            describe(task, documents)?;
            Ok(Done::Repository { id: id.to_string() })
        }
        Work::Forget { folder, snapshots, documents } => {
            forget(task, folder, snapshots)?;
            withdraw(task, documents).map(|()| Done::Done)
        }
        Work::Wipe { folders, documents, path } => {
            let below = open_documents(&task.url, &task.access)?;
            folders.iter().try_for_each(|folder| below.clear(folder))?;
            documents.iter().try_for_each(|document| below.remove(document))?;
            below.remove_empty(path);
            Ok(Done::Done)
        }
    }
}

fn describe(task: &Task, documents: &[Document]) -> Result<()> {
    let below = open_documents(&task.url, &task.access)?;
    for document in documents {
        below.put(&document.stored_as, document.content.as_bytes())?;
    }
    Ok(())
}

fn withdraw(task: &Task, documents: &[String]) -> Result<()> {
    let below = open_documents(&task.url, &task.access)?;
    Ok(documents.iter().try_for_each(|document| below.remove(document))?)
}

fn initialise(
    task: &Task,
    folder: &str,
    passphrase: &Passphrase,
    expected: Option<RepoId>,
    now_ms: i64,
) -> Result<RepoId> {
    let closed = Repo::at(open_url(&url_below(&task.url, folder), &task.access)?);
    let unlock = Unlock { expected, write: true };
    let passphrase = passphrase.as_bytes();
    let opened = match closed.open(passphrase, unlock) {
        Err(Error::NoRepository) if expected.is_none() => {
            let options = InitOptions { label: FIRST_SLOT_LABEL, now_ms, ..InitOptions::default() };
            match closed.init(passphrase, options) {
                // An earlier try that nobody waits for any more was quicker.
                Err(Error::AlreadyInitialised { .. }) => closed.open(passphrase, unlock),
                made => made,
            }
        }
        opened => opened,
    };
    opened.map(|repo| repo.id())
}

fn forget(task: &Task, folder: &str, snapshots: &[String]) -> Result<()> {
    if snapshots.is_empty() {
        return Ok(());
    }
    let names = snapshots.iter().map(|id| {
        SnapshotName::from_hex(id).ok_or_else(|| Error::Invalid {
            field: "snapshots",
            reason: format!("{id:?} is no snapshot id"),
        })
    });
    let names = names.collect::<Result<Vec<_>>>()?;
    Repo::at(open_url(&url_below(&task.url, folder), &task.access)?).forget_all(&names)
}

fn repo_id(text: &str) -> Result<RepoId> {
    RepoId::from_hex(text).ok_or_else(|| Error::Invalid {
        field: "expectedId",
        reason: "is no repository id (32 hexadecimal digits)".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::FailureKind;
    use crate::store::url_of_directory;

    struct World(tempfile::TempDir);

    impl World {
        fn run(&self, work: Work) -> Done {
            let url = url_of_directory(self.0.path());
            let task = Task { url, access: Access::default(), work };
            // As it travels.
            let text = serde_json::to_string(&task).unwrap();
            run(&serde_json::from_str(&text).unwrap())
        }

        fn has(&self, path: &str) -> bool {
            self.0.path().join(path).exists()
        }
    }

    fn world() -> World {
        World(tempfile::tempdir().unwrap())
    }

    fn document(key: &str) -> Document {
        Document { stored_as: key.into(), content: "kind: X\n".into() }
    }

    fn initialise(passphrase: &str, expected_id: Option<&str>) -> Work {
        Work::Initialise {
            folder: "demo/app/holdfast/v1".into(),
            passphrase: Passphrase::new(passphrase.into()),
            expected_id: expected_id.map(Into::into),
            at_ms: 7,
            documents: vec![document("demo/app/repository.yaml")],
        }
    }

    fn id(done: Done) -> String {
        match done {
            Done::Repository { id } => id,
            other => panic!("{other:?}"),
        }
    }

    fn failure(done: Done) -> Failure {
        match done {
            Done::Failed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_repository_is_made_once_and_described_each_time() {
        let world = world();
        let first = id(world.run(initialise("secret", None)));
        assert_eq!(id(world.run(initialise("secret", None))), first);
        assert_eq!(id(world.run(initialise("secret", Some(&first)))), first);
        assert!(world.has("demo/app/repository.yaml") && world.has("demo/app/holdfast/v1/config"));
    }

    #[test]
    fn a_repository_that_is_known_is_never_made_anew() {
        let world = world();
        let known = "0123456789abcdef0123456789abcdef";
        let gone = failure(world.run(initialise("secret", Some(known))));
        assert_eq!((gone.kind, gone.permanent), (FailureKind::RepositoryNotFound, true));
        assert!(!world.has("demo/app"), "nothing was written");
        world.run(initialise("secret", None));
        let replaced = failure(world.run(initialise("secret", Some(known))));
        assert_eq!(replaced.kind, FailureKind::RepositoryReplaced);
        let wrong = failure(world.run(initialise("other", None)));
        assert_eq!(wrong.kind, FailureKind::WrongPassphrase);
        assert!(wrong.message.starts_with("file://"), "{}", wrong.message);
    }

    #[test]
    fn a_wipe_takes_what_is_named_and_leaves_what_is_not() {
        let world = world();
        world.run(initialise("secret", None));
        world.run(Work::Describe { documents: vec![document("demo/other/repository.yaml")] });
        let wipe = || Work::Wipe {
            folders: vec!["demo/app/holdfast".into(), "demo/app/snapshots".into()],
            documents: vec!["demo/app/repository.yaml".into()],
            path: "demo/app".into(),
        };
        assert_eq!(world.run(wipe()), Done::Done);
        assert!(!world.has("demo/app") && world.has("demo/other/repository.yaml"));
        assert_eq!(world.run(wipe()), Done::Done, "once more is no error");
    }

    const FOLDER: &str = "demo/app/holdfast/v1";

    /// Backs something up and describes it; the snapshot's id.
    fn backed_up(world: &World, session: &str) -> String {
        use crate::job::{Backup, Job, Repository, Resources, Selection, Source, Work as JobWork};
        use crate::report::{Outcome, Quiet};
        let source = world.0.path().join("source");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join(session), session).unwrap();
        let job = Job {
            attempt: session.into(),
            at: 0,
            work: JobWork::Backup(Backup {
                repositories: vec![Repository {
                    name: "r".into(),
                    url: url_below(&url_of_directory(world.0.path()), FOLDER),
                    access: Access::default(),
                    passphrase: Passphrase::new("secret".into()),
                    expected_id: None,
                    create_if_missing: true,
                }],
                sources: vec![Source::Directory { path: source, stored_as: "/data".into() }],
                selection: Selection::default(),
                tags: Default::default(),
                host: String::new(),
                session: session.into(),
                component: "dump".into(),
                attempt_number: 1,
                parent: None,
                allow_partial: false,
                had_files_before: None,
                labels: Default::default(),
                reading: Default::default(),
            }),
            resources: Resources { workers: 1, memory_bytes: 0 },
        };
        let report = crate::run(&job, &Quiet);
        assert!(matches!(report.outcome, Outcome::Succeeded { .. }), "{report:?}");
        world.run(Work::Describe { documents: vec![document(&description(session))] });
        report.repositories[0].snapshot.as_ref().unwrap().id.clone()
    }

    fn description(session: &str) -> String {
        format!("demo/app/snapshots/{session}.yaml")
    }

    fn forget(world: &World, session: &str, id: &str) -> Done {
        world.run(Work::Forget {
            folder: FOLDER.into(),
            snapshots: vec![id.into()],
            documents: vec![description(session)],
        })
    }

    fn objects(world: &World, id: &str) -> Vec<std::path::PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![world.0.path().join(FOLDER)]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                match entry.is_dir() {
                    true => folders.push(entry),
                    false if entry.ends_with(id) => found.push(entry),
                    false => {}
                }
            }
        }
        found
    }

    #[test]
    fn only_the_snapshots_that_are_named_go_and_their_descriptions_with_them() {
        let world = world();
        let (one, two) = (backed_up(&world, "one"), backed_up(&world, "two"));
        for _ in 0..2 {
            assert_eq!(forget(&world, "one", &one), Done::Done);
            assert!(objects(&world, &one).is_empty() && !objects(&world, &two).is_empty());
            assert!(!world.has(&description("one")) && world.has(&description("two")));
        }
    }

    #[test]
    fn a_description_outlives_a_snapshot_that_cannot_be_removed() {
        let world = world();
        let one = backed_up(&world, "one");
        // A directory in the place of the object cannot be removed as a file, not even by root.
        for object in objects(&world, &one) {
            std::fs::remove_file(&object).unwrap();
            std::fs::create_dir_all(object.join("in the way")).unwrap();
        }
        failure(forget(&world, "one", &one));
        assert!(world.has(&description("one")));
    }

    #[test]
    fn snapshots_that_are_gone_are_forgotten_already_and_ids_are_checked() {
        let world = world();
        world.run(initialise("secret", None));
        let forget = |id: &str| Work::Forget {
            folder: "demo/app/holdfast/v1".into(),
            snapshots: vec![id.into()],
            documents: vec!["demo/app/snapshots/x.yaml".into()],
        };
        assert_eq!(world.run(forget(&"ab".repeat(16))), Done::Done);
        assert_eq!(failure(world.run(forget("../x"))).kind, FailureKind::InvalidJob);
    }
}
