//! A small repository of real files with everything that a tree can refer to, and two ways to say what a
//! damage costs: what `check` names, and what reading every entry shows.
#![allow(clippy::unwrap_used, dead_code)] // helpers of tests are tests; not every test needs all

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::sync::Arc;

use holdfast_executor::digest::{BlobId, Kind, SnapshotName};
use holdfast_executor::error::{Error, Result};
use holdfast_executor::repo::{BlobReader, CheckOptions, CheckReport, Open, Repo, Trees, Unlock};
use holdfast_executor::report::Listed;
use holdfast_executor::snapshot::Snapshot;
use holdfast_executor::store::{MemoryStore, SharedStore, Store};
use holdfast_executor::tree::{Attributes, Leaves, Node, NodeKind, Piece, Pieces};

use crate::shelf::{PASSPHRASE, Shelf, noise};
use crate::support::{facts, set_attribute, settle};

/// How long packs are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Padded {
    No,
    Yes,
}

/// What cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// A file, or the attributes of an entry.
    Entry { snapshot: SnapshotName, path: Vec<u8> },
    /// A name of a directory of which a page is lost, with what is below it.
    Name { snapshot: SnapshotName, path: Vec<u8>, whole: bool },
}

impl Lost {
    pub fn is_part_of_a_directory(&self) -> bool {
        matches!(self, Self::Name { whole: false, .. })
    }
}

/// What the snapshots hold.
struct Truth {
    shelf: Shelf,
    /// By snapshot and logical path: the node and a digest of what its blobs hold.
    entries: BTreeMap<SnapshotName, BTreeMap<Vec<u8>, (Node, blake3::Hash)>>,
    snapshots: Vec<(SnapshotName, Snapshot)>,
    facts: Vec<BTreeMap<String, String>>,
}

/// The repository, in a store that can be damaged.
pub struct Site {
    pub store: Arc<MemoryStore>,
    pub repo: Repo<Open>,
    /// What every object is when nothing is wrong.
    pub right: BTreeMap<String, Vec<u8>>,
    truth: Arc<Truth>,
}

/// Names of a directory that has three pages, of which the middle one holds the third name.
fn names_of_three_pages(repo: &Repo<Open>) -> Vec<String> {
    let all = (0..100_000).map(|number| format!("n{number:06}"));
    let mut names: Vec<String> = Vec::new();
    for name in all {
        let ends = repo.keys().ends_tree_page(name.as_bytes());
        // An ordinary name, then one that ends the page, and so on.
        if ends == (names.len() % 2 == 1) {
            names.push(name);
        }
        if names.len() == 5 {
            break;
        }
    }
    names
}

fn fill(shelf: &Shelf) {
    shelf.file("a/one", &noise(300, 1));
    shelf.file("a/same as one", &noise(300, 1));
    shelf.file("b/deep/two", &noise(200, 2));
    shelf.file("b/empty", b"");
    shelf.file("linked", b"one file of two names");
    fs::hard_link(shelf.path("linked"), shelf.path("b/also linked")).unwrap();
    symlink("a/one", shelf.path("soft")).unwrap();
    shelf.file("attributed", b"with attributes");
    set_attribute(&shelf.path("attributed"), "user.large", &b"a value of some length ".repeat(60));
    set_attribute(&shelf.path("b"), "user.large", &b"that of a directory ".repeat(60));
    let sparse = fs::File::create(shelf.path("in lists")).unwrap();
    for island in 0..18u64 {
        let content = format!("island {island}");
        sparse.write_all_at(content.as_bytes(), island * 128 * 1024).unwrap();
    }
    for name in names_of_three_pages(&shelf.repo) {
        shelf.file(&format!("many/{name}"), b"");
    }
}

impl Site {
    pub fn new(padded: Padded) -> Self {
        let store = Arc::new(MemoryStore::new());
        let mut shelf = Shelf::on(store.clone());
        if padded == Padded::No {
            shelf.repo = shelf.repo.clone().without_padding();
        }
        fill(&shelf);
        // Racy entries would look otherwise in the second snapshot, and share no page with the first.
        settle();
        let (mut snapshots, mut seen) = (Vec::new(), Vec::new());
        snapshots.push(shelf.backup());
        seen.push(facts(&shelf.path("")));
        let middle = &names_of_three_pages(&shelf.repo)[2];
        shelf.file(&format!("many/{middle}"), &noise(100, 3));
        shelf.file("c/new", &noise(150, 4));
        snapshots.push(shelf.backup());
        seen.push(facts(&shelf.path("")));
        let keys = store.list("").unwrap().into_iter().map(|row| row.key);
        let right = keys.map(|key| (key.clone(), store.get(&key, u64::MAX).unwrap())).collect();
        let repo = shelf.repo.clone();
        let truth = Truth { shelf, entries: BTreeMap::new(), snapshots, facts: seen };
        let mut site = Self { store, repo, right, truth: Arc::new(truth) };
        assert!(site.check().is_clean());
        let mut entries = BTreeMap::new();
        assert_eq!(site.read_all(&mut entries), BTreeSet::new());
        let lists = |(node, _): &(Node, blake3::Hash)| {
            use holdfast_executor::tree::Content::Lists;
            matches!(node.kind, NodeKind::File { content: Lists(_), .. })
        };
        assert!(entries.values().flat_map(BTreeMap::values).any(lists), "a file in lists");
        Arc::get_mut(&mut site.truth).unwrap().entries = entries;
        site.restores_what_is_not_named();
        site
    }

    /// The same repository in a store of its own, opened once more.
    pub fn fork(&self) -> Self {
        let store = Arc::new(self.store.fork());
        let shared: SharedStore = store.clone();
        let repo = Repo::at(shared).open(PASSPHRASE, Unlock::default()).unwrap();
        Self { store, repo, right: self.right.clone(), truth: self.truth.clone() }
    }

    pub fn check(&self) -> CheckReport {
        let options = CheckOptions { read_data: true, now_ms: 0 };
        self.repo.check(options, Some(&Trees)).unwrap()
    }

    /// What a report says that is lost.
    pub fn named(&self, report: &CheckReport) -> BTreeSet<Lost> {
        let mut lost = BTreeSet::new();
        for affected in &report.affected {
            let (snapshot, path) = (affected.snapshot, affected.path.clone());
            let Some(names) = &affected.names else {
                lost.insert(Lost::Entry { snapshot, path });
                continue;
            };
            let whole = names.first.is_empty() && names.end.is_none();
            for (name, path) in self.truth.names_in(&snapshot, &path) {
                if names.contains(&name) {
                    lost.insert(Lost::Name { snapshot, path, whole });
                }
            }
        }
        lost
    }

    /// What cannot be read. Whatever can be is exactly what was backed up.
    pub fn survey(&self) -> BTreeSet<Lost> {
        let mut entries = BTreeMap::new();
        let lost = self.read_all(&mut entries);
        for (snapshot, entries) in &entries {
            for (path, found) in entries {
                let right = &self.truth.entries[snapshot][path];
                assert!(found == right, "{} was read wrongly", path.escape_ascii());
            }
        }
        lost
    }

    fn read_all(
        &self,
        entries: &mut BTreeMap<SnapshotName, BTreeMap<Vec<u8>, (Node, blake3::Hash)>>,
    ) -> BTreeSet<Lost> {
        let reader = self.repo.index_for_reading().unwrap().reader();
        let mut lost = BTreeSet::new();
        for (name, right) in &self.truth.snapshots {
            let snapshot = self.repo.load_snapshot(name).unwrap();
            assert!(snapshot == *right, "a wrong snapshot was read without an error");
            let mut reading = Reading {
                reader: &reader,
                truth: &self.truth,
                snapshot: *name,
                entries: entries.entry(*name).or_default(),
                lost: &mut lost,
            };
            reading.directory(b"/", &snapshot.roots[0].tree);
        }
        lost
    }

    /// Restores every snapshot for real: what fails is what a check names, and all else is exact.
    pub fn restores_what_is_not_named(&self) {
        let named = self.named(&self.check());
        for ((name, snapshot), facts_before) in self.truth.snapshots.iter().zip(&self.truth.facts) {
            let dir = tempfile::tempdir().unwrap();
            let to = dir.path().join("to");
            let figures = self.truth.shelf.restore_from(&self.repo, snapshot, &to).unwrap();
            let paths = |list: &Listed| -> BTreeSet<String> {
                list.first.iter().map(|item| item.path.clone()).collect()
            };
            // Of what has lost its attributes only, everything else is there.
            let (failed, unset) = (paths(&figures.failed), paths(&figures.unset));
            let wanted: BTreeSet<_> = named
                .iter()
                .filter_map(|lost| match lost {
                    Lost::Entry { snapshot, path } if snapshot == name => {
                        Some(String::from_utf8(path.clone()).unwrap())
                    }
                    _ => None,
                })
                .collect();
            assert_eq!(failed.union(&unset).cloned().collect::<BTreeSet<_>>(), wanted);
            let mut right = facts_before.clone();
            let mut found = facts(&to);
            for path in &failed {
                let path = path.strip_prefix("/data/").unwrap();
                // A directory is there all the same, without what was lost of it.
                let was_directory = right.remove(path).unwrap().starts_with("directory");
                assert_eq!(found.remove(path).is_some(), was_directory, "{path}");
            }
            for path in unset.difference(&failed) {
                let path = path.strip_prefix("/data/").unwrap();
                assert!(right.remove(path).is_some() && found.remove(path).is_some(), "{path}");
            }
            assert_eq!(found, right);
        }
    }
}

impl Truth {
    /// Names of the entries of a directory, with their paths.
    fn names_in(&self, snapshot: &SnapshotName, dir: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Some(entries) = self.entries.get(snapshot) else { return Vec::new() };
        let within = if dir == b"/" { b"/".to_vec() } else { [dir, b"/"].concat() };
        let below = entries.keys().filter_map(|path| {
            let name = path.strip_prefix(&within[..])?;
            (!name.is_empty() && !name.contains(&b'/')).then(|| (name.to_vec(), path.clone()))
        });
        below.collect()
    }
}

struct Reading<'a> {
    reader: &'a BlobReader,
    truth: &'a Truth,
    snapshot: SnapshotName,
    entries: &'a mut BTreeMap<Vec<u8>, (Node, blake3::Hash)>,
    lost: &'a mut BTreeSet<Lost>,
}

impl Reading<'_> {
    fn directory(&mut self, path: &[u8], tree: &BlobId) {
        let mut pages = 0;
        let mut seen = BTreeSet::new();
        let mut bad = false;
        for leaf in Leaves::new(self.reader, tree).going_on() {
            let leaf = match leaf {
                Ok(leaf) => leaf,
                Err(error) => {
                    assert!(is_named(&error), "{error}");
                    bad = true;
                    continue;
                }
            };
            pages += 1;
            for node in leaf.nodes {
                let path = match path {
                    b"/" => [b"/", &node.name[..]].concat(),
                    path => [path, b"/", &node.name[..]].concat(),
                };
                seen.insert(path.clone());
                self.entry(path, node);
            }
        }
        if bad {
            let (snapshot, whole) = (self.snapshot, pages == 0);
            let names = self.truth.names_in(&snapshot, path).into_iter();
            let gone = names.filter(|(_, path)| !seen.contains(path));
            self.lost.extend(gone.map(|(_, path)| Lost::Name { snapshot, path, whole }));
        }
    }

    fn entry(&mut self, path: Vec<u8>, node: Node) {
        match self.content(&node) {
            Ok(digest) => drop(self.entries.insert(path.clone(), (node.clone(), digest))),
            Err(error) => {
                assert!(is_named(&error), "{error}");
                let path = path.clone();
                self.lost.insert(Lost::Entry { snapshot: self.snapshot, path });
            }
        }
        if let Some(tree) = node.kind.tree() {
            self.directory(&path, &tree);
        }
    }

    fn content(&self, node: &Node) -> Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        if let Attributes::Blob(id) = &node.attributes {
            hasher.update(&self.reader.read(Kind::Data, id)?);
        }
        if let NodeKind::File { size, content } = &node.kind {
            for piece in Pieces::new(self.reader, *size, content) {
                match piece? {
                    Piece::Chunk { id, .. } => {
                        hasher.update(&self.reader.read(Kind::Data, &id)?);
                    }
                    Piece::Hole { len } => drop(hasher.update(&len.to_le_bytes())),
                }
            }
        }
        Ok(hasher.finalize())
    }
}

/// Whether an error names an object or a blob, as opposed to giving up.
fn is_named(error: &Error) -> bool {
    matches!(
        error,
        Error::Damaged { .. } | Error::Binding { .. } | Error::BlobMissing { .. } | Error::Store(_)
    )
}
