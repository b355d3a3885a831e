//! Hands reactions to the aggregates whose decisions they are.

use crate::backup;
use crate::configuration;
use crate::draft::Draft;
use crate::reaction::{Owner, Reaction};
use crate::reactions::delete_repositories;
use crate::repository;
use crate::run;
use crate::schedule;
use crate::snapshot;
use crate::storage;

/// Hands a reaction to the aggregate whose decision it is. What follows it: itself, behind the objects that it
/// came to, or what comes after the last of them.
pub(crate) fn carry_out(draft: &mut Draft, reaction: Reaction) -> Option<Reaction> {
    match reaction {
        Reaction::Advance { session } => {
            run::decide::advance(draft, session);
            None
        }
        Reaction::TakeSlot { configuration, session, slot, by } => {
            schedule::decide::take(draft, configuration, &session, slot, by);
            None
        }
        Reaction::OpenBackup { uid, configuration, session, trigger } => {
            backup::decide::open_for(draft, uid, configuration, session, trigger);
            None
        }
        Reaction::FinishStorage { storage } => {
            storage::decide::finish_deletion(draft, &storage);
            None
        }
        Reaction::FinishConfiguration { configuration } => {
            configuration::decide::finish_deletion(draft, configuration);
            None
        }
        many => carry_on(draft, many),
    }
}

/// The same for those that concern many objects.
fn carry_on(draft: &mut Draft, reaction: Reaction) -> Option<Reaction> {
    match reaction {
        Reaction::InterruptHooks { before, after } => {
            let left = run::decide::interrupt(draft, before, after)?;
            Some(Reaction::InterruptHooks { before, after: Some(left) })
        }
        Reaction::HoldTarget { restore, after } => {
            let left = configuration::decide::hold(draft, restore, after)?;
            Some(Reaction::HoldTarget { restore, after: Some(left) })
        }
        Reaction::ReleaseTarget { restore, after } => {
            let left = configuration::decide::release(draft, restore, after)?;
            Some(Reaction::ReleaseTarget { restore, after: Some(left) })
        }
        Reaction::ForgetSnapshots { repository, after } => {
            let left = snapshot::decide::forget_all(draft, repository, after)?;
            Some(Reaction::ForgetSnapshots { repository, after: Some(left) })
        }
        Reaction::CheckStorages { secret, after } => {
            let left = storage::decide::check_with_secret(draft, &secret, after)?;
            Some(Reaction::CheckStorages { secret, after: Some(left) })
        }
        Reaction::ReopenRepositories { opener, after } => {
            let left = repository::decide::reopen_all(draft, &opener, after)?;
            Some(Reaction::ReopenRepositories { opener, after: Some(left) })
        }
        Reaction::CheckConfigurations { watching, after } => {
            let left = configuration::decide::check_all(draft, &watching, after);
            Some(match left {
                Some(_) => Reaction::CheckConfigurations { watching, after: left },
                None => Reaction::EnsureRepositories { watching, again: false, after: None },
            })
        }
        Reaction::EnsureRepositories { watching, again, after } => {
            let left = repository::wanted::ensure_all(draft, &watching, again, after);
            Some(match left {
                Some(_) => Reaction::EnsureRepositories { watching, again, after: left },
                None => Reaction::TriggerBackups { watching, after: None },
            })
        }
        Reaction::TriggerBackups { watching, after } => {
            let left = configuration::decide::trigger_all(draft, &watching, after)?;
            Some(Reaction::TriggerBackups { watching, after: Some(left) })
        }
        going => carry_away(draft, going),
    }
}

/// The same for what goes, one thing after the other.
fn carry_away(draft: &mut Draft, reaction: Reaction) -> Option<Reaction> {
    match reaction {
        Reaction::StopBackups { configuration, after } => {
            let left = backup::decide::stop_all(draft, configuration, after);
            Some(match left {
                Some(_) => Reaction::StopBackups { configuration, after: left },
                None => delete_repositories(configuration, false),
            })
        }
        Reaction::DeleteRepositories { owner, after } => {
            let left = repository::decide::delete_all(draft, &owner, after);
            Some(match (left, owner) {
                (Some(_), owner) => Reaction::DeleteRepositories { owner, after: left },
                (None, Owner::Storage(uid)) => {
                    Reaction::FinishStorage { storage: draft.storage(uid)?.key.clone() }
                }
                (None, Owner::Configuration { uid, .. }) => {
                    Reaction::ArchiveBackups { configuration: uid, after: None }
                }
            })
        }
        Reaction::ArchiveBackups { configuration, after } => {
            let left = backup::decide::archive_all(draft, configuration, after);
            Some(match left {
                Some(_) => Reaction::ArchiveBackups { configuration, after: left },
                None => Reaction::FinishConfiguration { configuration },
            })
        }
        _ => None,
    }
}
