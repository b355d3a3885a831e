//! Namespaces: their labels decide usage policies.

pub(crate) mod apply;
pub(crate) mod decide;
pub mod state;

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::ids::Uid;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The namespace was seen with these labels; records only a difference.
    Observe {
        /// The namespace's uid.
        uid: Uid,
        /// Its name.
        name: String,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// The namespace is gone.
    Forget {
        /// The namespace's uid.
        uid: Uid,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Seen for the first time, or with other labels.
    Observed {
        /// The namespace's uid.
        uid: Uid,
        /// Its name.
        name: String,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// No longer there.
    Gone {
        /// The namespace's uid.
        uid: Uid,
        /// Its name.
        name: String,
    },
}

impl Event {
    /// The namespace.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Observed { uid, .. } | Self::Gone { uid, .. } => *uid,
        }
    }
}
