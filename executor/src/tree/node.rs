//! One entry of a directory.

use crate::digest::BlobId;
use crate::error::Malformed;
use crate::tree::{
    ATTRIBUTE_VALUE_MAX_BYTES, ATTRIBUTES_MAX, ATTRIBUTES_MAX_BYTES, NAME_MAX_BYTES,
};
use crate::wire::{Reader, Write};

/// An instant as file systems keep it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds within the second, below 10^9.
    pub nanos: u32,
}

impl Time {
    /// Nanoseconds since 1970.
    #[must_use]
    pub fn as_nanos(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

/// Numbers of a device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Selects the driver.
    pub major: u32,
    /// Selects the device of the driver.
    pub minor: u32,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of a data blob.
    Chunk {
        /// The blob.
        id: BlobId,
        /// Its length in bytes.
        len: u64,
    },
    /// A hole: zeros that take no space.
    Hole {
        /// Its length in bytes.
        len: u64,
    },
}

impl Piece {
    /// Bytes of the file that it covers.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Chunk { len, .. } | Self::Hole { len } => *len,
        }
    }

    /// Never: an empty piece is refused by the parsers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a regular file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Its pieces in order.
    Pieces(Vec<Piece>),
    /// The list blobs that hold its pieces in order.
    Lists(Vec<BlobId>),
}

/// One extended attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    /// Full name, such as `user.comment`.
    pub name: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
}

/// The extended attributes of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Attributes {
    /// It has none.
    #[default]
    None,
    /// Sorted by name.
    Inline(Vec<Attribute>),
    /// They are in a data blob, encoded as [`Attributes::encode`] does.
    Blob(BlobId),
}

impl Attributes {
    /// The bytes of a sorted list of attributes.
    #[must_use]
    pub fn encode(list: &[Attribute]) -> Vec<u8> {
        let mut out = Vec::new();
        out.varint(list.len() as u64);
        for attribute in list {
            out.text(&attribute.name);
            out.text(&attribute.value);
        }
        out
    }

    /// Reads what [`Attributes::encode`] wrote.
    ///
    /// # Errors
    /// When a bound is passed, the names are not strictly ascending, or bytes are left over.
    pub fn decode(bytes: &[u8]) -> Result<Vec<Attribute>, Malformed> {
        const FIELD: &str = "attributes";
        let bad = |reason| Malformed { field: FIELD, reason };
        if bytes.len() > ATTRIBUTES_MAX_BYTES {
            return Err(bad("are too large"));
        }
        let mut reader = Reader::new(bytes);
        let count = reader.count(FIELD, ATTRIBUTES_MAX, 2)?;
        let mut list: Vec<Attribute> = Vec::with_capacity(count);
        for _ in 0..count {
            let name = reader.text(FIELD, NAME_MAX_BYTES)?.to_vec();
            let value = reader.text(FIELD, ATTRIBUTE_VALUE_MAX_BYTES)?.to_vec();
            if name.is_empty() || name.contains(&0) {
                return Err(bad("have an impossible name"));
            }
            if list.last().is_some_and(|last| last.name >= name) {
                return Err(bad("are not in ascending order"));
            }
            list.push(Attribute { name, value });
        }
        reader.end(FIELD)?;
        Ok(list)
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File {
        /// Bytes that it holds.
        size: u64,
        /// Where they are.
        content: Content,
    },
    /// A directory that was read.
    Directory {
        /// Its only or topmost page.
        tree: BlobId,
    },
    /// A directory that only leads to a source: it has no metadata that means anything.
    Passage {
        /// Its only or topmost page.
        tree: BlobId,
    },
    /// A symbolic link.
    Symlink {
        /// What it says, not interpreted.
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice(Device),
    /// A block device.
    BlockDevice(Device),
}

impl NodeKind {
    /// The page to read for a directory of either form.
    #[must_use]
    pub fn tree(&self) -> Option<BlobId> {
        match self {
            Self::Directory { tree } | Self::Passage { tree } => Some(*tree),
            _ => None,
        }
    }
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// One path component: see [`check_name`].
    pub name: Vec<u8>,
    /// What it is.
    pub kind: NodeKind,
    /// Permission bits with setuid, setgid and sticky: the low twelve of `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of the content.
    pub mtime: Time,
    /// Last change of the inode; for comparison only.
    pub ctime: Time,
    /// Inode number; for comparison only.
    pub inode: u64,
    /// Group of hard links that it belongs to.
    pub link_group: Option<u64>,
    /// It changed so shortly before it was read that a later change may not show: it is read again next time.
    pub racy: bool,
    /// Extended attributes.
    pub attributes: Attributes,
}

impl Node {
    /// A node without metadata: what leads to a source, or comes from no file system.
    #[must_use]
    pub fn bare(name: &[u8], kind: NodeKind, mode: u32, at: Time) -> Self {
        Self {
            name: name.to_vec(),
            kind,
            mode,
            uid: 0,
            gid: 0,
            mtime: at,
            ctime: at,
            inode: 0,
            link_group: None,
            racy: false,
            attributes: Attributes::None,
        }
    }
}

/// A name that cannot be one path component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("name {0}")]
pub struct NameError(pub &'static str);

/// Accepts what can be one path component: not empty, not `.` or `..`, no slash, no NUL, at most 255 bytes.
///
/// # Errors
/// Says which rule is broken.
pub fn check_name(name: &[u8]) -> Result<(), NameError> {
    match name {
        b"" => Err(NameError("is empty")),
        b"." | b".." => Err(NameError("is a dot name")),
        _ if name.len() > NAME_MAX_BYTES => Err(NameError("is longer than 255 bytes")),
        _ if name.contains(&b'/') => Err(NameError("holds a slash")),
        _ if name.contains(&0) => Err(NameError("holds a NUL")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_single_components() {
        let long = [b'x'; 256];
        for bad in [&b""[..], b".", b"..", b"/", b"/x", b"a/b", b"a\0", &long] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        for good in [&b"..."[..], b"CON", b"a.", b"\xff\xfe", b"a\nb", b" ", &long[..255]] {
            assert_eq!(check_name(good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn attributes_go_both_ways_and_are_strict() {
        let a = Attribute { name: b"user.a".to_vec(), value: vec![0, 1] };
        let b = Attribute { name: b"user.b".to_vec(), value: vec![] };
        let bytes = Attributes::encode(&[a.clone(), b.clone()]);
        assert_eq!(Attributes::decode(&bytes), Ok(vec![a.clone(), b.clone()]));
        assert!(Attributes::decode(&Attributes::encode(&[b.clone(), a.clone()])).is_err());
        assert!(Attributes::decode(&Attributes::encode(&[a.clone(), a])).is_err());
        for cut in 0..bytes.len() {
            assert!(Attributes::decode(&bytes[..cut]).is_err(), "{cut}");
        }
    }
}
