//! Decides: the pure core of Holdfast.
//!
//! Three functions and a match. [`decide`] answers a command with events, among them what is requested of
//! the outside; [`apply`] folds an event into the state; [`level::changed`] says what has to be published
//! again. There is no IO here, no clock, no
//! randomness and no async: time and ids arrive with the command and become part of the event.
#![no_std]

extern crate alloc;

mod answers;
pub mod apply;
pub mod backup;
pub mod binding;
pub mod command;
pub mod component;
pub mod condition;
pub mod configuration;
pub mod deadline;
pub mod decide;
pub mod declared;
pub mod dependency;
pub mod draft;
mod due;
pub mod effect;
pub mod envelope;
pub mod event;
pub mod explain;
pub mod group;
pub mod hook;
pub mod ids;
mod index;
pub mod lease;
pub mod level;
pub mod limits;
pub mod names;
pub mod namespace;
pub mod outbox;
pub mod outcome;
pub mod plan;
pub mod reaction;
pub mod reactions;
pub mod rejection;
pub mod report;
pub mod repository;
mod requests;
pub mod restore;
pub mod retention;
pub mod run;
pub mod schedule;
pub mod snapshot;
pub mod state;
pub mod storage;
pub mod stream;
pub mod survey;
pub mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod ulid;
pub mod units;
pub mod usage;
pub mod variables;
pub mod view;

pub use apply::{Illegal, apply};
pub use command::Command;
pub use deadline::{Due, due, next_wakeup};
pub use decide::decide;
pub use effect::Once;
pub use envelope::{Actor, Envelope};
pub use event::{Event, Recorded, StreamId, StreamKind};
pub use group::{Family, Group};
pub use ids::{Attempt, CommandId, EffectId, Hash, Key, TypedRef, Uid};
pub use level::Level;
pub use outcome::{Failure, Outcome};
pub use rejection::Rejection;
pub use state::State;
pub use time::{Millis, Timestamp};
