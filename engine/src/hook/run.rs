//! Which hook to run next: one list of hooks, one at a time, each with its tries.
//!
//! | Situation | Next |
//! |---|---|
//! | a try is under way | wait |
//! | a try failed and the hook has tries left | the next try |
//! | a hook before the work failed | the stage failed; later hooks of it do not run |
//! | a hook after the work failed | the stage failed, and later hooks of it still run: one of them may thaw what the first stage froze |
//! | a hook after the work does not fit the result (`executionPolicy`) | it is passed over |

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::hook::{HookSpec, Policy, Run, Stage};
use crate::limits;
use crate::outcome::{Failure, Outcome};
use crate::time::{Millis, Timestamp};

/// The tries of a session's hooks so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// In order of their start.
    pub tries: Vec<Try>,
    /// Stages that are through, with the first failure.
    pub finished: Vec<(Stage, Outcome)>,
}

/// One try of one hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// Which try of which hook.
    pub run: Run,
    /// When it began.
    pub started_at: Timestamp,
    /// What came of it; absent while it is under way.
    pub outcome: Option<Outcome>,
}

/// What to do about a list of hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Begin this try.
    Start(Run),
    /// A try is under way.
    Wait,
    /// All that had to run did; the first failure, if any.
    Finished(Outcome),
}

impl Progress {
    /// A try began.
    pub fn start(&mut self, at: Timestamp, run: Run) {
        self.tries.push(Try { run, started_at: at, outcome: None });
    }

    /// A try ended; false when no such try was under way.
    pub fn end(&mut self, run: Run, outcome: &Outcome) -> bool {
        let open = self.tries.iter_mut().find(|t| t.run == run && t.outcome.is_none());
        open.map(|t| t.outcome = Some(outcome.clone())).is_some()
    }

    /// A stage is through.
    pub fn finish(&mut self, stage: Stage, outcome: &Outcome) {
        self.finished.push((stage, outcome.clone()));
    }

    /// The try that is under way.
    #[must_use]
    pub fn open(&self) -> Option<Run> {
        self.tries.iter().find(|t| t.outcome.is_none()).map(|t| t.run)
    }

    /// What a stage came to, once it is through.
    #[must_use]
    pub fn result(&self, stage: Stage) -> Option<&Outcome> {
        self.finished.iter().find(|(s, _)| *s == stage).map(|(_, outcome)| outcome)
    }

    /// The latest try of one hook.
    #[must_use]
    pub fn latest(&self, stage: Stage, index: u32) -> Option<&Try> {
        self.tries.iter().rev().find(|t| t.run.stage == stage && t.run.index == index)
    }
}

/// What to do next about the hooks of one stage; `work_succeeded` is what the execution policies of
/// the second stage look at.
#[must_use]
pub fn next(hooks: &[HookSpec], stage: Stage, progress: &Progress, work_succeeded: bool) -> Next {
    let mut first_failure = None;
    for (index, hook) in (0_u32..).zip(hooks) {
        if stage == Stage::Post && !hook.policy.fits(work_succeeded) {
            continue;
        }
        let Some(latest) = progress.latest(stage, index) else {
            return Next::Start(Run { stage, index, number: 1 });
        };
        match &latest.outcome {
            None => return Next::Wait,
            Some(Outcome::Succeeded) => {}
            Some(Outcome::Failed(failure)) => {
                if !failure.permanent && latest.run.number <= hook.max_retry {
                    return Next::Start(Run { stage, index, number: latest.run.number + 1 });
                }
                let named = name_hook(hook, failure);
                if stage == Stage::Pre {
                    return Next::Finished(Outcome::Failed(named));
                }
                first_failure.get_or_insert(named);
            }
        }
    }
    Next::Finished(first_failure.map_or(Outcome::Succeeded, Outcome::Failed))
}

/// How long all tries of a list of hooks may take: what their stage is waited for, besides the time that
/// answers need.
#[must_use]
pub fn patience(hooks: &[HookSpec]) -> Millis {
    let all = hooks.iter().map(|hook| {
        let one = hook.timeout.unwrap_or(limits::HOOK_DEFAULT_MILLIS).0;
        one.saturating_mul(u64::from(hook.max_retry).saturating_add(1))
    });
    Millis(all.fold(0, u64::saturating_add))
}

/// The failure of a try whose start was recorded and whose end nobody saw.
#[must_use]
pub fn interrupted() -> Failure {
    Failure {
        reason: "Interrupted".into(),
        message: "the operator stopped while this hook was running".into(),
        permanent: false,
    }
}

fn name_hook(hook: &HookSpec, failure: &Failure) -> Failure {
    let mut message = String::from("hook ");
    message.push_str(&hook.name);
    message.push_str(": ");
    message.push_str(&failure.message);
    Failure { message, ..failure.clone() }
}

impl Policy {
    /// Whether a hook after the work runs, given what the work came to.
    #[must_use]
    pub fn fits(self, work_succeeded: bool) -> bool {
        match self {
            Self::Always => true,
            Self::OnSuccess => work_succeeded,
            Self::OnFailure => !work_succeeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::group::Group;
    use crate::ids::Key;

    fn hook(name: &str, max_retry: u32, policy: Policy) -> HookSpec {
        HookSpec {
            name: name.into(),
            template: Key::new(Group::KubeStash, "demo", name),
            params: vec![],
            max_retry,
            timeout: None,
            policy,
        }
    }

    fn failed() -> Outcome {
        Outcome::Failed(Failure {
            reason: "ExitCode".into(),
            message: "exit code 1".into(),
            permanent: false,
        })
    }

    /// Runs a stage to its end; `results` are taken one a try.
    fn drive(hooks: &[HookSpec], stage: Stage, ok: bool, results: &[Outcome]) -> (Vec<Run>, Next) {
        let (mut progress, mut runs) = (Progress::default(), vec![]);
        let mut results = results.iter();
        loop {
            match next(hooks, stage, &progress, ok) {
                Next::Start(run) => {
                    runs.push(run);
                    progress.start(Timestamp(0), run);
                    assert_eq!(next(hooks, stage, &progress, ok), Next::Wait);
                    assert!(progress.end(run, results.next().unwrap()));
                }
                other => return (runs, other),
            }
        }
    }

    #[test]
    fn a_failed_hook_is_tried_again_as_often_as_it_says() {
        let hooks = [hook("freeze", 2, Policy::Always)];
        let (runs, end) =
            drive(&hooks, Stage::Pre, true, &[failed(), failed(), Outcome::Succeeded]);
        assert_eq!(runs.iter().map(|r| r.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(end, Next::Finished(Outcome::Succeeded));

        let (runs, end) = drive(&hooks, Stage::Pre, true, &[failed(), failed(), failed()]);
        assert_eq!(runs.len(), 3);
        assert!(matches!(end, Next::Finished(Outcome::Failed(f)) if f.message.contains("freeze")));
    }

    #[test]
    fn a_permanent_failure_is_not_tried_again() {
        let permanent = Outcome::Failed(Failure {
            reason: "TemplateMissing".into(),
            message: "no such template".into(),
            permanent: true,
        });
        let (runs, _) = drive(&[hook("a", 5, Policy::Always)], Stage::Pre, true, &[permanent]);
        assert_eq!(runs.len(), 1);
    }

    #[test]
    fn before_the_work_a_failure_ends_the_stage_and_after_it_the_others_still_run() {
        let hooks = [hook("a", 0, Policy::Always), hook("thaw", 0, Policy::Always)];
        let (runs, _) = drive(&hooks, Stage::Pre, true, &[failed()]);
        assert_eq!(runs.len(), 1);
        let (runs, end) = drive(&hooks, Stage::Post, true, &[failed(), Outcome::Succeeded]);
        assert_eq!(runs.len(), 2);
        assert!(matches!(end, Next::Finished(Outcome::Failed(_))));
    }

    #[test]
    fn patience_is_that_of_all_tries_and_stops_at_the_end_of_time() {
        let timed = |timeout, retries| HookSpec {
            timeout: Some(Millis(timeout)),
            ..hook("a", retries, Policy::Always)
        };
        let default = limits::HOOK_DEFAULT_MILLIS.0;
        for (hooks, expected) in [
            (vec![], 0),
            (vec![hook("a", 0, Policy::Always)], default),
            (vec![hook("a", 2, Policy::OnFailure), timed(7, 1)], 3 * default + 14),
            (vec![timed(u64::MAX, 0), timed(1, 0)], u64::MAX),
            (vec![timed(u64::MAX / 2, u32::MAX)], u64::MAX),
        ] {
            assert_eq!(patience(&hooks), Millis(expected), "{hooks:?}");
        }
    }

    #[test]
    fn policies_choose_by_the_result_of_the_work() {
        let hooks = [
            hook("always", 0, Policy::Always),
            hook("cheer", 0, Policy::OnSuccess),
            hook("alarm", 0, Policy::OnFailure),
        ];
        let ok = [Outcome::Succeeded, Outcome::Succeeded];
        let indexes = |work| {
            drive(&hooks, Stage::Post, work, &ok).0.iter().map(|r| r.index).collect::<Vec<_>>()
        };
        assert_eq!(indexes(true), [0, 1]);
        assert_eq!(indexes(false), [0, 2]);
    }
}
