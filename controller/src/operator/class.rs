//! Classes of effects: how many are carried out at once, how long one may take, and when it is tried again.
//!
//! Each class has places of its own: a store that does not answer keeps no hook waiting, and a hook that hangs no worker.

use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::Once;
use tokio::sync::Semaphore;

use super::jitter::Backoff;

/// What kind of work an effect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Short work at a store.
    Store,
    /// Hooks of users.
    Hook,
    /// Starting and stopping workers.
    Worker,
    /// Questions about a target.
    Survey,
    /// Removing data.
    Removal,
}

/// What holds for a class.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Effects that are carried out at once.
    pub at_once: usize,
    /// From the begin of the first try to the answer.
    pub deadline: Duration,
    /// The waits between tries; absent: there is one try.
    pub backoff: Option<Backoff>,
}

const QUICK: Backoff = Backoff { least: Duration::from_millis(200), most: Duration::from_secs(10) };
const SLOW: Backoff = Backoff { least: Duration::from_secs(1), most: Duration::from_secs(60) };
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

impl Class {
    /// The class of an effect.
    #[must_use]
    pub fn of(once: &Once) -> Self {
        match once {
            Once::InitializeBackend { .. }
            | Once::InitializeRepository { .. }
            | Once::UploadMetadata { .. }
            | Once::RemoveSnapshot { .. } => Self::Store,
            Once::RunHook { .. } => Self::Hook,
            Once::StartWorker { .. } | Once::StopWorker { .. } => Self::Worker,
            Once::Survey { .. } => Self::Survey,
            Once::WipeRepository { .. } | Once::WipeBackend { .. } => Self::Removal,
        }
    }

    /// What holds for it.
    #[must_use]
    pub fn terms(self) -> Terms {
        let terms = |at_once, seconds, backoff| Terms {
            at_once,
            deadline: Duration::from_secs(seconds),
            backoff,
        };
        match self {
            // Whoever waits for a store is told soon that it does not answer; the engine asks again. How many calls
            // there are at once is decided at the stores' own desk.
            Self::Store => terms(Semaphore::MAX_PERMITS, 2 * MINUTE, Some(QUICK)),
            // A hook has a limit of its own, a day at most; whether it runs again is its session's decision.
            Self::Hook => terms(64, 24 * HOUR, None),
            Self::Worker => terms(16, 2 * MINUTE, Some(QUICK)),
            Self::Survey => terms(16, MINUTE, Some(QUICK)),
            // A directory of a million files takes its time.
            Self::Removal => terms(4, HOUR, Some(SLOW)),
        }
    }
}

/// The places of all classes.
#[derive(Clone)]
pub struct Places([Arc<Semaphore>; 5]);

impl Default for Places {
    fn default() -> Self {
        let all = [Class::Store, Class::Hook, Class::Worker, Class::Survey, Class::Removal];
        Self(all.map(|class| Arc::new(Semaphore::new(class.terms().at_once))))
    }
}

impl Places {
    /// The places of a class.
    #[must_use]
    pub fn of(&self, class: Class) -> Arc<Semaphore> {
        let [store, hook, worker, survey, removal] = &self.0;
        Arc::clone(match class {
            Class::Store => store,
            Class::Hook => hook,
            Class::Worker => worker,
            Class::Survey => survey,
            Class::Removal => removal,
        })
    }
}
