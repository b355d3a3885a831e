//! Folds runs.

use alloc::format;
use alloc::string::{String, ToString};

use crate::condition::Type;
use crate::hook::Stage;
use crate::run::Event;
use crate::run::component::{self, ComponentState, Misfit};
use crate::run::state::{Queued, Run};
use crate::run::words::Words;
use crate::time::Timestamp;

/// Folds what an event says into a run; its step is changed by whoever asks.
pub(crate) fn fold(
    run: &mut Run,
    words: &Words,
    at: Timestamp,
    event: &Event,
) -> Result<(), String> {
    let facts = &mut run.conditions;
    match event {
        Event::Surveyed { components, storages, .. } => {
            run.total_components = *components;
            run.storages.clone_from(storages);
        }
        Event::HookStarted { run: of, .. } => {
            run.hooks.start(at, *of);
            if of.stage == Stage::Pre {
                // It begins with the place of the first component.
                run.take_turn(at);
                run.leave_queue();
            }
        }
        Event::HookEnded { run: of, outcome, .. } => {
            if !run.hooks.end(*of, outcome) {
                return Err(format!("no hook {of:?} is running"));
            }
        }
        Event::HooksFinished { stage, outcome, .. } => {
            run.hooks.finish(*stage, outcome);
            let kind = if *stage == Stage::Pre { words.before } else { words.after };
            facts.state(at, kind, outcome.problem());
        }
        Event::ExecutorEnsured { .. } => facts.state(at, words.executor, None),
        Event::ExecutorNotEnsured { message, .. } => {
            facts.state(at, words.executor, Some(message));
        }
        Event::QueuedForWorker { lack, limit, left, .. } => {
            let message = lack.sentence(*limit);
            facts.raise(at, Type::Queued, &message);
            run.queued = Some(Queued { left: *left, since: None });
            run.stand_still(at);
        }
        Event::DeadlineExceeded { .. } => {
            facts.raise(at, Type::DeadlineExceeded, words.late);
            run.leave_queue();
        }
        Event::Cancelled { cause, .. } => {
            run.cancelled = Some(cause.clone());
            run.leave_queue();
        }
        Event::ComponentPlanned { .. }
        | Event::AttemptStarted { .. }
        | Event::WorkerObserved { .. }
        | Event::ComponentEnded { .. } => {
            fold_component(run, at, event).map_err(|misfit| misfit.to_string())?;
            fold_turn(run, at, event);
        }
    }
    Ok(())
}

/// What the work at components means for the wait of the others.
fn fold_turn(run: &mut Run, at: Timestamp, event: &Event) {
    match event {
        Event::AttemptStarted { .. } => {
            run.take_turn(at);
            if run.components.iter().all(|known| known.attempt > 0) {
                run.leave_queue();
            }
        }
        Event::ComponentEnded { .. } => run.stand_still(at),
        _ => {}
    }
}

fn fold_component(run: &mut Run, at: Timestamp, event: &Event) -> Result<(), Misfit> {
    let all = &mut run.components;
    match event {
        Event::ComponentPlanned { asked, component, .. } => {
            all.push(ComponentState::planned(asked.clone(), component.clone()));
            Ok(())
        }
        Event::AttemptStarted { component, number, .. } => {
            component::begin(all, at, component, *number)
        }
        Event::WorkerObserved { component, number, worker, .. } => {
            component::observe(all, component, *number, *worker)
        }
        Event::ComponentEnded { component, outcome, duration, reported, .. } => {
            component::end(all, component, outcome, *duration, *reported)
        }
        _ => Ok(()),
    }
}
