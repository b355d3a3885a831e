//! Verbs that only look: find, diff, usage. Each is compared with a model that reads everything.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod shelf;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use holdfast_executor::digest::{BlobId, Kind, SnapshotName};
use holdfast_executor::error::{Error, Result};
use holdfast_executor::repo::{self, Change, Filter, Query, Trees};
use holdfast_executor::repo::{DiffSummary, Found, Need, References};
use holdfast_executor::snapshot::Snapshot;
use holdfast_executor::source::Globs;
use holdfast_executor::store::{MemoryStore, Store};
use holdfast_executor::tree::{Fetch, Node, NodeKind, Piece, Pieces};
use proptest::prelude::*;

use shelf::{Shelf, Step, noise, steps};

fn config() -> ProptestConfig {
    ProptestConfig { cases: ProptestConfig::default().cases / 10, ..ProptestConfig::default() }
}

fn grown(steps: &[Vec<Step>]) -> Shelf {
    let mut shelf = Shelf::new();
    for steps in steps {
        steps.iter().for_each(|step| step.apply(&shelf));
        shelf.backup();
    }
    shelf
}

proptest! {
    #![proptest_config(config())]

    /// What find says is what a glob says of every entry of every snapshot.
    #[test]
    fn find_agrees_with_reading_everything(
        steps in steps(),
        globs in proptest::collection::vec(
            prop_oneof!["[aBc][0-5]", "\\*\\.txt[0-5]", "/data/d[0-2]/\\*\\*", "s[01]", "data/d1", "nothing"],
            1..3
        ),
        ignore_case: bool,
    ) {
        let shelf = grown(&steps);
        let query = Query { globs: globs.clone(), ignore_case, ..Query::default() };
        let mut found = Vec::new();
        repo::find(&shelf.repo, &shelf.taken, &query, |name, _, path, node| {
            found.push((*name, path.to_vec(), node.clone()));
            Ok(true)
        }).unwrap();
        let matcher = match ignore_case {
            true => Globs::ignoring_case("find", &globs).unwrap(),
            false => Globs::new("find", &globs).unwrap(),
        };
        let mut wanted = Vec::new();
        for (name, snapshot) in &shelf.taken {
            let entries = shelf.entries(snapshot).into_iter();
            wanted.extend(
                entries.filter(|(path, _)| path != b"/" && matcher.matches(path))
                    .map(|(path, node)| (*name, path, node)),
            );
        }
        let order = |list: &mut Vec<(SnapshotName, Vec<u8>, Node)>| {
            list.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        };
        order(&mut found);
        order(&mut wanted);
        prop_assert_eq!(found, wanted);
    }

    /// What diff says of two snapshots is what a comparison of all their entries says.
    #[test]
    fn diff_agrees_with_comparing_everything(steps in steps()) {
        let shelf = grown(&steps);
        let (one, other) = (&shelf.taken[0].1, &shelf.taken[shelf.taken.len() - 1].1);
        for (before, after) in [(one, other), (other, one)] {
            let mut found = BTreeMap::new();
            let summary = repo::diff(&shelf.repo, (before, "/"), (after, "/"), |path, change, _| {
                assert!(found.insert(path.to_vec(), change).is_none(), "said twice");
                Ok(true)
            }).unwrap();
            let (wanted, numbers) = compare(&shelf, before, after);
            prop_assert_eq!(found, wanted);
            prop_assert_eq!(summary, numbers);
        }
    }

    /// Usage is what counting every blob of every snapshot gives.
    #[test]
    fn usage_agrees_with_counting_everything(steps in steps(), chosen in proptest::bits::u8::ANY) {
        let shelf = grown(&steps);
        let chosen: BTreeSet<SnapshotName> = (0..).zip(&shelf.taken)
            .filter(|(number, _)| chosen >> number & 1 == 1)
            .map(|(_, (name, _))| *name)
            .collect();
        let usage = repo::usage(&shelf.repo, &shelf.taken, &chosen).unwrap();
        let sets: BTreeMap<SnapshotName, HashSet<BlobId>> = shelf.taken.iter()
            .map(|(name, snapshot)| (*name, blobs_of(&shelf, snapshot)))
            .collect();
        let union = |names: &mut dyn Iterator<Item = &SnapshotName>| -> HashSet<BlobId> {
            names.flat_map(|name| sets[name].iter().copied()).collect()
        };
        let others = union(&mut sets.keys().filter(|name| !chosen.contains(name)));
        let together = union(&mut chosen.iter());
        prop_assert_eq!(usage.unreadable, 0);
        prop_assert_eq!(usage.together.blobs, together.len() as u64);
        prop_assert_eq!(usage.exclusive.blobs, together.difference(&others).count() as u64);
        let mut alone = BTreeMap::new();
        for name in &chosen {
            let rest = union(&mut sets.keys().filter(|other| *other != name));
            alone.insert(*name, sets[name].difference(&rest).count() as u64);
        }
        let found: BTreeMap<_, _> =
            usage.alone.iter().map(|(name, amount)| (*name, amount.blobs)).collect();
        prop_assert_eq!(found, alone);
        // When everything is chosen, everything that is stored is needed.
        let all = shelf.taken.iter().map(|(name, _)| *name).collect();
        let (usage, stored) =
            (repo::usage(&shelf.repo, &shelf.taken, &all).unwrap(), shelf.repo.stored().unwrap());
        prop_assert_eq!(usage.together, stored.blobs);
        prop_assert_eq!(usage.exclusive, stored.blobs);
    }

    /// Trees are whole where nothing that a visit shows is missing, whatever it is: the root as well.
    #[test]
    fn one_missing_blob_is_seen_wherever_it_is(steps in steps()) {
        let shelf = grown(&steps);
        let indexed = shelf.repo.index_for_reading().unwrap();
        let is_whole_without = |missing: Option<BlobId>| {
            let mut trees = shelf.taken.iter().flat_map(|(_, one)| &one.roots).map(|root| root.tree);
            Trees.are_whole(&indexed, &mut trees, &|id| Some(*id) != missing).unwrap()
        };
        prop_assert!(is_whole_without(None));
        for (_, snapshot) in &shelf.taken {
            for id in blobs_of(&shelf, snapshot) {
                prop_assert!(!is_whole_without(Some(id)), "{id} is missing");
            }
        }
    }
}

fn blobs_of(shelf: &Shelf, snapshot: &Snapshot) -> HashSet<BlobId> {
    let indexed = shelf.repo.index_for_reading().unwrap();
    let mut all = HashSet::new();
    let mut note = |need: &Need<'_>| {
        all.insert(*need.id);
        Found::Fine
    };
    Trees.visit(&indexed, snapshot, &mut note).unwrap();
    all
}

fn compare(
    shelf: &Shelf,
    before: &Snapshot,
    after: &Snapshot,
) -> (BTreeMap<Vec<u8>, Change>, DiffSummary) {
    let reader = shelf.repo.index_for_reading().unwrap().reader();
    let (before, after) = (shelf.entries(before), shelf.entries(after));
    let (mut changes, mut summary) = (BTreeMap::new(), DiffSummary::default());
    let (mut had, mut has) = (HashMap::new(), HashMap::new());
    let paths: BTreeSet<&Vec<u8>> = before.keys().chain(after.keys()).collect();
    for path in paths {
        let change = match (before.get(path), after.get(path)) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            (Some(a), Some(b)) => match change_of(a, b) {
                Some(change) => change,
                None => continue,
            },
        };
        let newest = after.get(path).or(before.get(path)).unwrap();
        let size = if let NodeKind::File { size, .. } = newest.kind { size } else { 0 };
        let counts = match &newest.kind {
            NodeKind::File { .. } => &mut summary.files,
            kind if kind.tree().is_some() => &mut summary.directories,
            _ => &mut summary.others,
        };
        match change {
            Change::Added => {
                (counts.added, summary.bytes_added) = (counts.added + 1, summary.bytes_added + size)
            }
            Change::Removed => {
                (counts.removed, summary.bytes_removed) =
                    (counts.removed + 1, summary.bytes_removed + size);
            }
            Change::Metadata => counts.metadata += 1,
            _ => counts.changed += 1,
        }
        if change != Change::Metadata {
            for (node, chunks) in [(before.get(path), &mut had), (after.get(path), &mut has)] {
                let Some(NodeKind::File { size, content }) = node.map(|node| &node.kind) else {
                    continue;
                };
                for piece in Pieces::new(&reader, *size, content) {
                    if let Piece::Chunk { id, len } = piece.unwrap() {
                        chunks.insert(id, len);
                    }
                }
            }
        }
        changes.insert(path.clone(), change);
    }
    let only = |one: &HashMap<BlobId, u64>, other: &HashMap<BlobId, u64>| {
        let only: Vec<u64> =
            one.iter().filter(|(id, _)| !other.contains_key(id)).map(|(_, len)| *len).collect();
        repo::Chunks { count: only.len() as u64, bytes: only.iter().sum() }
    };
    (summary.chunks_new, summary.chunks_gone) = (only(&has, &had), only(&had, &has));
    (changes, summary)
}

fn change_of(a: &Node, b: &Node) -> Option<Change> {
    if std::mem::discriminant(&a.kind) != std::mem::discriminant(&b.kind) {
        return Some(Change::Type);
    }
    let metadata =
        |node: &Node| (node.mode, node.uid, node.gid, node.mtime, node.attributes.clone());
    match (a.kind.tree().is_none() && a.kind != b.kind, metadata(a) == metadata(b)) {
        (true, _) => Some(Change::Content),
        (false, false) if !matches!(a.kind, NodeKind::Passage { .. }) => Some(Change::Metadata),
        _ => None,
    }
}

/// Notes every page that is fetched.
struct Spy<F>(F, Mutex<HashSet<BlobId>>);

impl<F: Fetch> Fetch for Spy<F> {
    fn fetch(&self, kind: Kind, id: &BlobId) -> Result<Vec<u8>> {
        self.1.lock().unwrap().insert(*id);
        self.0.fetch(kind, id)
    }
}

#[test]
fn directories_that_are_the_same_are_never_read() {
    let mut shelf = Shelf::new();
    shelf.file("same/deep/x", b"x");
    shelf.file("other/y", b"y");
    // A file that is read while it is young is marked, and so differs from itself later.
    std::thread::sleep(std::time::Duration::from_millis(45));
    let (_, one) = shelf.backup();
    shelf.file("other/y", b"yy");
    let (_, two) = shelf.backup();
    let same = shelf.entries(&one)[&b"/data/same"[..]].kind.tree().unwrap();
    let other = shelf.entries(&one)[&b"/data/other"[..]].kind.tree().unwrap();
    let indexed = shelf.repo.index_for_reading().unwrap();
    let reader = indexed.reader();
    let spy = Spy(reader.clone(), Mutex::default());
    let node = |snapshot| indexed.node_at(&reader, snapshot, "/").unwrap();
    let mut paths = Vec::new();
    let each = |path: &[u8], change, _: &Node| {
        paths.push((String::from_utf8_lossy(path).into_owned(), change));
        Ok(true)
    };
    repo::diff_nodes(&spy, node(&one), node(&two), each).unwrap();
    assert_eq!(paths, [("/data/other/y".to_owned(), Change::Content)]);
    let seen = spy.1.into_inner().unwrap();
    assert!(seen.contains(&other) && !seen.contains(&same), "only what differs is read");
}

#[test]
fn a_file_that_was_moved_has_no_new_content() {
    let mut shelf = Shelf::new();
    shelf.file("a", &noise(3_000_000, 1));
    shelf.file("keep", b"k");
    let (_, one) = shelf.backup();
    std::fs::rename(shelf.path("a"), shelf.path("b")).unwrap();
    let (_, two) = shelf.backup();
    let summary =
        repo::diff(&shelf.repo, (&one, "/data"), (&two, "/data"), |_, _, _| Ok(true)).unwrap();
    assert_eq!((summary.files.added, summary.files.removed), (1, 1));
    assert_eq!((summary.bytes_added, summary.bytes_removed), (3_000_000, 3_000_000));
    assert_eq!((summary.chunks_new, summary.chunks_gone), Default::default());
}

#[test]
fn a_page_that_cannot_be_read_counts_once_whoever_needs_it() {
    let store = Arc::new(MemoryStore::new());
    let mut shelf = Shelf::on(store.clone());
    shelf.file("a", b"a");
    // A file that is read while it is young is marked, and so differs from itself later.
    std::thread::sleep(std::time::Duration::from_millis(45));
    let trees = [(); 3].map(|()| shelf.backup().1.roots[0].tree);
    assert_eq!(trees, [trees[0]; 3]);
    for row in store.list("packs/").unwrap() {
        let copy = repo::mirror_key(&row.key);
        // Packs of trees have one.
        if store.stat(&copy).is_ok() {
            store.delete(&copy).unwrap();
            store.delete(&row.key).unwrap();
        }
    }
    let usage = repo::usage(&shelf.repo, &shelf.taken, &BTreeSet::from([shelf.taken[0].0]));
    let usage = usage.unwrap();
    assert_eq!((usage.unreadable, usage.together.blobs), (1, 0));
}

#[test]
fn a_path_that_is_not_there_is_said_so() {
    let mut shelf = Shelf::new();
    shelf.file("a", b"a");
    let (_, one) = shelf.backup();
    let diff = repo::diff(&shelf.repo, (&one, "/"), (&one, "/nowhere"), |_, _, _| Ok(true));
    assert!(matches!(diff, Err(Error::NoSuch { .. })), "{diff:?}");
}

#[test]
fn latest_is_the_newest_complete_one_that_fits() {
    let mut shelf = Shelf::new();
    shelf.file("a", b"a");
    for (host, tags) in [("web", &["x", "y"][..]), ("db", &["x"]), ("web", &[])] {
        shelf.host = host.to_owned();
        shelf.tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        shelf.backup();
    }
    let names = |names: &[&str], filter: &Filter| -> Vec<SnapshotName> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let chosen = shelf.repo.choose(&names, filter).unwrap();
        chosen.found.into_iter().map(|(name, _)| name).collect()
    };
    let [web, db, last] = [0, 1, 2].map(|number| shelf.taken[number].0);
    let filter = |host: &str, tags: &[&str]| Filter {
        hosts: vec![host.to_owned()],
        tags: vec![tags.iter().map(|&tag| tag.to_owned()).collect()],
        paths: vec!["/data".to_owned()],
        now_ms: None,
    };
    assert_eq!(names(&[], &Filter::default()), [web, db, last]);
    assert_eq!(names(&["latest"], &Filter::default()), [last]);
    assert_eq!(names(&["latest"], &filter("web", &["y", "x"])), [web]);
    assert_eq!(names(&["latest"], &filter("web", &[""])), [last]);
    assert_eq!(names(&[], &filter("db", &["x"])), [db]);
    assert_eq!(names(&[&db.to_string(), "latest"], &filter("web", &["x"])), [web, db]);
    let none = shelf.repo.choose(&["latest".to_owned()], &filter("db", &["z"]));
    assert!(matches!(none, Err(Error::NoSuch { .. })));
}
