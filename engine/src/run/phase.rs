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
    use alloc::string::{String, ToString};
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::ids::Uid;
    use crate::run::{Component, Worker};
    use crate::time::Millis;

    const STEPS: [(Step, char); 10] = [
        (Step::Created, 'c'),
        (Step::Queued, 'q'),
        (Step::Preparing, 'p'),
        (Step::Surveying, 's'),
        (Step::Planning, 'l'),
        (Step::Working, 'w'),
        (Step::Closing, 'o'),
        (Step::Retaining, 'r'),
        (Step::Skipped, 'k'),
        (Step::Finished, 'f'),
    ];

    /// Every event; hooks once for each stage and outcome, because they differ by them. Behind it the
    /// steps that it leads to from those of [`STEPS`], in their order; a dot is illegal.
    fn table() -> Vec<(Event, &'static str)> {
        let uid = Uid::default();
        let text = || String::from("x");
        let run = |stage| Try { stage, index: 0, number: 1 };
        let (pre, post) = (Stage::Pre, Stage::Post);
        let good = || Outcome::Succeeded;
        let bad = || Outcome::Failed(crate::testing::failure("X"));
        let finished = |stage, outcome| Event::HooksFinished { uid, stage, outcome };
        let ended = |stage, outcome| Event::HookEnded { uid, run: run(stage), outcome };
        let (component, number) = (text(), 1);
        let worker = Worker { job: uid, pod: uid };
        let planned = Event::ComponentPlanned { uid, asked: text(), component: planned() };
        let ended_component = Event::ComponentEnded {
            uid,
            component: text(),
            number,
            outcome: good(),
            duration: Millis(0),
            reported: true,
        };
        vec![
            (Event::Surveyed { uid, components: 1, storages: vec![] }, "...l......"),
            (planned, "....l....."),
            (Event::HookStarted { uid, run: run(pre) }, "....l....."),
            (Event::HookStarted { uid, run: run(post) }, ".....oo..."),
            (ended(pre, good()), "....l.o..."),
            (ended(pre, bad()), "....l.o..."),
            (ended(post, good()), "......o..."),
            (ended(post, bad()), "......o..."),
            (finished(pre, good()), "....l.o..."),
            (finished(pre, bad()), "....o.o..."),
            (finished(post, good()), "......o..."),
            (finished(post, bad()), "......o..."),
            (Event::AttemptStarted { uid, component: text(), number }, "....ww...."),
            (
                Event::QueuedForWorker {
                    uid,
                    lack: crate::run::limit::Lack::Cluster,
                    limit: 1,
                    left: None,
                },
                "....lw....",
            ),
            (Event::WorkerObserved { uid, component, number, worker }, ".....w...."),
            (Event::ExecutorEnsured { uid }, ".....w...."),
            (Event::ExecutorNotEnsured { uid, message: text() }, "...oowo..."),
            (ended_component, ".....wo..."),
            (Event::DeadlineExceeded { uid }, "..ooooor.."),
            (Event::Cancelled { uid, cause: "x".into() }, "..ooooo..."),
        ]
    }

    fn planned() -> Component {
        Component {
            name: "dump".into(),
            driver: crate::dependency::Driver::Restic,
            task: String::new(),
            params: vec![],
            pod: String::new(),
            node: String::new(),
            surroundings: crate::survey::Surroundings::default(),
            volumes: vec![],
        }
    }

    #[test]
    fn every_event_at_every_step() {
        for (event, expected) in table() {
            let found: String = STEPS
                .iter()
                .map(|(step, _)| match next(*step, &event) {
                    Ok(after) => STEPS.iter().find(|(known, _)| *known == after).unwrap().1,
                    Err(illegal) => {
                        assert_eq!(illegal, IllegalStep { step: *step, event: name(&event) });
                        '.'
                    }
                })
                .collect();
            assert_eq!(found, expected, "{event:?}");
        }
    }

    #[test]
    fn an_illegal_pair_says_what_cannot_happen_to_whom() {
        let illegal = next(Step::Finished, &Event::ExecutorEnsured { uid: Uid::default() });
        assert_eq!(
            illegal.unwrap_err().to_string(),
            "ExecutorEnsured cannot happen to a session that is Finished"
        );
    }
}
