//! Directories as blobs: sorted runs of columnar pages.
//!
//! A directory is one leaf page, or a parent page over several. Where a page ends is decided by the keyed
//! hash of its last name, so that one change among 200,000 names rewrites one page and its parents; the bytes
//! are a function of the entries and of nothing else. `docs/format.md`, "Trees", has every byte.

#[cfg(test)]
pub(crate) mod arbitrary;
mod builder;
mod differing;
mod leaves;
mod list;
mod node;
mod page;
mod reader;

pub use builder::{Blobs, Child, encode_directory, encode_leaves, encode_top};
pub use differing::read_differing;
pub(crate) use leaves::beneath;
pub use leaves::{Leaf, Leaves};
pub use list::{decode_list, encode_lists};
pub use node::{
    Attribute, Attributes, Content, Device, NameError, Node, NodeKind, Piece, Time, check_name,
};
pub use page::{Page, decode_page, encode_leaf, encode_parent};
pub use reader::{Fetch, Pieces, find, read_directory};

/// Longest name of an entry, as Linux has it.
pub const NAME_MAX_BYTES: usize = 255;

/// Longest target of a symbolic link, as Linux has it.
pub const LINK_TARGET_MAX_BYTES: usize = 4_096;

/// Most directories one inside the other: a hostile tree must not exhaust the stack of whoever restores it.
pub const DEPTH_MAX: usize = 4_096;

/// Most entries that a page may hold. A page ends at the 512th name on average.
pub const PAGE_MAX_ENTRIES: usize = 65_536;

/// A page ends after the entry with which it reaches this, whatever the hash says.
pub const PAGE_TARGET_BYTES: usize = 256 * 1024;

/// Bits of the hash of a name that end a page when they are zero: 512 entries a page on average.
pub const PAGE_END_BITS: u32 = 9;

/// Levels of parent pages above the leaves. Three hold a directory of 10^8 names.
pub const PAGE_LEVELS_MAX: usize = 6;

/// Files with more pieces keep them in list blobs.
pub const PIECES_IN_NODE_MAX: usize = 32;

/// Most pieces of one list blob.
pub const PIECES_IN_LIST_MAX: usize = 16_384;

/// Bits of a chunk's id that end a list when they are zero: 4,096 pieces a list on average.
pub const LIST_END_BITS: u32 = 12;

/// Most list blobs of one file: 10^8 chunks.
pub const LISTS_IN_NODE_MAX: usize = 65_536;

/// Pieces that a file may have whatever its size: a writer cuts where a file system says that a hole begins.
pub const PIECES_OF_ANY_SIZE_MAX: u64 = 1 << 20;

/// Least bytes that the pieces of a file with more of them cover on average. No file system has holes that small,
/// and without a bound two kilobytes of a repository would stand for a billion writes.
pub const PIECE_MEAN_MIN_BYTES: u64 = 16;

/// Attributes that are together larger than this move to a blob of their own.
pub const ATTRIBUTES_IN_NODE_MAX_BYTES: usize = 1_024;

/// Largest value of one attribute, as Linux has it.
pub const ATTRIBUTE_VALUE_MAX_BYTES: usize = 65_536;

/// Most attributes of one entry: what fits into a blob of attributes at the smallest.
pub const ATTRIBUTES_MAX: usize = 65_536;

/// Most bytes that the attributes of one entry take together.
pub const ATTRIBUTES_MAX_BYTES: usize = 8 * 1024 * 1024;
