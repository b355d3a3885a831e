//! Decides on leadership.

use crate::draft::Draft;
use crate::lease::{Command, Event};
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Begin { holder } => {
            draft.emit(Event::EpochBegan { holder: holder.clone() });
            Ok(())
        }
        Command::Configure { references } => {
            if draft.references() != *references {
                draft.emit(Event::Configured { references: *references });
            }
            Ok(())
        }
        Command::Limit { limits } if limits.is_closed() => {
            Err(Rejection::never("limits", "a limit of 0 would let no worker begin"))
        }
        Command::Limit { limits } => {
            if draft.limits() != *limits {
                draft.emit(Event::LimitsSet { limits: *limits });
            }
            Ok(())
        }
        Command::AcknowledgeGap { from, to } if from <= to => {
            draft.emit(Event::LogGapAcknowledged { from: *from, to: *to });
            Ok(())
        }
        Command::AcknowledgeGap { from, to } => {
            Err(Rejection::never("gap", alloc::format!("{from} is after {to}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::phase::{Phase, phase};
    use crate::hook::{Executor, HookSpec, run};
    use crate::ids::Uid;
    use crate::outcome::Outcome;
    use crate::testing::given;
    use crate::testing::world::{BACK, World};

    fn begin(world: &mut World, epoch: u64) -> Result<alloc::string::String, Rejection> {
        let command = Command::Begin { holder: "operator-2".into() };
        world.submit(epoch, command.into())
    }

    /// A session that runs a hook before its work; `freeze` is run by this executor.
    fn freezing(executor: Executor, retries: u32) -> (World, Uid) {
        let mut session = given::session("nightly");
        session.pre_hooks = vec![HookSpec { max_retry: retries, ..given::hook("freeze") }];
        let mut world = World::with(vec![session]);
        world.declare_hook("freeze", executor);
        let session = world.working(1);
        (world, session)
    }

    #[test]
    fn only_a_higher_epoch_begins() {
        let mut world = World::new();
        assert_eq!(world.state.epoch, 1);
        for epoch in [0, 1] {
            assert_eq!(
                begin(&mut world, epoch),
                Err(Rejection::StaleEpoch { given: epoch, current: 1 })
            );
        }
        assert_eq!(begin(&mut world, 5), Ok("lease.EpochBegan".into()));
        assert_eq!((world.state.epoch, world.state.leader.as_str()), (5, "operator-2"));
    }

    #[test]
    fn a_gap_is_acknowledged_from_its_first_to_its_last() {
        let mut world = World::new();
        for (from, to) in [(3, 3), (5, 9)] {
            assert_eq!(world.ask(Command::AcknowledgeGap { from, to }), "lease.LogGapAcknowledged");
        }
        assert_eq!(world.state.gaps, [(3, 3), (5, 9)]);
        assert_eq!(
            world.refused(Command::AcknowledgeGap { from: 9, to: 5 }),
            Rejection::never("gap", "9 is after 5")
        );
    }

    #[test]
    fn a_hook_without_an_end_counts_as_failed_and_its_retries_decide() {
        for executor in [Executor::Pod, Executor::Operator] {
            let (mut world, session) = freezing(executor, 0);
            assert_eq!(
                world.lead(),
                "lease.EpochBegan given-up backup.HookEnded backup.HooksFinished snapshot.Incomplete \
                 backup.ExecutorNotEnsured"
            );
            let failed = Outcome::Failed(run::interrupted());
            assert_eq!(world.backup(session).hooks.tries[0].outcome, Some(failed));
            world.closed();
            assert_eq!(phase(world.backup(session)), Phase::Failed);

            let (mut world, session) = freezing(executor, 1);
            assert_eq!(
                world.lead(),
                "lease.EpochBegan given-up backup.HookEnded backup.HookStarted"
            );
            assert!(world.hook_ended(session, Outcome::Succeeded).ends_with("AttemptStarted"));
        }
    }

    #[test]
    fn a_hook_that_is_a_job_of_its_own_is_found_again() {
        let (mut world, session) = freezing(Executor::Function, 0);
        let before = world.state.outbox.clone();
        assert_eq!(world.lead(), "lease.EpochBegan");
        assert_eq!(world.state.outbox, before);
        assert!(world.hook_ended(session, Outcome::Succeeded).ends_with("AttemptStarted"));
    }

    #[test]
    fn a_hook_whose_template_is_gone_does_not_survive() {
        let (mut world, _) = freezing(Executor::Function, 0);
        let uid = crate::testing::world::named("hook/freeze");
        world.ask(crate::hook::Command::Delete { uid });
        assert!(world.lead().contains("backup.HookEnded"));
    }

    #[test]
    fn hooks_of_restores_are_interrupted_too() {
        let mut world = World::restorable();
        world.declare_hook("freeze", Executor::Pod);
        let mut spec = given::restore(&["pod-0"]);
        spec.pre_hooks = vec![given::hook("freeze")];
        world.restoring(spec);
        assert_eq!(
            world.lead(),
            "lease.EpochBegan given-up restore.HookEnded restore.HooksFinished \
             restore.Incomplete restore.ExecutorNotEnsured restore.MetricsPushed \
             configuration.ResumedAfterRestore"
        );
        assert!(world.back().is_finished());
    }

    #[test]
    fn a_hook_of_nobody_is_given_up() {
        let (mut world, session) = freezing(Executor::Pod, 0);
        world.state.backups.remove(&session);
        assert_eq!(world.lead(), "lease.EpochBegan given-up");
        assert_eq!(world.outbox(), []);
    }

    #[test]
    fn workers_and_everything_else_stay_asked_for() {
        let mut world = World::restorable();
        world.working(2);
        world.restoring(given::restore(&[]));
        let before = world.state.outbox.clone();
        assert_eq!(world.lead(), "lease.EpochBegan");
        assert_eq!(world.state.outbox, before);
        assert!(world.reported(BACK, "pod-0").contains("restore.ComponentEnded"));
    }
}
