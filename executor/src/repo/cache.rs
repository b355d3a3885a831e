//! Opened blocks that a reader keeps, and blocks that it will want soon.
//!
//! ```text
//!  whoever reads ── says what it will read next ──► wanted, what comes first on top
//!      │                                                │ threads that look ahead take from the top,
//!      │ takes from the cache, waits for what           │ while what they hold is within its bound
//!      │ is on its way, or fetches it itself            ▼
//!      └──────────────────────────────◄──────────── the cache
//! ```
//!
//! Looking ahead changes no answer: what cannot be fetched ahead is fetched again by whoever reads it, and the
//! error is his.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::reader::OpenedBlock;
use crate::digest::{BlobId, Kind};
use crate::index::Location;
use crate::limits;
use crate::threads;

/// Blocks that are wanted, at most: what is read next comes first, and what is far away is known again then.
const WANTED_MAX: usize = 4_096;

struct Kept {
    block: Arc<OpenedBlock>,
    /// Bytes that count as ahead, until somebody reads it.
    ahead: usize,
}

/// One block that is to be fetched, and what that may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    pub(super) at: Location,
    /// Bytes, sealed and plain.
    pub(super) bytes: usize,
    /// The blobs that are wanted of it.
    pub(super) ids: Vec<BlobId>,
}

#[derive(Default)]
struct State {
    blocks: HashMap<Location, Kept>,
    order: VecDeque<Location>,
    bytes: usize,
    /// What is read first is last. One that is not in `waiting` any more was read or fetched meanwhile.
    wanted: VecDeque<Wanted>,
    waiting: HashSet<Location>,
    fetching: HashSet<Location>,
    /// What was wanted of blocks that are here: nobody has looked yet where it leads to.
    unseen: VecDeque<Wanted>,
    /// What was wanted of blocks that whoever reads them fetches himself.
    own: HashMap<Location, Wanted>,
    /// Bytes that are being fetched ahead, or were and nobody has read them.
    ahead: usize,
}

/// Shared by all clones of a reader.
#[derive(Default)]
pub(super) struct BlockCache {
    reads_ahead: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

impl BlockCache {
    /// A block that is here, or is about to be.
    pub(super) fn take(&self, at: Location) -> Option<Arc<OpenedBlock>> {
        let mut state = self.lock();
        while state.fetching.contains(&at) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.waiting.remove(&at) {
            let place = state.wanted.iter().rposition(|wanted| wanted.at == at);
            if let Some(wanted) = place.and_then(|place| state.wanted.remove(place)) {
                state.own.insert(at, wanted);
            }
        }
        let kept = state.blocks.get_mut(&at)?;
        let (block, ahead) = (kept.block.clone(), std::mem::take(&mut kept.ahead));
        if ahead > 0 {
            state.ahead -= ahead;
            self.changed.notify_all();
        }
        Some(block)
    }

    /// Keeps a block that somebody has read.
    pub(super) fn keep(&self, at: Location, block: &Arc<OpenedBlock>) {
        let mut state = self.lock();
        state.keep(at, Kept { block: block.clone(), ahead: 0 });
        if let Some(wanted) = state.own.remove(&at) {
            state.unseen.push_back(wanted);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Whether anybody would fetch what is wanted.
    pub(super) fn reads_ahead(&self) -> bool {
        self.reads_ahead.load(Ordering::Relaxed)
    }

    /// These will be read, in this order, and before what was wanted until now.
    pub(super) fn want(&self, next: Vec<Wanted>) {
        let mut state = self.lock();
        for wanted in next.into_iter().rev() {
            if state.is_here(wanted.at)
                || state.wanted.back().is_some_and(|next| next.at == wanted.at)
            {
                continue;
            }
            if state.wanted.len() >= WANTED_MAX
                && let Some(last) = state.wanted.pop_front()
            {
                state.waiting.remove(&last.at);
            }
            state.waiting.insert(wanted.at);
            state.wanted.push_back(wanted);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// These will be read, in this order, and after what was wanted until now.
    pub(super) fn want_later(&self, next: Vec<Wanted>) {
        let mut state = self.lock();
        for wanted in next {
            if state.is_here(wanted.at) {
                state.look_at(wanted);
            } else if !state.waiting.contains(&wanted.at) && state.wanted.len() < WANTED_MAX {
                state.waiting.insert(wanted.at);
                state.wanted.push_front(wanted);
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Runs `work` while `threads` threads fetch what is wanted, and see where it leads to.
    pub(super) fn read_ahead<T>(
        &self,
        threads: usize,
        fetch: impl Fn(&Wanted) -> Option<OpenedBlock> + Sync,
        see: impl Fn(&Wanted, &OpenedBlock) + Sync,
        work: impl FnOnce() -> T,
    ) -> T {
        /// However `work` ends, the threads do.
        struct End<'a>(&'a BlockCache);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.reads_ahead.store(false, Ordering::Relaxed);
                let mut state = self.0.lock();
                state.wanted.clear();
                state.waiting.clear();
                state.unseen.clear();
                state.own.clear();
                drop(state);
                self.0.changed.notify_all();
            }
        }
        if threads == 0 {
            return work();
        }
        self.reads_ahead.store(true, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let ahead = || {
                    while let Some(next) = self.next() {
                        match next {
                            Next::See(wanted, block) => see(&wanted, &block),
                            Next::Fetch(fetching) => {
                                if let Some(block) = fetch(&fetching.wanted) {
                                    see(&fetching.wanted, &block);
                                    fetching.done(block);
                                }
                            }
                        }
                    }
                };
                // Less may be ahead where no thread can be had: it is only faster.
                if threads::scoped(scope, "ahead", ahead).is_err() {
                    break;
                }
            }
            let _end = End(self);
            work()
        })
    }

    /// What a thread that looks ahead does next; nothing when it is all over.
    fn next(&self) -> Option<Next<'_>> {
        let mut state = self.lock();
        while self.reads_ahead() {
            while let Some(wanted) = state.unseen.pop_front() {
                if let Some(kept) = state.blocks.get(&wanted.at) {
                    return Some(Next::See(wanted, kept.block.clone()));
                }
            }
            match state.next() {
                Some(wanted) => return Some(Next::Fetch(Fetching { cache: self, wanted })),
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a block was fetched, or is on its way.
    fn is_here(&self, at: Location) -> bool {
        self.blocks.contains_key(&at) || self.fetching.contains(&at)
    }

    fn look_at(&mut self, wanted: Wanted) {
        if !wanted.ids.is_empty() && self.unseen.len() < WANTED_MAX {
            self.unseen.push_back(wanted);
        }
    }

    /// The next block to be fetched, when there is place for it.
    fn next(&mut self) -> Option<Wanted> {
        while let Some(wanted) = self.wanted.pop_back() {
            if !self.waiting.contains(&wanted.at) {
                continue;
            }
            if self.ahead > 0 && self.ahead + wanted.bytes > limits::READ_AHEAD_BYTES {
                self.wanted.push_back(wanted);
                return None;
            }
            self.waiting.remove(&wanted.at);
            self.fetching.insert(wanted.at);
            self.ahead += wanted.bytes;
            return Some(wanted);
        }
        None
    }

    fn keep(&mut self, at: Location, kept: Kept) {
        let bytes = kept.block.len();
        if let Some(other) = self.blocks.insert(at, kept) {
            // Another thread has fetched it meanwhile; it is counted and in order already.
            self.ahead -= other.ahead;
            return;
        }
        self.bytes += bytes;
        self.order.push_back(at);
        while self.bytes > limits::READ_CACHE_BYTES && self.order.len() > 1 {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(gone) = self.blocks.remove(&oldest) {
                self.bytes -= gone.block.len();
                self.ahead -= gone.ahead;
            }
        }
    }
}

enum Next<'a> {
    See(Wanted, Arc<OpenedBlock>),
    Fetch(Fetching<'a>),
}

/// A block that is on its way. However that ends, nobody waits for it any longer than that.
struct Fetching<'a> {
    cache: &'a BlockCache,
    wanted: Wanted,
}

impl Fetching<'_> {
    fn done(self, block: OpenedBlock) {
        let mut state = self.cache.lock();
        // What it takes from now on, until it is read, is counted beside what fetching it took.
        let ahead = block.len();
        state.ahead += ahead;
        state.keep(self.wanted.at, Kept { block: Arc::new(block), ahead });
    }
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        state.fetching.remove(&self.wanted.at);
        state.ahead -= self.wanted.bytes;
        drop(state);
        self.cache.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn wanted(block: u32, bytes: usize) -> Wanted {
        Wanted { kind: Kind::Tree, at: Location { pack: 0, block }, bytes, ids: Vec::new() }
    }

    fn block(bytes: usize) -> OpenedBlock {
        let mut block = OpenedBlock::default();
        block.push(BlobId([7; BlobId::LEN]), &vec![0; bytes]);
        block
    }

    fn blocks(state: &State) -> Vec<u32> {
        state.wanted.iter().rev().map(|wanted| wanted.at.block).collect()
    }

    #[test]
    fn what_was_said_last_comes_first_and_in_its_order() {
        let cache = BlockCache::default();
        cache.want(vec![wanted(1, 9), wanted(2, 9)]);
        cache.want_later(vec![wanted(2, 9), wanted(5, 9)]);
        cache.want(vec![wanted(3, 9), wanted(3, 9), wanted(4, 9)]);
        assert_eq!(blocks(&cache.lock()), [3, 4, 1, 2, 5]);
        assert_eq!(cache.lock().next().unwrap().at.block, 3);
        // Whoever has read it himself wants it no more; nor is it wanted while it is on its way.
        assert!(cache.take(wanted(4, 9).at).is_none());
        cache.want(vec![wanted(3, 9)]);
        assert_eq!(cache.lock().next().unwrap().at.block, 1);
        assert_eq!(cache.lock().next().unwrap().at.block, 2);
        assert_eq!(cache.lock().next().unwrap().at.block, 5);
        assert_eq!(cache.lock().next(), None);
    }

    #[test]
    fn what_is_ahead_is_bounded_until_it_is_read() {
        let cache = BlockCache::default();
        let half = limits::READ_AHEAD_BYTES / 2;
        cache.want(vec![wanted(1, half), wanted(2, half), wanted(3, half)]);
        let first = cache.lock().next().map(|wanted| Fetching { cache: &cache, wanted }).unwrap();
        let second = cache.lock().next().map(|wanted| Fetching { cache: &cache, wanted }).unwrap();
        assert_eq!(cache.lock().next(), None);
        first.done(block(half));
        assert_eq!(cache.lock().next(), None, "it is here, but nobody has read it");
        assert!(cache.take(wanted(1, half).at).is_some());
        assert_eq!(cache.lock().next().unwrap().at.block, 3);
        // What came to nothing takes no place.
        drop(second);
        assert_eq!(cache.lock().ahead, half);
        assert!(cache.lock().fetching.len() == 1);
    }

    #[test]
    fn one_block_may_be_larger_than_all_that_is_ahead() {
        let cache = BlockCache::default();
        cache.want(vec![wanted(1, limits::READ_AHEAD_BYTES * 2)]);
        assert!(cache.lock().next().is_some());
    }

    #[test]
    fn whoever_reads_waits_for_what_is_on_its_way_and_everything_is_fetched_once() {
        let (cache, fetched) = (BlockCache::default(), AtomicUsize::new(0));
        let fetch = |_: &Wanted| {
            fetched.fetch_add(1, Ordering::SeqCst);
            Some(block(50))
        };
        let own = cache.read_ahead(
            4,
            fetch,
            |_, _| {},
            || {
                let next: Vec<_> = (0..200).map(|block| wanted(block, 100)).collect();
                cache.want(next.clone());
                next.iter().filter(|wanted| cache.take(wanted.at).is_none()).count()
            },
        );
        assert_eq!(own + fetched.into_inner(), 200);
        assert_eq!((cache.lock().ahead, cache.reads_ahead()), (0, false));
    }
}
