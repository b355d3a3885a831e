//! What failed outside and may have recovered by itself.

use holdfast_api::Kind;
use holdfast_engine::{Actor, Command, State, repository, storage};

use crate::operator::dispatcher::Order;
use crate::sighting::name::ObjectName;

/// What is to be tried again.
#[derive(Default)]
pub struct Again {
    /// Storages whose backend could not be used: they are declared again.
    pub storages: Vec<ObjectName>,
    /// Commands for the others.
    pub orders: Vec<Order>,
}

/// Finds backends and repositories that could not be used, and wipes that did not succeed.
#[must_use]
pub fn find(state: &State) -> Again {
    let mut again = Again::default();
    for found in state.storages.values() {
        if found.deleting && found.wipe_error.is_some() {
            let command = storage::Command::Delete { uid: found.uid };
            again.orders.push(Order::new(Actor::Operator, Command::Storage(command)));
        } else if !found.deleting && !found.is_initialized() && found.spec.invalid.is_none() {
            again.storages.push(ObjectName::own(Kind::BackupStorage, &found.key));
        }
    }
    for found in state.repositories.values() {
        let failed = found.failure.as_ref().is_some_and(|failure| !failure.permanent);
        if failed && !found.initializing || found.deleting && found.wipe_error.is_some() {
            let command = repository::Command::Reconcile { uid: found.uid };
            again.orders.push(Order::new(Actor::Operator, Command::Repository(command)));
        }
    }
    again
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_without_failures_asks_for_nothing() {
        let again = find(&State::default());
        assert!(again.storages.is_empty() && again.orders.is_empty());
    }
}
