//! An API server in memory, under the client's own code: lists with pages, watches, versions, conflicts, finalizers,
//! and what goes wrong with them. It checks no schema and no rights, and knows one owner of fields: a server-side apply
//! merges what it says, and takes away nothing.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use holdfast_api::Kind;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::resource::own;

/// The body of an answer, which may come in pieces.
type Answer = UnsyncBoxBody<Bytes, std::io::Error>;

/// What goes wrong with requests of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// They are refused.
    Status(u16, &'static str),
    /// They are answered, and end at once without having shown anything.
    Ends,
    /// Nobody answers.
    Silent,
}

/// The server.
#[derive(Clone, Default)]
pub(super) struct Server(Arc<Shared>);

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    news: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    version: u64,
    /// Objects by collection and by namespace and name.
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    /// What watches show: version, collection, event.
    events: Vec<(u64, String, Value)>,
    /// Versions before this one are forgotten.
    oldest: u64,
    /// Lists are of this version.
    lags: Option<u64>,
    faults: BTreeMap<&'static str, Fault>,
    requests: Vec<String>,
    /// Watches that began before this one was counted are broken, or silent.
    broken: u64,
    silent: u64,
    watches: u64,
}

/// An object of one of our kinds in the namespace `demo`.
pub(super) fn object(kind: Kind, name: &str) -> Value {
    let resource = own(kind);
    json!({
        "apiVersion": resource.of.api_version, "kind": kind.name(),
        "metadata": {"name": name, "namespace": "demo"},
    })
}

impl Server {
    /// A client of it.
    pub(super) fn client(&self) -> Client {
        Client::new(self.clone(), "default")
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let done = change(&mut self.0.inner.lock().unwrap());
        self.0.news.send_modify(|news| *news += 1);
        done
    }

    /// Somebody applies an object.
    pub(super) fn put(&self, object: Value) {
        self.change(|inner| inner.put(&collection_of(&object), object, None).unwrap());
    }

    /// Somebody deletes an object.
    pub(super) fn remove(&self, kind: Kind, name: &str) {
        self.change(|inner| {
            inner.delete(&own_collection(kind), &format!("demo/{name}"), &Value::Null)
        })
        .unwrap();
    }

    /// An object goes, and no watch shows it.
    pub(super) fn remove_unseen(&self, kind: Kind, name: &str) {
        self.change(|inner| inner.remove(&own_collection(kind), &format!("demo/{name}"), false));
    }

    /// The object of a name, as it is.
    pub(super) fn get(&self, collection: &str, name: &str) -> Option<Value> {
        self.0.inner.lock().unwrap().objects.get(collection)?.get(name).cloned()
    }

    /// The server forgets what it showed.
    pub(super) fn compact(&self) {
        self.change(|inner| {
            inner.version += 1;
            inner.oldest = inner.version;
            inner.broken = inner.watches;
        });
    }

    /// The server forgets nothing any more.
    pub(super) fn remember(&self) {
        self.change(|inner| inner.oldest = 0);
    }

    /// Lists are as of this version, or as all is now.
    pub(super) fn lag(&self, version: Option<u64>) {
        self.change(|inner| inner.lags = version);
    }

    /// Connections of watches break.
    pub(super) fn break_watches(&self) {
        self.change(|inner| inner.broken = inner.watches);
    }

    /// Watches that there are show nothing more, and do not end.
    pub(super) fn silence_watches(&self) {
        self.change(|inner| inner.silent = inner.watches);
    }

    /// Requests of a kind go wrong from now on: LIST, WATCH, GET, POST, PUT, PATCH, DELETE.
    pub(super) fn fail(&self, what: &'static str, fault: Fault) {
        self.change(|inner| inner.faults.insert(what, fault));
    }

    /// Nothing goes wrong any more.
    pub(super) fn heal(&self) {
        self.change(|inner| inner.faults.clear());
    }

    /// What was asked.
    pub(super) fn requests(&self) -> Vec<String> {
        self.0.inner.lock().unwrap().requests.clone()
    }

    /// How many requests of a kind there were.
    pub(super) fn count(&self, what: &str) -> usize {
        self.requests().iter().filter(|request| request.starts_with(what)).count()
    }
}

fn own_collection(kind: Kind) -> String {
    format!("{}/{}", own(kind).of.api_version, kind.plural())
}

fn collection_of(object: &Value) -> String {
    let text = |field: &str| object[field].as_str().unwrap().to_owned();
    // All plurals that tests need are made so but for our own, which have their own.
    let own = Kind::ALL.into_iter().find(|kind| kind.name() == text("kind"));
    let plural = own.map_or(format!("{}s", text("kind").to_lowercase()), |kind| kind.plural());
    format!("{}/{plural}", text("apiVersion"))
}

impl Inner {
    /// Makes or replaces an object; what it is now. A version that is given has to be the newest.
    fn put(
        &mut self,
        collection: &str,
        mut object: Value,
        is_new: Option<bool>,
    ) -> Result<Value, u16> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        let name = format!("{}/{}", text(&metadata["namespace"]), text(&metadata["name"]));
        let known = self.objects.get(collection).and_then(|all| all.get(&name)).cloned();
        match (is_new, &known) {
            (Some(true), Some(_)) => return Err(409),
            (Some(false), None) => return Err(404),
            (Some(false), Some(known)) => {
                let given = &metadata["resourceVersion"];
                if !given.is_null() && given != &known["metadata"]["resourceVersion"] {
                    return Err(409);
                }
            }
            _ => {}
        }
        self.version += 1;
        let uid = match &known {
            Some(known) => known["metadata"]["uid"].clone(),
            None => format!("00000000-0000-4000-8000-{:012}", self.version).into(),
        };
        object["metadata"]["uid"] = uid;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let kind = if known.is_some() { "MODIFIED" } else { "ADDED" };
        self.events.push((
            self.version,
            collection.into(),
            json!({"type": kind, "object": object}),
        ));
        self.objects.entry(collection.into()).or_default().insert(name.clone(), object.clone());
        let finalizers = object["metadata"]["finalizers"].as_array().map_or(0, Vec::len);
        if !object["metadata"]["deletionTimestamp"].is_null() && finalizers == 0 {
            self.remove(collection, &name, true);
        }
        Ok(object)
    }

    fn remove(&mut self, collection: &str, name: &str, is_shown: bool) {
        let Some(mut object) = self.objects.get_mut(collection).and_then(|all| all.remove(name))
        else {
            return;
        };
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        if is_shown {
            let event = json!({"type": "DELETED", "object": object});
            self.events.push((self.version, collection.into(), event));
        }
    }

    /// Deletes an object: it goes when nobody's finalizer is on it.
    fn delete(&mut self, collection: &str, name: &str, options: &Value) -> Result<Value, u16> {
        let known = self.objects.get(collection).and_then(|all| all.get(name)).cloned();
        let mut object = known.ok_or(404_u16)?;
        let only = &options["preconditions"]["uid"];
        if !only.is_null() && *only != object["metadata"]["uid"] {
            return Err(409);
        }
        if object["metadata"]["deletionTimestamp"].is_null() {
            object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            self.put(collection, object, None)
        } else {
            Ok(object)
        }
    }

    /// A patch of an object, or of its status alone.
    fn patch(&mut self, asked: &Asked, patch: &Value) -> Result<Value, u16> {
        let known = self.objects.get(&asked.collection).and_then(|all| all.get(&asked.name));
        let Some(known) = known.cloned() else {
            // What names a uid means an object that is there.
            let is_new = asked.is_apply && !asked.is_status && patch["metadata"]["uid"].is_null();
            return match is_new {
                true => self.put(&asked.collection, patch.clone(), Some(true)),
                false => Err(if asked.is_apply { 409 } else { 404 }),
            };
        };
        let given = &patch["metadata"]["uid"];
        let read = &patch["metadata"]["resourceVersion"];
        let is_other = !given.is_null() && *given != known["metadata"]["uid"];
        if is_other || !read.is_null() && *read != known["metadata"]["resourceVersion"] {
            return Err(409);
        }
        let mut object = known.clone();
        match asked.is_status {
            true => object["status"] = patch["status"].clone(),
            false => merge(&mut object, patch),
        }
        match object == known {
            true => Ok(known),
            false => self.put(&asked.collection, object, Some(false)),
        }
    }

    fn list(&self, asked: &Asked) -> Value {
        let version = self.lags.unwrap_or(self.version);
        let known = |object: &Value| {
            let made = object["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>();
            made.unwrap() <= version
        };
        let all = self.objects.get(&asked.collection).into_iter().flatten();
        let all = all.filter(|(_, object)| known(object));
        let from: usize = asked.number("continue").unwrap_or(0);
        let limit = asked.number("limit").unwrap_or(usize::MAX);
        let all: Vec<Value> = all.map(|(_, object)| asked.part(object)).collect();
        let next = from.saturating_add(limit);
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if next < all.len() {
            metadata["continue"] = next.to_string().into();
        }
        let items: Vec<Value> = all.into_iter().skip(from).take(limit).collect();
        json!({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items})
    }
}

/// A request, taken apart.
struct Asked {
    what: &'static str,
    /// Group and version, and plural.
    collection: String,
    /// Namespace and name.
    name: String,
    query: BTreeMap<String, String>,
    is_metadata: bool,
    /// A server-side apply, of all patches.
    is_apply: bool,
    is_status: bool,
}

impl Asked {
    fn of(request: &Request<Body>) -> Self {
        let parts: Vec<&str> = request.uri().path().split('/').skip(1).collect();
        let (version, rest) = match parts[0] {
            "api" => (parts[1].to_owned(), &parts[2..]),
            _ => (format!("{}/{}", parts[1], parts[2]), &parts[3..]),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let query = request.uri().query().unwrap_or_default().split('&');
        let query = query.filter_map(|pair| pair.split_once('='));
        let query: BTreeMap<String, String> =
            query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let what = match (request.method().as_str(), rest.len(), query.contains_key("watch")) {
            ("GET", 1, true) => "WATCH",
            ("GET", 1, false) => "LIST",
            ("GET", ..) => "GET",
            ("POST", ..) => "POST",
            ("PUT", ..) => "PUT",
            ("PATCH", ..) => "PATCH",
            ("DELETE", ..) => "DELETE",
            other => panic!("nobody answers {other:?}"),
        };
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let accepts = header("accept");
        Self {
            what,
            collection: format!("{version}/{}", rest[0]),
            name: format!("{namespace}/{}", rest.get(1).unwrap_or(&"")),
            query,
            is_metadata: accepts.is_some_and(|text| text.contains("PartialObjectMetadata")),
            is_apply: header("content-type").is_some_and(|text| text.contains("apply-patch")),
            is_status: rest.get(2) == Some(&"status"),
        }
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.query.get(name)?.parse().ok()
    }

    /// What is shown of an object.
    fn part(&self, object: &Value) -> Value {
        if !self.is_metadata {
            return object.clone();
        }
        json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"],
        })
    }
}

impl tower_service::Service<Request<Body>> for Server {
    type Response = Response<Answer>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move { Ok(server.answer(request).await) })
    }
}

impl Server {
    async fn answer(&self, request: Request<Body>) -> Response<Answer> {
        let asked = Asked::of(&request);
        let fault = self.change(|inner| {
            inner.requests.push(format!("{} {} {}", asked.what, asked.collection, asked.name));
            inner.faults.get(asked.what).copied()
        });
        let body = request.into_body().collect().await.unwrap().to_bytes();
        match fault {
            Some(Fault::Status(code, reason)) => return refused(code, reason),
            Some(Fault::Ends) => return Response::new(whole(String::new())),
            Some(Fault::Silent) => return std::future::pending().await,
            None => {}
        }
        let found = match asked.what {
            "LIST" => Ok(self.0.inner.lock().unwrap().list(&asked)),
            "GET" => self.get(&asked.collection, &asked.name).ok_or(404),
            "WATCH" => return self.watch(asked),
            what => {
                let object: Value = serde_json::from_slice(&body).unwrap();
                self.change(|inner| match what {
                    "PATCH" => inner.patch(&asked, &object),
                    "DELETE" => inner.delete(&asked.collection, &asked.name, &object),
                    what => inner.put(&asked.collection, object, Some(what == "POST")),
                })
            }
        };
        match found {
            Ok(object) if asked.name != "/" => {
                Response::new(whole(asked.part(&object).to_string()))
            }
            Ok(object) => Response::new(whole(object.to_string())),
            Err(404) => refused(404, "NotFound"),
            Err(code) => refused(code, "Conflict"),
        }
    }

    fn watch(&self, asked: Asked) -> Response<Answer> {
        let from: u64 = asked.number("resourceVersion").unwrap();
        let (number, oldest) = self.change(|inner| {
            inner.watches += 1;
            (inner.watches, inner.oldest)
        });
        if from < oldest {
            return refused(410, "Expired");
        }
        let server = self.clone();
        let ends = Duration::from_secs(asked.number("timeoutSeconds").unwrap());
        let ends = tokio::time::Instant::now() + ends;
        let shown = stream::unfold((server, from, asked), move |(server, at, asked)| async move {
            let next = tokio::time::timeout_at(ends, server.next(number, at, &asked)).await;
            let event = next.ok()?;
            let at = event.as_ref().map_or(u64::MAX, |(at, _)| *at);
            let frame = event.map(|(_, event)| {
                http_body::Frame::data(Bytes::from(format!("{event}\n").into_bytes()))
            });
            Some((frame, (server, at, asked)))
        });
        Response::new(StreamBody::new(shown).boxed_unsync())
    }

    /// What a watch shows next.
    async fn next(&self, number: u64, at: u64, asked: &Asked) -> std::io::Result<(u64, Value)> {
        let mut news = self.0.news.subscribe();
        loop {
            {
                let inner = self.0.inner.lock().unwrap();
                let mut events = inner.events.iter();
                let next = events.find(|(version, of, _)| *version > at && *of == asked.collection);
                match next {
                    _ if number <= inner.broken => {
                        return Err(std::io::ErrorKind::ConnectionReset.into());
                    }
                    _ if number <= inner.silent => {}
                    Some((version, _, event)) => {
                        let object = asked.part(&event["object"]);
                        return Ok((*version, json!({"type": event["type"], "object": object})));
                    }
                    None => {}
                }
            }
            news.changed().await.unwrap();
        }
    }
}

/// Puts what a patch says into an object; null takes away.
fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (name, value) in patch {
        match value {
            Value::Null => drop(object.as_object_mut().and_then(|fields| fields.remove(name))),
            value => merge(&mut object[name], value),
        }
    }
}

fn whole(text: String) -> Answer {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

fn refused(code: u16, reason: &str) -> Response<Answer> {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason,
        "message": format!("the server says {reason}"),
    });
    let mut response = Response::new(whole(status.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}
