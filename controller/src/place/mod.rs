//! Where effects are carried out: a cluster, or this machine.
//!
//! A place knows how each thing is done there, and nothing else: it tries nothing again, does not look at leadership,
//! and decides on no order. All of that is the kernel's, which is the same for every place.

pub mod local;

use std::pin::Pin;

use holdfast_engine::outbox::{self, Answer};
use holdfast_engine::{Command, EffectId, Level, Once, Recorded};
use holdfast_eventlog::Ledger;

/// What a place can do. Every method returns at once: what takes time is a [`Task`].
pub trait Place: Send {
    /// What an effect takes, put together from the log as it is now; nothing is begun. Nothing where the log does not
    /// know its subject any more.
    fn task(&mut self, ledger: &Ledger, id: EffectId, once: Once) -> Option<Task>;

    /// Something was recorded.
    fn recorded(&mut self, ledger: &Ledger, events: &[Recorded]);

    /// An effect that follows from the state as it is. Returns the answer where one is asked for.
    fn level(&mut self, ledger: &Ledger, level: Level) -> Option<Command>;
}

/// The command that says what came of an effect.
pub(crate) fn answered(effect: EffectId, answer: impl Into<Answer>) -> Command {
    Command::Outbox(outbox::Command::Answer { effect, answer: answer.into() })
}

/// The work of one effect, with the command that reports it.
pub struct Task {
    pub(crate) work: Pin<Box<dyn Future<Output = Command> + Send>>,
    pub(crate) ends_when_given_up: bool,
}

impl Task {
    /// Work that waits without holding a thread.
    pub fn new(work: impl Future<Output = Command> + Send + 'static) -> Self {
        Self { work: Box::pin(work), ends_when_given_up: false }
    }

    /// Work that holds a thread.
    pub fn blocking(work: impl FnOnce() -> Command + Send + 'static) -> Self {
        Self::new(async move {
            match tokio::task::spawn_blocking(work).await {
                Ok(command) => command,
                Err(broken) => match broken.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The process ends: nobody hears an answer any more.
                    Err(_cancelled) => std::future::pending().await,
                },
            }
        })
    }

    /// An answer that is known already.
    pub fn known(command: Command) -> Self {
        Self::new(std::future::ready(command))
    }

    /// The same, but that it is dropped in the middle when nobody waits for its outcome any more. What it started
    /// must end with it.
    #[must_use]
    pub fn ends_when_given_up(self) -> Self {
        Self { ends_when_given_up: true, ..self }
    }
}
