//! A snapshot's commits and description, removed from its repository. The space comes back with the next
//! collection.

use std::path::PathBuf;

use holdfast_engine::{Failure, plan};
use holdfast_executor::digest::SnapshotName;
use holdfast_executor::repo::Repo;

use super::repository::SNAPSHOTS;
use super::{Local, place, trouble};
use crate::place::{Answer, Trouble};

/// What is removed.
struct Doomed {
    directory: PathBuf,
    description: String,
    commits: Vec<String>,
}

/// Removes a snapshot's data, when its removal asks for that.
pub(super) async fn remove(
    local: &Local,
    doomed: Option<Box<plan::Doomed>>,
) -> Result<Answer, Trouble> {
    let Some(doomed) = doomed else { return Ok(Answer::Done) };
    let here = local.here();
    super::blocking(move || {
        let plan::Doomed { repository, name, commits } = *doomed;
        let directory = here.of_repository(&repository)?;
        let description = format!("{name}.yaml");
        carry_out(&Doomed { directory, description, commits })?;
        Ok(Answer::Done)
    })
    .await
}

fn carry_out(doomed: &Doomed) -> Result<(), Trouble> {
    if !doomed.commits.is_empty() {
        let repo = Repo::at(place::store(&doomed.directory)?);
        for commit in doomed.commits.iter().filter_map(|commit| SnapshotName::from_hex(commit)) {
            repo.forget(&commit)
                .map_err(|error| trouble::because(failed(error.to_string()), &error))?;
        }
    }
    // The commits first: a description without data would promise what is gone.
    match std::fs::remove_file(doomed.directory.join(SNAPSHOTS).join(&doomed.description)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(trouble::because(failed(error.to_string()), &error))
        }
        _ => Ok(()),
    }
}

fn failed(message: String) -> Failure {
    Failure { reason: "RemovalFailed".into(), message, permanent: false }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use holdfast_executor::job::{
        Backup, Job, Passphrase, Repository, Resources, Selection, Source, Work,
    };
    use holdfast_executor::report::{Outcome as Ended, Progress, ProgressUpdate};

    use super::*;

    const PASSPHRASE: &str = "a passphrase";

    struct Nobody;

    impl Progress for Nobody {
        fn update(&self, _: &ProgressUpdate) {}
        fn cancelled(&self) -> bool {
            false
        }
    }

    /// Backs something up; the commit and the description of its snapshot.
    fn backed_up(directory: &Path, session: &str) -> String {
        let source = directory.with_extension("source");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join(session), session).unwrap();
        let job = Job {
            attempt: session.into(),
            at: 0,
            work: Work::Backup(Backup {
                repositories: vec![Repository {
                    name: "r".into(),
                    url: place::url(directory),
                    access: Default::default(),
                    passphrase: Passphrase::new(PASSPHRASE.into()),
                    expected_id: None,
                    create_if_missing: true,
                }],
                sources: vec![Source::Directory { path: source, stored_as: "/data".into() }],
                selection: Selection::default(),
                tags: std::collections::BTreeSet::new(),
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
        let report = holdfast_executor::run(&job, &Nobody);
        assert!(matches!(report.outcome, Ended::Succeeded { .. }), "{report:?}");
        std::fs::create_dir_all(directory.join(SNAPSHOTS)).unwrap();
        std::fs::write(description(directory, session), "x").unwrap();
        report.repositories[0].snapshot.as_ref().unwrap().id.clone()
    }

    fn description(directory: &Path, session: &str) -> PathBuf {
        directory.join(SNAPSHOTS).join(format!("{session}.yaml"))
    }

    fn doomed(directory: &Path, session: &str, commits: &[&str]) -> Doomed {
        Doomed {
            directory: directory.to_path_buf(),
            description: format!("{session}.yaml"),
            commits: commits.iter().map(ToString::to_string).collect(),
        }
    }

    fn left(directory: &Path) -> Vec<String> {
        let repo = Repo::at(place::store(directory).unwrap());
        let unlock = holdfast_executor::repo::Unlock { expected: None, write: false };
        let repo = repo.open(PASSPHRASE.as_bytes(), unlock).unwrap();
        let names = repo.snapshot_names().unwrap();
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_the_commits_that_are_named_go_and_their_description_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("repo");
        let (one, two) = (backed_up(&directory, "one"), backed_up(&directory, "two"));
        let doomed = doomed(&directory, "one", &[&one]);
        carry_out(&doomed).unwrap();
        assert_eq!(left(&directory), [two]);
        assert!(!description(&directory, "one").exists());
        assert!(description(&directory, "two").exists());
        // A second operator, or a second try, finds it done.
        carry_out(&doomed).unwrap();
    }

    #[test]
    fn a_description_outlives_commits_that_cannot_be_removed() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("repo");
        let one = backed_up(&directory, "one");
        // A directory in the place of the object cannot be removed as a file, not even by root.
        let mut object = None;
        let mut folders = vec![directory.join(super::super::place::FOLDER)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                match entry.is_dir() {
                    true => folders.push(entry),
                    false if entry.ends_with(&one) => object = Some(entry),
                    false => {}
                }
            }
        }
        let object = object.unwrap();
        std::fs::remove_file(&object).unwrap();
        std::fs::create_dir_all(object.join("in the way")).unwrap();
        let failure = carry_out(&doomed(&directory, "one", &[&one])).unwrap_err().failure;
        assert_eq!((failure.reason.as_str(), failure.permanent), ("RemovalFailed", false));
        assert!(description(&directory, "one").exists());
    }
}
