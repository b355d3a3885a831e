//! Why a command was refused. Nothing is recorded then.

use alloc::string::{String, ToString};
use core::fmt::Display;

use serde::{Deserialize, Serialize};

/// The answer to a command that leads to no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Rejection {
    /// Could succeed when asked again with fresh facts.
    #[error("{subject}: {reason}; ask again")]
    Retry {
        /// The object that the command named.
        subject: String,
        /// What is missing now.
        reason: String,
    },
    /// Can never succeed as it stands.
    #[error("{subject}: {reason}")]
    Never {
        /// The object or field that the command named.
        subject: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The state has moved on since the asker looked; a superseded attempt, a stale version.
    #[error("{subject}: superseded, {reason}")]
    Conflict {
        /// The object that the command named.
        subject: String,
        /// What has moved.
        reason: String,
    },
    /// A policy forbids it.
    #[error("{subject}: denied, {reason}")]
    Denied {
        /// The object that the command named.
        subject: String,
        /// Which policy, and the ways out.
        reason: String,
    },
    /// The asker is no longer the leader.
    #[error("epoch {given} is over, the log is in epoch {current}")]
    StaleEpoch {
        /// The asker's term.
        given: u64,
        /// The log's term.
        current: u64,
    },
}

impl Rejection {
    /// Could succeed when asked again with fresh facts.
    pub fn retry(subject: impl Display, reason: impl Into<String>) -> Self {
        Self::Retry { subject: subject.to_string(), reason: reason.into() }
    }

    /// Can never succeed as it stands.
    pub fn never(subject: impl Display, reason: impl Into<String>) -> Self {
        Self::Never { subject: subject.to_string(), reason: reason.into() }
    }

    /// The state has moved on since the asker looked.
    pub fn conflict(subject: impl Display, reason: impl Into<String>) -> Self {
        Self::Conflict { subject: subject.to_string(), reason: reason.into() }
    }

    /// A policy forbids it.
    pub fn denied(subject: impl Display, reason: impl Into<String>) -> Self {
        Self::Denied { subject: subject.to_string(), reason: reason.into() }
    }
}
