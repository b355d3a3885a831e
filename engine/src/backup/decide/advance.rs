//! How far a session can go with what is known.
//!
//! | Step | waits for | then |
//! |---|---|---|
//! | Surveying | the target's hosts | components |
//! | Planning | hooks before the work | one attempt for each component |
//! | Working | every component | what is unfinished is marked so |
//! | Closing | hooks after the work; descriptions of all snapshots | retention |
//! | Retaining | every removal | history, MetricsPushed, a retry |

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::Event;
use crate::backup::decide::{finish, result, retention};
use crate::backup::phase::Step;
use crate::backup::state::Backup;
use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::run::{self, Next};
use crate::hook::{HookSpec, Stage};
use crate::ids::Uid;
use crate::names;
use crate::outcome::Outcome;
use crate::snapshot;
use crate::work;

/// Takes the session as far as it can go.
pub(crate) fn advance(draft: &mut Draft, uid: Uid) {
    while step(draft, uid) {}
}

/// One step; false where something outside has to answer.
fn step(draft: &mut Draft, uid: Uid) -> bool {
    let Some(backup) = draft.backup(uid).cloned() else { return false };
    match backup.step {
        Step::Planning => prepare(draft, &backup),
        Step::Working | Step::Closing if backup.is_work_over() => close(draft, &backup),
        Step::Working => ensure_executor(draft, &backup),
        Step::Retaining => retention::conclude(draft, &backup) && finish::finish(draft, uid),
        _ => false,
    }
}

/// Hooks before the work, then the work.
fn prepare(draft: &mut Draft, backup: &Backup) -> bool {
    let uid = backup.uid;
    let hooks = hooks(backup, Stage::Pre);
    if !hooks.is_empty() && backup.hooks.result(Stage::Pre).is_none() {
        return match run::next(hooks, Stage::Pre, &backup.hooks, true) {
            Next::Wait => false,
            Next::Start(run) => {
                draft.emit(Event::HookStarted { uid, run });
                false
            }
            Next::Finished(outcome) => {
                draft.emit(Event::HooksFinished { uid, stage: Stage::Pre, outcome });
                true
            }
        };
    }
    for planned in &backup.components {
        let component = &planned.component;
        for listed in &backup.snapshots {
            draft.emit(snapshot::Event::ComponentStarted {
                uid: listed.uid,
                component: component.name.clone(),
                path: names::component_path(&backup.session, &component.name),
                driver: component.driver,
            });
        }
        let component = component.name.clone();
        draft.emit(Event::AttemptStarted { uid, component, number: 1 });
    }
    false
}

/// Every component has a worker, or has had one.
fn ensure_executor(draft: &mut Draft, backup: &Backup) -> bool {
    let known = backup.conditions.has(Type::BackupExecutorEnsured);
    if !known && work::all_have_workers(&backup.components) {
        draft.emit(Event::ExecutorEnsured { uid: backup.uid });
    }
    false
}

/// Marks what is unfinished, runs the hooks after the work, and waits for the descriptions.
fn close(draft: &mut Draft, backup: &Backup) -> bool {
    let uid = backup.uid;
    if backup.step == Step::Working {
        ensure_executor(draft, backup);
    }
    if mark_unfinished(draft, backup) {
        return true;
    }
    let hooks = hooks(backup, Stage::Post);
    let succeeded = result::has_work_succeeded(draft, backup);
    if backup.hooks.result(Stage::Post).is_none() {
        match run::next(hooks, Stage::Post, &backup.hooks, succeeded) {
            Next::Wait => return false,
            Next::Start(run) => {
                draft.emit(Event::HookStarted { uid, run });
                return false;
            }
            Next::Finished(outcome) if has_run(backup, Stage::Post) => {
                draft.emit(Event::HooksFinished { uid, stage: Stage::Post, outcome });
                return true;
            }
            Next::Finished(_) => {}
        }
    }
    if !are_described(draft, backup) {
        return false;
    }
    retention::begin(draft, backup);
    let retaining = draft.backup(uid).is_some_and(|known| known.step == Step::Retaining);
    retaining || finish::finish(draft, uid)
}

/// Law: what MetricsPushed makes final must be finished, one way or another. True when something was
/// marked.
fn mark_unfinished(draft: &mut Draft, backup: &Backup) -> bool {
    let why = result::first_failure(backup);
    let unfinished: Vec<Uid> = backup
        .snapshots
        .iter()
        .filter_map(|listed| draft.snapshot(listed.uid))
        .filter(|snapshot| !snapshot.is_written())
        .map(|snapshot| snapshot.uid)
        .collect();
    let mut marked = !unfinished.is_empty();
    for snapshot in unfinished {
        let message = why.clone().unwrap_or_else(|| "its components did not end".into());
        draft.emit(snapshot::Event::Incomplete { uid: snapshot, message });
    }
    let facts = &backup.conditions;
    if facts.is_true(Type::SnapshotsEnsured) {
        let known =
            draft.backup(backup.uid).is_some_and(|b| b.conditions.has(Type::BackupExecutorEnsured));
        if !known {
            let message: String = why.unwrap_or_else(|| "no worker was started".into());
            draft.emit(Event::ExecutorNotEnsured { uid: backup.uid, message });
            marked = true;
        }
    }
    marked
}

fn are_described(draft: &Draft, backup: &Backup) -> bool {
    backup
        .snapshots
        .iter()
        .filter_map(|listed| draft.snapshot(listed.uid))
        .all(|snapshot| snapshot.conditions.has(Type::SnapshotMetadataUploaded))
}

fn has_run(backup: &Backup, stage: Stage) -> bool {
    backup.hooks.tries.iter().any(|known| known.run.stage == stage)
}

fn hooks(backup: &Backup, stage: Stage) -> &[HookSpec] {
    backup.plan.as_ref().map_or(&[], |plan| match stage {
        Stage::Pre => &plan.spec.pre_hooks,
        Stage::Post => &plan.spec.post_hooks,
    })
}

/// Ends whatever closing still waits for, as failed: nobody answered in time.
pub(crate) fn force(draft: &mut Draft, uid: Uid, message: &str) {
    let failed = || Outcome::Failed(result::failure("NoAnswer", message));
    let Some(backup) = draft.backup(uid).cloned() else { return };
    if let Some(run) = backup.hooks.open() {
        for effect in draft.effects(|once| *once == Once::RunHook { session: uid, run }) {
            draft.give_up(effect, message);
        }
        draft.emit(Event::HookEnded { uid, run, outcome: failed() });
    }
    let pending = !matches!(backup.step, Step::Retaining)
        && backup.hooks.result(Stage::Post).is_none()
        && has_run(&backup, Stage::Post);
    if pending {
        draft.emit(Event::HooksFinished { uid, stage: Stage::Post, outcome: failed() });
    }
    let undescribed: Vec<Uid> = backup
        .snapshots
        .iter()
        .filter_map(|listed| draft.snapshot(listed.uid))
        .filter(|snapshot| !snapshot.conditions.has(Type::SnapshotMetadataUploaded))
        .map(|snapshot| snapshot.uid)
        .collect();
    for snapshot in undescribed {
        result::give_up_upload(draft, snapshot, message);
        draft.emit(snapshot::Event::MetadataUploaded { uid: snapshot, outcome: failed() });
    }
    advance(draft, uid);
    let retaining = draft.backup(uid).is_some_and(|known| known.step == Step::Retaining);
    if retaining {
        retention::give_up(draft, uid, &format!("retention: {message}"));
        advance(draft, uid);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::hook::{Executor, Policy};
    use crate::run::Command as Run;
    use crate::testing::given;
    use crate::testing::world::{MINUTE, World, broken};

    fn hooked() -> World {
        let mut session = given::session("nightly");
        session.pre_hooks = vec![given::hook("freeze")];
        session.post_hooks = vec![
            given::hook("thaw"),
            HookSpec { policy: Policy::OnFailure, ..given::hook("alarm") },
        ];
        let mut world = World::with(vec![session]);
        for name in ["freeze", "thaw", "alarm"] {
            world.declare_hook(name, Executor::Pod);
        }
        world
    }

    fn conditions(world: &World, uid: Uid) -> String {
        let all: Vec<&str> = world.backup(uid).conditions.iter().map(|c| c.kind.as_str()).collect();
        all.join(" ")
    }

    #[test]
    fn conditions_appear_in_the_documents_order() {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, Outcome::Succeeded);
        world.started(session, "pod-0");
        world.reported(session, "pod-0");
        world.hook_ended(session, Outcome::Succeeded);
        world.closed();
        assert_eq!(
            conditions(&world, session),
            "SnapshotsEnsured PreBackupHooksExecutionSucceeded BackupExecutorEnsured \
             PostBackupHooksExecutionSucceeded RetentionPolicyExecutorEnsured \
             SessionHistoryCleaned MetricsPushed"
        );
    }

    #[test]
    fn hooks_after_the_work_and_descriptions_are_both_waited_for() {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, Outcome::Succeeded);
        world.reported(session, "pod-0");
        let mut other = world.clone();
        assert_eq!(world.described(), "done snapshot.MetadataUploaded");
        assert!(world.hook_ended(session, Outcome::Succeeded).ends_with("backup.MetricsPushed"));
        assert_eq!(
            other.hook_ended(session, Outcome::Succeeded),
            "done backup.HookEnded backup.HooksFinished"
        );
        assert!(other.described().ends_with("backup.MetricsPushed"));
    }

    #[test]
    fn a_failed_hook_before_the_work_leaves_no_worker_and_still_thaws() {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, broken("ExitCode"));
        assert!(world.find(|once| matches!(once, Once::StartWorker { .. })).is_none());
        let tried = |world: &World| -> Vec<u32> {
            let after = world.backup(session).hooks.tries.iter();
            after.filter(|t| t.run.stage == Stage::Post).map(|t| t.run.index).collect()
        };
        assert_eq!(tried(&world), [0]);
        world.hook_ended(session, Outcome::Succeeded);
        assert_eq!(tried(&world), [0, 1], "the work did not succeed: the alarm goes off");
    }

    #[test]
    fn hooks_that_were_all_passed_over_leave_no_fact() {
        let mut session = given::session("nightly");
        session.post_hooks = vec![HookSpec { policy: Policy::OnFailure, ..given::hook("alarm") }];
        let mut world = World::with(vec![session]);
        let session = world.succeed();
        assert!(!world.backup(session).conditions.has(Type::PostBackupHooksExecutionSucceeded));
        assert!(world.backup(session).is_finished());
    }

    #[test]
    fn a_description_that_cannot_be_stored_fails_the_snapshot_and_ends_the_session() {
        let mut world = World::ready();
        let session = world.working(1);
        world.reported(session, "pod-0");
        let snapshot = world.snapshot_of(session);
        let forbidden = broken("Forbidden").into();
        let end = world.answer_to(&Once::UploadMetadata { snapshot }, forbidden);
        assert!(end.ends_with("backup.HistoryCleaned backup.MetricsPushed"), "{end}");
        let phase = crate::backup::phase::phase(world.backup(session));
        assert_eq!(phase, crate::backup::phase::Phase::Failed);
    }

    #[test]
    fn what_is_forced_ends_open_hooks_then_descriptions_then_retention() {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, Outcome::Succeeded);
        world.reported(session, "pod-0");
        world.pass(24 * 60 * MINUTE);
        assert_eq!(
            world.ask(Run::Expire { session }),
            "backup.DeadlineExceeded given-up backup.HookEnded backup.HooksFinished given-up \
             snapshot.MetadataUploaded backup.RetentionStarted backup.RetentionApplied \
             backup.HistoryCleaned backup.MetricsPushed"
        );
        let facts = &world.backup(session).conditions;
        assert!(facts.is_false(Type::PostBackupHooksExecutionSucceeded));
        assert_eq!(world.outbox(), []);
    }
}
