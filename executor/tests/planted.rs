//! What others plant, in a target or in a repository, leads nowhere.

#![allow(clippy::unwrap_used)] // functions of a test file that are no tests themselves

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use holdfast_executor::digest::{BlobId, Kind};
use holdfast_executor::index::DedupIndex;
use holdfast_executor::job::{RestoreOptions, Target};
use holdfast_executor::repo::{
    Environment, InitOptions, Open, Repo, WriteOptions, WriteSession, restore,
};
use holdfast_executor::report::{Figures, Outcome, Quiet, RestoreFigures};
use holdfast_executor::slot::KdfCost;
use holdfast_executor::snapshot::{Root, Snapshot};
use holdfast_executor::store::MemoryStore;
use holdfast_executor::tree::{Content, Node, NodeKind, Piece, Time, encode_leaf, encode_parent};
use support::{Bench, facts, settle};

/// A directory that a restore must leave as it is.
struct Outside {
    dir: tempfile::TempDir,
    before: std::collections::BTreeMap<String, String>,
}

impl Outside {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("f"), b"precious").unwrap();
        fs::set_permissions(dir.path().join("f"), fs::Permissions::from_mode(0o640)).unwrap();
        let before = facts(dir.path());
        Self { dir, before }
    }
    fn check(&self) {
        assert_eq!(facts(self.dir.path()), self.before);
    }
}

fn restored(report: &holdfast_executor::report::Report) -> &RestoreFigures {
    match &report.repositories[0].figures {
        Figures::Restore(figures) => figures,
        _ => panic!("{report:#?}"),
    }
}

#[test]
fn f2_planted_links_are_replaced_and_never_followed() {
    let bench = Bench::new();
    for path in ["sub/f", "f", "deep/er/f"] {
        let path = bench.source().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"from the snapshot").unwrap();
    }
    fs::hard_link(bench.source().join("f"), bench.source().join("hard")).unwrap();
    symlink("f", bench.source().join("soft")).unwrap();
    settle();
    bench.backup().succeeded();
    let before = facts(&bench.source());
    let outside = Outside::new();
    let to = bench.dir("to");
    fs::create_dir(&to).unwrap();
    symlink(outside.dir.path().join("sub"), to.join("sub")).unwrap();
    symlink(outside.dir.path(), to.join("deep")).unwrap();
    for name in ["f", "hard", "soft"] {
        symlink(outside.dir.path().join("f"), to.join(name)).unwrap();
    }
    // Where a directory should be, a link stays unless extra files go; the rest is restored all the same.
    let report = bench.restore("latest", "/data", &to, RestoreOptions::default());
    assert!(matches!(report.outcome, Outcome::Partial { .. }), "{report:#?}");
    let failed: Vec<_> = restored(&report).failed.first.iter().map(|item| &item.path[..]).collect();
    assert_eq!(failed, ["/data/deep", "/data/sub"]);
    outside.check();
    assert!(to.join("sub").is_symlink() && to.join("deep").is_symlink());
    assert_eq!(fs::read(to.join("f")).unwrap(), b"from the snapshot");
    let options = RestoreOptions { delete_extra: true, ..RestoreOptions::default() };
    let report = bench.restore("latest", "/data", &to, options);
    assert!(matches!(report.outcome, Outcome::Succeeded { .. }), "{report:#?}");
    outside.check();
    assert_eq!(facts(&to), before);
}

/// A repository in memory and a snapshot of one page that nobody's walk has made.
fn forged(pages: &[(Kind, Vec<u8>)]) -> (Repo<Open>, Vec<BlobId>) {
    let closed = Repo::at(Arc::new(MemoryStore::new()));
    let options = InitOptions { cost: KdfCost::least(), ..Default::default() };
    let repo = closed.init(b"p", options).unwrap();
    let dedup = Arc::new(DedupIndex::new(Arc::default()));
    let session = WriteSession::begin(&repo, dedup, WriteOptions::default()).unwrap();
    let mut writer = session.writer().unwrap();
    let ids = pages.iter().map(|(kind, bytes)| writer.put(*kind, bytes).unwrap().id).collect();
    writer.finish().unwrap();
    session.finish().unwrap();
    (repo, ids)
}

fn restore_tree(repo: &Repo<Open>, tree: BlobId, to: &Path) -> Result<RestoreFigures, String> {
    let roots = vec![Root { path: b"/".to_vec(), tree }];
    let snapshot = Snapshot { roots, ..Default::default() };
    let target = Target { from: "/".to_owned(), to: to.to_owned() };
    let environment =
        Environment { at: 0, workers: 2, memory_bytes: 0, progress: &Quiet, repository: "r" };
    let options = RestoreOptions::default();
    restore(repo, &snapshot, &[target], &options, &environment).map_err(|error| error.to_string())
}

fn file(name: &[u8], id: BlobId, len: u64) -> Node {
    let content = Content::Pieces(vec![Piece::Chunk { id, len }]);
    Node::bare(name, NodeKind::File { size: len, content }, 0o644, Time::default())
}

#[test]
fn f1_names_that_lead_out_are_refused_and_nothing_is_written() {
    let id = BlobId([7; 16]);
    let long = vec![b'x'; 256];
    let table: [&[&[u8]]; 11] = [
        &[b".."],
        &[b"."],
        &[b""],
        &[b"/etc/passwd"],
        &[b"../up"],
        &[b"a/b"],
        &[b"nul\0"],
        &[&long],
        &[b"twice", b"twice"],
        &[b"b", b"a"],
        &[b"fine", b"fine/../../out"],
    ];
    for names in table {
        let nodes: Vec<_> = names.iter().map(|name| file(name, id, 1)).collect();
        let (repo, ids) = forged(&[(Kind::Tree, encode_leaf(&nodes))]);
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("a/b/to");
        let result = restore_tree(&repo, ids[0], &to);
        assert!(result.is_err(), "{names:?}: {result:?}");
        assert_eq!(fs::read_dir(&to).unwrap().count(), 0, "{names:?}");
        assert_eq!(facts(dir.path()).len(), 4, "only the way to the target: {names:?}");
    }
}

#[test]
fn a_damaged_part_costs_only_itself() {
    let good = b"good content".to_vec();
    let (repo, ids) = forged(&[(Kind::Data, good.clone())]);
    let missing = BlobId([9; 16]);
    let mut nodes = vec![
        file(b"a good", ids[0], good.len() as u64),
        file(b"b missing", missing, 5),
        file(b"c wrong length", ids[0], 3),
    ];
    let tree = NodeKind::Directory { tree: missing };
    nodes.push(Node::bare(b"d no page", tree, 0o755, Time::default()));
    let session = WriteSession::begin(
        &repo,
        Arc::new(DedupIndex::new(Arc::default())),
        WriteOptions::default(),
    )
    .unwrap();
    let mut writer = session.writer().unwrap();
    let root = writer.put(Kind::Tree, &encode_leaf(&nodes)).unwrap().id;
    writer.finish().unwrap();
    session.finish().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let figures = restore_tree(&repo, root, dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join("a good")).unwrap(), good);
    let failed: Vec<_> = figures.failed.first.iter().map(|item| &item.path[..]).collect();
    assert_eq!(failed, ["/b missing", "/c wrong length", "/d no page"]);
    assert!(!dir.path().join("b missing").exists() && !dir.path().join("c wrong length").exists());
}

#[test]
fn c4_data_that_looks_like_a_tree_is_none() {
    let page = encode_leaf(&[file(b"f", BlobId([1; 16]), 1)]);
    let (repo, ids) = forged(&[(Kind::Data, page)]);
    let dir = tempfile::tempdir().unwrap();
    assert!(restore_tree(&repo, ids[0], dir.path()).is_err());
}

#[test]
fn r15_directories_without_end_are_cut_off() {
    // A page names its children by hash: no cycle is possible, but depth is.
    let (repo, _) = forged(&[]);
    let session = WriteSession::begin(
        &repo,
        Arc::new(DedupIndex::new(Arc::default())),
        WriteOptions::default(),
    )
    .unwrap();
    let mut writer = session.writer().unwrap();
    let mut id = writer.put(Kind::Tree, &encode_leaf(&[])).unwrap().id;
    for _ in 0..4_200 {
        let node = Node::bare(b"d", NodeKind::Directory { tree: id }, 0o755, Time::default());
        id = writer.put(Kind::Tree, &encode_leaf(&[node])).unwrap().id;
    }
    writer.finish().unwrap();
    session.finish().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let figures = restore_tree(&repo, id, dir.path()).unwrap();
    assert_eq!(figures.failed.count, 1, "{:?}", figures.failed);
    assert_eq!(figures.entries.directories, 4_095);
    // The library that removes the temporary directory would need one descriptor a level.
    std::process::Command::new("rm").arg("-rf").arg(dir.path().join("d")).status().unwrap();
}

#[test]
fn f1_a_parent_page_that_lies_about_its_children_is_refused() {
    let leaf = |name: &[u8]| (Kind::Tree, encode_leaf(&[file(name, BlobId([1; 16]), 1)]));
    let (repo, ids) = forged(&[leaf(b"m"), leaf(b"n")]);
    let session = WriteSession::begin(
        &repo,
        Arc::new(DedupIndex::new(Arc::default())),
        WriteOptions::default(),
    )
    .unwrap();
    let mut writer = session.writer().unwrap();
    let children = [(b"a".to_vec(), ids[1]), (b"m".to_vec(), ids[0])];
    let id = writer.put(Kind::Tree, &encode_parent(&children)).unwrap().id;
    writer.finish().unwrap();
    session.finish().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let figures = restore_tree(&repo, id, dir.path()).unwrap();
    let failed: Vec<_> = figures.failed.first.iter().map(|item| &item.path[..]).collect();
    // The page that is not what its parent says, and the file of the other, whose blob is nowhere.
    assert_eq!(failed, ["/", "/m"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn f4_setuid_owners_and_devices_are_counted_exactly_and_restored_when_privileged() {
    let bench = Bench::new();
    let source = bench.source();
    for i in 0..3 {
        fs::write(source.join(format!("suid{i}")), b"#!").unwrap();
        let mode = fs::Permissions::from_mode(0o4755);
        fs::set_permissions(source.join(format!("suid{i}")), mode).unwrap();
    }
    fs::write(source.join("plain"), b"x").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();
    let root = fs::metadata(&source).unwrap().uid() == 0;
    if root {
        std::os::unix::fs::lchown(source.join("plain"), Some(1234), Some(4321)).unwrap();
        // cap_net_bind_service, as a version 2 capability.
        let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        support::set_attribute(&source.join("plain"), "security.capability", &capability);
        support::device(&source.join("null"), 1, 3);
    }
    settle();
    let mut before = facts(&source);
    bench.backup().succeeded();

    let report = bench.restore("latest", "/data", &bench.dir("plain"), RestoreOptions::default());
    let skipped = restored(&report).skipped;
    assert_eq!((skipped.setuid, skipped.sockets), (3, 1), "{skipped:?}");
    let expected = if root { (1, 1, 1) } else { (0, 0, 0) };
    assert_eq!((skipped.owners, skipped.capabilities, skipped.devices), expected, "{skipped:?}");
    assert_eq!(skipped.total(), 4 + expected.0 + expected.1 + expected.2);
    let mode = fs::metadata(bench.dir("plain").join("suid0")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert!(!bench.dir("plain").join("null").exists());
    if !root {
        return;
    }
    let privileged = RestoreOptions { privileged: true, ..Default::default() };
    let report = bench.restore("latest", "/data", &bench.dir("all"), privileged);
    assert_eq!(restored(&report).skipped.total(), 1, "sockets are never made");
    before.remove("socket");
    assert_eq!(facts(&bench.dir("all")), before);
}
