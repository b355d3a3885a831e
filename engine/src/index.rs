//! Sets that follow from the state: who looks at what, what is due when, what is open.
//!
//! `apply` keeps them, so that a wake costs what is due, and an event what it concerns, and neither what
//! exists. They are no part of the state's bytes: whoever loads a state has them made anew
//! ([`crate::State::reindex`]).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use crate::due::{Due, Wakeup};
use crate::event::StreamKind;
use crate::ids::{Key, TypedRef, Uid};
use crate::run::queue::Queue;
use crate::time::{Millis, Timestamp};

mod follow;

/// An object by its kind and uid.
pub(crate) type Object = (StreamKind, Uid);

/// Something that statuses and decisions look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Looked {
    /// The labels of a namespace, and whom it allows.
    Namespace(String),
    /// How far references across namespaces go.
    References,
    /// A storage, by name.
    Storage(Key),
    /// A retention policy, by name.
    Retention(Key),
    /// A hook template, by name.
    Hook(Key),
    /// A repository, by name.
    Repository(Key),
    /// Repositories and snapshots of a namespace.
    Source(String),
    /// A dependency, by reference.
    Dependency(TypedRef),
    /// What restores write to, one after the other.
    Target(TypedRef),
    /// An object of ours, by uid: it is listed by name.
    Listed(Uid),
    /// A backup session that another one waits for.
    Before(Uid),
    /// What something lies in: a backup session in its configuration, a repository in the one that it was made
    /// for, a snapshot in its repository.
    Home(Uid),
    /// The storage that a repository lies in, by name.
    Inside(Key),
}

/// Stands for something looked at, in 16 bytes whatever its names: there are several for each object of the
/// state. Where two things had one mark, whoever looks at one would be looked at again because of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark(Uid);

impl Looked {
    fn mark(&self) -> Mark {
        let mut digest = Digest(Uid::default());
        self.hash(&mut digest);
        Mark(digest.0)
    }
}

/// Digests whatever can be hashed.
struct Digest(Uid);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.spread(bytes);
    }

    fn finish(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// The sets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Index {
    lookers: BTreeSet<(Mark, Object)>,
    looks: BTreeMap<Object, Box<[Mark]>>,
    wakeups: BTreeSet<(Timestamp, Due)>,
    slots: BTreeSet<(Timestamp, Due)>,
    set_by: BTreeMap<Object, Vec<Wakeup>>,
    open: BTreeSet<Uid>,
    queue: Queue,
}

/// What follows from the state is no part of its text either.
impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Index")
    }
}

impl Index {
    /// Who waits for a worker, and who has one.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The objects that look at something.
    pub(crate) fn lookers(&self, at: &Looked) -> impl Iterator<Item = Object> + use<'_> {
        let mark = at.mark();
        let first = (mark, (StreamKind::Lease, Uid::default()));
        self.lookers
            .range(first..)
            .take_while(move |(found, _)| *found == mark)
            .map(|(_, object)| *object)
    }

    /// Some session is open: a backup that has not ended, a restore that goes.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// When something is due next; slots are left to others for the grace.
    pub(crate) fn next(&self, grace: Millis) -> Option<Timestamp> {
        let slot = self.slots.first().map(|(when, _)| when.plus(grace));
        self.wakeups.first().map(|(when, _)| *when).into_iter().chain(slot).min()
    }

    /// What is due, in order of its time.
    pub(crate) fn due(&self, now: Timestamp, grace: Millis) -> Vec<Due> {
        let wakeups = self.wakeups.iter().take_while(|(when, _)| *when <= now);
        let slots = self.slots.iter().map(|(when, due)| (when.plus(grace), due));
        let slots = slots.take_while(|(when, _)| *when <= now);
        let mut all: Vec<(Timestamp, &Due)> =
            wakeups.map(|(when, due)| (*when, due)).chain(slots).collect();
        all.sort();
        all.into_iter().map(|(_, due)| due.clone()).collect()
    }
}
