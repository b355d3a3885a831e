//! Checking a repository: what is damaged, what that costs, and what could be reclaimed. Nothing is
//! changed. Packs that no index names, lapsed intents and temporary files are what stopped writers
//! leave behind: they are counted and are no damage.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Indexed, Open, Repo, mirror_key};
use crate::digest::{BlobId, Kind, PackName, SnapshotName};
use crate::error::{Error, Result};
use crate::limits;
use crate::pack::PackRecord;
use crate::snapshot::Snapshot;

mod mend;
mod named;
mod packs;
mod sample;

pub use mend::MendedCopies;
pub use sample::Sample;

/// How thoroughly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Read every byte of every pack, open every block, recompute every id.
    pub read_data: bool,
    /// Now, milliseconds since 1970: tells lapsed intents.
    pub now_ms: i64,
}

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// It should be there.
    Missing,
    /// Its bytes are not what was written.
    Damaged,
    /// Its bytes are authentic, and not what they stand for.
    Misplaced,
    /// Two reads gave different bytes: the store or the way to it is at fault.
    Unstable,
}

/// One object that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its key.
    pub object: String,
    /// What is wrong.
    pub problem: Problem,
    /// In words.
    pub detail: String,
    /// Whether another copy is intact, so that nothing is lost.
    pub has_copy: bool,
}

/// Something in a snapshot that cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Affected {
    /// The snapshot.
    pub snapshot: SnapshotName,
    /// Its logical path.
    pub path: Vec<u8>,
    /// Of a directory a page of which is lost: the names that were in it.
    pub names: Option<Names>,
}

/// A range of the names of a directory, in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Names {
    /// The first of them, or what comes before all.
    pub first: Vec<u8>,
    /// The name before which it ends; nothing if it goes to the last.
    pub end: Option<Vec<u8>>,
}

impl Names {
    /// Whether a name is in it.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        *name >= *self.first && self.end.as_ref().is_none_or(|end| *name < **end)
    }
}

/// What stopped writers and other programs left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reclaimable {
    /// Packs that no index object names.
    pub unindexed_packs: u64,
    /// Their bytes.
    pub unindexed_bytes: u64,
    /// Intents that nobody renews.
    pub lapsed_intents: u64,
    /// Temporary files.
    pub temporary_files: u64,
    /// Their bytes.
    pub temporary_bytes: u64,
    /// Key slots of a repository that was never finished.
    pub stray_slots: u64,
    /// Objects whose key no repository has.
    pub foreign_objects: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Snapshots that can be read.
    pub snapshots: u64,
    /// Packs that the index names.
    pub packs: u64,
    /// Their bytes, one copy each.
    pub bytes: u64,
    /// Bytes that were read and verified.
    pub bytes_read: u64,
    /// Damage, by object.
    pub findings: Vec<Finding>,
    /// Objects that should be there twice and are there once, intact: what a writer leaves that was
    /// stopped between the two puts. Nothing is lost.
    pub single_copies: Vec<String>,
    /// What cannot be restored, in order; complete only if the trees can be read, and up to
    /// [`limits::AFFECTED_MAX`] of it.
    pub affected: Vec<Affected>,
    /// What may go.
    pub reclaimable: Reclaimable,
    /// Objects that pose as key slots, and why they are none. Nothing is damaged by them, and nothing is sealed to
    /// them; somebody has put them there.
    pub foreign_slots: Vec<(String, String)>,
    /// Objects that pose as marks of snapshots that must not be used, and why they are none. They hide nothing.
    pub foreign_marks: Vec<(String, String)>,
}

impl CheckReport {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.affected.is_empty()
    }

    fn find(&mut self, object: &str, problem: Problem, detail: impl ToString, has_copy: bool) {
        let (object, detail) = (object.to_owned(), detail.to_string());
        self.findings.push(Finding { object, problem, detail, has_copy });
    }

    /// Files what reading an object said; an error that says nothing about it ends the check.
    fn file(&mut self, object: &str, error: Error, has_copy: bool) -> Result<()> {
        let problem = match &error {
            Error::Store(store) if store.is_not_found() => Problem::Missing,
            Error::Store(store) if !store.permanent() => return Err(error),
            Error::Binding { .. } => Problem::Misplaced,
            _ => Problem::Damaged,
        };
        self.find(object, problem, error, has_copy);
        Ok(())
    }
}

/// Walks what a snapshot references: the knowledge of trees, which this part does not have.
pub trait References {
    /// Whether everything that these trees reference is there and can be read. What several of them share is
    /// read once, so that a hundred snapshots of nearly the same cost little more than one.
    ///
    /// # Errors
    /// As for `visit`.
    fn are_whole(
        &self,
        repo: &Repo<Indexed>,
        trees: &mut dyn Iterator<Item = BlobId>,
        is_there: &(dyn Fn(&BlobId) -> bool + Sync),
    ) -> Result<bool>;

    /// Calls `each` for every blob that the tree of a root references, the tree's own pages included, until it has
    /// enough. A page that cannot be read is passed on and not entered; of one entry no more is passed on than the
    /// first blob that is lost; and what is whole is passed on once, however many places lead to it.
    ///
    /// # Errors
    /// Only those that say nothing about the repository, like a store that does not answer.
    fn visit(
        &self,
        repo: &Repo<Indexed>,
        snapshot: &Snapshot,
        each: &mut dyn FnMut(&Need<'_>) -> Found,
    ) -> Result<()>;
}

/// What becomes of a blob that a visit shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is there.
    Fine,
    /// It is lost, and with it what needs it.
    Lost,
    /// Nothing more is asked.
    Enough,
}

/// A blob, and what needs it.
#[derive(Clone, Copy, Debug)]
pub struct Need<'a> {
    /// The logical path of what needs it.
    pub path: &'a [u8],
    /// What it is.
    pub kind: Kind,
    /// The blob.
    pub id: &'a BlobId,
    /// Of a page: the names that it holds.
    pub names: Option<&'a Names>,
    /// It can be read, and is not what it stands for: no walk goes on from it.
    pub is_broken: bool,
}

/// What is known of the packs while a check goes on.
#[derive(Default)]
struct Packs {
    records: BTreeMap<PackName, PackRecord>,
    /// Blobs that cannot be read from any copy of their pack.
    lost: BTreeSet<BlobId>,
    /// How often each blob is stored in a way that can be read.
    good: HashMap<BlobId, u32>,
}

impl Repo<Open> {
    /// Checks everything that can be checked, in the order in which things depend on each other.
    ///
    /// # Errors
    /// Only what says nothing about the repository: the store does not answer, or denies to be read.
    pub fn check(
        &self,
        options: CheckOptions,
        references: Option<&dyn References>,
    ) -> Result<CheckReport> {
        self.check_sampled(options, Sample::All, references)
    }

    /// The same, but that `read_data` reads only a part of the packs whole, and of the others the footers.
    ///
    /// # Errors
    /// As for [`Self::check`].
    pub fn check_sampled(
        &self,
        options: CheckOptions,
        sample: Sample,
        references: Option<&dyn References>,
    ) -> Result<CheckReport> {
        let mut report = CheckReport::default();
        let snapshots = self.check_snapshots(&mut report)?;
        self.check_config(&mut report)?;
        self.check_slots(&mut report)?;
        self.check_collections(&mut report)?;
        let mut packs = self.check_indexes(&snapshots, &mut report)?;
        self.check_packs(options, sample, &mut packs, &mut report)?;
        self.check_leftovers(options, &mut report)?;
        self.check_references(&snapshots, &packs, references, &mut report)?;
        report.findings.sort_by(|a, b| (&a.object, a.problem).cmp(&(&b.object, b.problem)));
        report.single_copies.sort();
        report.affected.sort();
        report.affected.dedup();
        Ok(report)
    }

    fn check_references(
        &self,
        snapshots: &BTreeMap<SnapshotName, Snapshot>,
        packs: &Packs,
        references: Option<&dyn References>,
        report: &mut CheckReport,
    ) -> Result<()> {
        let indexed = self.index_for_reading()?;
        let index = indexed.index().clone();
        let is_lost = |id: &BlobId| {
            index.locate(id).is_none() || (packs.lost.contains(id) && !packs.good.contains_key(id))
        };
        let mut trees = snapshots.values().flat_map(|one| &one.roots).map(|root| root.tree);
        if let Some(references) = references
            && references.are_whole(&indexed, &mut trees, &|id| !is_lost(id))?
        {
            return Ok(());
        }
        for (name, snapshot) in snapshots {
            let affected = &mut report.affected;
            let mut look = |need: &Need<'_>| {
                if !need.is_broken && !is_lost(need.id) {
                    return Found::Fine;
                }
                if affected.len() >= limits::AFFECTED_MAX {
                    return Found::Enough;
                }
                let (path, names) = (need.path.to_vec(), need.names.cloned());
                affected.push(Affected { snapshot: *name, path, names });
                Found::Lost
            };
            if let Some(references) = references {
                references.visit(&indexed, snapshot, &mut look)?;
                continue;
            }
            for root in &snapshot.roots {
                let (path, id, names) = (&root.path[..], &root.tree, Some(&Names::default()));
                look(&Need { path, kind: Kind::Tree, id, names, is_broken: false });
            }
        }
        Ok(())
    }
}

/// The two places of an object.
fn both(key: &str) -> [String; 2] {
    [key.to_owned(), mirror_key(key)]
}
