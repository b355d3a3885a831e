//! Names of a session's conditions.

use crate::condition::Type;

/// Names of a session's conditions, and what one of them says.
pub(crate) struct Words {
    /// Every component has a worker.
    pub executor: Type,
    /// Hooks before the work.
    pub before: Type,
    /// Hooks after the work.
    pub after: Type,
    /// What DeadlineExceeded says.
    pub late: &'static str,
}
