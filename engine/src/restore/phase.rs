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
use crate::outcome::Outcome;
use crate::restore::Event;
use crate::restore::state::Restore;
use crate::run;
use crate::run::component::ComponentState;
pub use crate::run::phase::{IllegalStep, Step};

/// The step after an event.
///
/// # Errors
/// [`IllegalStep`] when the event cannot happen here.
pub fn next(step: Step, event: &Event) -> Result<Step, IllegalStep> {
    use Event as E;
    match (step, event) {
        (_, E::Run { event }) => run::phase::next(step, event),
        (
            Step::Created,
            E::Declared { .. }
            | E::ValidationPassed { .. }
            | E::ValidationFailed { .. }
            | E::TargetNotFound { .. },
        ) => Ok(Step::Created),
        (Step::Created, E::Started { .. }) => Ok(Step::Surveying),
        (Step::Surveying, E::TargetNotFound { .. }) => Ok(Step::Surveying),
        (Step::Working | Step::Closing, E::Incomplete { .. }) => Ok(step),
        (Step::Working | Step::Closing, E::MetricsPushed { .. }) => Ok(Step::Finished),
        (Step::Created | Step::Finished, E::Archived { .. }) => Ok(step),
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
        Event::Run { .. } => "Run",
        Event::Declared { .. } => "Declared",
        Event::ValidationPassed { .. } => "ValidationPassed",
        Event::ValidationFailed { .. } => "ValidationFailed",
        Event::TargetNotFound { .. } => "TargetNotFound",
        Event::Started { .. } => "Started",
        Event::Incomplete { .. } => "Incomplete",
        Event::MetricsPushed { .. } => "MetricsPushed",
        Event::Archived { .. } => "Archived",
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::ids::{Hash, Key, Uid};
    use crate::run::Frozen;
    use crate::testing::given;
    use crate::time::Timestamp;

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
        (Step::Created, 'd'),
        (Step::Surveying, 's'),
        (Step::Planning, 'l'),
        (Step::Working, 'w'),
        (Step::Closing, 'o'),
        (Step::Finished, 'f'),
    ];

    /// Every event of its own. Behind it the steps that it leads to from those of [`STEPS`], in their
    /// order; a dot is illegal.
    fn table() -> Vec<(Event, &'static str)> {
        let uid = Uid::default();
        let text = || String::from("x");
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
            (Event::Incomplete { uid, message: text() }, "...wo."),
            (Event::MetricsPushed { uid }, "...ff."),
            (Event::Archived { uid }, "d....f"),
        ]
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
}
