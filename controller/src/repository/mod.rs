//! What the verbs of `holdfast repo` share, beside their arguments: how values are read, where passwords come
//! from, who watches a job, and what to do about a failure.

mod advice;
mod instant;
mod misuse;
mod password;
mod size;
mod sources;
mod values;
mod watch;

pub use advice::advice;
pub use instant::Instant;
pub use misuse::Misuse;
pub use password::Sources;
pub use size::Size;
pub use sources::{globs, paths, source};
pub use values::{choosing_tags, glob, label, marker, repository_id, stream_name, tags, url};
pub use watch::{Heard, Watch};
