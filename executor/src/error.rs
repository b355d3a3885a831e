//! What can go wrong with a repository. Four things that look alike to a user are four variants:
//! wrong passphrase, damaged repository, nothing there, store not reachable.

use std::sync::Arc;

use crate::digest::{BlobId, Kind, RepoId, SnapshotName};
use crate::store::StoreError;

/// Result of everything that touches a repository.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A field of a layout that cannot be what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct Malformed {
    /// The field, as `docs/format.md` calls it.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Every error of the package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store refused, failed or was not reachable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no repository at this place, and no part of one.
    #[error(
        "no repository here: there is no config, and nothing that a repository would have stored"
    )]
    NoRepository,
    /// Objects of a repository are there, its config is not.
    #[error(
        "config and its copy are missing, but {key:?} is there: a damaged repository is never initialised again; bring back config from another copy of it"
    )]
    ConfigLost {
        /// One of the objects that are there.
        key: String,
    },
    /// Initialisation found a repository.
    #[error("a repository is here already: {found}")]
    AlreadyInitialised {
        /// Its identity.
        found: RepoId,
    },
    /// Initialisation found something that is no repository.
    #[error("the place is not empty: it holds {key:?}; choose an empty one")]
    NotEmpty {
        /// One of the objects that are there.
        key: String,
    },
    /// Another repository lies where a known one was.
    #[error("another repository is here: expected {expected}, found {found}; nothing was written")]
    RepositoryReplaced {
        /// The one that the caller knows.
        expected: RepoId,
        /// The one that lies there.
        found: RepoId,
    },
    /// No key slot opens with this passphrase, and all of them are intact.
    #[error("wrong password: none of {slots} key slots opens with it")]
    WrongPassphrase {
        /// How many slots were tried.
        slots: usize,
    },
    /// A key slot does not match its name, and no other slot opened.
    #[error("key slot {slot} is damaged, and so is its copy")]
    KeySlotDamaged {
        /// Its name.
        slot: String,
    },
    /// The passphrase is right, but what it protects was changed.
    #[error("key slot {slot} was tampered with: the password is right, its content is not")]
    KeySlotTampered {
        /// Its name.
        slot: String,
    },
    /// A repository without any key slot.
    #[error("no key slot is left: the repository cannot be opened by any password")]
    NoKeySlot,
    /// An object is sealed under secrets that came after those of the key slot that was opened.
    #[error(
        "{object} is sealed under epoch {epoch}, and the key slot that was opened knows epochs up to {newest}: the secrets were rotated since, open the repository again; if that does not help, this key slot is one from before the rotation"
    )]
    NewerEpoch {
        /// Key of the object.
        object: String,
        /// The epoch that it names.
        epoch: u32,
        /// The newest one that the keys have.
        newest: u32,
    },
    /// A slot asks for a key derivation outside the accepted window.
    #[error("key slot asks for {field} = {value}, accepted is {least} to {most}")]
    KdfRefused {
        /// Which parameter.
        field: &'static str,
        /// What it says.
        value: u32,
        /// Lowest accepted value.
        least: u32,
        /// Highest accepted value.
        most: u32,
    },
    /// Another slot has secrets that the one which was opened does not have.
    #[error(
        "a rotation was cut short: key slot {slot} knows an epoch that this password does not; open with \
         the password of that slot and rotate again"
    )]
    RotationUnfinished {
        /// The slot that knows more.
        slot: String,
    },
    /// The last slot cannot be removed.
    #[error("the last key slot cannot be removed: add another password first")]
    LastKeySlot,
    /// Nothing of that name.
    #[error("no {what} named {name:?}")]
    NoSuch {
        /// What was looked for.
        what: &'static str,
        /// The name given.
        name: String,
    },
    /// `latest` is a complete snapshot, and there is none.
    #[error(
        "no complete snapshot is there for `latest`, only {count} partial: the newest is {newest}; name one by its \
         id to take it as it is"
    )]
    OnlyPartial {
        /// How many.
        count: usize,
        /// The newest of them.
        newest: String,
    },
    /// The repository needs a newer program.
    #[error("{what} is not known to this program; it needs version {needs}")]
    Unsupported {
        /// What is not known.
        what: String,
        /// The program's version that knows it.
        needs: String,
    },
    /// Bytes of an object are not what was written.
    #[error("{object} is damaged: {reason}")]
    Damaged {
        /// Key of the object.
        object: String,
        /// What does not fit.
        reason: String,
    },
    /// Authentic bytes in the wrong place: the tag is right, the identity is not.
    #[error("{object} is authentic but not what it stands for: {reason}")]
    Binding {
        /// Key of the object.
        object: String,
        /// What does not fit.
        reason: String,
    },
    /// No pack that is indexed holds the blob.
    #[error("{kind} blob {id} is in no indexed pack")]
    BlobMissing {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: BlobId,
    },
    /// A value passes a bound of `limits.rs`.
    #[error("{what} is {found}, the limit is {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// The bound.
        limit: u64,
        /// What was found.
        found: u64,
    },
    /// Another run of the same attempt has committed.
    #[error("superseded: snapshot {snapshot} was committed by another run of this attempt")]
    Superseded {
        /// The snapshot that is there.
        snapshot: SnapshotName,
    },
    /// The writer slept for longer than its intent lasts.
    #[error("the intent of this writer lapsed, {hours} hours ago or more: start again")]
    IntentLapsed {
        /// Whole hours since the lapse, at least.
        hours: i64,
    },
    /// A collection took packs away on which this session relied.
    #[error("pack {pack} went away while the session ran; the snapshot is not valid")]
    PackCollected {
        /// The pack.
        pack: String,
    },
    /// What was sealed does not open to what went in, twice: memory or processor are at fault.
    #[error(
        "a sealed block does not open to what went in, twice: suspect the memory of this machine"
    )]
    WriteVerification,
    /// The session failed earlier, in another thread.
    #[error("the session failed: {0}")]
    SessionFailed(Arc<Error>),
    /// The source of randomness failed.
    #[error("no randomness from the system: {0}")]
    Random(String),
    /// Argon2id or AES refused its input; never happens with checked parameters.
    #[error("{0} failed")]
    Crypto(&'static str),
    /// zstd failed.
    #[error("compression failed")]
    Compression(#[source] std::io::Error),
    /// A file or directory of the machine failed, at the source, the target or in a scratch place.
    #[error("{path}")]
    Io {
        /// Where.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The machine starts no further thread.
    #[error(
        "{what}: this process may start no further thread: raise the limit of processes (`ulimit -u`, `TasksMax=`, \
         the pids of the container) or of memory"
    )]
    NoThread {
        /// What for.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A path of the source does not exist.
    #[error("source {path} does not exist")]
    SourceMissing {
        /// The path on this machine.
        path: String,
    },
    /// The root of a source cannot be read at all.
    #[error("source {path} cannot be read")]
    SourceUnreadable {
        /// The path on this machine.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A source that had files has none.
    #[error(
        "the source had {files} files in its last snapshot and has none now; nothing was committed"
    )]
    EmptySource {
        /// How many files there were; 0 when only the caller knew that there were some.
        files: u64,
    },
    /// A stream that should be backed up gave nothing.
    #[error("{what} gave no bytes at all; nothing was committed")]
    EmptyStream {
        /// The stream.
        what: String,
    },
    /// Several snapshots begin with the same prefix.
    #[error("{count} snapshots begin with {prefix:?}: give more of the id")]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// How many fit.
        count: usize,
    },
    /// A directory that should receive a restore cannot be made or opened.
    #[error("target {path} cannot be written")]
    Target {
        /// The path on this machine.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What was read back is not what was written.
    #[error("read-back of {object} failed: it is not what was written")]
    ReadBack {
        /// Key of the object.
        object: String,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A rule of this program does not hold; please report it.
    #[error("defect: {0}; please report it, with the command and what it said")]
    Defect(&'static str),
    /// An input of the caller cannot be used.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
}

impl Error {
    /// Whether trying again without a change cannot help.
    #[must_use]
    pub fn permanent(&self) -> bool {
        match self {
            Self::Store(error) => error.permanent(),
            Self::SessionFailed(error) => error.permanent(),
            Self::IntentLapsed { .. } | Self::PackCollected { .. } | Self::Random(_) => false,
            Self::WriteVerification | Self::Io { .. } => false,
            Self::SourceUnreadable { .. } | Self::Target { .. } | Self::ReadBack { .. } => false,
            Self::Interrupted => false,
            _ => true,
        }
    }

    /// Several sources that cannot be read, as one error: each that is missing is named.
    pub(crate) fn of_sources(errors: impl Iterator<Item = Self>) -> Option<Self> {
        let (mut missing, mut first) = (Vec::new(), None);
        for error in errors {
            match error {
                Self::SourceMissing { path } => missing.push(path),
                other => first = first.or(Some(other)),
            }
        }
        let missing =
            (!missing.is_empty()).then(|| Self::SourceMissing { path: missing.join(", ") });
        first.or(missing)
    }

    /// Says of damage to `key`, which is stored twice, that the copy is no better.
    pub(crate) fn of_both(self, key: &str) -> Self {
        match self {
            Self::Damaged { object, reason } if object == key => {
                let reason = format!(
                    "{reason}; its copy is no better: bring it back from another copy of the repository"
                );
                Self::Damaged { object, reason }
            }
            other => other,
        }
    }

    /// Wraps a malformed field with the object that has it.
    pub(crate) fn damaged(object: impl Into<String>, reason: impl ToString) -> Self {
        Self::Damaged { object: object.into(), reason: reason.to_string() }
    }

    pub(crate) fn binding(object: impl Into<String>, reason: impl ToString) -> Self {
        Self::Binding { object: object.into(), reason: reason.to_string() }
    }
}
