//! The policy that is in force for the snapshots of a session in a repository.

use holdfast_engine::retention::Spec;
use holdfast_engine::{State, Uid};

/// As the configuration that made the repository names it now; absent where nothing does.
#[must_use]
pub fn spec<'s>(state: &'s State, repository: Uid, session: &str) -> Option<&'s Spec> {
    let repository = state.repositories.get(&repository)?;
    let configuration = state.configurations.get(&repository.configuration)?;
    let wanted = &configuration.session(session)?.spec.repositories;
    let wanted = wanted.iter().find(|wanted| wanted.name == repository.key.name)?;
    let backends = configuration.resolved_backends();
    let backend = backends.into_iter().find(|backend| backend.name == wanted.backend)?;
    let policy = state.retention_named(&backend.retention)?;
    policy.spec.invalid.is_none().then_some(&policy.spec)
}
