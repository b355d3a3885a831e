//! Bytes of the pages of a directory, in columns so that like stands beside like when they are compressed.

use std::collections::HashSet;

use crate::digest::BlobId;
use crate::error::Malformed;
use crate::tree::node::{Attributes, Content, Device, Node, NodeKind, Piece, Time, check_name};
use crate::tree::{
    ATTRIBUTES_IN_NODE_MAX_BYTES, LINK_TARGET_MAX_BYTES, LISTS_IN_NODE_MAX, NAME_MAX_BYTES,
    PAGE_MAX_ENTRIES, PIECES_IN_NODE_MAX,
};
use crate::wire::{Reader, Write};

const LEAF: u8 = 0;
const PARENT: u8 = 1;

const KIND_MASK: u8 = 0b0000_0111;
const RACY: u8 = 0b0000_1000;
const LINKED: u8 = 0b0001_0000;
const ATTRIBUTES_INLINE: u8 = 0b0010_0000;
const ATTRIBUTES_BLOB: u8 = 0b0100_0000;
const LISTED: u8 = 0b1000_0000;

/// A decoded page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Entries by ascending name.
    Leaf(Vec<Node>),
    /// First name and id of each page beneath, ascending.
    Parent(Vec<(Vec<u8>, BlobId)>),
}

/// Encodes entries that are sorted by name.
#[must_use]
pub fn encode_leaf(nodes: &[Node]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + nodes.len() * 48);
    out.u8(LEAF);
    out.varint(nodes.len() as u64);
    encode_names(&mut out, nodes.iter().map(|node| &node.name[..]));
    out.extend(nodes.iter().map(flags));
    for node in nodes {
        out.varint(u64::from(node.mode));
    }
    column(&mut out, nodes, |node| i64::from(node.uid));
    column(&mut out, nodes, |node| i64::from(node.gid));
    column(&mut out, nodes, |node| node.mtime.seconds);
    column(&mut out, nodes, |node| i64::from(node.mtime.nanos));
    column(&mut out, nodes, |node| node.ctime.seconds);
    column(&mut out, nodes, |node| i64::from(node.ctime.nanos));
    column(&mut out, nodes, |node| node.inode as i64);
    for node in nodes {
        if let Some(group) = node.link_group {
            out.u64(group);
        }
    }
    nodes.iter().for_each(|node| encode_kind(&mut out, &node.kind));
    for node in nodes {
        if let Attributes::Inline(list) = &node.attributes {
            out.text(&Attributes::encode(list));
        }
    }
    nodes.iter().for_each(|node| encode_ids(&mut out, node));
    out
}

/// Encodes the first names and ids of pages.
#[must_use]
pub fn encode_parent(children: &[(Vec<u8>, BlobId)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + children.len() * 32);
    out.u8(PARENT);
    out.varint(children.len() as u64);
    encode_names(&mut out, children.iter().map(|(name, _)| &name[..]));
    for (_, id) in children {
        out.bytes(&id.0);
    }
    out
}

fn encode_names<'a>(out: &mut Vec<u8>, names: impl Iterator<Item = &'a [u8]> + Clone) {
    let mut last: &[u8] = b"";
    for name in names.clone() {
        let shared = shared_prefix(last, name);
        out.varint(shared as u64);
        out.varint((name.len() - shared) as u64);
        last = name;
    }
    last = b"";
    for name in names {
        out.bytes(&name[shared_prefix(last, name)..]);
        last = name;
    }
}

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// Differences to the entry before, wrapping, with the sign in the lowest bit.
fn column(out: &mut Vec<u8>, nodes: &[Node], value: impl Fn(&Node) -> i64) {
    let mut last = 0i64;
    for node in nodes {
        let value = value(node);
        let difference = value.wrapping_sub(last);
        out.varint(((difference << 1) ^ (difference >> 63)) as u64);
        last = value;
    }
}

fn flags(node: &Node) -> u8 {
    let kind = match &node.kind {
        NodeKind::File { content: Content::Pieces(_), .. } => 0,
        NodeKind::File { content: Content::Lists(_), .. } => LISTED,
        NodeKind::Directory { .. } => 1,
        NodeKind::Symlink { .. } => 2,
        NodeKind::Fifo => 3,
        NodeKind::Socket => 4,
        NodeKind::CharDevice(_) => 5,
        NodeKind::BlockDevice(_) => 6,
        NodeKind::Passage { .. } => 7,
    };
    let attributes = match node.attributes {
        Attributes::None => 0,
        Attributes::Inline(_) => ATTRIBUTES_INLINE,
        Attributes::Blob(_) => ATTRIBUTES_BLOB,
    };
    kind | attributes
        | if node.racy { RACY } else { 0 }
        | if node.link_group.is_some() { LINKED } else { 0 }
}

fn encode_kind(out: &mut Vec<u8>, kind: &NodeKind) {
    match kind {
        NodeKind::File { size, content } => {
            out.varint(*size);
            match content {
                Content::Lists(ids) => out.varint(ids.len() as u64),
                Content::Pieces(pieces) => encode_shape(out, *size, pieces),
            }
        }
        NodeKind::Symlink { target } => out.text(target),
        NodeKind::CharDevice(device) | NodeKind::BlockDevice(device) => {
            out.varint(u64::from(device.major));
            out.varint(u64::from(device.minor));
        }
        NodeKind::Directory { .. }
        | NodeKind::Passage { .. }
        | NodeKind::Fifo
        | NodeKind::Socket => {}
    }
}

/// 0 is an empty file, 1 one chunk of the whole size, n + 1 that many lengths with a bit for holes.
fn encode_shape(out: &mut Vec<u8>, size: u64, pieces: &[Piece]) {
    match pieces {
        [] => out.varint(0),
        [Piece::Chunk { len, .. }] if *len == size => out.varint(1),
        _ => {
            out.varint(pieces.len() as u64 + 1);
            for piece in pieces {
                encode_piece(out, piece);
            }
        }
    }
}

pub(super) fn encode_piece(out: &mut Vec<u8>, piece: &Piece) {
    let hole = u64::from(matches!(piece, Piece::Hole { .. }));
    out.varint(piece.len() << 1 | hole);
}

fn encode_ids(out: &mut Vec<u8>, node: &Node) {
    match &node.kind {
        NodeKind::File { content: Content::Lists(ids), .. } => {
            ids.iter().for_each(|id| out.bytes(&id.0));
        }
        NodeKind::File { content: Content::Pieces(pieces), .. } => {
            for piece in pieces {
                if let Piece::Chunk { id, .. } = piece {
                    out.bytes(&id.0);
                }
            }
        }
        NodeKind::Directory { tree } | NodeKind::Passage { tree } => out.bytes(&tree.0),
        _ => {}
    }
    if let Attributes::Blob(id) = &node.attributes {
        out.bytes(&id.0);
    }
}

/// Reads a page that may come from anyone who knows the key of the repository.
///
/// # Errors
/// When a field is out of bounds, names are no single components or not strictly ascending, pieces do not add
/// up to the size, or bytes are left over.
pub fn decode_page(bytes: &[u8]) -> Result<Page, Malformed> {
    let mut reader = Reader::new(bytes);
    let page = match reader.u8("page form")? {
        LEAF => Page::Leaf(decode_leaf(&mut reader)?),
        PARENT => Page::Parent(decode_parent(&mut reader)?),
        _ => return Err(Malformed { field: "page form", reason: "is not known" }),
    };
    reader.end("page")?;
    Ok(page)
}

fn decode_parent(reader: &mut Reader<'_>) -> Result<Vec<(Vec<u8>, BlobId)>, Malformed> {
    let count = reader.count("page children", PAGE_MAX_ENTRIES, 2 + BlobId::LEN)?;
    if count < 2 {
        return Err(Malformed { field: "page children", reason: "are fewer than two" });
    }
    let names = decode_names(reader, count)?;
    // The names differ, so no page is at two of the places; and whoever walks a tree has a bound.
    let mut seen = HashSet::with_capacity(count);
    let mut child = |name| {
        let id = BlobId(reader.array("page child id")?);
        match seen.insert(id) {
            true => Ok((name, id)),
            false => Err(Malformed { field: "page child id", reason: "is there twice" }),
        }
    };
    names.into_iter().map(&mut child).collect()
}

fn decode_names(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Vec<u8>>, Malformed> {
    const FIELD: &str = "entry name";
    let mut lengths = Vec::with_capacity(count);
    for _ in 0..count {
        let shared = reader.bounded(FIELD, NAME_MAX_BYTES)?;
        lengths.push((shared, reader.bounded(FIELD, NAME_MAX_BYTES)?));
    }
    let mut names: Vec<Vec<u8>> = Vec::with_capacity(count);
    for (shared, own) in lengths {
        let last = names.last().map_or(&b""[..], |name| &name[..]);
        let Some(prefix) = last.get(..shared) else {
            return Err(Malformed { field: FIELD, reason: "shares more than there is" });
        };
        let mut name = Vec::with_capacity(shared + own);
        name.extend_from_slice(prefix);
        name.extend_from_slice(reader.bytes(FIELD, own)?);
        check_name(&name).map_err(|error| Malformed { field: FIELD, reason: error.0 })?;
        if !names.is_empty() && last >= &name[..] {
            return Err(Malformed { field: FIELD, reason: "is not in ascending order" });
        }
        if shared_prefix(last, &name) != shared {
            return Err(Malformed { field: FIELD, reason: "shares less than it could" });
        }
        names.push(name);
    }
    Ok(names)
}

fn decode_column(
    reader: &mut Reader<'_>,
    field: &'static str,
    n: usize,
) -> Result<Vec<i64>, Malformed> {
    let mut last = 0i64;
    let mut out = Vec::with_capacity(n);
    for _ in 0..n {
        let coded = reader.varint(field)?;
        let difference = (coded >> 1) as i64 ^ -((coded & 1) as i64);
        last = last.wrapping_add(difference);
        out.push(last);
    }
    Ok(out)
}

fn decode_u32s(
    reader: &mut Reader<'_>,
    field: &'static str,
    n: usize,
) -> Result<Vec<u32>, Malformed> {
    decode_column(reader, field, n)?
        .into_iter()
        .map(|v| u32::try_from(v).map_err(|_| Malformed { field, reason: "is out of range" }))
        .collect()
}

fn decode_times(
    reader: &mut Reader<'_>,
    field: &'static str,
    n: usize,
) -> Result<Vec<Time>, Malformed> {
    let seconds = decode_column(reader, field, n)?;
    let nanos = decode_u32s(reader, field, n)?;
    if nanos.iter().any(|nanos| *nanos >= 1_000_000_000) {
        return Err(Malformed { field, reason: "has more nanoseconds than a second" });
    }
    Ok(seconds.into_iter().zip(nanos).map(|(seconds, nanos)| Time { seconds, nanos }).collect())
}

fn decode_leaf(reader: &mut Reader<'_>) -> Result<Vec<Node>, Malformed> {
    // Twelve bytes are the least that one entry takes in its columns.
    let n = reader.count("page entries", PAGE_MAX_ENTRIES, 12)?;
    let names = decode_names(reader, n)?;
    let flags = reader.bytes("entry flags", n)?;
    let mut modes = Vec::with_capacity(n);
    for _ in 0..n {
        modes.push(reader.bounded("entry mode", 0o7777)? as u32);
    }
    let uids = decode_u32s(reader, "entry owner", n)?;
    let gids = decode_u32s(reader, "entry group", n)?;
    let mtimes = decode_times(reader, "entry mtime", n)?;
    let ctimes = decode_times(reader, "entry ctime", n)?;
    let inodes = decode_column(reader, "entry inode", n)?;
    let mut nodes = Vec::with_capacity(n);
    for (i, name) in names.into_iter().enumerate() {
        let link_group =
            if flags[i] & LINKED != 0 { Some(reader.u64("entry link group")?) } else { None };
        nodes.push(Node {
            name,
            kind: NodeKind::Fifo,
            mode: modes[i],
            uid: uids[i],
            gid: gids[i],
            mtime: mtimes[i],
            ctime: ctimes[i],
            inode: inodes[i] as u64,
            link_group,
            racy: flags[i] & RACY != 0,
            attributes: Attributes::None,
        });
    }
    for (node, flags) in nodes.iter_mut().zip(flags) {
        node.kind = decode_kind(reader, *flags)?;
    }
    for (node, flags) in nodes.iter_mut().zip(flags) {
        node.attributes = decode_attributes(reader, *flags)?;
    }
    for node in &mut nodes {
        decode_ids(reader, node)?;
    }
    Ok(nodes)
}

/// Everything of the kind but the ids, which are the last column.
fn decode_kind(reader: &mut Reader<'_>, flags: u8) -> Result<NodeKind, Malformed> {
    let kind = flags & KIND_MASK;
    if flags & LISTED != 0 && kind != 0 {
        return Err(Malformed { field: "entry flags", reason: "list chunks of what is no file" });
    }
    Ok(match kind {
        0 => {
            let size = reader.varint("file size")?;
            NodeKind::File { size, content: decode_shape(reader, size, flags & LISTED != 0)? }
        }
        1 => NodeKind::Directory { tree: BlobId([0; BlobId::LEN]) },
        7 => NodeKind::Passage { tree: BlobId([0; BlobId::LEN]) },
        2 => {
            let target = reader.text("link target", LINK_TARGET_MAX_BYTES)?.to_vec();
            if target.is_empty() || target.contains(&0) {
                return Err(Malformed { field: "link target", reason: "is empty or holds a NUL" });
            }
            NodeKind::Symlink { target }
        }
        3 => NodeKind::Fifo,
        4 => NodeKind::Socket,
        5 => NodeKind::CharDevice(decode_device(reader)?),
        _ => NodeKind::BlockDevice(decode_device(reader)?),
    })
}

fn decode_device(reader: &mut Reader<'_>) -> Result<Device, Malformed> {
    let major = reader.bounded("device number", u32::MAX as usize)? as u32;
    Ok(Device { major, minor: reader.bounded("device number", u32::MAX as usize)? as u32 })
}

fn decode_shape(reader: &mut Reader<'_>, size: u64, listed: bool) -> Result<Content, Malformed> {
    const FIELD: &str = "file pieces";
    const NO_ID: BlobId = BlobId([0; BlobId::LEN]);
    if listed {
        let count = reader.count(FIELD, LISTS_IN_NODE_MAX, BlobId::LEN)?;
        return Ok(Content::Lists(vec![NO_ID; count]));
    }
    let count = match reader.bounded(FIELD, PIECES_IN_NODE_MAX + 1)? {
        0 if size == 0 => return Ok(Content::Pieces(Vec::new())),
        1 if size > 0 => return Ok(Content::Pieces(vec![Piece::Chunk { id: NO_ID, len: size }])),
        0 | 1 => return Err(Malformed { field: FIELD, reason: "do not add up to the size" }),
        coded => coded - 1,
    };
    let mut pieces = Vec::with_capacity(count);
    for _ in 0..count {
        pieces.push(decode_piece(reader)?);
    }
    if total(&pieces) != Some(size) {
        return Err(Malformed { field: FIELD, reason: "do not add up to the size" });
    }
    if matches!(pieces[..], [Piece::Chunk { .. }]) {
        return Err(Malformed {
            field: FIELD,
            reason: "name the length of one chunk, which is the size",
        });
    }
    Ok(Content::Pieces(pieces))
}

/// The bytes that pieces cover; `None` when no file can be that large.
pub(super) fn total(pieces: &[Piece]) -> Option<u64> {
    pieces.iter().try_fold(0u64, |sum, piece| sum.checked_add(piece.len()))
}

pub(super) fn decode_piece(reader: &mut Reader<'_>) -> Result<Piece, Malformed> {
    let coded = reader.varint("piece length")?;
    let len = coded >> 1;
    if len == 0 {
        return Err(Malformed { field: "piece length", reason: "is zero" });
    }
    Ok(match coded & 1 {
        0 => Piece::Chunk { id: BlobId([0; BlobId::LEN]), len },
        _ => Piece::Hole { len },
    })
}

fn decode_attributes(reader: &mut Reader<'_>, flags: u8) -> Result<Attributes, Malformed> {
    match flags & (ATTRIBUTES_INLINE | ATTRIBUTES_BLOB) {
        0 => Ok(Attributes::None),
        ATTRIBUTES_INLINE => {
            let list = Attributes::decode(
                reader.text("inline attributes", ATTRIBUTES_IN_NODE_MAX_BYTES)?,
            )?;
            Ok(Attributes::Inline(list))
        }
        ATTRIBUTES_BLOB => Ok(Attributes::Blob(BlobId([0; BlobId::LEN]))),
        _ => Err(Malformed { field: "entry flags", reason: "keep attributes in two places" }),
    }
}

fn decode_ids(reader: &mut Reader<'_>, node: &mut Node) -> Result<(), Malformed> {
    match &mut node.kind {
        NodeKind::File { content: Content::Lists(ids), .. } => {
            for id in ids {
                *id = BlobId(reader.array("list id")?);
            }
        }
        NodeKind::File { content: Content::Pieces(pieces), .. } => {
            for piece in pieces {
                if let Piece::Chunk { id, .. } = piece {
                    *id = BlobId(reader.array("chunk id")?);
                }
            }
        }
        NodeKind::Directory { tree } | NodeKind::Passage { tree } => {
            *tree = BlobId(reader.array("tree id")?);
        }
        _ => {}
    }
    if let Attributes::Blob(id) = &mut node.attributes {
        *id = BlobId(reader.array("attributes id")?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::arbitrary::{file, nodes};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn leaves_go_both_ways(nodes in nodes(40)) {
            prop_assert_eq!(decode_page(&encode_leaf(&nodes)), Ok(Page::Leaf(nodes)));
        }

        #[test]
        fn what_is_accepted_is_what_we_write(nodes in nodes(6), at: usize, bit in 0..8u8) {
            let mut bytes = encode_leaf(&nodes);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            match decode_page(&bytes) {
                Ok(Page::Leaf(read)) => prop_assert_eq!(encode_leaf(&read), bytes),
                Ok(Page::Parent(read)) => prop_assert_eq!(encode_parent(&read), bytes),
                Err(_) => {}
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode_page(&bytes);
        }

        #[test]
        fn a_cut_page_is_refused(nodes in nodes(6), cut: usize) {
            let bytes = encode_leaf(&nodes);
            prop_assert!(decode_page(&bytes[..cut % bytes.len()]).is_err());
        }
    }

    #[test]
    fn one_chunk_has_one_spelling() {
        let one = encode_leaf(&[file(b"a", b"\x01", 5)]);
        let at = one.len() - BlobId::LEN - 1;
        assert_eq!(one[at], 1, "one chunk of the whole size");
        let spelt = [&one[..at], &[2, 5 << 1], &one[at + 1..]].concat();
        assert_eq!(decode_page(&spelt).unwrap_err().field, "file pieces");
    }

    /// The bytes of two entries, as `docs/format.md` explains them. They may never change.
    #[test]
    fn golden_leaf() {
        let mut a = file(b"alpha", b"\x01", 5);
        a.mtime = Time { seconds: 1_000, nanos: 7 };
        a.ctime = Time { seconds: 1_001, nanos: 8 };
        (a.uid, a.gid, a.inode, a.mode) = (1000, 100, 12, 0o644);
        let mut b = a.clone();
        b.name = b"alps".to_vec();
        b.kind = NodeKind::Symlink { target: b"alpha".to_vec() };
        (b.mode, b.inode, b.racy) = (0o777, 14, true);
        let hex: String = encode_leaf(&[a, b]).iter().map(|b| format!("{b:02x}")).collect();
        let golden = concat!(
            "00",
            "02", // leaf, two entries
            "0005",
            "0301",
            "616c706861",
            "73", // shared and own lengths; "alpha", "s"
            "00",
            "0a", // file; symlink and racy
            "a403",
            "ff03", // modes
            "d00f00",
            "c80100", // owners, groups
            "d00f00",
            "0e00", // mtime seconds, nanoseconds
            "d20f00",
            "1000", // ctime seconds, nanoseconds
            "1804", // inodes
            "0501",
            "05616c706861", // size and one chunk; target
            "01010101010101010101010101010101",
        );
        assert_eq!(hex, golden);
    }

    #[test]
    fn golden_parent() {
        let children = [(b"a".to_vec(), BlobId([1; 16])), (b"ab".to_vec(), BlobId([2; 16]))];
        let hex: String = encode_parent(&children).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, format!("010200010101{}{}{}", "6162", "01".repeat(16), "02".repeat(16)));
    }

    #[test]
    fn impossible_names_are_refused() {
        let long = vec![b'x'; 256];
        for bad in [&b""[..], b".", b"..", b"/x", b"a/b", b"a\0b", &long] {
            let bytes = encode_leaf(&[file(bad, b"\x01", 5)]);
            assert_eq!(decode_page(&bytes).unwrap_err().field, "entry name", "{bad:?}");
            let children = [(bad.to_vec(), BlobId([1; 16])), (b"zz".to_vec(), BlobId([1; 16]))];
            assert!(decode_page(&encode_parent(&children)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn s02_a_parent_page_names_no_page_twice() {
        let parent = |ids: [u8; 2]| {
            let [one, other] = ids.map(|id| BlobId([id; 16]));
            decode_page(&encode_parent(&[(b"a".to_vec(), one), (b"b".to_vec(), other)]))
        };
        assert!(parent([1, 2]).is_ok());
        assert_eq!(parent([1, 1]).unwrap_err().field, "page child id");
    }

    #[test]
    fn order_and_duplicates_are_refused() {
        let (a, b) = (file(b"a", b"\x01", 5), file(b"b", b"\x01", 5));
        assert!(decode_page(&encode_leaf(&[b.clone(), a.clone()])).is_err());
        assert!(decode_page(&encode_leaf(&[a.clone(), a.clone()])).is_err());
        assert!(decode_page(&encode_leaf(&[a, b])).is_ok());
    }

    #[test]
    fn pieces_must_add_up() {
        let mut node = file(b"a", b"\x01", 5);
        let chunk = |len| Piece::Chunk { id: BlobId([1; 16]), len };
        for pieces in [
            vec![chunk(4), Piece::Hole { len: 2 }],
            vec![chunk(u64::MAX >> 1), chunk(u64::MAX >> 1), chunk(7)],
            vec![chunk(4)],
        ] {
            node.kind = NodeKind::File { size: 5, content: Content::Pieces(pieces.clone()) };
            assert!(decode_page(&encode_leaf(&[node.clone()])).is_err(), "{pieces:?}");
        }
    }

    #[test]
    fn a_count_without_bytes_reserves_nothing() {
        let mut bytes = vec![LEAF];
        bytes.varint(PAGE_MAX_ENTRIES as u64);
        assert!(decode_page(&bytes).is_err());
    }
}
