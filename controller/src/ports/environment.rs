//! What the environment of this process opens, and what of it others see. Only the verbs of whoever typed them look
//! for keys here: a job of the operator brings what its repository needs, and borrows nothing from the operator.

use holdfast_executor::store::Access;

/// The variables that tools of S3 share.
#[must_use]
pub fn access() -> Access {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Access::of(std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with("AWS_")))
}

/// What a hook sees of this process's environment: where programs and files are, and how texts and times are written.
/// Passphrases and keys of whoever started the operator are none of its business.
pub fn of_hooks() -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    const SEEN: [&str; 8] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"];
    SEEN.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

/// The name of this machine.
#[must_use]
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
