//! Folds runs.

use alloc::format;
use alloc::string::{String, ToString};

use crate::condition::Type;
use crate::hook::Stage;
use crate::run::Event;
use crate::run::component::{self, ComponentState, Misfit};
use crate::run::state::Run;
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
        Event::Surveyed { components, .. } => run.total_components = *components,
        Event::HookStarted { run: of, .. } => run.hooks.start(at, *of),
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
        Event::DeadlineExceeded { .. } => facts.raise(at, Type::DeadlineExceeded, words.late),
        Event::Cancelled { cause, .. } => run.cancelled = Some(cause.clone()),
        Event::ComponentPlanned { .. }
        | Event::AttemptStarted { .. }
        | Event::WorkerObserved { .. }
        | Event::ComponentEnded { .. } => {
            fold_component(run, at, event).map_err(|misfit| misfit.to_string())?;
        }
    }
    Ok(())
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
