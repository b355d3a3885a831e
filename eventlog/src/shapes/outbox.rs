//! Effects that are carried out once.

use holdfast_engine::ids::EffectId;

use super::shapes;

shapes! { outbox
    0x0D01 1 EffectDone { effect: EffectId }
    0x0D02 1 EffectFailed { effect: EffectId, message: String }
}
