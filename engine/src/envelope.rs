//! What surrounds a command: who asked, when, and under which leadership.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::ids::CommandId;
use crate::time::Timestamp;

/// A command with everything that the engine may not ask for itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Identity of the command; ids of created objects derive from it.
    pub id: CommandId,
    /// The time of the decision; never before the last recorded event.
    pub at: Timestamp,
    /// Who asked.
    pub actor: Actor,
    /// Term of leadership of the operator that submits the command.
    pub epoch: u64,
    /// What is asked.
    pub command: Command,
}

/// Who asked for a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// The operator itself: observations, results of effects.
    Operator,
    /// A deadline or a schedule.
    Clock,
    /// A worker's report.
    Worker,
    /// A person or a tool, by name where known.
    User(String),
}
