//! Time that goes on when nobody has anything to do, across lives of the operator.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::ports::clock::Clock;

/// A Monday at midnight, so that slots fall where one expects them.
pub(crate) const BEGINNING: i64 = 1_700_438_400_000;

/// The time of a simulation.
#[derive(Default)]
pub(crate) struct Time(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// What passed before the present life.
    passed: Duration,
    /// When the present life began, by its runtime.
    begun: Option<Instant>,
}

impl Inner {
    fn passed(&self) -> Duration {
        self.passed + self.begun.map(|begun| begun.elapsed()).unwrap_or_default()
    }
}

impl Time {
    /// A time that stands at the beginning.
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A life begins, on the runtime of the caller.
    pub(crate) fn begin(&self) {
        self.0.lock().unwrap().begun = Some(Instant::now());
    }

    /// The life ends, and nobody is there for a while.
    pub(super) fn end(&self, away: Duration) {
        let mut inner = self.0.lock().unwrap();
        inner.passed = inner.passed() + away;
        inner.begun = None;
    }

    /// Milliseconds since the beginning.
    pub(crate) fn passed(&self) -> i64 {
        i64::try_from(self.0.lock().unwrap().passed().as_millis()).unwrap()
    }

    /// Sleeps until so many milliseconds have passed since the beginning.
    pub(super) async fn until(&self, passed: i64) {
        let wait = passed.saturating_sub(self.passed());
        tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(0))).await;
    }
}

impl Clock for Time {
    fn nanos(&self) -> i64 {
        let passed = i64::try_from(self.0.lock().unwrap().passed().as_nanos()).unwrap();
        BEGINNING * 1_000_000 + passed
    }
}
