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
            return validation.map(|condition| condition.message.clone().into_owned());
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
        let why = storage.why_unusable();
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

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::configuration::Backend;
    use crate::dependency::state::secret;
    use crate::outcome::Outcome;
    use crate::table::Table;
    use crate::testing::given::{self, core};
    use crate::testing::world::{APP, World, broken, named};
    use crate::{Timestamp, retention};

    fn app(world: &World) -> (Phase, Option<String>) {
        let configuration = &world.state.configurations[&APP];
        (phase(&world.state, configuration), unready(&world.state, configuration))
    }

    /// What is done to a Ready world, and what its configuration says then.
    fn case(change: impl FnOnce(&mut World), expected: Phase, why: &str) {
        let mut world = World::ready();
        assert_eq!(app(&world), (Phase::Ready, None));
        change(&mut world);
        assert_eq!(app(&world), (expected, Some(why.to_string())));
    }

    #[test]
    fn every_row_with_its_reason() {
        let facts = |world: &mut World, kind, problem: Option<&str>| {
            let app = world.state.configurations.get_mut(&APP).unwrap();
            app.conditions.state(Timestamp(1), kind, problem);
        };
        case(
            |world| facts(world, Type::ValidationPassed, Some("it is odd")),
            Phase::Invalid,
            "it is odd",
        );
        case(
            |world| drop(world.forget(&given::target())),
            Phase::NotReady,
            "target StatefulSet demo/db not found",
        );
        case(
            |world| world.state.storages = Table::default(),
            Phase::NotReady,
            "BackupStorage demo/store not found",
        );
        case(
            |world| {
                world.declare_storage("store", given::storage("elsewhere"));
            },
            Phase::NotReady,
            "BackupStorage demo/store: spec.storage: it cannot move while repositories lie in it",
        );
        case(
            |world| {
                world.ask(retention::Command::Delete { uid: named("retention/keep") });
            },
            Phase::NotReady,
            "RetentionPolicy demo/keep not found",
        );
    }

    #[test]
    fn a_storage_needs_its_secret_also_after_it_was_checked() {
        case(
            |world| {
                let mut spec = given::storage("store");
                spec.secret = Some(core("credentials"));
                world.declare_storage("store", spec);
                world.answer_backends();
            },
            Phase::NotReady,
            "BackupStorage demo/store: Secret demo/credentials not found",
        );
        case(
            |world| {
                world.declare_storage("store", given::storage("store"));
                let effect = world.find(|_| true).unwrap();
                world.answer(effect, broken("AccessDenied").into());
            },
            Phase::NotReady,
            "BackupStorage demo/store: it went wrong",
        );
        let mut world = World::ready();
        let mut spec = given::storage("store");
        spec.secret = Some(core("credentials"));
        world.observe(secret(&core("credentials")), given::passphrase(1, None));
        world.declare_storage("store", spec);
        world.answer_backends();
        assert_eq!(app(&world), (Phase::Ready, None));
    }

    #[test]
    fn every_session_needs_its_trigger_and_every_backend_its_references() {
        let mut world = World::furnished();
        world.declare_storage("store", given::storage("store"));
        world.answer_backends();
        world.declare_retention("keep", given::retention(2));
        let sessions = vec![given::session("nightly"), given::session("weekly")];
        let mut spec = given::configuration(sessions);
        world.declare(&spec);
        let not_yet = |name| Some(format!("session {name}: its schedule is not set up yet"));
        assert_eq!(app(&world), (Phase::NotReady, not_yet("nightly")));
        let report = |session: &str, outcome| crate::configuration::Command::SchedulerReported {
            uid: APP,
            session: session.into(),
            outcome,
        };
        world.ask(report("nightly", Outcome::Succeeded));
        assert_eq!(app(&world), (Phase::NotReady, not_yet("weekly")));
        world.ask(report("weekly", broken("Forbidden")));
        assert_eq!(app(&world), (Phase::NotReady, Some("session weekly: it went wrong".into())));
        world.ask(report("weekly", Outcome::Succeeded));
        assert_eq!(app(&world), (Phase::Ready, None));

        spec.backends.push(Backend { name: "open".into(), storage: None, retention: None });
        world.declare(&spec);
        assert_eq!(app(&world).0, Phase::Invalid);
        // Before it is validated nothing is known.
        let app_mut = world.state.configurations.get_mut(&APP).unwrap();
        app_mut.conditions = crate::condition::Conditions::default();
        assert_eq!(app(&world), (Phase::NotReady, Some("it has not been validated yet".into())));
        let app_mut = world.state.configurations.get_mut(&APP).unwrap();
        app_mut.conditions.state(Timestamp(1), Type::ValidationPassed, None);
        assert_eq!(
            app(&world),
            (Phase::NotReady, Some("a backend has no storage or no retention policy".into()))
        );
    }

    #[test]
    fn without_a_target_it_counts_as_found() {
        let mut world = World::furnished();
        let mut spec = given::configuration(vec![given::session("nightly")]);
        spec.target = None;
        world.serve(&spec);
        assert_eq!(app(&world), (Phase::Ready, None));
        assert!(is_target_found(&world.state, &world.state.configurations[&APP]));
    }

    #[test]
    fn repositories_are_not_consulted() {
        let mut world = World::ready();
        world.state.repositories = Table::default();
        assert_eq!(app(&world), (Phase::Ready, None));
    }

    #[test]
    fn words_of_the_status() {
        let words = [Phase::NotReady, Phase::Ready, Phase::Invalid].map(Phase::as_str);
        assert_eq!(words, ["NotReady", "Ready", "Invalid"]);
    }
}
