//! What opens blocks. Each has room for a whole block twice over, and opening takes a processor: more of them
//! than there are processors would cost memory and gain nothing, however many reads are in flight.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::block::BlockOpener;
use crate::error::Result;
use crate::keys::Keys;

struct State {
    idle: Vec<BlockOpener>,
    /// So many more may be made.
    left: usize,
}

/// Shared by all clones of a reader.
pub(super) struct Openers {
    keys: Arc<Keys>,
    state: Mutex<State>,
    freed: Condvar,
}

impl Openers {
    /// At most `most` at a time.
    pub(super) fn new(keys: Arc<Keys>, most: usize) -> Self {
        let state = State { idle: Vec::new(), left: most.max(1) };
        Self { keys, state: Mutex::new(state), freed: Condvar::new() }
    }

    /// Does something with one, once one is free.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut BlockOpener) -> T) -> Result<T> {
        let mut taken = Taken { openers: self, opener: self.take() };
        let opener = match &mut taken.opener {
            Some(opener) => opener,
            none => none.insert(BlockOpener::new(self.keys.clone())?),
        };
        Ok(work(opener))
    }

    /// An idle one, or the right to make one.
    fn take(&self) -> Option<BlockOpener> {
        let mut state = self.lock();
        loop {
            if let Some(opener) = state.idle.pop() {
                return Some(opener);
            }
            if state.left > 0 {
                state.left -= 1;
                return None;
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// However the work with it ends, the next one gets it.
struct Taken<'a> {
    openers: &'a Openers,
    opener: Option<BlockOpener>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = self.openers.lock();
        match self.opener.take() {
            Some(opener) => state.idle.push(opener),
            None => state.left += 1,
        }
        drop(state);
        self.openers.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::digest::RepoId;
    use crate::keys::Bundle;
    use crate::seal::SystemRandom;

    #[test]
    fn no_more_than_so_many_work_at_once_whatever_becomes_of_them() {
        let bundle = Bundle::generate(&SystemRandom, RepoId([1; 16]), [0; 32]).unwrap();
        let openers = Openers::new(Arc::new(Keys::new(&bundle)), 2);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |number: usize| {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                openers.with(|_| {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    assert!(!number.is_multiple_of(7), "some of them fail");
                })
            }));
            assert_eq!(done.is_err(), number.is_multiple_of(7));
        };
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let work = &work;
                scope.spawn(move || (0..50).for_each(|number| work(thread * 50 + number)));
            }
        });
        let state = openers.lock();
        assert!(most.into_inner() <= 2 && state.left + state.idle.len() == 2);
    }
}
