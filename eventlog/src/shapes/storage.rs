//! BackupStorage.

use holdfast_engine::ids::{Hash, Key, Uid};
use holdfast_engine::storage::Spec;
use holdfast_engine::time::Timestamp;

use super::shape::shapes;

shapes! { storage
    0x0401 1 Declared { uid: Uid, key: Key, generation: u64, hash: Hash, spec: Spec }
    0x0402 1 BackendInitialized { uid: Uid }
    0x0403 1 BackendInitializationFailed { uid: Uid, message: String, retry_at: Option<Timestamp> }
    0x0404 1 DeletionRequested { uid: Uid }
    0x0406 1 InitializationRequested { uid: Uid }
    0x0405 1 Deleted { uid: Uid, key: Key, wiped: bool }
}
