//! Namespaces: their labels decide usage policies, an annotation who may work on targets in them.

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
    /// The namespace was seen with these labels and this annotation; records only a difference.
    Observe {
        /// The namespace's uid.
        uid: Uid,
        /// Its name.
        name: String,
        /// Its labels.
        labels: BTreeMap<String, String>,
        /// Annotation `holdfast.dev/allowed-namespaces`, when present: who may work on targets in it.
        allowed_namespaces: Option<String>,
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
    /// Seen for the first time, or with other labels or another annotation.
    Observed {
        /// The namespace's uid.
        uid: Uid,
        /// Its name.
        name: String,
        /// Its labels.
        labels: BTreeMap<String, String>,
        /// Annotation `holdfast.dev/allowed-namespaces`, when present: who may work on targets in it.
        allowed_namespaces: Option<String>,
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
