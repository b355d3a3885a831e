//! HookTemplate, and the runs of hooks inside sessions.

pub(crate) mod apply;
pub(crate) mod decide;
pub mod run;
pub mod state;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::declared::Declared;
use crate::dependency::Parameter;
use crate::ids::{Hash, Key, Uid};
use crate::time::Millis;
use crate::usage::UsagePolicy;

/// `spec` of a HookTemplate as far as decisions use it; actions are rendered outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Who may use it.
    pub usage: Option<UsagePolicy>,
    /// `executor.type`.
    pub executor: Executor,
    /// Declared parameters.
    pub params: Vec<Parameter>,
    /// What is wrong with the object itself, found while translating it.
    pub invalid: Option<String>,
}

/// Who runs a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Executor {
    Operator,
    Pod,
    Function,
}

/// One hook of a session, as the configuration or the restore names it (`HookInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSpec {
    /// Name, echoed in the status.
    pub name: String,
    /// The template.
    pub template: Key,
    /// Values for the template's parameters.
    pub params: Vec<(String, String)>,
    /// Further tries after a failure.
    pub max_retry: u32,
    /// Limit of one try.
    pub timeout: Option<Millis>,
    /// When a hook after the work runs.
    pub policy: Policy,
}

/// When a hook after the work runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Policy {
    #[default]
    Always,
    OnSuccess,
    OnFailure,
}

/// Before or after the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// `preBackup`, `preRestore`.
    Pre,
    /// `postBackup`, `postRestore`.
    Post,
}

/// One try of one hook of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Run {
    /// Before or after.
    pub stage: Stage,
    /// Place in the list.
    pub index: u32,
    /// Starts at 1.
    pub number: u32,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The template exists with this spec.
    Declare(Declared<Spec>),
    /// The template is gone.
    Delete {
        /// The template.
        uid: Uid,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// First seen, or seen with another spec.
    Declared {
        /// The object's uid.
        uid: Uid,
        /// Namespace and name.
        key: Key,
        /// `metadata.generation`.
        generation: u64,
        /// Content hash.
        hash: Hash,
        /// The fields that decisions use.
        spec: Spec,
    },
    /// No longer there.
    Deleted {
        /// The template.
        uid: Uid,
        /// Namespace and name.
        key: Key,
    },
}

impl From<Declared<Spec>> for Event {
    fn from(Declared { uid, key, generation, hash, spec }: Declared<Spec>) -> Self {
        Self::Declared { uid, key, generation, hash, spec }
    }
}

impl Event {
    /// The template.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Declared { uid, .. } | Self::Deleted { uid, .. } => *uid,
        }
    }
}
