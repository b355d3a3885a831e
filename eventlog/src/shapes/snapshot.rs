//! Snapshot.

use holdfast_engine::dependency::Driver;
use holdfast_engine::ids::{Key, TypedRef, Uid};
use holdfast_engine::outcome::Outcome;
use holdfast_engine::report::{Grade, PathResult};
use holdfast_engine::storage::DeletionPolicy;
use holdfast_engine::time::{Millis, Timestamp};

use super::shape::shapes;

shapes! { snapshot
    0x0B01 1 Created { uid: Uid, key: Key, repository: Uid, backup: Uid, session: String, app: TypedRef, deletion: DeletionPolicy }
    0x0B02 1 Adopted { uid: Uid, key: Key, repository: Uid, session: String, app: TypedRef, taken: Timestamp }
    0x0B03 1 ListUpdated { uid: Uid }
    0x0B04 1 ComponentsCounted { uid: Uid, total: u32 }
    0x0B05 1 ComponentStarted { uid: Uid, component: String, path: String, driver: Driver }
    0x0B06 1 PathRecorded { uid: Uid, component: String, result: PathResult }
    0x0B07 1 ComponentEnded { uid: Uid, component: String, outcome: Outcome, commit: String, partial: bool, source_empty: bool, grade: Grade, size: u64, duration: Millis }
    0x0B08 1 Incomplete { uid: Uid, message: String }
    0x0B09 1 MetadataUploaded { uid: Uid, outcome: Outcome }
    0x0B0A 1 RemovalRequested { uid: Uid, by: Option<Uid>, wipe: bool }
    0x0B0B 1 RemovalFailed { uid: Uid, message: String }
    0x0B0C 1 Forgotten { uid: Uid, repository: Uid, by: Option<Uid> }
}
