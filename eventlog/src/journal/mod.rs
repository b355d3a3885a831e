//! The journal: preallocated segments of frames, and HEAD, which says how far they are acknowledged.
//!
//! ```text
//! HEAD ─────────────────────────────────────────┐
//! 0000000001.seg          0000000002.seg        v
//! ┌──────┬─────┬─────┐    ┌──────┬─────┬─────┬─────┬┄┄┄┄┄┄┄┐
//! │header│frame│frame│───>│header│frame│frame│frame│ zeros │
//! └──────┴─────┴─────┘    └──────┴─────┴─────┴─────┴┄┄┄┄┄┄┄┘
//! ```

#[cfg(test)]
mod bits;
pub(crate) mod directory;
pub(crate) mod head;
pub(crate) mod position;
pub(crate) mod scan;
pub(crate) mod segment;
pub(crate) mod source;
pub(crate) mod writer;

pub use position::Position;
