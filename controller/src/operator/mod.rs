//! The kernel: the same operator in every place.
//!
//! The dispatcher decides and acknowledges. What is to be done outside goes from it to the runner, which has the place
//! do it, and comes back as a command.

pub mod broken;
pub mod dispatcher;
mod due;
pub mod runner;
pub mod tasks;

use holdfast_engine::{Command, EffectId, Level, Once, Recorded, Timestamp, deadline};
use holdfast_eventlog::Ledger;

use self::dispatcher::Handler;
use self::runner::Runner;
use self::tasks::Tasks;
use crate::place::Place;

/// What the dispatcher hands effects to.
pub struct Kernel<P> {
    place: P,
    runner: Runner,
    tasks: Tasks,
    epoch: u64,
}

impl<P: Place> Kernel<P> {
    /// A kernel whose term begins after `epoch`.
    pub fn new(place: P, tasks: Tasks, epoch: u64) -> Self {
        let epoch = epoch + 1;
        Self { place, runner: Runner::new(tasks.clone(), epoch), tasks, epoch }
    }
}

impl<P: Place> Handler for Kernel<P> {
    fn carry_out(&mut self, ledger: &Ledger, id: EffectId, once: Once) {
        if ledger.state().epoch != self.epoch {
            tracing::warn!(epoch = self.epoch, "an effect of a term that is over was left undone");
            return;
        }
        if let Some(task) = self.place.task(ledger, id, once.clone()) {
            self.runner.begin(id, once, task);
        }
    }

    fn level(&mut self, ledger: &Ledger, level: Level) {
        if let Some(answer) = self.place.level(ledger, level) {
            self.tasks.report(answer);
        }
    }

    fn recorded(&mut self, ledger: &Ledger, events: &[Recorded]) {
        self.runner.give_up(ledger);
        self.place.recorded(ledger, events);
    }

    fn due(&mut self, ledger: &Ledger, due: deadline::Due, now: Timestamp) -> Option<Command> {
        due::command(ledger.state(), due, now)
    }

    fn is_busy(&self) -> bool {
        self.tasks.is_any()
    }
}
