//! Signals. Some ask a job to end: it ends in order, and what it stored is found by the next one. One says that a
//! file became larger than this process may make it: that is an error of this file, and no end of everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that SIGTERM and SIGINT set.
///
/// # Errors
/// When the system takes no handler.
pub fn cancelled() -> std::io::Result<Arc<AtomicBool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut term, mut interrupt) = {
        let _guard = runtime.enter();
        // Whoever has a handler gets the error of the write instead of the end of the process.
        let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let wait = move || {
        runtime.block_on(async {
            tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
        });
        seen.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(|error| {
        let told = format!("signals: this process may start no thread (see `ulimit -u`): {error}");
        std::io::Error::new(error.kind(), told)
    })?;
    Ok(flag)
}
