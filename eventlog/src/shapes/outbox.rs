//! Effects that are carried out once.
//!
//! A request has a shape of its own for every kind of effect: a release that does not know the kind does not
//! know its type either, keeps the bytes, and reads on. Only the outbox of that one subject is read-only then.

use holdfast_engine::effect::Once;
use holdfast_engine::hook::Run;
use holdfast_engine::ids::{Attempt, EffectId, Uid};

use super::shape::shapes;

shapes! { outbox
    0x0D01 1 EffectDone { effect: EffectId, subject: Uid }
    0x0D02 1 EffectFailed { effect: EffectId, subject: Uid, message: String }
    within Requested once: Once
        0x0D10 1 InitializeBackend { storage: Uid }
        0x0D11 1 InitializeRepository { repository: Uid }
        0x0D12 1 WipeRepository { repository: Uid }
        0x0D13 1 WipeBackend { storage: Uid }
        0x0D14 1 Survey { session: Uid }
        0x0D15 1 RunHook { session: Uid, run: Run }
        0x0D16 1 StartWorker { attempt: Attempt }
        0x0D17 1 StopWorker { attempt: Attempt }
        0x0D18 1 UploadMetadata { snapshot: Uid }
        0x0D19 1 RemoveSnapshot { snapshot: Uid, by: Option<Uid> }
    ;
}
