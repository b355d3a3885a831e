//! What is read: directories through descriptors, standard input, and documents that exist only in memory.

mod attributes;
mod directory;
mod file;
mod marker;
mod plan;
mod select;

pub(crate) use attributes::{read_attributes_at, read_attributes_of};
pub(crate) use directory::{Names, bare_node, read_link, stat_entry, stat_time};
pub(crate) use file::{Extent, OpenedFile, open_file};
pub use marker::{CACHE_MARKER, check_marker};
pub(crate) use marker::{Marker, has_marker, leave_markers};
pub(crate) use plan::{Planned, SourceNumber, components, plan};
pub use select::{Globs, Matcher};
