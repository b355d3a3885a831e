//! How something outside ended.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// Success, or why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was done.
    Succeeded,
    /// It was not done.
    Failed(Failure),
}

impl Outcome {
    /// What went wrong, in a sentence; absent where nothing did.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Succeeded => None,
            Self::Failed(failure) => Some(&failure.message),
        }
    }
}

/// Why something outside failed; permanence was decided where the error arose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A word for programs and for `reason` fields, in CamelCase: `WrongPassphrase`, `SourceMissing`.
    pub reason: String,
    /// A sentence for people: what failed and what to do.
    pub message: String,
    /// Trying again cannot help.
    pub permanent: bool,
}

impl Failure {
    /// A failure that another try may heal.
    pub fn passing(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into(), permanent: false }
    }
}
