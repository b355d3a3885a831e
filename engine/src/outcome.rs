//! How something outside ended.

use alloc::string::String;
use core::fmt;

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

/// A word for programs and for `reason` fields, in CamelCase. Those that decisions look at have a variant;
/// written down it is the word, so that one that a release does not know yet is read as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Reason {
    /// The credential Secret is gone: nobody can reach the data.
    BackendSecretNotFound,
    /// The storage of a repository is not there, or not ready.
    BackupStorageNotReady,
    /// The Secret of a repository is not there, or holds no passphrase.
    EncryptionSecretNotFound,
    /// An object is wrong in itself: facts around it cannot heal it.
    InvalidSpec,
    /// An object is too large to be recorded.
    SpecTooLarge,
    /// No decision looks at it: `WrongPassphrase`, `SourceMissing`.
    Other(String),
}

impl Reason {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::BackendSecretNotFound => "BackendSecretNotFound",
            Self::BackupStorageNotReady => "BackupStorageNotReady",
            Self::EncryptionSecretNotFound => "EncryptionSecretNotFound",
            Self::InvalidSpec => "InvalidSpec",
            Self::SpecTooLarge => "SpecTooLarge",
            Self::Other(word) => word,
        }
    }
}

impl Reason {
    /// Something that a repository needs is not there: it comes with an event of its own.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::BackupStorageNotReady | Self::EncryptionSecretNotFound)
    }
}

impl From<String> for Reason {
    fn from(word: String) -> Self {
        let known = [
            Self::BackendSecretNotFound,
            Self::BackupStorageNotReady,
            Self::EncryptionSecretNotFound,
            Self::InvalidSpec,
            Self::SpecTooLarge,
        ];
        known.into_iter().find(|known| known.as_str() == word).unwrap_or(Self::Other(word))
    }
}

impl From<&str> for Reason {
    fn from(word: &str) -> Self {
        Self::from(String::from(word))
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Other(word) => word,
            known => known.as_str().into(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why something outside failed; permanence was decided where the error arose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A word for programs and for `reason` fields.
    pub reason: Reason,
    /// A sentence for people: what failed and what to do.
    pub message: String,
    /// Trying again cannot help.
    pub permanent: bool,
}

impl Failure {
    /// A failure that another try may heal.
    pub fn passing(reason: impl Into<Reason>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into(), permanent: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_its_word_and_back() {
        for reason in [
            Reason::BackendSecretNotFound,
            Reason::BackupStorageNotReady,
            Reason::EncryptionSecretNotFound,
            Reason::InvalidSpec,
            Reason::SpecTooLarge,
            Reason::Other("WrongPassphrase".into()),
        ] {
            assert_eq!(Reason::from(String::from(reason.clone())), reason);
            assert_eq!(Reason::from(reason.as_str()), reason);
        }
    }
}
