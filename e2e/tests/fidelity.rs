//! What is backed up comes back: every kind of entry, everything that can be seen of it.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_e2e::facts::{self, Fact, Facts, Kind, assert_same};
use holdfast_e2e::mounted::Mounted;
use holdfast_e2e::opens::Opens;
use holdfast_e2e::privilege::is_root;
use holdfast_e2e::site::{
    ORDINARY_USER, PASSPHRASE, Site, backed_up, backup_figures, done, done_by, restored, settle,
    snapshot,
};
use holdfast_e2e::tree;
use holdfast_executor::job::{Job, RestoreOptions, Work};
use holdfast_executor::repo::{self, Environment, Repo};
use holdfast_executor::report::{Entries, Outcome, Quiet, Skipped};
use holdfast_executor::store::Record;

/// The file system of the tests that need every feature of one. Sparse: little of it is ever written.
const DISK_BYTES: u64 = 2 << 30;
/// Small files; `HOLDFAST_FILES` asks for more.
const SMALL_FILES: usize = 20_000;
/// Requests of a backup of an unchanged tree, beside one for each block of trees of its parent and one
/// for each index object; `docs/format.md` counts them.
const REQUESTS: u64 = 12;

fn privileged() -> RestoreOptions {
    RestoreOptions { privileged: true, ..RestoreOptions::default() }
}

/// A site on an ext4 of its own, which takes every kind of entry wherever the tests are run.
fn site_on_ext4(dir: &Path) -> (Mounted, Site) {
    let disk = Mounted::new_ext4(&dir.join("image"), DISK_BYTES, &dir.join("disk")).unwrap();
    let site = Site::new(&disk.path().join("site")).unwrap();
    (disk, site)
}

/// How many there are of what a figure counts.
fn count(facts: &Facts, counts: impl Fn(&Fact) -> bool) -> u64 {
    facts.values().filter(|fact| counts(fact)).count() as u64
}

fn entries(facts: &Facts) -> Entries {
    let special =
        |fact: &Fact| !fact.is_file() && !matches!(fact.kind, Kind::Directory | Kind::Symlink(_));
    Entries {
        files: count(facts, Fact::is_file),
        directories: count(facts, |fact| fact.kind == Kind::Directory),
        symlinks: count(facts, |fact| matches!(fact.kind, Kind::Symlink(_))),
        hard_links: count(facts, |fact| fact.is_file() && fact.is_further_name()),
        special: count(facts, special),
    }
}

fn without_sockets(facts: &Facts) -> Facts {
    facts.clone().into_iter().filter(|(_, fact)| fact.kind != Kind::Socket).collect()
}

#[test]
fn root_gets_back_everything() {
    if !is_root("owners and devices") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (_disk, site) = site_on_ext4(dir.path());
    tree::make_ordinary(&site.source()).unwrap();
    tree::make_privileged(&site.source()).unwrap();
    settle();
    let before = facts::of(&site.source()).unwrap();

    let report = done(&site.backup("dump", 2).unwrap());
    let figures = backed_up(&report);
    assert_eq!(figures.entries, entries(&before));
    assert_eq!((figures.unreadable.count, figures.attributes_unreadable.count), (0, 0));
    assert_eq!(figures.changed_while_read.count, 0);
    assert_same(&before, &facts::of(&site.source()).unwrap());

    let to = site.beside("restored");
    let report = done(&site.restore("latest", &to, privileged()).unwrap());
    let figures = restored(&report);
    // Sockets mean nothing without the process that listens; nothing else is left out.
    let sockets = count(&before, |fact| fact.kind == Kind::Socket);
    assert_eq!(figures.skipped, Skipped { sockets, ..Skipped::default() });
    assert_eq!(figures.failed.count, 0, "{:?}", figures.failed);
    assert_same(&without_sockets(&before), &facts::of(&to).unwrap());
}

/// What a restore without privileges makes of an entry, and what it has to say that it left out.
fn unprivileged(fact: &Fact, user: u32, skipped: &mut Skipped) -> Option<Fact> {
    match fact.kind {
        Kind::Socket => skipped.sockets += 1,
        Kind::CharDevice(_) | Kind::BlockDevice(_) => skipped.devices += 1,
        _ => {}
    }
    if matches!(fact.kind, Kind::Socket | Kind::CharDevice(_) | Kind::BlockDevice(_)) {
        return None;
    }
    let left = Fact {
        owner: (user, user),
        mode: fact.mode & !0o6000,
        attributes: fact.attributes.clone(),
        ..fact.clone()
    };
    // A further name is the same file: what was left out of it is counted once.
    let mut skip = Skipped {
        owners: u64::from(fact.owner != left.owner),
        setuid: u64::from(fact.mode != left.mode),
        ..Skipped::default()
    };
    let mut left = left;
    left.attributes.retain(|name, _| {
        let capability = name == b"security.capability";
        let system =
            !capability && (name.starts_with(b"security.") || name.starts_with(b"trusted."));
        skip.capabilities += u64::from(capability);
        skip.system_attributes += u64::from(system);
        !capability && !system
    });
    if !fact.is_further_name() {
        skipped.owners += skip.owners;
        skipped.setuid += skip.setuid;
        skipped.capabilities += skip.capabilities;
        skipped.system_attributes += skip.system_attributes;
    }
    Some(left)
}

fn all_unprivileged(before: &Facts, user: u32) -> (Facts, Skipped) {
    let mut skipped = Skipped::default();
    let left = before
        .iter()
        .filter_map(|(path, fact)| Some((path.clone(), unprivileged(fact, user, &mut skipped)?)))
        .collect();
    (left, skipped)
}

#[test]
fn what_is_left_out_without_privileges_is_counted() {
    if !is_root("owners and devices") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (_disk, site) = site_on_ext4(dir.path());
    tree::make_ordinary(&site.source()).unwrap();
    tree::make_privileged(&site.source()).unwrap();
    settle();
    let before = facts::of(&site.source()).unwrap();
    backed_up(&done(&site.backup("dump", 2).unwrap()));
    let to = site.beside("restored");
    let report = done(&site.restore("latest", &to, RestoreOptions::default()).unwrap());
    let (expected, skipped) = all_unprivileged(&before, 0);
    for class in [skipped.owners, skipped.setuid, skipped.capabilities, skipped.devices] {
        assert!(class > 0, "the tree does not try everything: {skipped:?}");
    }
    assert_same(&expected, &facts::of(&to).unwrap());
    assert_eq!(restored(&report).skipped, skipped);
}

#[test]
fn an_ordinary_user_gets_all_that_it_may_have() {
    if !is_root("acting as an ordinary user") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (disk, site) = site_on_ext4(dir.path());
    tree::make_ordinary(&site.source()).unwrap();
    tree::give(&site.source(), ORDINARY_USER).unwrap();
    for path in [dir.path(), disk.path()] {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    std::os::unix::fs::chown(site.beside(""), Some(ORDINARY_USER), None).unwrap();
    // A file of the owner that the owner may not read, and what belongs to others.
    let secret = site.source().join("private");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("within"), b"x").unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    tree::set_modified(&site.source(), 1_000_000_000, 5).unwrap();
    settle();
    let before = facts::of(&site.source()).unwrap();

    let mover = Path::new(env!("CARGO_BIN_EXE_mover"));
    let act = |job: &Job| done_by(ORDINARY_USER, mover, job).unwrap();
    let report = act(&site.backup("dump", 2).unwrap());
    assert!(matches!(report.outcome, Outcome::Partial { .. }), "{:?}", report.outcome);
    let is_unreadable = |fact: &Fact| {
        let own = fact.owner.0 == ORDINARY_USER;
        let readable = if own { fact.mode & 0o400 } else { fact.mode & 0o004 };
        readable == 0 && (fact.is_file() || fact.kind == Kind::Directory)
    };
    // What lies in an unreadable directory is not known, and so not counted.
    let unreadable: Vec<&PathBuf> = before
        .iter()
        .filter(|(path, fact)| is_unreadable(fact) && !path.starts_with("private/within"))
        .map(|(path, _)| path)
        .collect();
    let figures = backup_figures(&report);
    assert_eq!(figures.unreadable.count, unreadable.len() as u64, "{unreadable:?}\n{figures:?}");

    let to = site.beside("restored");
    let id = &snapshot(&report).id;
    let report = act(&site.restore(id, &to, RestoreOptions::default()).unwrap());
    let kept = before.into_iter().filter(|(path, fact)| {
        let lost = path.starts_with("private") || (is_unreadable(fact) && fact.is_file());
        !lost
    });
    let (expected, skipped) = all_unprivileged(&kept.collect(), ORDINARY_USER);
    assert_same(&expected, &facts::of(&to).unwrap());
    assert_eq!(restored(&report).skipped, skipped);
    assert!(skipped.setuid > 0 && skipped.owners == 0, "{skipped:?}");
}

#[test]
fn a_real_tree_comes_back() {
    if !is_root("owners and devices") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let site = Site::new(dir.path()).unwrap();
    fs::remove_dir(site.source()).unwrap();
    std::os::unix::fs::symlink("/usr/include", site.source()).unwrap();
    let before = facts::of(&fs::canonicalize(site.source()).unwrap()).unwrap();
    assert_eq!(backed_up(&done(&site.backup("dump", 2).unwrap())).entries, entries(&before));
    let to = site.beside("restored");
    let report = done(&site.restore("latest", &to, privileged()).unwrap());
    assert_eq!(restored(&report).skipped.total(), 0);
    assert_same(&before, &facts::of(&to).unwrap());
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::new(dir.path()).unwrap();
    tree::make_small(&site.source(), 1_500).unwrap();
    for (number, bytes) in [(1, 20 << 20), (2, 9 << 20), (3, 3 << 20), (4, 600 << 10)] {
        fs::write(site.source().join(format!("large {number}")), tree::noise(bytes, number))
            .unwrap();
    }
    settle();
    let mut roots = Vec::new();
    for workers in [1, 2, 7, 16] {
        // Components have no parents in each other: each run reads everything.
        let report = done(&site.backup(&format!("with {workers}"), workers).unwrap());
        assert_eq!(backed_up(&report).files_unmodified, 0);
        roots.push(snapshot(&report).tree.clone());
    }
    roots.dedup();
    assert_eq!(roots.len(), 1, "{roots:?}");
}

#[test]
fn many_small_files_are_read_once_and_changes_cost_what_they_weigh() {
    let asked = std::env::var("HOLDFAST_FILES").ok().and_then(|count| count.parse().ok());
    let files: usize = asked.unwrap_or(SMALL_FILES);
    let dir = tempfile::tempdir().unwrap();
    let site = Site::new(dir.path()).unwrap();
    tree::make_small(&site.source(), files).unwrap();
    settle();
    let first = done(&site.backup("dump", 2).unwrap());
    let (tree_of_first, first) = (snapshot(&first).tree.clone(), backed_up(&first).clone());
    assert_eq!((first.files_new, first.files_opened), (files as u64, files as u64));

    // Unchanged: the kernel says that nothing was opened, the store that little was asked.
    let allowed = REQUESTS + tree_blocks(&site) + index_objects(&site);
    let mut opens = Opens::watch(&site.source()).unwrap();
    let second = done(&site.backup("dump", 2).unwrap());
    assert_eq!(opens.so_far().unwrap(), [].into());
    assert_eq!(snapshot(&second).tree, tree_of_first);
    let second = backed_up(&second);
    assert_eq!((second.files_opened, second.data_blobs_new, second.blobs_new), (0, 0, 0));
    assert_eq!(second.files_unmodified, files as u64);
    assert!(second.requests <= allowed, "{} requests, {allowed} allowed", second.requests);
    assert_eq!(written_folders(&site), ["intents", "meta", "mirror"]);

    // One file in a hundred: all of every hundredth directory.
    let mut changed = 0;
    for number in (0..files).filter(|number| (number / 100) % 100 == 7) {
        let path = site.source().join(format!("d{:04}/f{number:06}", number / 100));
        let bytes = fs::metadata(&path).unwrap().len() as usize;
        fs::write(&path, tree::noise(bytes, (files + number) as u64)).unwrap();
        changed += 1;
    }
    settle();
    let third = done(&site.backup("dump", 2).unwrap());
    let third = backed_up(&third);
    assert_eq!((third.files_changed, third.files_opened), (changed, changed));
    assert_eq!(third.data_blobs_new, changed);
    // A pack has at least 64 KiB, and trees are stored twice.
    let about_one_percent = first.bytes_added * 3 / 200 + 4 * 64 * 1024;
    assert!(
        third.bytes_added <= about_one_percent,
        "{} of {}",
        third.bytes_added,
        first.bytes_added
    );

    let to = site.beside("restored");
    restored(&done(&site.restore("latest", &to, RestoreOptions::default()).unwrap()));
    assert_same(&facts::of(&site.source()).unwrap(), &facts::of(&to).unwrap());
}

/// Where in the store a further backup of the unchanged source writes.
fn written_folders(site: &Site) -> Vec<String> {
    let record = Arc::new(Record::new(site.store().unwrap()));
    let repo = Repo::at(record.clone()).open(PASSPHRASE.as_bytes(), Default::default()).unwrap();
    let job = site.backup("dump", 2).unwrap();
    let Work::Backup(backup) = &job.work else { panic!("a backup") };
    let environment = Environment {
        at: job.at,
        workers: 2,
        memory_bytes: 0,
        progress: &Quiet,
        repository: "main",
    };
    repo::backup(&repo, backup, &environment).unwrap();
    let puts = record.tallies().into_keys().filter(|(verb, _)| *verb == "put");
    puts.map(|(_, folder)| folder).collect()
}

/// Blocks of trees and lists in the repository: it holds one snapshot when this is asked.
fn tree_blocks(site: &Site) -> u64 {
    let indexed = site.open().unwrap().index_for_reading().unwrap();
    let index = indexed.index();
    let packs = index.packs().iter().zip(0..).filter(|(pack, _)| pack.kind.is_mirrored());
    packs.map(|(_, number)| index.blocks_of(number).count() as u64).sum()
}

fn index_objects(site: &Site) -> u64 {
    site.open().unwrap().store().list("meta/index/").unwrap().len() as u64
}
