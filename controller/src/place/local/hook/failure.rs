//! Why a try of a hook failed.

use std::time::Duration;

use holdfast_engine::Failure;

pub(super) fn timed_out(limit: Duration) -> Failure {
    failed("Timeout", format!("did not end within {} s", limit.as_secs_f64()), false)
}

pub(super) fn failed(reason: &str, message: String, permanent: bool) -> Failure {
    Failure { reason: reason.into(), message, permanent }
}
