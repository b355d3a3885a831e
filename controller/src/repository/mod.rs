//! What the verbs of `holdfast repo` share, beside their arguments: how values are read, where passwords come
//! from, who watches a job, and what to do about a failure.

mod advice;
mod instant;
mod lists;
mod misuse;
mod password;
mod size;
mod sources;
mod subset;
mod values;
mod watch;

pub use advice::advice;
pub use instant::Instant;
pub use lists::{globs, lines, paths, records};
pub use misuse::Misuse;
pub use password::Sources;
pub use size::Size;
pub use sources::{command, sources};
pub use subset::Subset;
pub use values::{
    choosing_tags, exclude_glob, glob, label, marker, place, repository_id, stream_name, tags,
};
pub use watch::{Heard, Watch};
