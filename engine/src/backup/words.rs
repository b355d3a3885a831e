//! What conditions of a backup session are called.

use crate::condition::Type;
use crate::run::words::Words;

/// Names of a BackupSession's conditions.
pub(crate) const WORDS: Words = Words {
    executor: Type::BackupExecutorEnsured,
    before: Type::PreBackupHooksExecutionSucceeded,
    after: Type::PostBackupHooksExecutionSucceeded,
    late: "The session did not end in time.",
};
