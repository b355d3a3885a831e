//! What is known of a run.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::condition::{Conditions, Type};
use crate::hook::run::Progress;
use crate::ids::Key;
use crate::run::component::{self, ComponentState};
use crate::run::phase::Step;
use crate::run::{Frozen, StopCause};
use crate::time::{Millis, Timestamp};

/// The run of a backup or a restore as its events left it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Where it stands.
    pub step: Step,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// `status.backupDeadline`, `status.restoreDeadline`; absent also while it does nothing but wait for a worker.
    pub deadline: Option<Timestamp>,
    /// What it holds fixed: content hashes of other objects.
    pub frozen: Frozen,
    /// How many components were planned.
    pub total_components: u32,
    /// The storages that each of their workers has to do with.
    pub storages: Vec<Key>,
    /// In order of the plan.
    pub components: Vec<ComponentState>,
    /// That it waits for a worker.
    pub queued: Option<Queued>,
    /// When it came to a worker's place last.
    pub turn_at: Option<Timestamp>,
    /// Tries of its hooks.
    pub hooks: Progress,
    /// Facts.
    pub conditions: Conditions,
    /// Why it was stopped, if it was.
    pub cancelled: Option<StopCause>,
    /// When nothing was left to move, whatever came of it.
    pub work_ended_at: Option<Timestamp>,
    /// When its phase became final.
    pub ended_at: Option<Timestamp>,
}

/// A session waits for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// What was left of its time when it began to wait.
    pub left: Option<Millis>,
    /// Since when it does nothing but wait; absent while some of its workers work.
    pub since: Option<Timestamp>,
}

impl Run {
    /// The component of this name; a restore's by its name in the snapshot.
    #[must_use]
    pub fn component(&self, name: &str) -> Option<&ComponentState> {
        component::find(&self.components, name)
    }

    /// It started, and its phase is not final.
    #[must_use]
    pub fn is_going(&self) -> bool {
        !matches!(self.step, Step::Created | Step::Queued | Step::Skipped | Step::Finished)
    }

    /// Its phase is final.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.step, Step::Skipped | Step::Finished)
    }

    /// It came to a place: its time counts on from here.
    pub(crate) fn take_turn(&mut self, at: Timestamp) {
        self.turn_at = Some(at);
        if let Some(queued) = &mut self.queued {
            queued.since = None;
            self.deadline = queued.left.map(|left| at.plus(left));
        }
    }

    /// What waits for a worker has its time stand still while nobody works.
    pub(crate) fn stand_still(&mut self, at: Timestamp) {
        let works = self.components.iter().any(ComponentState::is_running);
        if let Some(queued) = self.queued.as_mut().filter(|_| !works) {
            queued.since = Some(at);
            self.deadline = None;
        }
    }

    /// It does not wait for a worker any more.
    pub(crate) fn leave_queue(&mut self) {
        self.queued = None;
        self.conditions.remove(Type::Queued);
    }

    /// It came to a step; the first one at which nothing is left to move is when its work ended.
    pub(crate) fn come_to(&mut self, at: Timestamp, step: Step) {
        self.step = step;
        if self.is_work_over() {
            self.work_ended_at.get_or_insert(at);
        }
    }

    /// Nothing is left to move: every planned component ended, or the work was given up.
    #[must_use]
    pub fn is_work_over(&self) -> bool {
        match self.step {
            Step::Closing | Step::Retaining | Step::Finished => true,
            Step::Working => self.components.iter().all(|known| known.outcome.is_some()),
            _ => false,
        }
    }
}
