//! What a worker is asked to do, as plain values that travel as JSON.
//!
//! A job names everything that it needs: nothing is read from the environment, and the time is stamped by
//! whoever starts the attempt. Logical paths are absolute, `/`-separated names inside a snapshot; they are
//! independent of where the files lie on the machine that reads or writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::store::Access;

/// One attempt of one component.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Job {
    /// Names the attempt in the report; opaque to the executor.
    pub attempt: String,
    /// When the attempt starts, in nanoseconds since 1970, by the clock of the machine that runs it.
    pub at: i64,
    /// What to do.
    pub work: Work,
    /// How much of the machine may be used.
    #[serde(default)]
    pub resources: Resources,
}

/// What a job does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Work {
    /// Writes one snapshot to each of the repositories.
    Backup(Backup),
    /// Writes a snapshot, or a part of one, to directories.
    Restore(Restore),
}

/// A repository and what opens it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repository {
    /// How the caller calls it; comes back in the report.
    pub name: String,
    /// Where it lies: `file:///path`, or another URL that the store module understands.
    pub url: String,
    /// Opens its store, where a URL alone does not.
    #[serde(default, skip_serializing_if = "Access::is_empty")]
    pub access: Access,
    /// Opens one of its key slots.
    pub passphrase: Passphrase,
    /// The repository id that the log remembers (hex). Another one is `RepositoryReplaced`, never an
    /// initialisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_id: Option<String>,
    /// Initialise when the path is proven to be empty. Only for backups, and never with `expected_id`.
    #[serde(default)]
    pub create_if_missing: bool,
}

/// What to back up, and where to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backup {
    /// Each gets a snapshot of its own; they are served in this order.
    pub repositories: Vec<Repository>,
    /// What is read.
    pub sources: Vec<Source>,
    /// Decides what of the sources is left out, and how they are read.
    #[serde(default)]
    pub selection: Selection,
    /// Labels of the snapshot.
    #[serde(default)]
    pub tags: BTreeSet<String>,
    /// The machine or pod that the data belongs to.
    #[serde(default)]
    pub host: String,
    /// The session; with the component and the attempt's number it names the commit object, so that of twins only one commits.
    pub session: String,
    /// The component of the session; parents are looked for among its snapshots.
    pub component: String,
    /// What else tells this data from others' in the same repository, such as the configuration that asks for
    /// it. Kept as labels of the snapshot; a parent has the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Number of the try within the session: each try may commit a snapshot of its own.
    #[serde(default)]
    pub attempt_number: u32,
    /// Compare with this snapshot (id or unique prefix), whatever it is of, instead of the newest complete one
    /// that fits. It must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Report a backup with unreadable entries as succeeded.
    #[serde(default)]
    pub allow_partial: bool,
    /// Whether the source had files in its last complete snapshot. `None` asks the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub had_files_before: Option<bool>,
    /// How sources are looked at.
    #[serde(default)]
    pub reading: Reading,
}

/// How the sources of a backup are looked at. Nothing of it decides what a snapshot holds of what is there, so
/// it is no part of the selection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Reading {
    /// Compare with nothing: every file is read.
    pub force: bool,
    /// A file whose ctime alone differs counts as unmodified, and times are believed wherever it lies.
    pub ignore_ctime: bool,
    /// The same where its inode differs, too.
    pub ignore_inode: bool,
    /// A source that is a device or a pipe is read, and stored as a regular file.
    pub read_special: bool,
    /// Nothing where something is expected is no failure: an empty stream, a source that has lost all files.
    pub allow_empty: bool,
}

/// Something that is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// A directory, or a single file, with everything beneath it.
    #[serde(rename_all = "camelCase")]
    Directory {
        /// Where it lies on this machine. A root that is a symbolic link is followed.
        path: PathBuf,
        /// The logical path under which its content is stored, such as `/data`.
        stored_as: String,
    },
    /// The same, stored under its own absolute path, whose bytes may be no text.
    #[serde(rename_all = "camelCase")]
    Path {
        /// Where it lies on this machine.
        path: PathBuf,
    },
    /// What a command writes to its standard output, as one regular file. Its failure is the backup's.
    #[serde(rename_all = "camelCase")]
    Command {
        /// The program and its arguments.
        command: Vec<String>,
        /// The logical path of the file.
        stored_as: String,
    },
    /// What standard input holds, as one regular file.
    #[serde(rename_all = "camelCase")]
    Stdin {
        /// The logical path of the file.
        stored_as: String,
    },
    /// Files that are made in memory, such as manifests. They get blocks of their own.
    Documents {
        /// The files.
        documents: Vec<Document>,
    },
}

/// A file that exists only in memory.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    /// Its logical path.
    pub stored_as: String,
    /// What it holds. May be a Secret, and so is not shown by `Debug`.
    pub content: String,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("stored_as", &self.stored_as)
            .field("bytes", &self.content.len())
            .finish()
    }
}

/// What of a source is read. Part of what decides whether an older snapshot can be a parent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Selection {
    /// Globs of what is left out: with a slash they are matched from the logical root (a leading slash is
    /// implied), without one against the name at any level. One that begins with `!` takes back what an earlier
    /// one left out.
    pub exclude: Vec<String>,
    /// The same, blind to the case of letters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub iexclude: Vec<String>,
    /// `NAME` or `NAME:HEADER`: of a directory with such an entry (that begins so) only the entry is kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_if_present: Vec<String>,
    /// Files with more bytes are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_larger_than: Option<u64>,
    /// Do not descend into other file systems.
    pub one_file_system: bool,
    /// The files lie on a network file system, whose times are coarse: see the racy rule in `docs/format.md`.
    pub network_file_system: bool,
}

/// What to restore, and where to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Restore {
    /// Where the snapshot lies.
    pub repository: Repository,
    /// Id, unique prefix of one, or `latest` (the newest complete one).
    pub snapshot: String,
    /// With `latest`: only snapshots of this component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Which logical directories go where.
    pub targets: Vec<Target>,
    /// What is written and what happens to what is there.
    #[serde(default)]
    pub options: RestoreOptions,
}

/// A logical directory and the directory that receives its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Logical path: `/` is the whole snapshot with full paths; `/data` puts the content of that directory
    /// directly into `to`. A file puts itself there.
    pub from: String,
    /// The directory that receives it; made when missing.
    pub to: PathBuf,
}

/// How a restore treats entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RestoreOptions {
    /// Globs of what is written (all when empty); the form of [`Selection::exclude`], on logical paths.
    pub include: Vec<String>,
    /// Globs of what is left out; wins over `include`.
    pub exclude: Vec<String>,
    /// The same as `include`, blind to the case of letters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub iinclude: Vec<String>,
    /// The same as `exclude`, blind to the case of letters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub iexclude: Vec<String>,
    /// Remove what the target holds and the snapshot does not: from directories that were backed up, without
    /// what the backup left out, and never from what is mounted beneath the target.
    pub delete_extra: bool,
    /// Do so with a snapshot that is marked partial, too: what could not be read is then taken for absent.
    pub delete_although_partial: bool,
    /// Restore into what is mounted beneath a target. Otherwise its path is listed as failed.
    pub across_mounts: bool,
    /// Compare the content of files that look unchanged instead of trusting size and time.
    pub verify: bool,
    /// Restore owners, setuid bits, capabilities, devices and system attributes too.
    pub privileged: bool,
    /// Patterns of the names of attributes (access lists among them) that are restored; all when empty.
    pub include_attributes: Vec<String>,
    /// Patterns of the names of attributes that stay as the target has them. Not together with the above.
    pub exclude_attributes: Vec<String>,
}

/// How much of the machine a job may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Resources {
    /// Threads that cut, compress and seal; 0 means one for each processor.
    pub workers: u32,
    /// Bytes that the data path may hold in buffers; 0 means the default.
    pub memory_bytes: u64,
}

#[allow(clippy::derivable_impls)] // the meaning of the zeros belongs beside them
impl Default for Resources {
    fn default() -> Self {
        Self { workers: 0, memory_bytes: 0 }
    }
}

/// A passphrase. It leaves no copy in freed memory and is never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The bytes that the key derivation takes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}

impl Serialize for Passphrase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Passphrase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKUP: &str = r#"{
        "attempt": "a-1", "at": 1767225600000000000,
        "work": {"backup": {
            "repositories": [{"name": "main", "url": "file:///srv/repo", "passphrase": "marker-of-a-secret", "createIfMissing": true}],
            "sources": [{"directory": {"path": "/mnt/data", "storedAs": "/data"}},
                        {"documents": {"documents": [{"storedAs": "/manifests/a.json", "content": "marker-of-a-secret"}]}}],
            "selection": {"exclude": ["*.tmp", "/data/cache"]},
            "session": "s-1", "component": "dump"}}}"#;

    #[test]
    fn a_minimal_job_takes_defaults() {
        let job: Job = serde_json::from_str(BACKUP).unwrap();
        let Work::Backup(backup) = &job.work else { panic!("a backup") };
        assert!(!backup.allow_partial);
        assert_eq!(backup.had_files_before, None);
        assert_eq!(backup.attempt_number, 0);
        assert_eq!(job.resources, Resources { workers: 0, memory_bytes: 0 });
        let again: Job = serde_json::from_str(&serde_json::to_string(&job).unwrap()).unwrap();
        assert_eq!(format!("{job:?}"), format!("{again:?}"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let job: Job = serde_json::from_str(BACKUP).unwrap();
        assert!(!format!("{job:?}").contains("marker-of-a-secret"));
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused() {
        let text = BACKUP.replace("\"component\"", "\"componnent\"");
        assert!(serde_json::from_str::<Job>(&text).is_err());
    }

    #[test]
    fn restore_names_where_each_part_goes() {
        let text = r#"{"attempt": "a", "at": 0, "work": {"restore": {
            "repository": {"name": "r", "url": "file:///r", "passphrase": "p"}, "snapshot": "latest",
            "targets": [{"from": "/data", "to": "/mnt/data"}], "options": {"deleteExtra": true}}}}"#;
        let job: Job = serde_json::from_str(text).unwrap();
        let Work::Restore(restore) = job.work else { panic!("a restore") };
        assert!(restore.options.delete_extra && !restore.options.privileged);
        assert_eq!(restore.targets[0].to, PathBuf::from("/mnt/data"));
    }
}
