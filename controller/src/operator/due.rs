//! What a deadline asks for; slots of schedules are evaluated here, because the engine knows no calendar.

use holdfast_engine::deadline::{self, Due};
use holdfast_engine::{Command, State, Timestamp, Uid, schedule};

use crate::calendar::{Passed, SLOTS_AHEAD, Schedule};

/// The command for a deadline that passed.
pub(super) fn command(state: &State, due: Due, now: Timestamp) -> Option<Command> {
    deadline::command(due, |configuration, session, version| {
        wake(state, configuration, session, version, now)
    })
}

fn wake(
    state: &State,
    configuration: Uid,
    session: String,
    version: u32,
    now: Timestamp,
) -> Option<Command> {
    let first = *state.schedule(configuration, &session)?.next.first()?;
    let written =
        state.configurations.get(&configuration)?.session(&session)?.spec.scheduler.as_ref()?;
    let calendar = Schedule::parse(&written.schedule).ok()?;
    let since = Timestamp(first.0.saturating_sub(1));
    // The calendar may have changed since the slot was written down; then the slot is taken as it stands.
    let passed = calendar.passed(since, now).unwrap_or(Passed { latest: first, missed: 0 });
    Some(Command::Schedule(schedule::Command::Wake {
        configuration,
        session,
        version,
        slot: passed.latest,
        missed: passed.missed,
        next: calendar.next(now, SLOTS_AHEAD),
    }))
}
