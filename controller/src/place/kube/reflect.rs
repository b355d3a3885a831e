//! Keeps a store up to date: lists, watches from there, and lists anew when the server says that it has forgotten, or
//! half an hour is over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt as _};
use kube::Api;
use kube::Error;
use kube::api::{ListParams, WatchParams};
use kube::core::{DynamicObject, WatchEvent};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::calls::{CallError, Calls};
use super::resource::{Part, Resource};
use super::store::{Standing, Store};
use crate::operator::jitter::Backoff;
use crate::place::Trouble;
use crate::ports::ids;

/// A store that others read.
pub(super) type Shared = Arc<Mutex<Store>>;

/// Objects of one page of a list.
const PAGE: u32 = 500;

/// How long one watch lasts: a server ends it after this time, in seconds.
const WATCH_SECONDS: u32 = 290;

/// How long a watch may be silent beyond that: a connection that nobody closed shows nothing for ever.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 5);

/// How long a watch that shows nothing lasts at least; a server that ends or refuses it sooner is not asked at once
/// again.
const LEAST: Duration = Duration::from_secs(1);

/// After how long all is listed anew: a watch can miss a deletion, a list cannot.
const RELIST: Duration = Duration::from_secs(1_800);

/// After how long, where the last list was older than what was seen before: a server that lags behind catches up.
const RELIST_OLDER: Duration = Duration::from_secs(60);

/// The waits between tries.
const BACKOFF: Backoff =
    Backoff { least: Duration::from_millis(800), most: Duration::from_secs(30) };

/// For how long tries may fail before it is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// What brings one store up to date.
pub(super) struct Reflector {
    pub(super) calls: Calls,
    pub(super) resource: Resource,
    pub(super) store: Shared,
    /// Who hears that a store has changed.
    pub(super) news: Arc<watch::Sender<u64>>,
    pub(super) ids: ids::Handle,
}

/// How far a reflector has come.
#[derive(Default)]
struct Position {
    /// The resourceVersion to watch from; none: all has to be listed.
    version: Option<String>,
    listed: Option<Instant>,
}

/// What a watch shows.
enum Shown {
    Changed(Value),
    Deleted(Value),
    At(String),
    Failed(Error),
}

impl Reflector {
    /// Goes on until it is dropped.
    pub(super) async fn run(self) {
        let mut at = Position::default();
        let (mut wait, mut failing): (Option<Duration>, Option<Instant>) = (None, None);
        loop {
            match self.step(&mut at).await {
                Ok(()) => {
                    (wait, failing) = (None, None);
                    if self.store().problem().is_some() {
                        self.change(Store::works);
                    }
                }
                Err(error) => {
                    let trouble = Trouble::from(error);
                    let since = *failing.get_or_insert_with(Instant::now);
                    tracing::debug!(kind = self.resource.of.kind, %trouble, "not up to date");
                    if since.elapsed() >= PATIENCE {
                        self.change(|store| store.failed(trouble.failure.message));
                    }
                    let next = BACKOFF.after(wait, &*self.ids);
                    wait = Some(next);
                    tokio::time::sleep(next).await;
                }
            }
        }
    }

    /// One list, or one watch to its end.
    async fn step(&self, at: &mut Position) -> Result<(), CallError> {
        let lasts = match self.store().standing() {
            Standing::Older { .. } => RELIST_OLDER,
            Standing::Unlisted | Standing::Whole => RELIST,
        };
        let is_old = at.listed.is_none_or(|listed| listed.elapsed() >= lasts);
        match at.version.take().filter(|_| !is_old) {
            None => {
                at.version = Some(self.list().await?);
                at.listed = Some(Instant::now());
                Ok(())
            }
            Some(version) => {
                let (begun, mut reached) = (Instant::now(), Some(version.clone()));
                let limit = at.listed.map_or(begun, |listed| listed + lasts);
                let ended = tokio::time::timeout_at(limit, self.watch(&mut reached)).await;
                if reached.as_ref() == Some(&version) || reached.is_none() {
                    tokio::time::sleep_until(begun + LEAST).await;
                }
                at.version = reached;
                // It was time to list anew.
                ended.unwrap_or(Ok(()))
            }
        }
    }

    /// Lists all, page by page; the version as of which it is.
    async fn list(&self) -> Result<String, CallError> {
        let (api, what) = (self.api(), format!("list {}", self.resource.of.plural));
        let mut params = ListParams::default().limit(PAGE);
        let mut found = Vec::new();
        loop {
            let page = match self.resource.part {
                Part::Whole => {
                    let page = self.calls.ask(&what, api.list(&params)).await?;
                    (page.metadata, values(&what, page.items)?)
                }
                Part::Metadata => {
                    let page = self.calls.ask(&what, api.list_metadata(&params)).await?;
                    (page.metadata, values(&what, page.items)?)
                }
            };
            let (metadata, items) = page;
            found.extend(items);
            match metadata.continue_.filter(|next| !next.is_empty()) {
                Some(next) => params = params.continue_token(&next),
                None => {
                    let version = metadata.resource_version.unwrap_or_default();
                    self.change(|store| store.listed(&version, found));
                    return Ok(version);
                }
            }
        }
    }

    /// Watches from a version to the end of the watch; `at` is how far it came, and none when all has to be listed.
    async fn watch(&self, at: &mut Option<String>) -> Result<(), CallError> {
        let what = format!("watch {}", self.resource.of.plural);
        let Some(from) = at.clone() else { return Ok(()) };
        let mut shown = match self.open(&what, &from).await {
            Ok(shown) => shown,
            Err(error) => return expired(at, error),
        };
        while let Ok(Some(next)) = tokio::time::timeout(SILENCE, shown.next()).await {
            match next {
                Shown::Changed(object) => {
                    reach(at, &object);
                    self.change(|store| store.changed(object));
                }
                Shown::Deleted(object) => {
                    reach(at, &object);
                    self.change(|store| store.deleted(object));
                }
                Shown::At(version) => {
                    self.change(|store| store.at(&version));
                    *at = Some(version);
                }
                Shown::Failed(error) => return expired(at, CallError::new(&what, error)),
            }
        }
        Ok(())
    }

    async fn open(&self, what: &str, from: &str) -> Result<BoxStream<'static, Shown>, CallError> {
        let params = WatchParams::default().timeout(WATCH_SECONDS);
        let api = self.api();
        Ok(match self.resource.part {
            Part::Whole => self.calls.ask(what, api.watch(&params, from)).await?.map(shown).boxed(),
            Part::Metadata => {
                self.calls.ask(what, api.watch_metadata(&params, from)).await?.map(shown).boxed()
            }
        })
    }

    fn api(&self) -> Api<DynamicObject> {
        Api::all_with(self.calls.client(), &self.resource.of)
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Store)) {
        change(&mut self.store());
        self.news.send_modify(|news| *news += 1);
    }
}

fn values<T: Serialize>(what: &str, items: Vec<T>) -> Result<Vec<Value>, CallError> {
    let values: Result<Vec<Value>, _> = items.iter().map(serde_json::to_value).collect();
    values.map_err(|error| CallError::new(what, Error::SerdeError(error)))
}

fn shown<T: Serialize>(event: Result<WatchEvent<T>, Error>) -> Shown {
    let value = |object: &T, of: fn(Value) -> Shown| match serde_json::to_value(object) {
        Ok(value) => of(value),
        Err(error) => Shown::Failed(Error::SerdeError(error)),
    };
    match event {
        Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
            value(&object, Shown::Changed)
        }
        Ok(WatchEvent::Deleted(object)) => value(&object, Shown::Deleted),
        Ok(WatchEvent::Bookmark(mark)) => Shown::At(mark.metadata.resource_version),
        Ok(WatchEvent::Error(status)) => Shown::Failed(Error::Api(status)),
        Err(error) => Shown::Failed(error),
    }
}

/// A watch that failed: all has to be listed where the server has forgotten what came after the version.
fn expired(at: &mut Option<String>, error: CallError) -> Result<(), CallError> {
    if error.status() != Some(410) {
        return Err(error);
    }
    *at = None;
    Ok(())
}

fn reach(at: &mut Option<String>, object: &Value) {
    if let Some(version) = object["metadata"]["resourceVersion"].as_str() {
        *at = Some(version.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use holdfast_api::Kind;

    use super::super::fake::{Fault, Server, object};
    use super::super::resource::{self, own};
    use super::*;
    use crate::ports::ids::tests::Seeded;

    struct Scene {
        server: Server,
        store: Shared,
        task: tokio::task::JoinHandle<()>,
    }

    impl Scene {
        fn start(server: Server, resource: Resource) -> Self {
            let store = Arc::new(Mutex::new(Store::new(resource.of.clone())));
            let reflector = Reflector {
                calls: Calls::new(server.client()),
                resource,
                store: Arc::clone(&store),
                news: Arc::new(watch::Sender::new(0)),
                ids: Seeded::of(7),
            };
            Self { server, store, task: tokio::spawn(reflector.run()) }
        }

        fn snapshots(server: Server) -> Self {
            Self::start(server, own(Kind::Snapshot))
        }

        fn names(&self) -> Vec<String> {
            self.store.lock().unwrap().objects().map(|(name, _)| name.name.clone()).collect()
        }

        fn standing(&self) -> Standing {
            self.store.lock().unwrap().standing()
        }

        fn problem(&self) -> Option<String> {
            self.store.lock().unwrap().problem()
        }
    }

    impl Drop for Scene {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    /// Passes virtual time; what can be done meanwhile is done.
    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_changes_and_goes_is_seen_while_watching() {
        let server = Server::default();
        server.put(object(Kind::Snapshot, "a"));
        let scene = Scene::snapshots(server);
        pass(1).await;
        assert_eq!((scene.names(), scene.standing()), (vec!["a".to_owned()], Standing::Whole));
        scene.server.put(object(Kind::Snapshot, "b"));
        pass(1).await;
        assert_eq!(scene.names(), ["a", "b"]);
        scene.server.remove(Kind::Snapshot, "a");
        pass(1).await;
        assert_eq!(scene.names(), ["b"]);
        assert_eq!(scene.server.count("LIST"), 1, "{:?}", scene.server.requests());
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_list_comes_page_by_page() {
        let server = Server::default();
        let names: Vec<String> = (0..1_201).map(|number| format!("s{number:04}")).collect();
        names.iter().for_each(|name| server.put(object(Kind::Snapshot, name)));
        let scene = Scene::snapshots(server);
        pass(1).await;
        assert_eq!(scene.names(), names);
        assert_eq!(scene.server.count("LIST"), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_that_the_watch_missed_shows_after_a_forgotten_version_and_after_half_an_hour()
     {
        for forgotten in [true, false] {
            let server = Server::default();
            server.put(object(Kind::Snapshot, "a"));
            let scene = Scene::snapshots(server);
            pass(1).await;
            scene.server.remove_unseen(Kind::Snapshot, "a");
            if forgotten {
                scene.server.compact();
            }
            pass(600).await;
            let expected = if forgotten { vec![] } else { vec!["a".to_owned()] };
            assert_eq!(scene.names(), expected, "forgotten: {forgotten}");
            pass(1_500).await;
            assert!(scene.names().is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_watch_goes_on_where_it_was() {
        let server = Server::default();
        server.put(object(Kind::Snapshot, "a"));
        let scene = Scene::snapshots(server);
        pass(1).await;
        scene.server.break_watches();
        scene.server.put(object(Kind::Snapshot, "b"));
        pass(5).await;
        assert_eq!(scene.names(), ["a", "b"]);
        assert_eq!(scene.server.count("LIST"), 1, "nothing has to be listed again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_given_up() {
        let server = Server::default();
        let scene = Scene::snapshots(server);
        pass(1).await;
        scene.server.silence_watches();
        scene.server.put(object(Kind::Snapshot, "a"));
        pass(60).await;
        assert!(scene.names().is_empty());
        pass(300).await;
        assert_eq!(scene.names(), ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_tried_again_and_told_after_a_while() {
        let server = Server::default();
        server.put(object(Kind::Snapshot, "a"));
        server.fail("LIST", Fault::Status(403, "Forbidden"));
        let scene = Scene::snapshots(server);
        pass(10).await;
        assert_eq!((scene.standing(), scene.problem()), (Standing::Unlisted, None));
        pass(120).await;
        let problem = scene.problem().unwrap();
        assert!(problem.starts_with("cannot list snapshots: "), "{problem}");
        let tries = scene.server.count("LIST");
        assert!((4..40).contains(&tries), "{tries}");
        scene.server.heal();
        pass(60).await;
        assert_eq!((scene.names(), scene.problem()), (vec!["a".to_owned()], None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_ends_every_watch_is_not_asked_without_a_pause() {
        let server = Server::default();
        server.fail("WATCH", Fault::Ends);
        let scene = Scene::snapshots(server);
        pass(60).await;
        let watches = scene.server.count("WATCH");
        assert!((50..=61).contains(&watches), "{watches}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_has_forgotten_everything_is_not_asked_without_a_pause() {
        let server = Server::default();
        server.fail("WATCH", Fault::Status(410, "Expired"));
        let scene = Scene::snapshots(server);
        pass(60).await;
        let lists = scene.server.count("LIST");
        assert!((50..=61).contains(&lists), "{lists}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_lags_behind_is_listed_again_after_a_minute() {
        let server = Server::default();
        server.put(object(Kind::Snapshot, "a"));
        let scene = Scene::snapshots(server);
        pass(1).await;
        scene.server.lag(Some(0));
        scene.server.compact();
        pass(3).await;
        assert!(matches!(scene.standing(), Standing::Older { .. }), "{:?}", scene.standing());
        assert_eq!(scene.names(), ["a"], "nothing is gone");
        scene.server.remember();
        pass(2).await;
        scene.server.lag(None);
        pass(50).await;
        assert!(matches!(scene.standing(), Standing::Older { .. }), "a watch does not show all");
        pass(15).await;
        assert_eq!(scene.standing(), Standing::Whole);
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_secret_nothing_but_its_metadata_comes() {
        let server = Server::default();
        let secrets = resource::all().into_iter().find(|r| r.of.kind == "Secret").unwrap();
        server.put(serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "data": {"password": "bWFya2Vy"},
            "metadata": {"name": "s", "namespace": "demo", "labels": {"a": "b"}},
        }));
        let scene = Scene::start(server, secrets);
        pass(1).await;
        let store = scene.store.lock().unwrap();
        let (_, found) = store.objects().next().unwrap();
        assert_eq!(
            (&found["kind"], &found["metadata"]["labels"]["a"]),
            (&"Secret".into(), &"b".into())
        );
        assert!(!found.to_string().contains("bWFya2Vy"), "{found}");
    }
}
