//! Where a session stands. Steps change only here and in the two tables of the sessions' own events.

use serde::{Deserialize, Serialize};

use crate::hook::{Run as Try, Stage};
use crate::outcome::Outcome;
use crate::run::Event;

/// Where a session stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// It exists. Of a backup the same command says what becomes of it; a restore is checked again whenever
    /// the facts around it change.
    #[default]
    Created,
    /// It waits for another session of its configuration.
    Queued,
    /// It started; its snapshots are being made by the same command.
    Preparing,
    /// The target's hosts are asked for.
    Surveying,
    /// Its components are known; hooks before the work run.
    Planning,
    /// Workers move components.
    Working,
    /// Nothing is left to move; hooks after the work run, descriptions are stored.
    Closing,
    /// Retention removes snapshots.
    Retaining,
    /// It did not run.
    Skipped,
    /// It ran, and its phase is final.
    Finished,
}

/// An event that cannot happen at this step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot happen to a session that is {step:?}")]
pub struct IllegalStep {
    /// Where the session stands.
    pub step: Step,
    /// What was to happen.
    pub event: &'static str,
}

/// The step after an event of a run.
///
/// # Errors
/// [`IllegalStep`] when the event cannot happen here.
pub fn next(step: Step, event: &Event) -> Result<Step, IllegalStep> {
    use Event as E;
    let going = !matches!(step, Step::Created | Step::Queued | Step::Skipped | Step::Finished);
    match (step, event) {
        (Step::Surveying, E::Surveyed { .. }) => Ok(Step::Planning),
        (Step::Surveying | Step::Planning, E::ExecutorNotEnsured { .. }) => Ok(Step::Closing),
        (Step::Planning, E::ComponentPlanned { .. }) => Ok(Step::Planning),
        (
            Step::Planning,
            E::HookStarted { run: Try { stage: Stage::Pre, .. }, .. }
            | E::HookEnded { run: Try { stage: Stage::Pre, .. }, .. }
            | E::HooksFinished { stage: Stage::Pre, outcome: Outcome::Succeeded, .. },
        ) => Ok(Step::Planning),
        (
            Step::Planning,
            E::HooksFinished { stage: Stage::Pre, outcome: Outcome::Failed(_), .. },
        ) => Ok(Step::Closing),

        (Step::Planning | Step::Working, E::AttemptStarted { .. }) => Ok(Step::Working),
        (Step::Planning | Step::Working, E::QueuedForWorker { .. }) => Ok(step),
        (
            Step::Working,
            E::WorkerObserved { .. }
            | E::ExecutorEnsured { .. }
            | E::ExecutorNotEnsured { .. }
            | E::ComponentEnded { .. },
        ) => Ok(Step::Working),

        // What was under way when the session was given up still has to be ended on record.
        (
            Step::Closing,
            E::ComponentEnded { .. }
            | E::ExecutorNotEnsured { .. }
            | E::HookEnded { .. }
            | E::HooksFinished { .. },
        ) => Ok(Step::Closing),
        (
            Step::Working | Step::Closing,
            E::HookStarted { run: Try { stage: Stage::Post, .. }, .. },
        ) => Ok(Step::Closing),

        (Step::Retaining, E::DeadlineExceeded { .. }) => Ok(Step::Retaining),
        // Who comes to stop it finds nothing left to stop.
        (Step::Retaining, E::Cancelled { .. }) => Err(IllegalStep { step, event: name(event) }),
        (_, E::DeadlineExceeded { .. } | E::Cancelled { .. }) if going => Ok(Step::Closing),
        _ => Err(IllegalStep { step, event: name(event) }),
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Surveyed { .. } => "Surveyed",
        Event::ComponentPlanned { .. } => "ComponentPlanned",
        Event::HookStarted { .. } => "HookStarted",
        Event::HookEnded { .. } => "HookEnded",
        Event::HooksFinished { .. } => "HooksFinished",
        Event::QueuedForWorker { .. } => "QueuedForWorker",
        Event::AttemptStarted { .. } => "AttemptStarted",
        Event::WorkerObserved { .. } => "WorkerObserved",
        Event::ExecutorEnsured { .. } => "ExecutorEnsured",
        Event::ExecutorNotEnsured { .. } => "ExecutorNotEnsured",
        Event::ComponentEnded { .. } => "ComponentEnded",
        Event::DeadlineExceeded { .. } => "DeadlineExceeded",
        Event::Cancelled { .. } => "Cancelled",
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::ids::Uid;

    #[test]
    fn an_illegal_pair_says_what_cannot_happen_to_whom() {
        let illegal = next(Step::Finished, &Event::ExecutorEnsured { uid: Uid::default() });
        assert_eq!(
            illegal.unwrap_err().to_string(),
            "ExecutorEnsured cannot happen to a session that is Finished"
        );
    }
}
