//! `status` of a BackupSession.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::hooks::{self, HookStatus};
use crate::backup::phase::{Phase, phase};
use crate::backup::state::Backup;
use crate::condition::Condition;
use crate::ids::{Key, TypedRef, Uid};
use crate::snapshot::phase::Phase as SnapshotPhase;
use crate::state::State;
use crate::time::Timestamp;

/// `status` of a BackupSession.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupStatus {
    /// `phase`.
    pub phase: Phase,
    /// `duration` from creation to end in whole seconds; absent before the end.
    pub duration: Option<String>,
    /// `backupDeadline`.
    pub deadline: Option<Timestamp>,
    /// `totalSnapshots`.
    pub total_snapshots: u32,
    /// `snapshots`.
    pub snapshots: Vec<SnapshotEntry>,
    /// `hooks`; absent without hooks.
    pub hooks: Option<HookStatus>,
    /// `retentionPolicy`.
    pub retention: Vec<RetentionEntry>,
    /// `retried`; absent where no retry is configured.
    pub retried: Option<bool>,
    /// `nextRetry`.
    pub next_retry: Option<Timestamp>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// One entry of `snapshots`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotEntry {
    /// `name`.
    pub name: String,
    /// `phase`.
    pub phase: SnapshotPhase,
    /// `appRef`.
    pub app: TypedRef,
    /// `repository`; its uid where the name is not known any more.
    pub repository: String,
}

/// One entry of `retentionPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionEntry {
    /// `ref`.
    pub policy: Key,
    /// `repository`; its uid where the name is not known any more.
    pub repository: String,
    /// `phase`.
    pub phase: RetentionPhase,
    /// `error`.
    pub error: Option<String>,
}

/// Phase of the retention of one repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum RetentionPhase {
    Pending,
    Applied,
    FailedToApply,
}

impl RetentionPhase {
    /// The word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Applied => "Applied",
            Self::FailedToApply => "FailedToApply",
        }
    }
}

/// Name of a repository; its uid where the name is not known any more.
pub(super) fn repository_name(state: &State, repository: Uid) -> String {
    let known = state.repositories.get(&repository);
    known.map_or_else(|| repository.to_string(), |known| known.key.name.clone())
}

/// The status of a backup session.
#[must_use]
pub fn status(state: &State, backup: &Backup) -> BackupStatus {
    let snapshots = backup.snapshots.iter().map(|snapshot| SnapshotEntry {
        name: snapshot.key.name.clone(),
        phase: snapshot.phase,
        app: snapshot.app.clone(),
        repository: repository_name(state, snapshot.repository),
    });
    let retention = backup.retention.iter().map(|entry| RetentionEntry {
        policy: entry.policy.clone(),
        repository: repository_name(state, entry.repository),
        phase: match &entry.result {
            None => RetentionPhase::Pending,
            Some(Ok(())) => RetentionPhase::Applied,
            Some(Err(_)) => RetentionPhase::FailedToApply,
        },
        error: entry.result.clone().and_then(Result::err),
    });
    let spec = backup.plan.as_ref().map(|plan| &plan.spec);
    let retries = spec.is_some_and(|spec| spec.retry.is_some()) || backup.retry_at.is_some();
    let ended = backup.ended_at.map(|end| end.since(backup.created_at).whole_seconds());
    BackupStatus {
        phase: phase(backup),
        duration: ended.map(|duration| duration.to_string()),
        deadline: backup.deadline,
        total_snapshots: backup.total_snapshots,
        snapshots: snapshots.collect(),
        hooks: spec.and_then(|s| hooks::status(&s.pre_hooks, &s.post_hooks, &backup.hooks)),
        retention: retention.collect(),
        retried: retries.then_some(backup.retried_by.is_some()),
        next_retry: backup.retry_at,
        conditions: super::conditions(&backup.conditions),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::configuration::{Retry, SessionSpec};
    use crate::hook::Executor;
    use crate::outcome::Outcome;
    use crate::run::Command as Run;
    use crate::testing::given;
    use crate::testing::world::{MINUTE, World};
    use crate::time::Millis;
    use crate::view::hooks::HookPhase;

    fn world(change: impl FnOnce(&mut SessionSpec)) -> World {
        let mut session = given::session("nightly");
        change(&mut session);
        World::with(vec![session])
    }

    fn of(world: &World, uid: Uid) -> BackupStatus {
        status(&world.state, world.backup(uid))
    }

    #[test]
    fn a_session_from_its_begin_to_its_end() {
        let mut world = world(|session| {
            session.timeout = Some(Millis(10 * MINUTE));
            session.pre_hooks = vec![given::hook("freeze")];
        });
        world.declare_hook("freeze", Executor::Pod);
        let begin = world.now;
        let session = world.working(1);
        let shown = of(&world, session);
        assert_eq!(shown.phase, Phase::Pending);
        assert_eq!((shown.duration, shown.total_snapshots), (None, 1));
        assert_eq!(shown.deadline, Some(begin.plus(Millis(10 * MINUTE))));
        assert_eq!(shown.hooks.unwrap().pre[0].phase, HookPhase::Pending);
        assert_eq!((shown.retried, shown.next_retry), (None, None), "no retry is configured");

        world.hook_ended(session, Outcome::Succeeded);
        assert_eq!(of(&world, session).phase, Phase::Running);
        world.pass(61_999);
        world.started(session, "pod-0");
        world.reported(session, "pod-0");
        world.described();
        let shown = of(&world, session);
        assert_eq!(shown.phase, Phase::Succeeded);
        assert_eq!(shown.duration.as_deref(), Some("1m1s"), "whole seconds");
        let entry = &shown.snapshots[0];
        assert_eq!(
            (entry.name.as_str(), entry.repository.as_str(), entry.phase.as_str()),
            ("one-app-nightly-1700438400", "one", "Succeeded")
        );
        assert_eq!(entry.app, given::target());
        assert_eq!(shown.retention[0].phase.as_str(), "Applied");
    }

    #[test]
    fn retention_is_pending_until_its_last_removal_is_answered() {
        let mut world = World::ready();
        world.succeed();
        world.pass(MINUTE);
        world.declare_retention("keep", given::retention(1));
        let session = world.working(1);
        world.reported(session, "pod-0");
        world.described();
        assert_eq!(of(&world, session).retention[0].phase.as_str(), "Pending");
        world.pass(crate::limits::CLOSING_MILLIS.0);
        world.ask(Run::Expire { session });
        let entry = of(&world, session).retention.remove(0);
        assert_eq!(entry.phase.as_str(), "FailedToApply");
        assert_eq!(entry.error.as_deref(), Some("retention: nobody answered in time"));
    }

    #[test]
    fn a_retry_is_announced_and_then_has_happened() {
        let mut world = world(|session| {
            session.retry = Some(Retry { max: 1, delay: Millis(MINUTE) });
        });
        let failed = crate::testing::world::named("failed");
        let mut command = world.creation(failed, "nightly", None);
        if let crate::backup::Command::Create { retry_left, .. } = &mut command {
            *retry_left = 1;
        }
        world.ask(command);
        world.surveyed(failed, 1);
        world.vanished(failed, "pod-0");
        world.closed();
        let shown = of(&world, failed);
        let when = world.now.plus(Millis(MINUTE));
        assert_eq!((shown.retried, shown.next_retry), (Some(false), Some(when)));
        world.pass(MINUTE);
        world.ask(crate::backup::Command::Retry { session: failed });
        assert_eq!(of(&world, failed).retried, Some(true));
    }

    #[test]
    fn a_skipped_session_has_ended_without_anything() {
        let mut world = World::ready();
        world.create("nightly");
        let (skipped, _) = world.create("nightly");
        let shown = of(&world, skipped);
        assert_eq!(shown.phase, Phase::Skipped);
        assert_eq!(shown.duration.as_deref(), Some("0s"));
        assert_eq!((shown.snapshots, shown.retention, shown.hooks), (vec![], vec![], None));
    }
}
