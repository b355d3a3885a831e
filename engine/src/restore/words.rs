//! What conditions of a restore are called.

use crate::condition::Type;
use crate::run::words::Words;

/// Names of a RestoreSession's conditions.
pub(crate) const WORDS: Words = Words {
    executor: Type::RestoreExecutorEnsured,
    before: Type::PreRestoreHooksExecutionSucceeded,
    after: Type::PostRestoreHooksExecutionSucceeded,
    late: "The restore did not end in time.",
};
