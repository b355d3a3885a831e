//! Threads, which a machine may refuse: a limit of a user, of a container, of memory. That is an error with a name.

use std::io;
use std::sync::OnceLock;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// The error where no thread can be had for `what`.
pub(crate) fn refused(what: &str, source: io::Error) -> Error {
    Error::NoThread { what: what.to_owned(), source }
}

/// A pool of so many threads.
pub(crate) fn pool(name: &'static str, threads: usize) -> Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads.max(1));
    let pool = pool.thread_name(move |number| format!("{name}-{number}")).build();
    pool.map_err(|error| refused(name, io::Error::other(error.to_string())))
}

/// A thread that ends with its scope.
pub(crate) fn scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>> {
    let started = Builder::new().name(name.to_owned()).spawn_scoped(scope, work);
    started.map_err(|source| refused(name, source))
}

/// Starts the threads that the derivation of keys takes for granted: without them it panics.
pub(crate) fn for_keys() -> Result<()> {
    static STARTED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        match ThreadPoolBuilder::new().num_threads(threads).build_global() {
            Err(error) if is_refusal(&error) => Err(error.to_string()),
            // They are there already.
            _ => Ok(()),
        }
    });
    started.clone().map_err(|error| refused("keys", io::Error::other(error)))
}

fn is_refusal(error: &ThreadPoolBuildError) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<io::Error>)
}

/// Whether so many threads can be started now, for libraries that panic where they cannot.
pub(crate) fn can_start(threads: usize) -> io::Result<()> {
    std::thread::scope(|scope| {
        let (hold, held) = crossbeam_channel::bounded::<()>(0);
        let started = (0..threads).try_for_each(|_| {
            let held = held.clone();
            Builder::new().spawn_scoped(scope, move || held.recv()).map(drop)
        });
        drop(hold);
        started
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let error = refused("upload", io::Error::from_raw_os_error(11)).to_string();
        assert!(error.contains("upload") && error.contains("ulimit -u"), "{error}");
        for_keys().unwrap();
        for_keys().unwrap();
        can_start(3).unwrap();
        assert_eq!(pool("worker", 0).unwrap().current_num_threads(), 1);
    }
}
