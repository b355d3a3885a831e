//! Tasks beside the dispatcher, counted until they end: work that nothing in the log tells of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::inbox::Line;

/// Runs tasks, and knows whether any is under way.
#[derive(Clone)]
pub struct Tasks {
    line: Line,
    count: Arc<AtomicUsize>,
}

impl Tasks {
    /// Tasks whose end is told to the dispatcher.
    #[must_use]
    pub fn new(line: Line) -> Self {
        Self { line, count: Arc::default() }
    }

    /// Whether one is under way.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Counts as a task while it lives.
    #[must_use]
    pub fn busy(&self) -> Busy {
        self.count.fetch_add(1, Ordering::AcqRel);
        Busy { line: self.line.clone(), count: Arc::clone(&self.count) }
    }

    /// Runs a task.
    pub fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let busy = self.busy();
        tokio::spawn(async move {
            task.await;
            drop(busy);
        });
    }
}

/// Something is under way.
pub struct Busy {
    line: Line,
    count: Arc<AtomicUsize>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        // Nothing in the log tells that it has ended, and it may have been the last one.
        self.line.nudge();
    }
}

/// The message of a panic.
#[must_use]
pub fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}
