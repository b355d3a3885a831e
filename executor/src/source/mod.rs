//! What is read: directories through descriptors, standard input, and documents that exist only in memory.

mod attributes;
mod directory;
mod excludes;
mod file;
mod marker;
mod mounts;
mod plan;
mod select;
mod trust;

pub(crate) use attributes::{Found, read_attributes_at, read_attributes_of, sized};
pub(crate) use directory::{Names, bare_node, leave_no_trace, read_link, stat_entry, stat_time};
pub(crate) use excludes::Excludes;
pub(crate) use file::{
    Extent, OpenedFile, open_file, open_source, open_special, open_to_write, open_waiting,
};
pub use marker::{CACHE_MARKER, check_marker};
pub(crate) use marker::{Marker, has_marker, leave_markers};
pub(crate) use mounts::is_mounted;
pub(crate) use plan::{Children, Planned, SourceNumber, components, logical_of, plan};
pub use select::{Globs, Matcher};
pub(crate) use trust::Trust;
