//! `status.hooks` of sessions.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::hook::run::Progress;
use crate::hook::{HookSpec, Stage};
use crate::outcome::Outcome;

/// `status.hooks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookStatus {
    /// `preHooks`.
    pub pre: Vec<HookEntry>,
    /// `postHooks`; those that their policy passed over are not listed.
    pub post: Vec<HookEntry>,
}

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookEntry {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub phase: HookPhase,
}

/// Phase of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum HookPhase {
    Pending,
    Succeeded,
    Failed,
}

impl HookPhase {
    /// The word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// The hooks of a session; absent when it has none.
#[must_use]
pub fn status(pre: &[HookSpec], post: &[HookSpec], progress: &Progress) -> Option<HookStatus> {
    let pre = stage(pre, Stage::Pre, progress);
    let post = stage(post, Stage::Post, progress);
    (!pre.is_empty() || !post.is_empty()).then_some(HookStatus { pre, post })
}

fn stage(hooks: &[HookSpec], stage: Stage, progress: &Progress) -> Vec<HookEntry> {
    let through = progress.result(stage).is_some();
    let entries = (0_u32..).zip(hooks).filter_map(|(index, hook)| {
        let phase = match progress.latest(stage, index) {
            None if through && stage == Stage::Post => return None,
            None => HookPhase::Pending,
            Some(latest) => match &latest.outcome {
                Some(Outcome::Succeeded) => HookPhase::Succeeded,
                Some(Outcome::Failed(failure))
                    if through || failure.permanent || latest.run.number > hook.max_retry =>
                {
                    HookPhase::Failed
                }
                _ => HookPhase::Pending,
            },
        };
        Some(HookEntry { name: hook.name.clone(), phase })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::hook::{Policy, Run};
    use crate::ids::Key;
    use crate::testing::failure;
    use crate::time::Timestamp;

    fn hook(name: &str, max_retry: u32) -> HookSpec {
        HookSpec {
            name: name.into(),
            template: Key::default(),
            params: vec![],
            max_retry,
            timeout: None,
            policy: Policy::Always,
        }
    }

    fn phases(hooks: &[HookSpec], stage: Stage, progress: &Progress) -> Vec<HookPhase> {
        super::stage(hooks, stage, progress).iter().map(|entry| entry.phase).collect()
    }

    #[test]
    fn a_failed_try_is_pending_while_another_may_follow() {
        let hooks = [hook("a", 1)];
        let mut progress = Progress::default();
        assert_eq!(phases(&hooks, Stage::Pre, &progress), [HookPhase::Pending]);
        for (number, expected) in [(1, HookPhase::Pending), (2, HookPhase::Failed)] {
            let run = Run { stage: Stage::Pre, index: 0, number };
            progress.start(Timestamp(0), run);
            assert_eq!(phases(&hooks, Stage::Pre, &progress), [HookPhase::Pending]);
            progress.end(run, &Outcome::Failed(failure("ExitCode")));
            assert_eq!(phases(&hooks, Stage::Pre, &progress), [expected]);
        }
    }

    #[test]
    fn hooks_that_were_passed_over_are_not_listed() {
        let hooks = [hook("cheer", 0), hook("alarm", 0)];
        let mut progress = Progress::default();
        let run = Run { stage: Stage::Post, index: 1, number: 1 };
        progress.start(Timestamp(0), run);
        assert_eq!(phases(&hooks, Stage::Post, &progress), [HookPhase::Pending; 2]);
        progress.end(run, &Outcome::Succeeded);
        progress.finish(Stage::Post, &Outcome::Succeeded);
        let status = status(&[], &hooks, &progress).unwrap();
        assert_eq!(status.post.len(), 1);
        assert_eq!(status.post[0].name, "alarm");
        assert!(super::status(&[], &[], &progress).is_none());
    }
}
