//! From sorted entries to the id of a directory.

use crate::digest::{BlobId, Kind};
use crate::error::Result;
use crate::tree::node::Node;
use crate::tree::page::{encode_leaf, encode_parent};
use crate::tree::{PAGE_END_BITS, PAGE_MAX_ENTRIES, PAGE_TARGET_BYTES};

/// Takes blobs, and hashes names for the page ends.
pub trait Blobs {
    /// Stores the blob unless it is there, and names it.
    ///
    /// # Errors
    /// Whatever the store says; the session is over then.
    fn put(&mut self, kind: Kind, bytes: Vec<u8>) -> Result<BlobId>;

    /// Whether the keyed hash of a name ends a page, so that nobody without the key can choose page ends.
    fn ends_page(&self, name: &[u8]) -> bool;
}

/// Bytes that an entry takes at most besides its name and what the estimate below counts.
const ENTRY_OVERHEAD_BYTES: usize = 48;

/// A page as its parent page names it: its first name, and its blob.
pub type Child = (Vec<u8>, BlobId);

/// Encodes a directory and returns the id of its only or topmost page. `nodes` are sorted by name.
///
/// # Errors
/// What [`Blobs::put`] says.
pub fn encode_directory(nodes: &[Node], blobs: &mut impl Blobs) -> Result<BlobId> {
    encode_top(encode_leaves(nodes, blobs)?, blobs)
}

/// Encodes sorted entries as leaf pages; those of a directory may come in several parts if every part but
/// the last ends with a name that ends a page.
///
/// # Errors
/// What [`Blobs::put`] says.
pub fn encode_leaves(nodes: &[Node], blobs: &mut impl Blobs) -> Result<Vec<Child>> {
    let mut leaves = Vec::new();
    let mut start = 0;
    let mut weight = 0;
    for (i, node) in nodes.iter().enumerate() {
        weight += entry_weight(node);
        let full = weight >= PAGE_TARGET_BYTES || i + 1 - start == PAGE_MAX_ENTRIES;
        if full || i + 1 == nodes.len() || blobs.ends_page(&node.name) {
            let id = blobs.put(Kind::Tree, encode_leaf(&nodes[start..=i]))?;
            leaves.push((nodes[start].name.clone(), id));
            start = i + 1;
            weight = 0;
        }
    }
    Ok(leaves)
}

/// The only or topmost page over all leaf pages of a directory.
///
/// # Errors
/// What [`Blobs::put`] says.
pub fn encode_top(mut level: Vec<Child>, blobs: &mut impl Blobs) -> Result<BlobId> {
    while level.len() > 1 {
        level = encode_parents(&level, blobs)?;
    }
    match level.first() {
        Some((_, id)) => Ok(*id),
        None => blobs.put(Kind::Tree, encode_leaf(&[])),
    }
}

fn encode_parents(level: &[Child], blobs: &mut impl Blobs) -> Result<Vec<Child>> {
    let mut out: Vec<Child> = Vec::new();
    let mut start = 0;
    let mut weight = 0;
    for (i, (name, id)) in level.iter().enumerate() {
        weight += name.len() + BlobId::LEN + 2;
        let last = i + 1 == level.len();
        // A page of one child would add a level and save nothing.
        let long_enough = i > start && level.len() - (i + 1) != 1;
        let full = weight >= PAGE_TARGET_BYTES || i + 1 - start == PAGE_MAX_ENTRIES;
        if last || long_enough && (full || ends_parent(id)) {
            let id = blobs.put(Kind::Tree, encode_parent(&level[start..=i]))?;
            out.push((level[start].0.clone(), id));
            start = i + 1;
            weight = 0;
        }
    }
    Ok(out)
}

/// Ids are keyed hashes: the low bits of the last child's say where a parent page ends.
fn ends_parent(id: &BlobId) -> bool {
    u32::from_le_bytes([id.0[0], id.0[1], id.0[2], id.0[3]]).trailing_zeros() >= PAGE_END_BITS
}

/// A bound of what the entry adds to a page: a function of the entry alone, and cheap.
fn entry_weight(node: &Node) -> usize {
    use crate::tree::node::{Attributes, Content, NodeKind};
    let kind = match &node.kind {
        NodeKind::File { content: Content::Pieces(pieces), .. } => pieces.len() * 22,
        NodeKind::File { content: Content::Lists(ids), .. } => ids.len() * BlobId::LEN,
        NodeKind::Symlink { target } => target.len(),
        _ => BlobId::LEN,
    };
    let attributes = match &node.attributes {
        Attributes::Inline(list) => list.iter().map(|a| a.name.len() + a.value.len() + 4).sum(),
        Attributes::Blob(_) => BlobId::LEN,
        Attributes::None => 0,
    };
    node.name.len() + ENTRY_OVERHEAD_BYTES + kind + attributes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::arbitrary::{Memory, file, nodes};
    use crate::tree::{find, read_directory};
    use proptest::prelude::*;

    fn many(n: usize) -> Vec<Node> {
        (0..n).map(|i| file(format!("name-{i:07}").as_bytes(), &i.to_le_bytes(), 5)).collect()
    }

    proptest! {
        #[test]
        fn directories_go_both_ways(nodes in nodes(60)) {
            let mut memory = Memory::default();
            let id = encode_directory(&nodes, &mut memory).unwrap();
            prop_assert_eq!(read_directory(&memory, &id).unwrap(), nodes);
        }
    }

    #[test]
    fn an_empty_directory_is_one_page() {
        let mut memory = Memory::default();
        let id = encode_directory(&[], &mut memory).unwrap();
        assert_eq!(memory.len(), 1);
        assert_eq!(read_directory(&memory, &id).unwrap(), []);
        assert_eq!(find(&memory, &id, b"x").unwrap(), None);
    }

    #[test]
    fn one_change_among_many_names_rewrites_one_page_and_its_parents() {
        let mut memory = Memory::default();
        let mut nodes = many(200_000);
        let id = encode_directory(&nodes, &mut memory).unwrap();
        assert_eq!(read_directory(&memory, &id).unwrap(), nodes);
        let pages = memory.len();
        assert!((200..1_000).contains(&pages), "{pages} pages");
        nodes[123_456].mtime.seconds += 1;
        nodes.insert(77_777, file(b"name-0077776x", b"\x09", 5));
        let id = encode_directory(&nodes, &mut memory).unwrap();
        assert_eq!(read_directory(&memory, &id).unwrap(), nodes);
        assert!(memory.len() - pages <= 2 + 2 * 2 + 1, "{} new pages", memory.len() - pages);
    }

    #[test]
    fn one_name_is_found_through_few_pages() {
        let mut memory = Memory::default();
        let nodes = many(20_000);
        let id = encode_directory(&nodes, &mut memory).unwrap();
        memory.forget_reads();
        for i in [0, 1, 511, 9_999, 19_999] {
            assert_eq!(find(&memory, &id, &nodes[i].name).unwrap().as_ref(), Some(&nodes[i]));
        }
        assert!(memory.reads() <= 5 * 3, "{} reads", memory.reads());
        assert_eq!(find(&memory, &id, b"name-00").unwrap(), None);
        assert_eq!(find(&memory, &id, b"zzz").unwrap(), None);
    }

    #[test]
    fn pages_that_do_not_fit_their_place_are_refused() {
        let mut memory = Memory::default();
        let leaf = |memory: &mut Memory, names: &[&[u8]]| {
            let nodes: Vec<_> = names.iter().map(|name| file(name, b"\x01", 5)).collect();
            memory.put(Kind::Tree, encode_leaf(&nodes)).unwrap()
        };
        let ab = leaf(&mut memory, &[b"a", b"b"]);
        let bc = leaf(&mut memory, &[b"b", b"c"]);
        for children in [
            vec![(b"a".to_vec(), ab), (b"b".to_vec(), bc)], // b twice
            vec![(b"a".to_vec(), ab), (b"c".to_vec(), bc)], // begins otherwise
        ] {
            let id = memory.put(Kind::Tree, encode_parent(&children)).unwrap();
            assert!(read_directory(&memory, &id).is_err());
        }
    }

    #[test]
    fn parents_on_parents_without_end_are_refused() {
        let mut memory = Memory::default();
        let nodes = [file(b"a", b"\x01", 5)];
        let z = memory.put(Kind::Tree, encode_leaf(&[file(b"z", b"\x01", 5)])).unwrap();
        let mut id = memory.put(Kind::Tree, encode_leaf(&nodes)).unwrap();
        for _ in 0..=crate::tree::PAGE_LEVELS_MAX {
            let children = [(b"a".to_vec(), id), (b"z".to_vec(), z)];
            id = memory.put(Kind::Tree, encode_parent(&children)).unwrap();
        }
        assert!(read_directory(&memory, &id).is_err());
        assert!(find(&memory, &id, b"a").is_err());
    }
}
