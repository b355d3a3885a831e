//! Reactions that wait.
//!
//! Each kind of reaction has a shape of its own, as each kind of effect has: a release that does not know the
//! kind does not know its type either, keeps the bytes, and reads on.

use holdfast_engine::backup::Trigger;
use holdfast_engine::ids::{EffectId, Key, Uid};
use holdfast_engine::reaction::{Opener, Owner, Reaction, Watched};
use holdfast_engine::time::Timestamp;

use super::shape::shapes;

shapes! { reaction
    0x0E01 1 TakenUp { number: u64 }
    within Postponed reaction: Reaction
        0x0E10 1 InterruptHooks { before: EffectId, after: Option<EffectId> }
        0x0E11 1 Advance { session: Uid }
        0x0E12 1 TakeSlot { configuration: Uid, session: String, slot: Timestamp, by: Uid }
        0x0E13 1 HoldTarget { restore: Uid, after: Option<Uid> }
        0x0E14 1 ReleaseTarget { restore: Uid, after: Option<Uid> }
        0x0E15 1 ForgetSnapshots { repository: Uid, after: Option<Uid> }
        0x0E16 1 OpenBackup { uid: Uid, configuration: Uid, session: String, trigger: Trigger }
        0x0E17 1 StopBackups { configuration: Uid, after: Option<Uid> }
        0x0E18 1 CheckStorages { secret: Key, after: Option<Uid> }
        0x0E19 1 ReopenRepositories { opener: Opener, after: Option<Uid> }
        0x0E1A 1 DeleteRepositories { owner: Owner, after: Option<Uid> }
        0x0E1B 1 ArchiveBackups { configuration: Uid, after: Option<Uid> }
        0x0E1C 1 FinishStorage { storage: Key }
        0x0E1D 1 FinishConfiguration { configuration: Uid }
        0x0E1E 1 CheckConfigurations { watching: Watched, after: Option<Uid> }
        0x0E1F 1 EnsureRepositories { watching: Watched, again: bool, after: Option<Uid> }
        0x0E20 1 TriggerBackups { watching: Watched, after: Option<Uid> }
    ;
}
