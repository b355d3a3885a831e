//! Valid inputs of every parser: where a fuzzer begins, so that it gets past magic numbers and counts.

use std::sync::Arc;

use holdfast_executor::digest::{BlobId, ObjectHash, PackName};
use holdfast_executor::index::IndexObject;
use holdfast_executor::pack::PackRecord;
use holdfast_executor::repo::{InitOptions, Repo};
use holdfast_executor::slot::KdfCost;
use holdfast_executor::snapshot::{Root, Snapshot};
use holdfast_executor::store::{MemoryStore, Store};
use holdfast_executor::tree::{
    Attribute, Attributes, Content, Device, Node, NodeKind, Piece, Time, encode_leaf, encode_lists,
    encode_parent,
};

/// Target, name of the seed, its bytes.
pub type Seed = (&'static str, &'static str, Vec<u8>);

/// All of them, for all targets.
pub fn seeds() -> Result<Vec<Seed>, Box<dyn std::error::Error>> {
    let mut all = vec![
        ("block", "plain", [&[0, 11, 0, 0, 0, 2, 0, 5, 6][..], b"hello world"].concat()),
        // A frame of one block in which one byte stands for a hundred.
        ("block", "zstd", [&[1, 100, 0, 0, 0, 2, 0, 60, 40][..], FRAME].concat()),
        ("footer", "data", footer(1)),
        ("footer", "tree", footer(2)),
        ("footer", "list", footer(3)),
        ("index", "replaces", index(2, 1)),
        ("index", "packs", index(0, 3)),
        ("page", "every kind", encode_leaf(&nodes())),
        ("page", "empty", encode_leaf(&[])),
        ("page", "parent", encode_parent(&children())),
        ("list", "pieces", encode_lists(&pieces()).concat()),
        ("snapshot", "full", snapshot(&full())),
        ("snapshot", "bare", snapshot(&Snapshot::default())),
    ];
    all.extend(of_a_repository()?);
    Ok(all)
}

const FRAME: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0x20, 100, 0x23, 0x03, 0x00, b'a'];

fn footer(kind: u8) -> Vec<u8> {
    let blob = |id: u8, len: u8| [&[id; 16][..], &[len]].concat();
    let blocks = [&[70, 20, 2][..], &[60, 9, 1]].concat();
    let blobs = [blob(1, 12), blob(2, 8), blob(3, 9)].concat();
    [&[kind, 1, 0, 0, 0, 2][..], &blocks, &blobs].concat()
}

fn index(replaces: u8, packs: u8) -> Vec<u8> {
    let record = |n| PackRecord { name: PackName([n; 32]), size: 65_536, body: footer(1 + n % 3) };
    let object = IndexObject {
        replaces: (0..replaces).map(|n| ObjectHash([n; 32])).collect(),
        packs: (0..packs).map(record).collect(),
    };
    let mut out = Vec::new();
    object.encode(&mut out);
    out
}

fn pieces() -> Vec<Piece> {
    let chunk = |n: u8| Piece::Chunk { id: BlobId([n; 16]), len: 1 << (n % 20) };
    let mut pieces: Vec<_> = (1..6).map(chunk).collect();
    pieces.insert(2, Piece::Hole { len: 1 << 40 });
    pieces
}

fn children() -> Vec<(Vec<u8>, BlobId)> {
    let names = [("a", 1), ("ab", 2), ("b", 3)];
    names.map(|(name, id)| (name.as_bytes().to_vec(), BlobId([id; 16]))).to_vec()
}

fn nodes() -> Vec<Node> {
    let (id, device) = (BlobId([9; 16]), Device { major: 8, minor: 1 });
    let pieces = pieces();
    let size = pieces.iter().map(Piece::len).sum();
    let file = |size, content| NodeKind::File { size, content };
    let kinds = [
        file(0, Content::Pieces(Vec::new())),
        file(5, Content::Pieces(vec![Piece::Chunk { id, len: 5 }])),
        file(size, Content::Pieces(pieces)),
        file(1 << 50, Content::Lists(vec![id, id])),
        NodeKind::Directory { tree: id },
        NodeKind::Passage { tree: id },
        NodeKind::Symlink { target: b"../elsewhere".to_vec() },
        NodeKind::Fifo,
        NodeKind::Socket,
        NodeKind::CharDevice(device),
        NodeKind::BlockDevice(device),
    ];
    let at = Time { seconds: -5, nanos: 7 };
    let mut nodes: Vec<_> = (b'a'..)
        .zip(kinds)
        .map(|(letter, kind)| Node::bare(&[b'n', letter], kind, 0o640, at))
        .collect();
    nodes[1].link_group = Some(7);
    nodes[1].racy = true;
    let attribute = Attribute { name: b"user.a".to_vec(), value: vec![0, 255] };
    nodes[2].attributes = Attributes::Inline(vec![attribute]);
    nodes[3].attributes = Attributes::Blob(id);
    nodes
}

fn full() -> Snapshot {
    Snapshot {
        session: "session".to_owned(),
        component: "dump".to_owned(),
        host: "host".to_owned(),
        program: "0.1.0".to_owned(),
        partial: true,
        roots: vec![Root { path: b"/".to_vec(), tree: BlobId([3; 16]) }],
        tags: vec!["one".to_owned(), "two".to_owned()],
        selection: vec!["source /data".to_owned()],
        indexes: vec![ObjectHash([4; 32])],
        ..Snapshot::default()
    }
}

fn snapshot(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Vec::new();
    snapshot.encode(&mut out);
    out
}

/// A slot and a config as a new repository has them.
fn of_a_repository() -> Result<Vec<Seed>, Box<dyn std::error::Error>> {
    let store = Arc::new(MemoryStore::new());
    let options = InitOptions { label: "a label", now_ms: 5, cost: KdfCost::least() };
    Repo::at(store.clone()).init(b"passphrase", options)?;
    let slot = store.list("keys/")?.pop().ok_or("no slot was made")?;
    let (slot, config) = (store.get(&slot.key, 1 << 16)?, store.get("config", 1 << 16)?);
    Ok(vec![("slot", "first", slot), ("config", "first", config)])
}
