//! Proof of what lies before the place that a start went on from: frame by frame, beside the log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crate::chain::Chain;
use crate::error::{Damage, Error, Fault};
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::scan::Scan;

/// How far the log is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proven {
    /// All of it.
    Whole,
    /// What the state was made of; the rest is being read.
    Behind,
    /// It is damaged. Nothing is decided any more; what can be read is read.
    Damaged(Damage),
}

/// A proof on its way, or done.
pub(crate) struct Proof {
    found: Arc<OnceLock<Proven>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proof {
    /// Proves everything from one place to another: beside the caller on a disk; in memory at once, so that
    /// a seed reproduces a run.
    pub(crate) fn begin(
        dir: &Directory,
        chain: &Chain,
        (start, end): (Position, Position),
    ) -> Self {
        let found: Arc<OnceLock<Proven>> = Arc::default();
        let stop: Arc<AtomicBool> = Arc::default();
        let walk = {
            let (found, stop) = (Arc::clone(&found), Arc::clone(&stop));
            let (dir, chain) = (dir.clone(), chain.clone());
            move || {
                if let Some(outcome) = walk(&dir, &chain, (start, end), &stop) {
                    let _ = found.set(outcome);
                }
            }
        };
        let mut thread = None;
        if start == end {
            let _ = found.set(Proven::Whole);
        } else if dir.files.on_disk() {
            match std::thread::Builder::new().name("proof".into()).spawn(walk) {
                Ok(handle) => thread = Some(handle),
                Err(error) => tracing::warn!(%error, "the log before its checkpoint is not proven"),
            }
        } else {
            walk();
        }
        Self { found, stop, thread }
    }

    pub(crate) fn so_far(&self) -> Proven {
        self.found.get().cloned().unwrap_or(Proven::Behind)
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Proven {
        self.thread.take().map(JoinHandle::join);
        self.so_far()
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wait();
    }
}

/// `None` if it was stopped.
fn walk(
    dir: &Directory,
    chain: &Chain,
    (start, end): (Position, Position),
    stop: &AtomicBool,
) -> Option<Proven> {
    let mut at = start;
    let mut prove = || -> Result<bool, Error> {
        let mut scan = Scan::new(dir, chain, start, end)?;
        while !scan.beyond_head() {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            scan.next()?;
            at = scan.position();
        }
        Ok(true)
    };
    let damage = match prove() {
        Ok(true) => return Some(Proven::Whole),
        Ok(false) => return None,
        Err(Error::Damaged(damage)) => damage,
        Err(error) => {
            tracing::warn!(%error, "the log cannot be read");
            let Position { seq: after, segment, offset, .. } = at;
            Damage { after, segment, offset, what: Fault::Unreadable }
        }
    };
    tracing::error!(%damage, "nothing is decided any more");
    Some(Proven::Damaged(damage))
}
