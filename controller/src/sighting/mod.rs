//! Objects that a place sees become commands.
//!
//! Pure, and on the watcher's own task: what is needed of the state is asked for once, as plain data ([`known::Known`]),
//! and documents are stored beside the log before the command that names them is sent.

pub mod changes;
pub mod declare;
pub mod known;
pub mod made;
pub mod name;

use std::collections::BTreeMap;

use serde_json::Value;

use self::name::ObjectName;

/// One look at what is declared. Values of Secrets are in it: it is not shown.
#[derive(Clone, Default)]
pub struct Sightings {
    /// Objects as they are now.
    pub seen: BTreeMap<ObjectName, Value>,
    /// Objects that we made, and others of our kinds, with their live uids; absent where the place has none of its own.
    pub made: Option<made::Live>,
    /// All that is declared was seen: whatever was not is gone.
    pub whole: bool,
    /// What could not be read, and what to do about it.
    pub problems: Vec<String>,
    /// For the reader's information.
    pub notices: Vec<String>,
}
