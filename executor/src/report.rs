//! What a worker has done, as plain values that travel as JSON.
//!
//! Every distinction that somebody decides by is an enum or a number. The messages are for people.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Paths that a report lists by name; the rest is only counted, so that a report stays small.
pub const LISTED_PATHS: usize = 20;

/// The end of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The attempt that the job named.
    pub attempt: String,
    /// The worst of the outcomes below, or why nothing could be begun.
    pub outcome: Outcome,
    /// One for each repository of the job, in its order.
    pub repositories: Vec<RepositoryReport>,
    /// From start to end, in milliseconds.
    pub duration_ms: u64,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// All was done.
    Succeeded {
        /// What has been shown about the result.
        grade: Grade,
    },
    /// All was done but for the entries that are listed. Of a backup the snapshot exists and is marked partial.
    Partial {
        /// What has been shown about the result.
        grade: Grade,
    },
    /// Another process has committed the same attempt; its snapshot counts.
    Superseded {
        /// Id of the snapshot that is there.
        snapshot: String,
    },
    /// It was not done.
    Failed(Failure),
}

impl Outcome {
    /// Orders outcomes so that the worst of several is their maximum.
    #[must_use]
    pub fn severity(&self) -> u8 {
        match self {
            Self::Succeeded { .. } => 0,
            Self::Superseded { .. } => 1,
            Self::Partial { .. } => 2,
            Self::Failed(_) => 3,
        }
    }
}

/// What has been shown about a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Grade {
    /// Every object was acknowledged by the store.
    Written,
    /// The snapshot, its index and trees and a part of its data were read back and compared.
    ReadBack,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What to decide by.
    pub kind: FailureKind,
    /// Whether the same job would fail again until somebody changes something.
    pub permanent: bool,
    /// For people: the error with its causes. Control characters are escaped.
    pub message: String,
}

impl Failure {
    /// A failure of the given kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, permanent: kind.is_permanent(), message: message.into() }
    }
}

/// The classes of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    /// The job contradicts itself or holds a value that cannot be used.
    InvalidJob,
    /// The path of the repository is proven to be empty, and it was not to be created.
    RepositoryNotFound,
    /// Nothing is made where something lies already.
    PathNotEmpty,
    /// The path holds a repository with another id than the log remembers.
    RepositoryReplaced,
    /// Written by a release that uses features unknown to this one.
    RepositoryUnsupported,
    /// An object of the repository is missing, altered or unreadable.
    RepositoryDamaged,
    /// No key slot opens with this passphrase.
    WrongPassphrase,
    /// A key slot is damaged or was tampered with.
    KeySlotDamaged,
    /// The store does not answer, or answers with errors that may pass.
    StoreUnreachable,
    /// The store refuses the credentials or the operation.
    StoreDenied,
    /// The bucket does not exist.
    StoreMissing,
    /// The store has no space left.
    StoreFull,
    /// A path of the source does not exist.
    SourceMissing,
    /// The root of a source cannot be read at all.
    SourceUnreadable,
    /// The source had files in its last snapshot and has none now.
    EmptySource,
    /// No snapshot fits the name.
    SnapshotNotFound,
    /// Several snapshots fit the name.
    SnapshotAmbiguous,
    /// The snapshot does not hold the path.
    PathNotFound,
    /// The target cannot be created or written.
    TargetUnwritable,
    /// The target has no space left.
    TargetFull,
    /// A collection removed what this session relied on; start again.
    OvertakenByCollection,
    /// What was read back is not what was written.
    ReadBackFailed,
    /// Somebody asked to stop.
    Interrupted,
    /// A defect of this program.
    Internal,
}

impl FailureKind {
    /// Whether trying again without a change elsewhere is pointless.
    #[must_use]
    pub fn is_permanent(self) -> bool {
        match self {
            Self::InvalidJob
            | Self::RepositoryNotFound
            | Self::PathNotEmpty
            | Self::RepositoryReplaced
            | Self::RepositoryUnsupported
            | Self::RepositoryDamaged
            | Self::WrongPassphrase
            | Self::KeySlotDamaged
            | Self::StoreDenied
            | Self::StoreMissing
            | Self::SourceMissing
            | Self::EmptySource
            | Self::SnapshotNotFound
            | Self::SnapshotAmbiguous
            | Self::PathNotFound
            | Self::Internal => true,
            Self::StoreUnreachable
            | Self::StoreFull
            | Self::SourceUnreadable
            | Self::TargetUnwritable
            | Self::TargetFull
            | Self::OvertakenByCollection
            | Self::ReadBackFailed
            | Self::Interrupted => false,
        }
    }
}

/// What was done with one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryReport {
    /// How the job called it.
    pub name: String,
    /// How it ended here.
    pub outcome: Outcome,
    /// Repository id (hex), once it was opened.
    pub repository_id: Option<String>,
    /// The snapshot that was written or read.
    pub snapshot: Option<SnapshotInfo>,
    /// What was counted.
    pub figures: Figures,
    /// From start to end, in milliseconds.
    pub duration_ms: u64,
}

/// A snapshot, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotInfo {
    /// Id (hex): the name of its commit object.
    pub id: String,
    /// BLAKE3 of the commit object (hex), for the log as witness; only known to whoever wrote it.
    pub object_digest: Option<String>,
    /// Id of the root tree (hex).
    pub tree: String,
    /// When its backup began, nanoseconds since 1970, as whoever made it says.
    pub at: i64,
    /// When its backup ended, the same way; unknown of old reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
    /// When the store got it, nanoseconds since 1970 by the clock of the store; only known where it was listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_at: Option<i64>,
    /// The machine or pod.
    pub host: String,
    /// The session.
    pub session: String,
    /// The component.
    pub component: String,
    /// Labels.
    pub tags: Vec<String>,
    /// Logical paths of the sources.
    pub roots: Vec<String>,
    /// Whether entries are missing because they could not be read.
    pub partial: bool,
    /// The snapshot that it was compared with.
    pub parent: Option<String>,
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Sum of the sizes of all files.
    pub bytes: u64,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Figures {
    /// Of a backup.
    Backup(Box<BackupFigures>),
    /// Of a restore.
    Restore(Box<RestoreFigures>),
    /// It ended before anything was counted.
    Nothing,
}

/// Entries by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entries {
    /// Regular files; of a group of hard links each name counts.
    pub files: u64,
    /// Directories, the roots included.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Names beyond the first of a group of hard links (also counted as files).
    pub hard_links: u64,
    /// FIFOs, sockets and device nodes.
    pub special: u64,
}

impl Entries {
    /// The sum, type by type.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            files: self.files + other.files,
            directories: self.directories + other.directories,
            symlinks: self.symlinks + other.symlinks,
            hard_links: self.hard_links + other.hard_links,
            special: self.special + other.special,
        }
    }

    /// Whether there is nothing but directories.
    #[must_use]
    pub fn holds_nothing(&self) -> bool {
        self.files + self.symlinks + self.special == 0
    }
}

/// Figures of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupFigures {
    /// What the snapshot holds.
    pub entries: Entries,
    /// Files that the parent does not have.
    pub files_new: u64,
    /// Files that differ from the parent.
    pub files_changed: u64,
    /// Files taken from the parent without being opened.
    pub files_unmodified: u64,
    /// Files that were opened.
    pub files_opened: u64,
    /// Sum of the sizes of all files.
    pub bytes_processed: u64,
    /// Bytes of new blobs before compression.
    pub bytes_new: u64,
    /// Bytes that the store gained.
    pub bytes_added: u64,
    /// Blobs written, trees included.
    pub blobs_new: u64,
    /// Blobs that were there already.
    pub blobs_reused: u64,
    /// Data blobs written.
    pub data_blobs_new: u64,
    /// Entries that could not be read.
    pub unreadable: Listed,
    /// Files that changed while they were read: what was stored may be a mixture.
    pub changed_while_read: Listed,
    /// Entries of which an extended attribute could not be read; what could be read of them is in the snapshot,
    /// and they are read again next time.
    pub attributes_unreadable: Listed,
    /// Globs of the selection that fit nothing.
    pub unfit_globs: Vec<String>,
    /// Files that were read because their file system keeps no times that could be trusted.
    pub files_distrusted: u64,
    /// Logical paths of sources that hold no files.
    pub empty_sources: Vec<String>,
    /// Whether the snapshot holds exactly what its parent holds.
    pub same_as_parent: bool,
    /// Where there was no parent: another host that has complete snapshots of the same paths and rules. It may be
    /// this one under a former name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_host: Option<String>,
    /// Names that were left out by the selection.
    pub excluded: u64,
    /// Requests to the store.
    pub requests: u64,
    /// What was read back after the commit.
    pub read_back: ReadBack,
    /// Bytes of all packs that writers rely on after the session, once each: what the repository stores.
    pub repository_bytes: u64,
    /// What each source came to, in the order of the job.
    pub sources: Vec<SourceFigures>,
}

/// What one source of a backup came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceFigures {
    /// What the snapshot holds of it. Directories that only lead to sources belong to none.
    pub entries: Entries,
    /// Sum of the sizes of its files.
    pub bytes_processed: u64,
    /// Bytes of new blobs before compression; content that several sources have counts for the first that
    /// brings it.
    pub bytes_new: u64,
    /// Its share of [`BackupFigures::bytes_added`], which is the sum of all. Neighbours are compressed
    /// together, whichever source they are of, so the store's bytes are divided in proportion to the new ones.
    pub bytes_added: u64,
}

/// How much was read back and compared after the commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadBack {
    /// Data blocks that the session wrote.
    pub data_blocks_written: u64,
    /// Data blocks read back and compared.
    pub data_blocks_read: u64,
    /// Bytes of all objects read back.
    pub bytes: u64,
}

/// Figures of a restore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreFigures {
    /// What was written or found in place.
    pub entries: Entries,
    /// Files that were in place already and stayed.
    pub files_unchanged: u64,
    /// Bytes written into files.
    pub bytes_written: u64,
    /// Entries removed because the snapshot does not hold them.
    pub deleted: u64,
    /// Metadata and entries that were not restored, by class.
    pub skipped: Skipped,
    /// Entries that could not be written.
    pub failed: Listed,
    /// Entries that are there, without some of the metadata that was asked for: the target refused it.
    pub unset: Listed,
    /// Patterns that fit nothing of what was looked at, with their options.
    pub unmatched: Vec<String>,
    /// Requests to the store.
    pub requests: u64,
}

/// What a restore left out on purpose, counted exactly; one entry can count in several classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Skipped {
    /// Entries whose owner or group differs from the snapshot's.
    pub owners: u64,
    /// Entries whose setuid or setgid bits were dropped.
    pub setuid: u64,
    /// Files whose capabilities were dropped.
    pub capabilities: u64,
    /// Device nodes that were not made.
    pub devices: u64,
    /// Sockets: they mean nothing without the process that listens.
    pub sockets: u64,
    /// Attributes of the names `trusted.*`, `security.*` and `system.*` that were dropped; access lists are
    /// restored, capabilities are counted above.
    pub system_attributes: u64,
    /// Attributes that the target's file system does not take; they are listed, too.
    pub unsupported_attributes: u64,
    /// Entries that were there before, belong to another user and kept metadata of theirs.
    pub belongs_to_another: u64,
    /// Entries whose time the target's file system keeps in steps of up to two seconds.
    pub coarse_times: u64,
}

impl Skipped {
    /// Sum over all classes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.owners
            + self.setuid
            + self.capabilities
            + self.devices
            + self.sockets
            + self.system_attributes
            + self.unsupported_attributes
            + self.belongs_to_another
            + self.coarse_times
    }
}

/// A number of paths, the first of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Listed {
    /// How many there are.
    pub count: u64,
    /// The first [`LISTED_PATHS`] in the order of their paths.
    pub first: Vec<Listing>,
}

/// A path and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// Logical path; bytes that are no printable text are escaped.
    pub path: String,
    /// For people.
    pub message: String,
}

impl Listed {
    /// Counts a path and keeps it when it is one of the first.
    pub fn add(&mut self, path: &[u8], message: impl Into<String>) {
        self.count += 1;
        let item = Listing { path: printable(path), message: message.into() };
        let at = self.first.partition_point(|known| *known <= item);
        if at < LISTED_PATHS {
            self.first.insert(at, item);
            self.first.truncate(LISTED_PATHS);
        }
    }
}

/// Bytes as text that can be shown on a terminal: invalid UTF-8, backslashes and control characters are escaped.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' || is_hidden(c) {
                out.extend(c.escape_default());
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// Characters that a terminal obeys, and those that nobody sees and that reorder, split or hide the text around them:
/// a name with them can pose as another one.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text without the credentials of the URLs in it: servers and tools repeat what they were asked for.
#[must_use]
pub fn without_credentials(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://").map(|at| at + "://".len()) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'`<>".contains(c));
        let authority = &after[..end.unwrap_or(after.len())];
        let host = match authority.rfind('@') {
            Some(sign) => {
                out.push('…');
                sign
            }
            None => 0,
        };
        rest = &after[host..];
        // What follows the host is looked at in the next turn, as far as there is another one in it.
        let (host, after) = rest.split_at(authority.len() - host);
        out.push_str(host);
        rest = after;
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// How far a job has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProgressUpdate {
    /// The repository that is being served.
    pub repository: String,
    /// What is being done.
    pub phase: Phase,
    /// Files done.
    pub files: u64,
    /// Files known so far; the final number once the walk has ended.
    pub files_total: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes known so far.
    pub bytes_total: u64,
    /// Bytes that the store gained.
    pub bytes_added: u64,
    /// Entries that could not be read or written so far.
    pub errors: u64,
}

/// The parts of a job, in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Key derivation, listings, indexes.
    #[default]
    Opening,
    /// Files are read or written.
    Moving,
    /// The snapshot is being put.
    Committing,
    /// What was written is read back.
    ReadingBack,
}

/// Hears how far a job has come, and can end it.
pub trait Progress: Send + Sync {
    /// Called at most ten times a second, from threads of the job; it should return soon.
    fn update(&self, update: &ProgressUpdate);

    /// Whether [`Self::reads`] is wanted: a path for each file is not made for nobody.
    fn names_files(&self) -> bool {
        false
    }

    /// A file that a backup reads because it is new or has changed: its logical path, and whether the parent
    /// holds a file of that name. Called from the thread that walks, in its order.
    fn reads(&self, _path: &[u8], _is_known: bool) {}

    /// Something that does not end the job, and that somebody should hear of.
    fn warn(&self, _text: &str) {}

    /// Asked between batches: `true` ends the job as [`FailureKind::Interrupted`].
    fn cancelled(&self) -> bool {
        false
    }

    /// What [`Self::cancelled`] looks at, where that is a flag: whoever waits for a store looks at it meanwhile.
    fn cancel_flag(&self) -> Option<Arc<AtomicBool>> {
        None
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn update(&self, _: &ProgressUpdate) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_keeps_the_first_paths_whatever_the_order() {
        let mut forward = Listed::default();
        let mut backward = Listed::default();
        for i in 0..100 {
            forward.add(format!("/f{i:03}").as_bytes(), "gone");
            backward.add(format!("/f{:03}", 99 - i).as_bytes(), "gone");
        }
        assert_eq!(forward, backward);
        assert_eq!(forward.count, 100);
        assert_eq!(forward.first.len(), LISTED_PATHS);
        assert_eq!(forward.first[19].path, "/f019");
    }

    #[test]
    fn names_cannot_forge_lines_or_directions() {
        assert_eq!(printable(b"a\nb"), "a\\nb");
        assert_eq!(printable(b"\x1b[31m"), "\\u{1b}[31m");
        assert_eq!(printable(b"\xff\xfe/x"), "\\xff\\xfe/x");
        assert_eq!(printable("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(printable("über".as_bytes()), "über");
        assert_ne!(printable(b"\\xff"), printable(b"\xff"));
    }

    #[test]
    fn the_worst_outcome_is_the_greatest() {
        let failed = Outcome::Failed(Failure::new(FailureKind::StoreFull, "no space"));
        let partial = Outcome::Partial { grade: Grade::ReadBack };
        let fine = Outcome::Succeeded { grade: Grade::ReadBack };
        assert!(failed.severity() > partial.severity() && partial.severity() > fine.severity());
    }

    #[test]
    fn a_report_survives_json() {
        let mut figures = BackupFigures { files_new: 3, ..Default::default() };
        figures.unreadable.add(b"/data/\xff", "permission denied");
        let report = Report {
            attempt: "a".into(),
            outcome: Outcome::Partial { grade: Grade::ReadBack },
            repositories: vec![RepositoryReport {
                name: "main".into(),
                outcome: Outcome::Partial { grade: Grade::ReadBack },
                repository_id: Some("00".into()),
                snapshot: None,
                figures: Figures::Backup(Box::new(figures)),
                duration_ms: 7,
            }],
            duration_ms: 8,
        };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        assert!(text.contains(r#""outcome":{"partial":{"grade":"readBack"}}"#), "{text}");
    }
}
