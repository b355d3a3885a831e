//! All that a cluster shows, as one look.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_api::Kind;
use holdfast_engine::Uid;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::calls::Calls;
use super::reflect::{Reflector, Shared};
use super::resource;
use super::store::{Standing, Store};
use crate::ports::ids;
use crate::sighting::Sightings;

/// How long changes are gathered: whoever applies twenty objects means them together.
const GATHER: Duration = Duration::from_millis(100);

/// Looks at all kinds, as long as it is there.
pub struct Looker {
    stores: Vec<Shared>,
    news: watch::Receiver<u64>,
    /// Ends with this.
    _reflectors: JoinSet<()>,
}

impl Looker {
    /// Begins to list and to watch; called on a runtime.
    #[must_use]
    pub fn start(calls: &Calls, ids: &ids::Handle) -> Self {
        let sender = Arc::new(watch::Sender::new(0));
        let news = sender.subscribe();
        let (mut stores, mut reflectors) = (Vec::new(), JoinSet::new());
        for resource in resource::all() {
            let store: Shared = Arc::new(Mutex::new(Store::new(resource.of.clone())));
            stores.push(Arc::clone(&store));
            let reflector = Reflector {
                calls: calls.clone(),
                resource,
                store,
                news: Arc::clone(&sender),
                ids: Arc::clone(ids),
            };
            reflectors.spawn(reflector.run());
        }
        Self { stores, news, _reflectors: reflectors }
    }

    /// The next look, when there is something new. The first one comes when every kind was listed, or could not be
    /// for half a minute.
    pub async fn next(&mut self) -> Sightings {
        loop {
            // The senders live in the reflectors, which live as long as this.
            let _ = self.news.changed().await;
            tokio::time::sleep(GATHER).await;
            self.news.mark_unchanged();
            let look = self.look();
            if look.whole || !look.problems.is_empty() {
                return look;
            }
        }
    }

    /// All stores as they are now.
    fn look(&self) -> Sightings {
        let mut look = Sightings { whole: true, ..Sightings::default() };
        let mut made = BTreeMap::new();
        for store in &self.stores {
            let store = store.lock().unwrap_or_else(PoisonError::into_inner);
            look.whole &= store.standing() == Standing::Whole;
            look.problems.extend(store.problem());
            for (name, object) in store.objects() {
                let kind = name.own_kind();
                if let Some(Kind::Repository | Kind::BackupSession | Kind::Snapshot) = kind {
                    made.extend(uid(object).map(|uid| (name.clone(), uid)));
                }
                // Snapshots are made by sessions only.
                if kind != Some(Kind::Snapshot) {
                    look.seen.insert(name.clone(), object.clone());
                }
            }
        }
        // What is missing of what we made is missing in a whole look only.
        look.made = look.whole.then_some(made);
        look
    }
}

fn uid(object: &Value) -> Option<Uid> {
    let uid = object["metadata"]["uid"].as_str()?;
    uid.parse::<uuid::Uuid>().ok().map(|uid| Uid(*uid.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::fake::{Fault, Server, object};
    use super::*;
    use crate::ports::ids::tests::Seeded;

    fn start(server: &Server) -> Looker {
        Looker::start(&Calls::new(server.client()), &Seeded::of(3))
    }

    fn names(look: &Sightings) -> Vec<String> {
        look.seen.keys().map(ToString::to_string).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_has_what_users_declare_and_the_uids_of_what_may_be_ours() {
        let server = Server::default();
        server.put(object(Kind::BackupStorage, "store"));
        server.put(object(Kind::Snapshot, "snap"));
        server.put(object(Kind::BackupSession, "now"));
        server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}}));
        let mut looker = start(&server);
        let look = looker.next().await;
        assert!(look.whole && look.problems.is_empty(), "{:?}", look.problems);
        assert_eq!(
            names(&look),
            ["Namespace demo", "BackupSession demo/now", "BackupStorage demo/store"]
        );
        let made = look.made.unwrap();
        let made: Vec<String> = made.keys().map(ToString::to_string).collect();
        assert_eq!(made, ["BackupSession demo/now", "Snapshot demo/snap"]);
    }

    #[tokio::test(start_paused = true)]
    async fn changes_of_one_moment_are_one_look() {
        let server = Server::default();
        let mut looker = start(&server);
        looker.next().await;
        for number in 0..20 {
            server.put(object(Kind::BackupStorage, &format!("store-{number}")));
        }
        assert_eq!(looker.next().await.seen.len(), 20);
        let again = tokio::time::timeout(Duration::from_secs(200), looker.next()).await;
        assert!(again.is_err(), "where nothing changes there is no look");
    }

    #[tokio::test(start_paused = true)]
    async fn where_one_kind_cannot_be_listed_nothing_is_missing() {
        let server = Server::default();
        server.put(object(Kind::Snapshot, "snap"));
        server.fail("LIST", Fault::Silent);
        let mut looker = start(&server);
        let look = looker.next().await;
        assert!(!look.whole && look.made.is_none());
        assert!(!look.problems.is_empty());
        server.heal();
        let look = tokio::time::timeout(Duration::from_secs(300), async {
            loop {
                let look = looker.next().await;
                if look.whole {
                    return look;
                }
            }
        });
        assert_eq!(look.await.unwrap().made.unwrap().len(), 1);
    }
}
