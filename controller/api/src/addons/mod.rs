//! The group `addons.kubestash.com`: how data is moved.

mod addon;
mod function;

pub use addon::{Addon, AddonSpec, Task, TaskExecutor, VolumeTemplate};
pub use function::{Function, FunctionSpec};
