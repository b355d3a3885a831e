//! The phase of a configuration, as a pure function of its facts and of what it refers to (behaviour
//! reference, section 2.5).
//!
//! | # | if | phase |
//! |---|---|---|
//! | 1 | ValidationPassed is False | Invalid |
//! | 2 | the target is there, every backend is ready, every session has SchedulerEnsured=True | Ready |
//! | 3 | otherwise | NotReady |

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::condition::Type;
use crate::configuration::state::{ChosenBackend, Configuration};
use crate::dependency::state as dependency;
use crate::state::Known;
use crate::storage;

/// `status.phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Phase {
    NotReady,
    Ready,
    Invalid,
}

impl Phase {
    /// The word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "NotReady",
            Self::Ready => "Ready",
            Self::Invalid => "Invalid",
        }
    }
}

/// The phase of a configuration.
#[must_use]
pub fn phase(known: &impl Known, configuration: &Configuration) -> Phase {
    if configuration.conditions.is_false(Type::ValidationPassed) {
        Phase::Invalid
    } else if unready(known, configuration).is_some() {
        Phase::NotReady
    } else {
        Phase::Ready
    }
}

/// Why a configuration is not Ready: the first thing that is missing.
#[must_use]
pub fn unready(known: &impl Known, configuration: &Configuration) -> Option<String> {
    let validation = configuration.conditions.get(Type::ValidationPassed);
    match validation {
        None => return Some("it has not been validated yet".into()),
        Some(_) if configuration.conditions.is_false(Type::ValidationPassed) => {
            return validation.map(|condition| condition.message.clone());
        }
        Some(_) => {}
    }
    if !is_target_found(known, configuration) {
        let target = configuration.target.clone().unwrap_or_default();
        return Some(format!("target {target} not found"));
    }
    let backends = configuration.resolved_backends();
    if backends.len() < configuration.backends.len().max(1) {
        return Some("a backend has no storage or no retention policy".into());
    }
    if let Some(problem) = backends.iter().find_map(|backend| backend_problem(known, backend)) {
        return Some(problem);
    }
    let unscheduled = configuration
        .sessions
        .iter()
        .find(|session| !session.conditions.is_true(Type::SchedulerEnsured))?;
    let name = &unscheduled.spec.name;
    Some(match unscheduled.conditions.get(Type::SchedulerEnsured) {
        Some(condition) => format!("session {name}: {}", condition.message),
        None => format!("session {name}: its schedule is not set up yet"),
    })
}

/// `status.targetFound`; true without a target.
#[must_use]
pub fn is_target_found(known: &impl Known, configuration: &Configuration) -> bool {
    configuration.target.as_ref().is_none_or(|target| known.facts(target).is_some())
}

/// Why a backend is not ready (`status.backends[].ready`).
#[must_use]
pub fn backend_problem(known: &impl Known, backend: &ChosenBackend) -> Option<String> {
    let Some(storage) = known.storage_named(&backend.storage) else {
        return Some(format!("BackupStorage {} not found", backend.storage));
    };
    if !storage.is_initialized() {
        let why = storage::decide::why_unusable(storage);
        return Some(format!("BackupStorage {}: {why}", backend.storage));
    }
    if let Some(secret) = &storage.spec.secret
        && known.facts(&dependency::secret(secret)).is_none()
    {
        return Some(format!("BackupStorage {}: Secret {secret} not found", backend.storage));
    }
    known
        .retention_named(&backend.retention)
        .is_none()
        .then(|| format!("RetentionPolicy {} not found", backend.retention))
}
