//! Where a restore stands, and the phase that its users see.
//!
//! Steps change only here. The phase is not a step: it is a pure function of the conditions and of the
//! components, row by row as in the behaviour reference, section 2.2.
//!
//! | # | if | phase |
//! |---|---|---|
//! | 1 | MetricsPushed is False | Failed |
//! | 2 | ValidationPassed is False | Invalid |
//! | 3 | MetricsPushed is True, and hooks or executor are False or RestoreIncomplete is True | Failed |
//! | 4 | MetricsPushed is present, or no component yet | what the components came to |
//! | 5 | the components are Unknown | Unknown |
//! | 6 | otherwise | Running |

use serde::{Deserialize, Serialize};

use crate::condition::{Conditions, Type};
use crate::hook::{Run, Stage};
use crate::outcome::Outcome;
use crate::restore::Event;
use crate::restore::state::Restore;
use crate::work::ComponentState;

/// Where a restore stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// It exists; it is checked again whenever the facts around it change.
    Declared,
    /// It started; the target's hosts are asked for.
    Surveying,
    /// Its components are known; hooks before the work run.
    Planning,
    /// Workers move components.
    Working,
    /// Nothing is left to move; hooks after the work run.
    Closing,
    /// Its phase is final.
    Finished,
}

/// An event that cannot happen at this step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot happen to a restore that is {step:?}")]
pub struct IllegalStep {
    /// Where the restore stands.
    pub step: Step,
    /// What was to happen.
    pub event: &'static str,
}

/// The step after an event.
///
/// # Errors
/// [`IllegalStep`] when the event cannot happen here.
pub fn next(step: Step, event: &Event) -> Result<Step, IllegalStep> {
    use Event as E;
    let going = !matches!(step, Step::Declared | Step::Finished);
    match (step, event) {
        (
            Step::Declared,
            E::Declared { .. }
            | E::ValidationPassed { .. }
            | E::ValidationFailed { .. }
            | E::TargetNotFound { .. },
        ) => Ok(Step::Declared),
        (Step::Declared, E::Started { .. }) => Ok(Step::Surveying),

        (Step::Surveying, E::Surveyed { .. }) => Ok(Step::Planning),
        (Step::Surveying, E::TargetNotFound { .. }) => Ok(Step::Surveying),
        (Step::Surveying | Step::Planning, E::ExecutorNotEnsured { .. }) => Ok(Step::Closing),
        (Step::Planning, E::ComponentPlanned { .. }) => Ok(Step::Planning),
        (
            Step::Planning,
            E::HookStarted { run: Run { stage: Stage::Pre, .. }, .. }
            | E::HookEnded { run: Run { stage: Stage::Pre, .. }, .. }
            | E::HooksFinished { stage: Stage::Pre, outcome: Outcome::Succeeded, .. },
        ) => Ok(Step::Planning),
        (
            Step::Planning,
            E::HooksFinished { stage: Stage::Pre, outcome: Outcome::Failed(_), .. },
        ) => Ok(Step::Closing),

        (Step::Planning | Step::Working, E::AttemptStarted { .. }) => Ok(Step::Working),
        (
            Step::Working,
            E::WorkerObserved { .. }
            | E::ExecutorEnsured { .. }
            | E::ExecutorNotEnsured { .. }
            | E::ComponentEnded { .. }
            | E::Incomplete { .. },
        ) => Ok(Step::Working),

        // What was under way when the restore was given up still has to be ended on record.
        (
            Step::Closing,
            E::ComponentEnded { .. }
            | E::ExecutorNotEnsured { .. }
            | E::HookEnded { .. }
            | E::HooksFinished { .. }
            | E::Incomplete { .. },
        ) => Ok(Step::Closing),
        (
            Step::Working | Step::Closing,
            E::HookStarted { run: Run { stage: Stage::Post, .. }, .. }
            | E::HooksFinished { stage: Stage::Post, .. },
        ) => Ok(Step::Closing),

        (_, E::DeadlineExceeded { .. } | E::Cancelled { .. }) if going => Ok(Step::Closing),
        (Step::Working | Step::Closing, E::MetricsPushed { .. }) => Ok(Step::Finished),
        (Step::Declared | Step::Finished, E::Archived { .. }) => Ok(step),
        _ => Err(IllegalStep { step, event: name(event) }),
    }
}

/// `status.phase`, and the phase of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Phase {
    Pending,
    Running,
    Failed,
    Succeeded,
    Invalid,
    Unknown,
}

impl Phase {
    /// Succeeded, Failed or Invalid.
    #[must_use]
    pub fn is_completed(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Invalid)
    }

    /// The word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Failed => "Failed",
            Self::Succeeded => "Succeeded",
            Self::Invalid => "Invalid",
            Self::Unknown => "Unknown",
        }
    }
}

/// The phase of a restore: the first row that fits.
#[must_use]
pub fn phase(restore: &Restore) -> Phase {
    let begun = restore.components.iter().filter(|c| c.attempt > 0 || c.outcome.is_some());
    of_facts(&restore.conditions, restore.total_components, begun.map(component_phase))
}

/// The phase of one component.
#[must_use]
pub fn component_phase(component: &ComponentState) -> Phase {
    match &component.outcome {
        Some(Outcome::Succeeded) => Phase::Succeeded,
        Some(Outcome::Failed(_)) => Phase::Failed,
        None if component.attempt == 0 => Phase::Pending,
        None => Phase::Running,
    }
}

fn of_facts(facts: &Conditions, total: u32, components: impl Iterator<Item = Phase>) -> Phase {
    const BAD_WHEN_FALSE: [Type; 3] = [
        Type::PreRestoreHooksExecutionSucceeded,
        Type::PostRestoreHooksExecutionSucceeded,
        Type::RestoreExecutorEnsured,
    ];
    if facts.is_false(Type::MetricsPushed) {
        return Phase::Failed;
    }
    if facts.is_false(Type::ValidationPassed) {
        return Phase::Invalid;
    }
    if facts.is_true(Type::MetricsPushed)
        && (BAD_WHEN_FALSE.iter().any(|kind| facts.is_false(*kind))
            || facts.is_true(Type::RestoreIncomplete))
    {
        return Phase::Failed;
    }
    match aggregate(total, components) {
        Phase::Pending => Phase::Pending,
        components if facts.has(Type::MetricsPushed) => components,
        Phase::Unknown => Phase::Unknown,
        _ => Phase::Running,
    }
}

/// What the components came to; the map holds those that were begun.
fn aggregate(total: u32, components: impl Iterator<Item = Phase>) -> Phase {
    let (mut all, mut succeeded, mut failed, mut unknown) = (0u32, 0u32, 0u32, 0u32);
    for phase in components {
        all += 1;
        match phase {
            Phase::Succeeded => succeeded += 1,
            Phase::Failed => failed += 1,
            Phase::Unknown => unknown += 1,
            _ => {}
        }
    }
    if all == 0 {
        Phase::Pending
    } else if succeeded == total {
        Phase::Succeeded
    } else if failed > 0 {
        Phase::Failed
    } else if succeeded + unknown == total {
        Phase::Unknown
    } else {
        Phase::Running
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Declared { .. } => "Declared",
        Event::ValidationPassed { .. } => "ValidationPassed",
        Event::ValidationFailed { .. } => "ValidationFailed",
        Event::TargetNotFound { .. } => "TargetNotFound",
        Event::Started { .. } => "Started",
        Event::Surveyed { .. } => "Surveyed",
        Event::ComponentPlanned { .. } => "ComponentPlanned",
        Event::HookStarted { .. } => "HookStarted",
        Event::HookEnded { .. } => "HookEnded",
        Event::HooksFinished { .. } => "HooksFinished",
        Event::AttemptStarted { .. } => "AttemptStarted",
        Event::WorkerObserved { .. } => "WorkerObserved",
        Event::ExecutorEnsured { .. } => "ExecutorEnsured",
        Event::ExecutorNotEnsured { .. } => "ExecutorNotEnsured",
        Event::ComponentEnded { .. } => "ComponentEnded",
        Event::Incomplete { .. } => "Incomplete",
        Event::DeadlineExceeded { .. } => "DeadlineExceeded",
        Event::Cancelled { .. } => "Cancelled",
        Event::MetricsPushed { .. } => "MetricsPushed",
        Event::Archived { .. } => "Archived",
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::backup::{Component, Frozen, Worker};
    use crate::ids::{Hash, Key, Uid};
    use crate::testing::given;
    use crate::time::{Millis, Timestamp};

    fn facts(list: &[(Type, bool)]) -> Conditions {
        let mut facts = Conditions::default();
        for (kind, holds) in list {
            facts.state(Timestamp(1), *kind, (!holds).then_some("problem"));
        }
        facts
    }

    fn of(letters: &str, total: u32, list: &[(Type, bool)]) -> Phase {
        let phases = letters.chars().map(|letter| match letter {
            'S' => Phase::Succeeded,
            'F' => Phase::Failed,
            'R' => Phase::Running,
            'U' => Phase::Unknown,
            _ => Phase::Pending,
        });
        of_facts(&facts(list), total, phases)
    }

    #[test]
    fn test_vectors_of_the_documents() {
        use Type::{MetricsPushed, ValidationPassed};
        let end: &[(Type, bool)] = &[(MetricsPushed, true)];
        type Facts<'a> = &'a [(Type, bool)];
        let cases: &[(&str, u32, Facts, Phase)] = &[
            ("", 4, &[], Phase::Pending),
            ("RPPP", 4, &[], Phase::Running),
            ("SFFP", 4, &[], Phase::Running),
            ("F", 2, end, Phase::Failed),
            ("FR", 3, &[], Phase::Running),
            ("SSSS", 4, end, Phase::Succeeded),
            ("SSSS", 4, &[], Phase::Running),
            ("SU", 2, &[], Phase::Unknown),
            ("SU", 2, end, Phase::Unknown),
            ("FU", 2, end, Phase::Failed),
            ("R", 0, end, Phase::Succeeded),
            ("SR", 2, end, Phase::Running),
            ("", 0, &[(ValidationPassed, false)], Phase::Invalid),
            ("S", 1, &[(ValidationPassed, false), (MetricsPushed, true)], Phase::Invalid),
            ("S", 1, &[(ValidationPassed, false), (MetricsPushed, false)], Phase::Failed),
            ("", 0, end, Phase::Pending),
        ];
        for (letters, total, conditions, expected) in cases {
            assert_eq!(
                of(letters, *total, conditions),
                *expected,
                "{letters}/{total} {conditions:?}"
            );
        }
    }

    #[test]
    fn every_bad_fact_makes_the_final_phase_failed_and_none_before_the_end() {
        for kind in [
            Type::PreRestoreHooksExecutionSucceeded,
            Type::PostRestoreHooksExecutionSucceeded,
            Type::RestoreExecutorEnsured,
        ] {
            assert_eq!(of("S", 1, &[(kind, false)]), Phase::Running, "{kind:?}");
            let end = [(kind, false), (Type::MetricsPushed, true)];
            assert_eq!(of("S", 1, &end), Phase::Failed, "{kind:?}");
        }
        let mut facts = facts(&[(Type::MetricsPushed, true)]);
        facts.raise(Timestamp(1), Type::RestoreIncomplete, "the pod was evicted");
        let succeeded = [Phase::Succeeded].into_iter();
        assert_eq!(of_facts(&facts, 1, succeeded), Phase::Failed);
    }

    #[test]
    fn words_of_the_status() {
        for (phase, word, completed) in [
            (Phase::Pending, "Pending", false),
            (Phase::Running, "Running", false),
            (Phase::Failed, "Failed", true),
            (Phase::Succeeded, "Succeeded", true),
            (Phase::Invalid, "Invalid", true),
            (Phase::Unknown, "Unknown", false),
        ] {
            assert_eq!((phase.as_str(), phase.is_completed()), (word, completed));
        }
    }

    const STEPS: [(Step, char); 6] = [
        (Step::Declared, 'd'),
        (Step::Surveying, 's'),
        (Step::Planning, 'l'),
        (Step::Working, 'w'),
        (Step::Closing, 'o'),
        (Step::Finished, 'f'),
    ];

    /// Every event; hooks once for each stage and outcome, because they differ by them. Behind it the
    /// steps that it leads to from those of [`STEPS`], in their order; a dot is illegal.
    fn table() -> Vec<(Event, &'static str)> {
        let uid = Uid::default();
        let text = || String::from("x");
        let run = |stage| Run { stage, index: 0, number: 1 };
        let (pre, post) = (Stage::Pre, Stage::Post);
        let good = || Outcome::Succeeded;
        let bad = || Outcome::Failed(crate::testing::failure("X"));
        let finished = |stage, outcome| Event::HooksFinished { uid, stage, outcome };
        let ended = |stage, outcome| Event::HookEnded { uid, run: run(stage), outcome };
        vec![
            (
                Event::Declared {
                    uid,
                    key: Key::default(),
                    generation: 1,
                    hash: Hash::default(),
                    spec: given::restore(&[]),
                },
                "d.....",
            ),
            (Event::ValidationPassed { uid }, "d....."),
            (Event::ValidationFailed { uid, reason: text(), message: text() }, "d....."),
            (Event::TargetNotFound { uid, message: text() }, "ds...."),
            (
                Event::Started { uid, snapshot: uid, deadline: None, frozen: Frozen::default() },
                "s.....",
            ),
            (Event::Surveyed { uid, components: 1 }, ".l...."),
            (Event::ComponentPlanned { uid, asked: text(), component: component() }, "..l..."),
            (Event::HookStarted { uid, run: run(pre) }, "..l..."),
            (Event::HookStarted { uid, run: run(post) }, "...oo."),
            (ended(pre, good()), "..l.o."),
            (ended(pre, bad()), "..l.o."),
            (ended(post, good()), "....o."),
            (ended(post, bad()), "....o."),
            (finished(pre, good()), "..l.o."),
            (finished(pre, bad()), "..o.o."),
            (finished(post, good()), "...oo."),
            (finished(post, bad()), "...oo."),
            (Event::AttemptStarted { uid, component: text(), number: 1 }, "..ww.."),
            (
                Event::WorkerObserved {
                    uid,
                    component: text(),
                    number: 1,
                    worker: Worker { job: uid, pod: uid },
                },
                "...w..",
            ),
            (Event::ExecutorEnsured { uid }, "...w.."),
            (Event::ExecutorNotEnsured { uid, message: text() }, ".oowo."),
            (
                Event::ComponentEnded {
                    uid,
                    component: text(),
                    number: 1,
                    outcome: good(),
                    duration: Millis(0),
                },
                "...wo.",
            ),
            (Event::Incomplete { uid, message: text() }, "...wo."),
            (Event::DeadlineExceeded { uid }, ".oooo."),
            (Event::Cancelled { uid, cause: "x".into() }, ".oooo."),
            (Event::MetricsPushed { uid }, "...ff."),
            (Event::Archived { uid }, "d....f"),
        ]
    }

    fn component() -> Component {
        Component {
            name: "dump".into(),
            driver: crate::dependency::Driver::Restic,
            task: String::new(),
            params: vec![],
            pod: String::new(),
            node: String::new(),
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
        let illegal = next(Step::Declared, &Event::ExecutorEnsured { uid: Uid::default() });
        assert_eq!(
            illegal.unwrap_err().to_string(),
            "ExecutorEnsured cannot happen to a restore that is Declared"
        );
    }
}
