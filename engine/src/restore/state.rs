//! What is known of a restore.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::backup::Frozen;
use crate::condition::Conditions;
use crate::hook::run::Progress;
use crate::ids::{Hash, Key, Uid};
use crate::outcome::Outcome;
use crate::restore::Spec;
use crate::restore::phase::Step;
use crate::run::StopCause;
use crate::time::Timestamp;
use crate::work::{self, ComponentState};

/// A RestoreSession as its events left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The object's uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// `metadata.generation`.
    pub generation: u64,
    /// Content hash.
    pub hash: Hash,
    /// The fields that decisions use; fixed from the start on.
    pub spec: Spec,
    /// When it was first declared; `status.duration` counts from here.
    pub created_at: Timestamp,
    /// Where it stands.
    pub step: Step,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// `status.restoreDeadline`.
    pub deadline: Option<Timestamp>,
    /// The chosen snapshot.
    pub snapshot: Option<Uid>,
    /// What it holds fixed: content hashes of other objects.
    pub frozen: Frozen,
    /// `status.totalComponents`.
    pub total_components: u32,
    /// In order of the plan.
    pub components: Vec<ComponentState>,
    /// Tries of its hooks.
    pub hooks: Progress,
    /// Facts.
    pub conditions: Conditions,
    /// Configurations that it paused, also after they went on (`status.pausedBackups`).
    pub paused: BTreeSet<Uid>,
    /// Why it was stopped, if it was.
    pub cancelled: Option<StopCause>,
    /// When nothing was left to move, whatever came of it.
    pub work_ended_at: Option<Timestamp>,
    /// When its phase became final.
    pub ended_at: Option<Timestamp>,
}

impl Restore {
    /// The component of this name in the snapshot.
    #[must_use]
    pub fn component(&self, name: &str) -> Option<&ComponentState> {
        work::find(&self.components, name)
    }

    /// It started, and its phase is not final.
    #[must_use]
    pub fn is_going(&self) -> bool {
        !matches!(self.step, Step::Declared | Step::Finished)
    }

    /// Its phase is final.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.step == Step::Finished
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
            Step::Closing | Step::Finished => true,
            Step::Working => self.components.iter().all(|c| c.outcome.is_some()),
            _ => false,
        }
    }

    /// Everything was moved, which is what hooks with `OnSuccess` ask.
    #[must_use]
    pub fn has_work_succeeded(&self) -> bool {
        !self.components.is_empty()
            && u32::try_from(self.components.len()).is_ok_and(|n| n == self.total_components)
            && self.components.iter().all(|c| c.outcome == Some(Outcome::Succeeded))
    }
}
