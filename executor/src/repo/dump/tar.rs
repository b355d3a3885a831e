//! Headers of archives, by the `tar` crate. What has no place in a classic header, fractions of seconds and
//! extended attributes, stands in records before it, as POSIX has them.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tar::{Builder, EntryType, Header};

use super::acl;
use crate::sink::{ACCESS_LIST, DEFAULT_LIST, without_list};
use crate::tree::{Attribute, Node, NodeKind, Time};

/// Content is filled up to a multiple of this.
const BLOCK: u64 = 512;

/// All that stands before the content of an entry.
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    /// Attributes whose names no record can hold.
    pub(super) skipped: u64,
}

/// The header of an entry; with `link` that of another name of a file that was written already.
///
/// # Errors
/// When an archive cannot hold the name.
pub(super) fn head(
    name: &[u8],
    node: &Node,
    attributes: &[Attribute],
    link: Option<&[u8]>,
) -> io::Result<Head> {
    let mut archive = Builder::new(Vec::new());
    let (records, skipped) = records(node, attributes);
    archive.append_pax_extensions(records.iter().map(|(key, value)| (&key[..], &value[..])))?;
    let mut header = Header::new_gnu();
    header.set_mode(mode_of(node, attributes));
    header.set_uid(node.uid.into());
    header.set_gid(node.gid.into());
    header.set_mtime(node.mtime.seconds.try_into().unwrap_or(0));
    header.set_size(0);
    let mut name = name.to_vec();
    let target = match (&node.kind, link) {
        (_, Some(first)) => {
            header.set_entry_type(EntryType::Link);
            Some(first)
        }
        (NodeKind::Symlink { target }, None) => {
            header.set_entry_type(EntryType::Symlink);
            Some(&target[..])
        }
        (kind, None) => {
            header.set_entry_type(entry_type(kind));
            None
        }
    };
    match &node.kind {
        NodeKind::File { size, .. } if link.is_none() => header.set_size(*size),
        NodeKind::Directory { .. } | NodeKind::Passage { .. } => name.push(b'/'),
        NodeKind::CharDevice(device) | NodeKind::BlockDevice(device) => {
            header.set_device_major(device.major)?;
            header.set_device_minor(device.minor)?;
        }
        _ => {}
    }
    let path = |bytes| Path::new(OsStr::from_bytes(bytes));
    match target {
        Some(target) => archive.append_link(&mut header, path(&name), path(target))?,
        None => archive.append_data(&mut header, path(&name), io::empty())?,
    }
    let bytes = std::mem::take(archive.get_mut());
    Ok(Head { bytes, skipped })
}

/// Ends an archive.
///
/// # Errors
/// When `out` takes no more.
pub(super) fn end(out: &mut dyn Write) -> io::Result<()> {
    Builder::new(out).finish()
}

/// Bytes that fill the last block of a content.
pub(super) fn padding(size: u64) -> usize {
    (size.next_multiple_of(BLOCK) - size) as usize
}

fn entry_type(kind: &NodeKind) -> EntryType {
    match kind {
        NodeKind::Directory { .. } | NodeKind::Passage { .. } => EntryType::Directory,
        NodeKind::CharDevice(_) => EntryType::Char,
        NodeKind::BlockDevice(_) => EntryType::Block,
        NodeKind::Fifo | NodeKind::Socket => EntryType::Fifo,
        NodeKind::Symlink { .. } => EntryType::Symlink,
        NodeKind::File { .. } => EntryType::Regular,
    }
}

/// What the classic header cannot say, and how many attributes have names that no record can hold.
fn records(node: &Node, attributes: &[Attribute]) -> (Vec<(String, Vec<u8>)>, u64) {
    let mut records = Vec::new();
    if node.mtime.seconds < 0 || node.mtime.nanos != 0 {
        records.push(("mtime".to_owned(), decimal(node.mtime).into_bytes()));
    }
    let mut skipped = 0;
    for attribute in attributes {
        if let Some((key, words)) = list_of(attribute) {
            records.push((key.to_owned(), words.into_bytes()));
            continue;
        }
        match std::str::from_utf8(&attribute.name) {
            Ok(name) if !name.contains('=') => {
                records.push((format!("SCHILY.xattr.{name}"), attribute.value.clone()));
            }
            _ => skipped += 1,
        }
    }
    (records, skipped)
}

/// An access list in words, under the name that archives have for it.
fn list_of(attribute: &Attribute) -> Option<(&'static str, String)> {
    let key = match &attribute.name[..] {
        ACCESS_LIST => "SCHILY.acl.access",
        DEFAULT_LIST => "SCHILY.acl.default",
        _ => return None,
    };
    Some((key, acl::words(&attribute.value)?))
}

/// The mode for whoever unpacks without access lists: the bits of the group are what the list gives the owning group,
/// and not the most that anybody named in it has.
fn mode_of(node: &Node, attributes: &[Attribute]) -> u32 {
    let list = attributes.iter().find(|attribute| attribute.name == ACCESS_LIST);
    list.map_or(node.mode, |list| without_list(node.mode, &list.value))
}

/// Seconds with a fraction; before 1970 both are negative together.
fn decimal(time: Time) -> String {
    let nanos = time.as_nanos();
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, rest) =
        (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    format!("{sign}{seconds}.{rest:09}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_fractions() {
        let table =
            [(0, 1, "0.000000001"), (-5, 123_456_789, "-4.876543211"), (-1, 0, "-1.000000000")];
        for (seconds, nanos, text) in table {
            assert_eq!(decimal(Time { seconds, nanos }), text);
        }
    }

    #[test]
    fn an_entry_has_a_header_and_more_only_where_it_must() {
        let at = Time { seconds: 1_700_000_000, nanos: 0 };
        let kind = NodeKind::Symlink { target: b"to".to_vec() };
        let node = Node::bare(b"link", kind, 0o777, at);
        assert_eq!(head(b"link", &node, &[], None).unwrap().bytes.len() as u64, BLOCK);
        let late = Node { mtime: Time { nanos: 1, ..at }, ..node };
        assert_eq!(head(b"link", &late, &[], None).unwrap().bytes.len() as u64, 3 * BLOCK);
    }

    #[test]
    fn an_attribute_that_no_record_holds_is_counted() {
        let node = Node::bare(b"f", NodeKind::Fifo, 0o600, Time::default());
        let attribute = |name: &[u8]| Attribute { name: name.to_vec(), value: b"v".to_vec() };
        let all = [attribute(b"user.a"), attribute(b"user.a=b"), attribute(b"user.\xff")];
        assert_eq!(head(b"f", &node, &all, None).unwrap().skipped, 2);
    }

    #[test]
    fn content_is_filled_up() {
        assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
    }
}
