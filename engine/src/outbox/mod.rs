//! Effects that must be carried out exactly once, until their outcome is known.
//!
//! | Effect | Event | then |
//! |---|---|---|
//! | | Requested | waited for, under the sequence number of this event |
//! | waited for | EffectDone | gone: whoever asked has been told in the events that follow |
//! | waited for | EffectFailed | gone: it failed for good, or nobody waits for it any more |

pub(crate) mod apply;
pub(crate) mod decide;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::effect::Once;
use crate::ids::{EffectId, Uid};
use crate::outcome::{Failure, Outcome};
use crate::run::Worker;
use crate::survey::Host;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// An effect was carried out, or could not be. The outbox knows what was asked and for whom.
    Answer {
        /// Which effect.
        effect: EffectId,
        /// What came of it.
        answer: Answer,
    },
}

/// What came of an effect. An answer that does not fit what was asked is a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done, and nothing more is to be said about it.
    Done,
    /// It could not be done; fits every effect.
    Failed(Failure),
    /// The repository is open.
    Repository {
        /// The repository's own id, which lies in its data.
        id: Uid,
    },
    /// The target's hosts: one for each pod of a StatefulSet or DaemonSet, all pods of a Deployment, one
    /// for a claim.
    Hosts(Vec<Host>),
    /// A worker exists for the attempt.
    Worker(Worker),
}

impl Answer {
    /// Its name, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Failed(_) => "Failed",
            Self::Repository { .. } => "Repository",
            Self::Hosts(_) => "Hosts",
            Self::Worker(_) => "Worker",
        }
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Done,
            Outcome::Failed(failure) => Self::Failed(failure),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something is to be done outside; its id is this event's sequence number.
    Requested {
        /// What.
        once: Once,
    },
    /// The effect was carried out.
    EffectDone {
        /// Which effect.
        effect: EffectId,
        /// What it was about.
        subject: Uid,
    },
    /// The effect failed for good, or nobody waits for it any more.
    EffectFailed {
        /// Which effect.
        effect: EffectId,
        /// What it was about.
        subject: Uid,
        /// Why.
        message: String,
    },
}

impl Event {
    /// The object that the effect is about.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Requested { once } => once.subject(),
            Self::EffectDone { subject, .. } | Self::EffectFailed { subject, .. } => *subject,
        }
    }
}
