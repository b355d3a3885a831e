//! When something about a session expires.

use crate::condition::Type;
use crate::hook::HookSpec;
use crate::hook::run::patience;
use crate::limits;
use crate::run::phase::Step;
use crate::run::state::Run;
use crate::time::{Millis, Timestamp};

/// When that is, for a session that waits until then at most while it is queued, and has these hooks after the
/// work; the wake-up of [`crate::deadline`].
pub(crate) fn expiry(run: &Run, until: Option<Timestamp>, after: &[HookSpec]) -> Option<Timestamp> {
    match run.step {
        Step::Created | Step::Skipped | Step::Finished => None,
        Step::Queued => until,
        _ => match run.work_ended_at {
            None => waits_until(run).or(run.deadline),
            Some(ended) => Some(ended.plus(closing_time(run, after))),
        },
    }
}

/// Until when it waits at most for a worker, while it does nothing else.
pub(crate) fn waits_until(run: &Run) -> Option<Timestamp> {
    let since = run.queued.and_then(|queued| queued.since)?;
    Some(since.plus(limits::WORKER_WAIT_MILLIS))
}

/// How long closing may take: its own time, and that of the hooks that still run.
fn closing_time(run: &Run, after: &[HookSpec]) -> Millis {
    let late = run.conditions.is_true(Type::DeadlineExceeded);
    match late {
        // A hook that thaws an application is not cut short because the session is late.
        true if after.is_empty() => limits::LATE_CLOSING_MILLIS,
        true => limits::CLOSING_MILLIS,
        false => Millis(limits::CLOSING_MILLIS.0.saturating_add(patience(after).0)),
    }
}
