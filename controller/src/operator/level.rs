//! What is kept as the state has it: objects with their statuses, and what triggers sessions.

use holdfast_engine::{Effect, Level as Leveled, State, StreamKind, Uid, effect, levels, view};
use holdfast_eventlog::Submitted;

/// Something that is shown outside as the state has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// An object with its status.
    Object {
        /// What kind of object.
        kind: StreamKind,
        /// Which one.
        uid: Uid,
    },
    /// What triggers a session.
    Scheduler {
        /// The configuration.
        configuration: Uid,
        /// Name of the session.
        session: String,
    },
}

/// What may have changed by what was recorded.
pub fn changed(state: &State, submitted: &Submitted) -> Vec<Level> {
    let objects = submitted.recorded.iter().flat_map(|recorded| view::affected(state, recorded));
    let schedulers = submitted.effects.iter().filter_map(|effect| match effect {
        Effect::Level(level) => scheduler(level),
        Effect::Once { .. } => None,
    });
    objects.map(|(kind, uid)| Level::Object { kind, uid }).chain(schedulers).collect()
}

/// All of it.
pub fn all(state: &State) -> Vec<Level> {
    let of = |level: &Leveled| match level {
        effect::Level::Publish { kind, uid } => Some(Level::Object { kind: *kind, uid: *uid }),
        other => scheduler(other),
    };
    levels(state).iter().filter_map(of).collect()
}

fn scheduler(level: &Leveled) -> Option<Level> {
    match level.clone() {
        Leveled::EnsureScheduler { configuration, session } => {
            Some(Level::Scheduler { configuration, session })
        }
        Leveled::Publish { .. } | Leveled::Retract { .. } => None,
    }
}
