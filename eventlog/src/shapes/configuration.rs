//! BackupConfiguration.

use holdfast_engine::configuration::{Backend, SessionSpec};
use holdfast_engine::ids::{Hash, Key, TypedRef, Uid};

use super::shape::shapes;

shapes! { configuration
    0x0701 1 Declared { uid: Uid, key: Key, generation: u64, hash: Hash, target: Option<TypedRef>, backends: Vec<Backend>, paused: bool, allow_partial: bool, sessions: u32 }
    0x0702 1 SessionDeclared { uid: Uid, session: SessionSpec }
    0x0703 1 BackendDefaulted { uid: Uid, backend: String, storage: Key, retention: Key }
    0x0704 1 ValidationPassed { uid: Uid }
    0x0705 1 ValidationFailed { uid: Uid, reason: String, message: String }
    0x0706 1 SchedulerEnsured { uid: Uid, session: String }
    0x0707 1 SchedulerNotEnsured { uid: Uid, session: String, message: String }
    0x0708 1 InitialBackupTriggered { uid: Uid, session: String, backup: Uid }
    0x0709 1 PausedByRestore { uid: Uid, restore: Uid }
    0x070A 1 ResumedAfterRestore { uid: Uid, restore: Uid }
    0x070B 1 DeletionRequested { uid: Uid }
    0x070C 1 Deleted { uid: Uid }
}
