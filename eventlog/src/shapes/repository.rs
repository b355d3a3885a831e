//! Repository.

use holdfast_engine::ids::{Key, TypedRef, Uid};
use holdfast_engine::outcome::Failure;
use holdfast_engine::storage::DeletionPolicy;
use holdfast_engine::time::Timestamp;

use super::shape::shapes;

shapes! { repository
    0x0901 1 Created { uid: Uid, key: Key, configuration: Uid, app: TypedRef, storage: Key, path: String, secret: Option<Key>, deletion: DeletionPolicy }
    0x0902 1 Updated { uid: Uid, secret: Option<Key>, deletion: DeletionPolicy }
    0x0903 1 Initialized { uid: Uid, id: Uid }
    0x0904 1 InitializationFailed { uid: Uid, failure: Failure, retry_at: Option<Timestamp> }
    0x0905 1 InitializationRequested { uid: Uid }
    0x0906 1 DeletionRequested { uid: Uid }
    0x0907 1 Deleted { uid: Uid, key: Key, storage: Key, wiped: bool, configuration: Uid }
}
