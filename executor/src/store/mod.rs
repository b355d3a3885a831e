//! Where objects lie. A store holds named, write-once objects; it is not trusted with anything but
//! keeping them. Everything here blocks: the pipeline has threads for that.

use std::sync::Arc;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod discard;
mod documents;
mod faulty;
mod file;
mod memory;
mod object;
mod record;
mod retry;
mod throttle;
mod url;

pub use discard::Discard;
pub use documents::Documents;
pub use faulty::{Fault, Faulty};
pub use file::FileStore;
pub use memory::MemoryStore;
pub use object::{Access, ObjectStore};
pub use record::{Record, Tally};
pub use retry::{Retry, RetryPolicy, Sleep};
pub use throttle::Throttle;
pub use url::{check_url, open_documents, open_url, shown_url, url_below, url_of_directory};

use file::StagedFile;

/// A shared handle of some store.
pub type SharedStore = Arc<dyn Store>;

/// What a put found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// Nothing had that name; now these bytes have it, durably.
    Created,
    /// Something has that name already and was left as it is.
    Exists,
}

/// One row of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was put, by the clock of the store, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// How a store likes to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// Size of packs to aim at, bytes.
    pub pack_target_bytes: u64,
    /// Reads to have in flight.
    pub reads_in_flight: usize,
    /// What one read may fetch of an object to save another one, bytes; 0 where another one costs nothing.
    pub read_join_bytes: u64,
    /// Puts to have in flight.
    pub puts_in_flight: usize,
    /// When to stop asking again.
    pub patience: RetryPolicy,
}

impl Habits {
    /// Whether asking takes longer than opening what comes: then it pays to ask before it is needed.
    #[must_use]
    pub const fn is_far(&self) -> bool {
        self.read_join_bytes > 0
    }
}

/// Named write-once objects. Keys are ASCII, parts divided by `/`, none of them `.` or `..`.
pub trait Store: Send + Sync {
    /// Puts an object if nothing has that name. After `Created` it is durable and whole; whatever goes
    /// wrong, nobody ever reads a part of it under that name.
    ///
    /// # Errors
    /// Everything but `NotFound` and `ShortRead`.
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError>;

    /// Begins an object whose name is known only at its end. Dropping it leaves nothing that counts.
    ///
    /// # Errors
    /// As for `put_new`.
    fn stage(&self) -> Result<Staged, StoreError> {
        Ok(Staged::Memory(Vec::new()))
    }

    /// Puts what was staged by this store, if nothing has that name. It may be tried again after an
    /// error, as the bytes stay where they are.
    ///
    /// # Errors
    /// As for `put_new`.
    fn put_staged(&self, key: &str, staged: &mut Staged) -> Result<PutOutcome, StoreError> {
        match staged {
            Staged::Memory(bytes) => self.put_new(key, bytes),
            Staged::File(_) => Err(StoreError::Invalid {
                key: key.to_owned(),
                reason: "was staged by another store",
            }),
        }
    }

    /// The whole object, which may have `limit` bytes at most (checked before anything is allocated).
    ///
    /// # Errors
    /// `NotFound` only if the store says so; `TooLarge`; others.
    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError>;

    /// Exactly `len` bytes from `offset`.
    ///
    /// # Errors
    /// `BeyondEnd` if the object ends before, `ShortRead` if only this read did; others.
    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError>;

    /// All objects whose key begins with `prefix` (empty, or ending with `/`), by key. Complete, or an
    /// error: a listing that failed is never taken for a short one.
    ///
    /// # Errors
    /// All but `NotFound`: nothing below a prefix is an empty list.
    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError>;

    /// Size and time of one object.
    ///
    /// # Errors
    /// `NotFound` only if the store says so; others.
    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError>;

    /// Takes an object away. One that is absent is no error.
    ///
    /// # Errors
    /// `Denied` where credentials may not delete; others.
    fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// What this store likes.
    fn habits(&self) -> Habits;

    /// Bytes of temporary files that killed writers left behind; they are no objects.
    ///
    /// # Errors
    /// As for `list`.
    fn leftovers(&self) -> Result<Vec<ObjectMeta>, StoreError> {
        Ok(Vec::new())
    }

    /// At most so many of the rows of [`Self::list`], and whether there are more: for folders that others can fill
    /// with what they like.
    ///
    /// # Errors
    /// As for `list`.
    fn list_some(&self, prefix: &str, most: usize) -> Result<(Vec<ObjectMeta>, bool), StoreError> {
        let mut rows = self.list(prefix)?;
        let more = rows.len() > most;
        rows.truncate(most);
        Ok((rows, more))
    }

    /// What whoever uses this store should hear of it once: what it does in another way than others.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }

    /// Forgets what the machine keeps of that object in memory, so that the next read asks the medium.
    fn drop_cached(&self, _key: &str) {}
}

/// An object on its way to a store.
pub enum Staged {
    /// Held in memory until its name is known.
    Memory(Vec<u8>),
    /// A temporary file of a file store.
    File(StagedFile),
}

impl Staged {
    /// Appends.
    ///
    /// # Errors
    /// `Full` and `Io` of the file system.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        match self {
            Self::Memory(buffer) => {
                buffer.extend_from_slice(bytes);
                Ok(())
            }
            Self::File(file) => file.write(bytes),
        }
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(buffer) => buffer.len() as u64,
            Self::File(file) => file.len(),
        }
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Leaves behind what a killed process would leave behind.
    pub(crate) fn abandon(self) {
        if let Self::File(file) = self {
            file.abandon();
        }
    }
}

/// What a store may answer instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No object of that name, said by the store itself.
    #[error("{key}: no such object")]
    NotFound {
        /// The key.
        key: String,
    },
    /// Who we are may not do this, or the store does not believe that we are it.
    #[error("{key}: the store denies to {verb} it: {reason}; check credentials and permissions")]
    Denied {
        /// What was asked.
        verb: &'static str,
        /// The key.
        key: String,
        /// What it said.
        reason: String,
    },
    /// Whoever should give us keys gives none.
    #[error("{key}: {from} gives no keys: {reason}; {advice}")]
    NoIdentity {
        /// The key.
        key: String,
        /// Who was asked.
        from: &'static str,
        /// What it said.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// There is no such bucket at the server.
    #[error("{key}: the bucket does not exist; create it, or mend the URL")]
    NoBucket {
        /// The key.
        key: String,
    },
    /// No space or quota left.
    #[error("{key}: the store is full")]
    Full {
        /// The key.
        key: String,
    },
    /// A server answers that it cannot at the moment.
    #[error("{key}: the store is too busy to {verb}, or broken: {reason}")]
    Busy {
        /// What was asked.
        verb: &'static str,
        /// The key.
        key: String,
        /// What it said.
        reason: String,
    },
    /// A server refuses, and would refuse the same request again.
    #[error("{key}: the store refuses to {verb} it: {reason}")]
    Rejected {
        /// What was asked.
        verb: &'static str,
        /// The key.
        key: String,
        /// What it said, and what to do.
        reason: String,
    },
    /// Not reachable, or nothing comes of it.
    #[error("{key}: the store does not answer to {verb}: {reason}")]
    Unavailable {
        /// What was asked.
        verb: &'static str,
        /// The key.
        key: String,
        /// What it said.
        reason: String,
    },
    /// The object is shorter than whoever asks believes, said by the store itself.
    #[error("{key}: has {size} bytes, but is read up to {end}")]
    BeyondEnd {
        /// The key.
        key: String,
        /// Its size.
        size: u64,
        /// Where the read would have ended.
        end: u64,
    },
    /// Fewer bytes than the store had promised.
    #[error("{key}: read {got} of {wanted} bytes at {offset}")]
    ShortRead {
        /// The key.
        key: String,
        /// Where the read began.
        offset: u64,
        /// Bytes asked for.
        wanted: u64,
        /// Bytes received.
        got: u64,
    },
    /// An object is larger than its kind may be.
    #[error("{key}: has {size} bytes, at most {limit} are accepted")]
    TooLarge {
        /// The key.
        key: String,
        /// Its size.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// The file system below cannot do that at all.
    #[error("{key}: the file system cannot {verb} it: {reason}")]
    Unfit {
        /// What was asked.
        verb: &'static str,
        /// The key.
        key: String,
        /// What it said.
        reason: String,
    },
    /// A listing goes on beyond what any repository has.
    #[error("{prefix}: the store lists more than {limit} objects there; no repository has so many")]
    Endless {
        /// What was listed.
        prefix: String,
        /// The bound.
        limit: u64,
    },
    /// A key or a call that no store can serve.
    #[error("{key}: {reason}")]
    Invalid {
        /// The key.
        key: String,
        /// Why.
        reason: &'static str,
    },
    /// A URL that names no store.
    #[error("{url}: {reason}")]
    BadUrl {
        /// The URL, without what might be secret in it.
        url: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// The file system below failed.
    #[error("{key}: {verb} failed")]
    Io {
        /// What was asked.
        verb: &'static str,
        /// The key.
        key: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl StoreError {
    /// Whether the same call cannot succeed without a change from outside. The only place where this
    /// is decided.
    #[must_use]
    pub const fn permanent(&self) -> bool {
        match self {
            Self::NotFound { .. }
            | Self::Denied { .. }
            | Self::NoIdentity { .. }
            | Self::Rejected { .. }
            | Self::NoBucket { .. }
            | Self::Full { .. }
            | Self::TooLarge { .. }
            | Self::BeyondEnd { .. }
            | Self::BadUrl { .. }
            | Self::Unfit { .. }
            | Self::Endless { .. }
            | Self::Invalid { .. } => true,
            Self::Busy { .. }
            | Self::Unavailable { .. }
            | Self::ShortRead { .. }
            | Self::Io { .. } => false,
        }
    }

    /// Whether a store said this: its address is right, and patience with it pays.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        self.permanent() || matches!(self, Self::Busy { .. } | Self::ShortRead { .. })
    }

    /// Whether the store itself says that there is no such object.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Sorts an error of the file system. What is left, such as `EIO`, `ESTALE` and `EMFILE`, may pass.
    pub(crate) fn io(verb: &'static str, key: &str, source: std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let key = key.to_owned();
        match source.kind() {
            K::NotFound => Self::NotFound { key },
            K::PermissionDenied | K::ReadOnlyFilesystem => {
                Self::Denied { verb, key, reason: source.kind().to_string() }
            }
            K::StorageFull | K::QuotaExceeded => Self::Full { key },
            // Another try meets the same file system.
            K::InvalidFilename | K::FileTooLarge | K::InvalidInput | K::Unsupported => {
                Self::Unfit { verb, key, reason: source.to_string() }
            }
            K::NotADirectory | K::IsADirectory => Self::Invalid {
                key,
                reason: "a file lies where a directory should be, or the reverse",
            },
            _ => Self::Io { verb, key, source },
        }
    }
}

/// Refuses keys that could name anything outside the store.
pub(crate) fn check_key(key: &str) -> Result<(), StoreError> {
    let fine = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    if key.split('/').all(fine) {
        return Ok(());
    }
    Err(StoreError::Invalid { key: key.to_owned(), reason: "is not a key of a repository" })
}

/// Cuts `offset` and `len` out of an object of `size` bytes, or says how short it is.
pub(crate) fn check_range(key: &str, size: u64, offset: u64, len: usize) -> Result<(), StoreError> {
    let end = offset.saturating_add(len as u64);
    if end <= size {
        return Ok(());
    }
    Err(StoreError::BeyondEnd { key: key.to_owned(), size, end })
}
