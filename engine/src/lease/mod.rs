//! Leadership: each term is an epoch, and an epoch fences what its predecessors still try. What the leader is installed
//! with is recorded here too, where decisions depend on it.

pub(crate) mod apply;
pub(crate) mod decide;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::run::limit::Limits;
use crate::usage::References;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A new term begins; the envelope's epoch must be above the last one.
    Begin {
        /// Who leads now.
        holder: String,
    },
    /// The operator was installed so; records only a difference.
    Configure {
        /// How far references across namespaces go (`crossNamespaceReferences`).
        references: References,
    },
    /// So many workers may there be at once; a limit of zero is refused.
    Limit {
        /// All limits; those before them are forgotten.
        limits: Limits,
    },
    /// The loss of a stretch of the log is accepted by a human.
    AcknowledgeGap {
        /// First lost sequence number.
        from: u64,
        /// Last lost sequence number.
        to: u64,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A term of leadership began; the number is the record's own epoch.
    EpochBegan {
        /// Who leads.
        holder: String,
    },
    /// The operator is installed with another setting than before.
    Configured {
        /// How far references across namespaces go.
        references: References,
    },
    /// So many workers may there be at once.
    LimitsSet {
        /// All limits.
        limits: Limits,
    },
    /// The loss of a stretch of the log was accepted.
    LogGapAcknowledged {
        /// First lost sequence number.
        from: u64,
        /// Last lost sequence number.
        to: u64,
    },
}
