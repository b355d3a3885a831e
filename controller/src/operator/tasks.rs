//! Tasks beside the dispatcher, counted until they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use holdfast_engine::{Actor, Command};
use tokio::runtime::Handle as Runtime;

use super::dispatcher::Inbox;

/// Runs tasks, and knows whether any is under way.
#[derive(Clone)]
pub struct Tasks {
    runtime: Runtime,
    inbox: Inbox,
    count: Arc<AtomicUsize>,
}

impl Tasks {
    /// Tasks of this runtime that report to `inbox`.
    #[must_use]
    pub fn new(runtime: Runtime, inbox: Inbox) -> Self {
        Self { runtime, inbox, count: Arc::default() }
    }

    /// Where reports go.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Whether one is under way.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Runs a task.
    pub fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let counted = Counted::new(&self.count, self.inbox.clone());
        self.runtime.spawn(async move {
            task.await;
            drop(counted);
        });
    }

    /// Reports what is known already.
    pub fn report(&self, command: Command) {
        let inbox = self.inbox.clone();
        self.run(async move { inbox.report(Actor::Operator, command).await });
    }
}

/// Counts a task while it lives.
struct Counted {
    count: Arc<AtomicUsize>,
    inbox: Inbox,
}

impl Counted {
    fn new(count: &Arc<AtomicUsize>, inbox: Inbox) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self { count: Arc::clone(count), inbox }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Nothing in the log tells that the last task has ended.
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.inbox.nudge();
        }
    }
}

/// The message of a panic.
#[must_use]
pub fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}
