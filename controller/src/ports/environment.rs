//! What the environment of this process opens. Only the verbs of whoever typed them look here: a job of the operator
//! brings what its repository needs, and borrows nothing from the operator.

use holdfast_executor::store::Access;

/// The variables that tools of S3 share.
#[must_use]
pub fn access() -> Access {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Access::of(std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with("AWS_")))
}

/// The name of this machine.
#[must_use]
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
