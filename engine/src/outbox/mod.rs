//! Effects that must be carried out exactly once, until their outcome is known.

pub(crate) mod apply;
pub(crate) mod decide;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::ids::EffectId;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Carried out, and nothing more is to be said about it.
    Done {
        /// Which effect.
        effect: EffectId,
    },
    /// Could not be carried out, and nobody else waits for it.
    Fail {
        /// Which effect.
        effect: EffectId,
        /// Why.
        message: String,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The effect was carried out.
    EffectDone {
        /// Which effect.
        effect: EffectId,
    },
    /// The effect failed for good.
    EffectFailed {
        /// Which effect.
        effect: EffectId,
        /// Why.
        message: String,
    },
}
