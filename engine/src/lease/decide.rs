//! Decides on leadership.

use alloc::vec::Vec;

use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::{Executor, HookSpec, Run, Stage, run};
use crate::ids::{EffectId, Uid};
use crate::lease::{Command, Event};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::{backup, restore};

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Begin { holder } => {
            draft.emit(Event::EpochBegan { holder: holder.clone() });
            interrupt_hooks(draft)
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

/// A hook whose start was recorded without an end counts as failed: nobody can tell how far it came.
/// One that runs as a Job of its own is found again by its name.
fn interrupt_hooks(draft: &mut Draft) -> Result<(), Rejection> {
    let base = draft.base();
    let open: Vec<(EffectId, Uid, Run)> = base
        .outbox
        .iter()
        .filter_map(|(id, once)| match once {
            Once::RunHook { session, run } => Some((*id, *session, *run)),
            _ => None,
        })
        .collect();
    for (effect, session, run) in open {
        let outcome = Outcome::Failed(run::interrupted());
        let of_backup = draft.backup(session).and_then(|found| found.plan.as_ref());
        if let Some(plan) = of_backup {
            let hook = hook_of(run, &plan.spec.pre_hooks, &plan.spec.post_hooks);
            if !survives(draft, hook) {
                let command = backup::Command::HookReported { session, effect, run, outcome };
                backup::decide::decide(draft, &command)?;
            }
        } else if let Some(found) = draft.restore(session) {
            let hook = hook_of(run, &found.spec.pre_hooks, &found.spec.post_hooks);
            if !survives(draft, hook) {
                let command = restore::Command::HookReported { session, effect, run, outcome };
                restore::decide::decide(draft, &command)?;
            }
        } else {
            draft.give_up(effect, "its session is gone");
        }
    }
    Ok(())
}

fn hook_of<'h>(run: Run, pre: &'h [HookSpec], post: &'h [HookSpec]) -> Option<&'h HookSpec> {
    let hooks = if run.stage == Stage::Pre { pre } else { post };
    hooks.get(usize::try_from(run.index).ok()?)
}

fn survives(draft: &Draft, hook: Option<&HookSpec>) -> bool {
    hook.and_then(|hook| draft.hook_named(&hook.template))
        .is_some_and(|template| template.spec.executor == Executor::Function)
}
