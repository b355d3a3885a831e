//! Shows objects, and takes them away.
//!
//! | Law | How |
//! |---|---|
//! | only differences are written | what is wanted is compared with the live object, part by part |
//! | an object of a user keeps what its user says | nothing of it is written but the finalizer and the status |
//! | another object of the name is not touched | every write names the uid that was read |
//! | an object that we make is ours by its uid | one that has another uid is somebody else's, unless the log knows none yet and its label names what it was made for |

use holdfast_api::Kind;
use holdfast_api::labels::FINALIZER;
use holdfast_engine::{Failure, Uid};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::DynamicObject;
use serde_json::{Map, Value, json};

use super::calls::{CallError, Calls};
use super::resource::own;
use crate::place::Trouble;

/// What the API server calls us, as the owner of fields.
const MANAGER: &str = "holdfast";

/// On what we make: the object in the log that it shows.
const UID_LABEL: &str = "holdfast.dev/uid";

/// An object as it should be.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Its kind.
    pub kind: Kind,
    /// The whole of it, with the uid that the log gives it.
    pub object: &'a Value,
    /// Whose it is.
    pub whose: Whose,
}

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A user declared it; the log has its uid from there.
    User,
    /// We make it; the uid of the live object, where the log knows it.
    Ours(Option<Uid>),
}

/// Shows objects at an API server.
#[derive(Clone)]
pub struct Shower {
    calls: Calls,
}

impl Shower {
    /// By these calls.
    #[must_use]
    pub fn new(calls: Calls) -> Self {
        Self { calls }
    }

    /// Makes an object look as it should; the uid of the live one, which is none where a user's is not there any more.
    /// `seen` is the live object as a watch showed it.
    ///
    /// # Errors
    /// What kept it from being written; that somebody else has the name.
    pub async fn show(
        &self,
        wanted: &Wanted<'_>,
        seen: Option<&Value>,
    ) -> Result<Option<Uid>, Trouble> {
        let name = text(&wanted.object["metadata"]["name"]);
        let api = self.api(wanted.kind, text(&wanted.object["metadata"]["namespace"]));
        let what = what("show", wanted.kind, wanted.object);
        // What no watch shows yet may be there: it is not taken over blindly.
        let read = match seen {
            Some(_) => None,
            None => self.calls.ask(&what, api.get_opt(name)).await?.map(value).transpose()?,
        };
        let Some(live) = seen.or(read.as_ref()) else {
            return match wanted.whose {
                Whose::User => Ok(None),
                Whose::Ours(_) => {
                    let made = self.apply(&api, &what, name, &main_of(wanted, None)).await?;
                    self.show_status(&api, &what, wanted, &made).await
                }
            };
        };
        if !is_it(wanted, live) {
            return match wanted.whose {
                // Another one of the name: a look will tell of it.
                Whose::User => Ok(None),
                Whose::Ours(_) => Err(taken(wanted)),
            };
        }
        let main = main_of(wanted, Some(live));
        if covers(live, &main) || !live["metadata"]["deletionTimestamp"].is_null() {
            return self.show_status(&api, &what, wanted, live).await;
        }
        let now = self.apply(&api, &what, name, &main).await?;
        self.show_status(&api, &what, wanted, &now).await
    }

    async fn show_status(
        &self,
        api: &Api<DynamicObject>,
        what: &str,
        wanted: &Wanted<'_>,
        live: &Value,
    ) -> Result<Option<Uid>, Trouble> {
        let status = &wanted.object["status"];
        if live["status"] != *status {
            let mut body = head(wanted, Some(live));
            body["status"] = status.clone();
            let params = PatchParams::apply(MANAGER).force();
            let name = text(&wanted.object["metadata"]["name"]);
            self.calls.ask(what, api.patch_status(name, &params, &Patch::Apply(&body))).await?;
        }
        Ok(uid(live))
    }

    async fn apply(
        &self,
        api: &Api<DynamicObject>,
        what: &str,
        name: &str,
        body: &Value,
    ) -> Result<Value, Trouble> {
        let params = PatchParams::apply(MANAGER).force();
        let live = self.calls.ask(what, api.patch(name, &params, &Patch::Apply(body))).await?;
        value(live)
    }

    /// Lets an object of this uid go: one of ours is deleted, one of a user's loses our finalizer. Another one of its
    /// name stays as it is.
    ///
    /// # Errors
    /// What kept it from going.
    pub async fn retract(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        live: Uid,
        whose: Whose,
    ) -> Result<(), Trouble> {
        let api = self.api(kind, namespace);
        let what = format!("take away {} {namespace}/{name}", kind.name());
        // Read now: what a watch showed may be another object by now.
        let Some(found) = self.calls.ask(&what, api.get_metadata_opt(name)).await? else {
            return Ok(());
        };
        let mut metadata = found.metadata;
        if metadata.uid.as_deref().and_then(parse) != Some(live) {
            return Ok(());
        }
        if matches!(whose, Whose::Ours(_)) && metadata.deletion_timestamp.is_none() {
            let only = Preconditions { uid: metadata.uid.clone(), resource_version: None };
            let params = DeleteParams::background().preconditions(only);
            match self.calls.ask(&what, api.delete(name, &params)).await {
                // It waits for finalizers, ours among them; or it is gone, and a status says so.
                Ok(deleted) => match deleted.left() {
                    Some(waiting) => metadata = waiting.metadata,
                    None => return Ok(()),
                },
                Err(error) if error.status() == Some(404) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        let version = metadata.resource_version;
        let mut kept = metadata.finalizers.unwrap_or_default();
        let before = kept.len();
        kept.retain(|finalizer| finalizer != FINALIZER);
        if kept.len() == before {
            return Ok(());
        }
        // As of the version that was read: where somebody else writes meanwhile, the next try reads his list.
        let body = json!({ "metadata": {
            "uid": metadata.uid, "resourceVersion": version, "finalizers": kept,
        } });
        let params = PatchParams::default();
        match self.calls.ask(&what, api.patch_metadata(name, &params, &Patch::Merge(&body))).await {
            Ok(_) => Ok(()),
            Err(error) if error.status() == Some(404) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn api(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.calls.client(), namespace, &own(kind).of)
    }
}

/// What says which object is meant; with the uid of the live one a write is refused where that is gone.
fn head(wanted: &Wanted<'_>, live: Option<&Value>) -> Value {
    let given = &wanted.object["metadata"];
    let mut metadata = Map::new();
    metadata.insert("name".into(), given["name"].clone());
    metadata.insert("namespace".into(), given["namespace"].clone());
    if let Some(live) = live {
        metadata.insert("uid".into(), live["metadata"]["uid"].clone());
    }
    json!({
        "apiVersion": wanted.object["apiVersion"],
        "kind": wanted.object["kind"],
        "metadata": metadata,
    })
}

/// All that we write of an object besides its status.
fn main_of(wanted: &Wanted<'_>, live: Option<&Value>) -> Value {
    let mut body = head(wanted, live);
    let given = &wanted.object["metadata"];
    body["metadata"]["finalizers"] = json!([FINALIZER]);
    if let Whose::Ours(_) = wanted.whose {
        let mut labels = given["labels"].as_object().cloned().unwrap_or_default();
        labels.insert(UID_LABEL.into(), given["uid"].clone());
        body["metadata"]["labels"] = labels.into();
        if given["ownerReferences"].is_array() {
            body["metadata"]["ownerReferences"] = given["ownerReferences"].clone();
        }
        body["spec"] = wanted.object["spec"].clone();
    }
    body
}

/// Whether the live object is the one that is wanted.
fn is_it(wanted: &Wanted<'_>, live: &Value) -> bool {
    let ours = &wanted.object["metadata"]["uid"];
    match wanted.whose {
        Whose::User => live["metadata"]["uid"] == *ours,
        Whose::Ours(Some(bound)) => uid(live) == Some(bound),
        // Made by us a moment ago, before the log could say so.
        Whose::Ours(None) => live["metadata"]["labels"][UID_LABEL] == *ours,
    }
}

/// Whether all that is wanted is there. More may be: defaults, and what others write.
fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(name, value)| {
            live.get(name).map_or(value.is_null(), |live| covers(live, value))
        }),
        // Finalizers and owners stand beside those of others.
        (Value::Array(live), Value::Array(wanted)) if wanted.len() <= live.len() => {
            wanted.iter().all(|value| live.iter().any(|live| covers(live, value)))
        }
        (live, wanted) => live == wanted,
    }
}

fn taken(wanted: &Wanted<'_>) -> Trouble {
    let failure = Failure {
        reason: "NameTaken".into(),
        message: format!(
            "{}: an object of this name is there that the operator did not make; delete it, or give it another name",
            what("show", wanted.kind, wanted.object)
        ),
        permanent: false,
    };
    failure.into()
}

fn what(verb: &str, kind: Kind, object: &Value) -> String {
    let metadata = &object["metadata"];
    format!("{verb} {} {}/{}", kind.name(), text(&metadata["namespace"]), text(&metadata["name"]))
}

fn value(object: DynamicObject) -> Result<Value, Trouble> {
    let value = serde_json::to_value(object);
    value.map_err(|error| CallError::new("read an answer", kube::Error::SerdeError(error)).into())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn uid(object: &Value) -> Option<Uid> {
    parse(object["metadata"]["uid"].as_str()?)
}

fn parse(uid: &str) -> Option<Uid> {
    uid.parse::<uuid::Uuid>().ok().map(|uid| Uid(*uid.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fault, Server, object};
    use super::*;

    const OWN: &str = "0a0a0a0a-0000-4000-8000-000000000001";

    fn shower(server: &Server) -> Shower {
        Shower::new(Calls::new(server.client()))
    }

    fn snapshot(phase: &str) -> Value {
        let mut wanted = object(Kind::Snapshot, "snap");
        wanted["metadata"]["uid"] = OWN.into();
        wanted["metadata"]["labels"] = json!({"a": "b"});
        wanted["spec"] = json!({"repository": "r"});
        wanted["status"] = json!({"phase": phase});
        wanted
    }

    fn live(server: &Server) -> Option<Value> {
        server.get("storage.kubestash.com/v1alpha1/snapshots", "demo/snap")
    }

    fn ours(object: &Value, bound: Option<Uid>) -> Wanted<'_> {
        Wanted { kind: Kind::Snapshot, object, whose: Whose::Ours(bound) }
    }

    #[tokio::test]
    async fn what_we_make_is_made_once_and_written_only_where_it_differs() {
        let server = Server::default();
        let shower = shower(&server);
        let first = snapshot("Running");
        let made = shower.show(&ours(&first, None), None).await.unwrap();
        let there = live(&server).unwrap();
        assert_eq!((made, &there["status"]["phase"]), (uid(&there), &"Running".into()));
        assert_eq!(there["metadata"]["labels"], json!({"a": "b", UID_LABEL: OWN}));
        assert_eq!(there["metadata"]["finalizers"], json!([FINALIZER]));
        assert_eq!(server.count("PATCH"), 2);
        // By the label, before the log knows the uid; by the uid ever after.
        for bound in [None, made] {
            for seen in [None, Some(&there)] {
                assert_eq!(shower.show(&ours(&first, bound), seen).await.unwrap(), made);
            }
        }
        assert_eq!(server.count("PATCH"), 2, "nothing differs");
        let done = snapshot("Succeeded");
        shower.show(&ours(&done, made), Some(&there)).await.unwrap();
        assert_eq!(
            (server.count("PATCH"), &live(&server).unwrap()["status"]["phase"]),
            (3, &"Succeeded".into())
        );
    }

    #[tokio::test]
    async fn a_label_that_somebody_took_away_is_put_back_and_what_others_add_stays() {
        let server = Server::default();
        let shower = shower(&server);
        let wanted = snapshot("Running");
        let made = shower.show(&ours(&wanted, None), None).await.unwrap();
        let mut edited = live(&server).unwrap();
        edited["metadata"]["labels"] = json!({"team": "x"});
        edited["metadata"]["finalizers"] = json!(["other/one", FINALIZER]);
        edited["spec"]["added"] = 1.into();
        server.put(edited.clone());
        shower.show(&ours(&wanted, made), live(&server).as_ref()).await.unwrap();
        let there = live(&server).unwrap();
        assert_eq!(there["metadata"]["labels"], json!({"a": "b", "team": "x", UID_LABEL: OWN}));
        assert_eq!(there["spec"], json!({"repository": "r", "added": 1}));
    }

    #[tokio::test]
    async fn another_object_of_the_name_is_neither_written_nor_taken_away() {
        let server = Server::default();
        let shower = shower(&server);
        let mut copy = object(Kind::Snapshot, "snap");
        copy["metadata"]["labels"] = json!({"a": "b"});
        server.put(copy);
        let before = live(&server).unwrap();
        let wanted = snapshot("Running");
        for bound in [None, Some(Uid([7; 16]))] {
            for seen in [None, Some(&before)] {
                let trouble = shower.show(&ours(&wanted, bound), seen).await.unwrap_err();
                assert_eq!(
                    trouble.to_string(),
                    "NameTaken: show Snapshot demo/snap: an object of this name is there that the operator did not \
                     make; delete it, or give it another name"
                );
            }
        }
        let gone = shower.retract(Kind::Snapshot, "demo", "snap", Uid([7; 16]), Whose::Ours(None));
        gone.await.unwrap();
        assert_eq!(live(&server).unwrap(), before);
        assert_eq!(server.count("PATCH") + server.count("DELETE"), 0);
    }

    #[tokio::test]
    async fn an_object_that_was_replaced_since_it_was_seen_is_not_written() {
        let server = Server::default();
        let shower = shower(&server);
        let wanted = snapshot("Running");
        let made = shower.show(&ours(&wanted, None), None).await.unwrap();
        let seen = live(&server).unwrap();
        server.remove_unseen(Kind::Snapshot, "snap");
        server.put(object(Kind::Snapshot, "snap"));
        let other = live(&server).unwrap();
        let done = snapshot("Succeeded");
        let trouble = shower.show(&ours(&done, made), Some(&seen)).await.unwrap_err();
        assert!(trouble.transient, "{trouble}");
        assert_eq!(live(&server).unwrap(), other);
    }

    #[tokio::test]
    async fn of_a_users_object_the_finalizer_and_the_status_are_ours() {
        let server = Server::default();
        let shower = shower(&server);
        let mut declared = object(Kind::BackupStorage, "store");
        declared["spec"] = json!({"default": true});
        server.put(declared);
        let storage = || server.get("storage.kubestash.com/v1alpha1/backupstorages", "demo/store");
        let mut wanted = storage().unwrap();
        // What the log knows of it may be older than what its user says now.
        wanted["spec"] = json!({"default": false});
        wanted["status"] = json!({"phase": "Ready"});
        let user = Wanted { kind: Kind::BackupStorage, object: &wanted, whose: Whose::User };
        let id = shower.show(&user, storage().as_ref()).await.unwrap().unwrap();
        let there = storage().unwrap();
        assert_eq!(
            (&there["spec"], &there["status"]),
            (&json!({"default": true}), &json!({"phase": "Ready"}))
        );
        assert_eq!(there["metadata"]["finalizers"], json!([FINALIZER]));
        assert!(there["metadata"]["labels"].is_null());
        // It goes when its user deletes it and we let it go.
        shower.retract(Kind::BackupStorage, "demo", "store", id, Whose::User).await.unwrap();
        assert_eq!(storage().unwrap()["metadata"]["finalizers"], json!([]));
        server.remove(Kind::BackupStorage, "store");
        assert_eq!(shower.show(&user, None).await.unwrap(), None, "it is not made again");
        assert!(storage().is_none());
    }

    #[tokio::test]
    async fn what_is_taken_away_is_gone_and_so_is_what_was_never_there() {
        let server = Server::default();
        let shower = shower(&server);
        let wanted = snapshot("Succeeded");
        let made = shower.show(&ours(&wanted, None), None).await.unwrap().unwrap();
        for _ in 0..2 {
            shower.retract(Kind::Snapshot, "demo", "snap", made, Whose::Ours(None)).await.unwrap();
            assert!(live(&server).is_none());
        }
        // Somebody deletes it first: it waits for us.
        let made = shower.show(&ours(&wanted, None), None).await.unwrap().unwrap();
        server.remove(Kind::Snapshot, "snap");
        assert!(!live(&server).unwrap()["metadata"]["deletionTimestamp"].is_null());
        shower.retract(Kind::Snapshot, "demo", "snap", made, Whose::Ours(None)).await.unwrap();
        assert!(live(&server).is_none());
    }

    #[tokio::test]
    async fn what_is_forbidden_names_the_object() {
        let server = Server::default();
        server.fail("PATCH", Fault::Status(403, "Forbidden"));
        let wanted = snapshot("Running");
        let trouble = shower(&server).show(&ours(&wanted, None), None).await.unwrap_err();
        assert_eq!(
            trouble.to_string(),
            "Forbidden: cannot show Snapshot demo/snap: the server says Forbidden"
        );
    }
}
