//! Carries out effects.
//!
//! One router for all handlers, so that leadership is looked at in one place: an effect of a term that is
//! over is not begun.

pub mod local;

use holdfast_engine::effect::Level;
use holdfast_engine::{Command, Effect, EffectId, Recorded, Timestamp, deadline, effect::Once};
use holdfast_eventlog::Ledger;

use crate::dispatcher::Handler;

/// What a place can do: a cluster, or this machine. Every method returns at once; what takes time is a task
/// that reports with a command.
pub trait Hands: Send {
    /// Something was recorded.
    fn recorded(&mut self, ledger: &Ledger, events: &[Recorded]);
    /// An effect with an outcome.
    fn once(&mut self, ledger: &Ledger, id: EffectId, once: Once);
    /// An effect that follows from the state as it is.
    fn level(&mut self, ledger: &Ledger, level: Level);
    /// A deadline that passed.
    fn due(&mut self, ledger: &Ledger, due: deadline::Due, now: Timestamp) -> Option<Command>;
    /// Whether a task is under way that nothing in the log tells of.
    fn is_busy(&self) -> bool;
}

/// Hands with a term of leadership.
pub struct Router<H> {
    hands: H,
    epoch: u64,
}

impl<H: Hands> Router<H> {
    /// Hands that act in the term that begins after `epoch`.
    pub fn new(hands: H, epoch: u64) -> Self {
        Self { hands, epoch: epoch + 1 }
    }
}

impl<H: Hands> Handler for Router<H> {
    fn carry_out(&mut self, ledger: &Ledger, effect: Effect) {
        if ledger.state().epoch != self.epoch {
            tracing::warn!(epoch = self.epoch, "an effect of a term that is over was left undone");
            return;
        }
        match effect {
            Effect::Once { id, once } => self.hands.once(ledger, id, once),
            Effect::Level(level) => self.hands.level(ledger, level),
        }
    }

    fn recorded(&mut self, ledger: &Ledger, events: &[Recorded]) {
        self.hands.recorded(ledger, events);
    }

    fn due(&mut self, ledger: &Ledger, due: deadline::Due, now: Timestamp) -> Option<Command> {
        self.hands.due(ledger, due, now)
    }

    fn is_busy(&self) -> bool {
        self.hands.is_busy()
    }
}
