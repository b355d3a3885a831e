//! What is answered for work that broke off: a failure with its reason, as if the place had told it.

use holdfast_engine::Failure;

/// The reason of a failure that is a defect of ours.
pub const REASON: &str = "EffectBrokeOff";

/// The failure of a panic.
#[must_use]
pub fn failure(words: &str) -> Failure {
    Failure {
        reason: REASON.into(),
        message: format!("the operator's own code broke off: {words}"),
        permanent: false,
    }
}
