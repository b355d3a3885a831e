//! Why a template says nothing: one type that the whole of its reader answers with.

/// Why a template cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {reason}")]
pub struct TemplateError {
    /// What is wrong, with the piece of the template that it is about.
    pub reason: String,
}

impl TemplateError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}
