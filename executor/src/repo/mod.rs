//! A repository and what can be done with it: one verb a file. `Repo<Closed>` is a place,
//! `Repo<Open>` has its keys, `Repo<Indexed>` knows where every blob lies.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::chunk::Chunker;
use crate::config::Config;
use crate::digest::{BlobId, Kind, PackName, RepoId};
use crate::error::{Error, Result};
use crate::index::Index;
use crate::keys::{Bundle, Keys};
use crate::pack::Padding;
use crate::seal::{Opener, Random, Sealer, SystemRandom};
use crate::slot::SlotKey;
use crate::store::{SharedStore, Store};
use crate::threads;

mod backup;
mod cache;
mod check;
mod collection;
mod commit;
mod diff;
mod dump;
mod emptied;
mod filter;
mod find;
mod forget;
mod index;
mod init;
mod intent;
mod keys;
mod ls;
mod marks;
mod merged;
mod object;
mod open;
mod openers;
mod overview;
mod parent;
mod readback;
mod reader;
mod references;
mod rehearse;
mod repair;
mod reports;
mod restore;
mod snapshots;
mod usage;
mod write;

pub use backup::{Backed, Environment, backup, rehearse_backup};
pub use check::{
    Affected, CheckOptions, CheckReport, Finding, Found, MendedCopies, Names, Need, Problem,
    Reclaimable, References, Sample,
};
pub use collection::Collection;
pub use commit::{Commit, Committed};
pub use diff::{Change, Chunks, Counts, DiffSummary, Side, diff, diff_nodes};
pub use dump::{Destination, Dump, Dumped, InPlace, Unfinished, WholeFile};
pub use filter::{Chosen, Filter, has_tags};
pub use find::{Query, find};
pub use init::InitOptions;
pub use intent::{FoundIntent, Intent, Writer};
pub use keys::{Foreign, ForeignSlot, SlotInfo};
pub use ls::ls;
pub(crate) use merged::runs;
pub use open::Unlock;
pub use overview::Overview;
pub use reader::{BlobReader, OpenedBlock};
pub use references::Trees;
pub use rehearse::{Action, rehearse};
pub use repair::IndexRepair;
pub use restore::restore;
pub use snapshots::{CLOCKS_APART_MS, Latest, Snapshots, describe, is_of_the_future};
pub use usage::{Amount, Stored, Usage, usage};
pub use write::{BlobWriter, Put, WriteOptions, WriteSession, Written};

/// A place that may hold a repository.
pub struct Closed {
    random: Arc<dyn Random>,
}

/// A repository whose keys are known.
#[derive(Clone)]
pub struct Open {
    keys: Arc<Keys>,
    bundle: Arc<Bundle>,
    config: Arc<Config>,
    random: Arc<dyn Random>,
    padding: Padding,
    /// Of the slot that was opened or made.
    slot: Arc<SlotKey>,
}

/// A repository whose index is loaded.
#[derive(Clone)]
pub struct Indexed {
    open: Open,
    index: Arc<Index>,
}

/// A repository in one of its states.
#[derive(Clone)]
pub struct Repo<S> {
    store: SharedStore,
    state: S,
}

impl Repo<Closed> {
    /// The place. Nothing is asked of the store yet.
    #[must_use]
    pub fn at(store: SharedStore) -> Self {
        Self { store, state: Closed { random: Arc::new(SystemRandom) } }
    }

    /// The same place with another source of randomness: only for tests of a stuck one.
    #[must_use]
    pub fn with_random(mut self, random: Arc<dyn Random>) -> Self {
        self.state.random = random;
        self
    }
}

impl<S> Repo<S> {
    /// The store below.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        &self.store
    }
}

impl Repo<Open> {
    /// Its keys: ids, names, page boundaries.
    #[must_use]
    pub fn keys(&self) -> &Arc<Keys> {
        &self.state.keys
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> RepoId {
        *self.state.keys.repo()
    }

    /// Its chunker.
    #[must_use]
    pub fn chunker(&self) -> Chunker {
        self.state.keys.chunker(self.state.config.sizes)
    }

    /// Its config.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// The same repository, whose packs are written without padding: their lengths tell the store what
    /// they hold. Only for tests that look at every bit; no job and no verb asks for it.
    #[must_use]
    pub fn without_padding(mut self) -> Self {
        self.state.padding = Padding::None;
        self
    }

    pub(crate) fn sealer(&self) -> Sealer {
        Sealer::new(self.state.keys.clone(), self.state.random.clone())
    }

    pub(crate) fn opener(&self) -> Opener {
        Opener::new(self.state.keys.clone())
    }

    /// The id of a blob.
    #[must_use]
    pub fn blob_id(&self, kind: Kind, content: &[u8]) -> BlobId {
        self.state.keys.blob_id(kind, content)
    }

    /// With an index that was loaded.
    #[must_use]
    pub fn with_index(&self, index: Arc<Index>) -> Repo<Indexed> {
        Repo { store: self.store.clone(), state: Indexed { open: self.state.clone(), index } }
    }
}

impl Repo<Indexed> {
    /// The same repository without its index.
    #[must_use]
    pub fn as_open(&self) -> Repo<Open> {
        Repo { store: self.store.clone(), state: self.state.open.clone() }
    }

    /// The index.
    #[must_use]
    pub fn index(&self) -> &Arc<Index> {
        &self.state.index
    }
}

/// Where second copies lie.
const MIRROR_FOLDER: &str = "mirror/";

/// Where the second copy of an object lies: config, keys, snapshots, packs of trees and lists.
#[must_use]
pub fn mirror_key(key: &str) -> String {
    format!("{MIRROR_FOLDER}{key}")
}

/// Packs that count as absent.
pub type Excluded = HashSet<PackName>;

/// Whether only a repository has objects of that name.
fn is_repository_key(key: &str) -> bool {
    let key = key.strip_prefix(MIRROR_FOLDER).unwrap_or(key);
    let folders = ["keys/", "packs/", "meta/", "intents/", "reports/"];
    key == crate::config::CONFIG_KEY || folders.iter().any(|folder| key.starts_with(folder))
}

fn is_slot_key(key: &str) -> bool {
    key.strip_prefix(MIRROR_FOLDER).unwrap_or(key).starts_with("keys/")
}

/// Runs `read` over all items with as many at once as the store likes; results are in order.
fn fetch_all<T: Sync, R: Send>(
    store: &dyn Store,
    items: &[T],
    read: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let threads = store.habits().reads_in_flight.min(items.len());
    if threads < 2 {
        return items.iter().map(read).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((at, item)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            items.get(at).map(|item| (at, item))
        } {
            done.push((at, read(item)));
        }
        done
    };
    let mut done: Vec<(usize, Result<R>)> = std::thread::scope(|scope| {
        let started = (0..threads).map_while(|_| threads::scoped(scope, "read", work).ok());
        let started: Vec<_> = started.collect();
        // Where no threads can be had, this one does what there is to do.
        let own = if started.len() < threads { work() } else { Vec::new() };
        let others = started.into_iter().flat_map(|thread| thread.join().unwrap_or_default());
        own.into_iter().chain(others).collect()
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    if done.len() < items.len() {
        return Err(Error::Defect("a thread that reads objects has broken off"));
    }
    done.into_iter().map(|(_, result)| result).collect()
}

/// What was read; nothing where the repository is at fault; an error where the store does not answer.
fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::Store(error)) if !error.permanent() => Err(error.into()),
        Err(_) => Ok(None),
    }
}
