//! Arguments that a parser takes one by one and that do not go together.

/// What is wrong with them, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Misuse {
    text: String,
}

impl Misuse {
    /// With these words.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}
