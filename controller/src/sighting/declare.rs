//! One object becomes a command.
//!
//! An object keeps the uid that the log knows; the first sight of a name mints one, and the event that follows
//! records it. A generation counts versions of the spec. The hash names the object's content as the engine
//! decides on it, which is stored beside the log before the command that names it.

use holdfast_api::Kind;
use holdfast_engine::{
    Actor, Command, CommandId, Hash, Key, Timestamp, Uid, dependency, namespace,
};
use holdfast_eventlog::attachment_name;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::known::Known;
use super::name::ObjectName;
use crate::operator::dispatcher::Order;
use crate::ports::ids::Ids;
use crate::translate::kubestash::{
    Identity, addon, backup_configuration, backup_session, backup_storage, function, hook_template,
    restore_session, retention_policy, secret, workload,
};

/// Annotations that decisions look at; others may change without a new version of the object.
const ANNOTATIONS: [&str; 2] = [backup_configuration::ALLOW_PARTIAL, secret::ALLOWED_NAMESPACES];

/// What an object becomes.
#[derive(Debug)]
pub struct Declared {
    /// The command.
    pub order: Order,
    /// What has to be stored before the command is sent.
    pub document: Option<Vec<u8>>,
}

/// What an object is looked at with.
pub struct Sight<'a> {
    /// What the log knows.
    pub known: &'a Known,
    /// The key under which versions of Secrets are recorded.
    pub version_key: &'a [u8; 32],
    /// When it is seen.
    pub now: Timestamp,
    /// Names for what the log does not know.
    pub ids: &'a dyn Ids,
}

/// What an object becomes; `before` is its last version, of one that has versions. None: there is nothing to say.
///
/// # Errors
/// What is wrong with it.
pub fn declare(
    sight: &Sight<'_>,
    name: &ObjectName,
    object: &Value,
    before: &Value,
) -> Result<Option<Declared>, String> {
    let seen = Seen { sight, name, object, before };
    let (command, document) = match name.own_kind() {
        None => seen.foreign(),
        Some(Kind::Addon) => seen.observe(typed(object, addon::facts)?),
        Some(Kind::Function) => {
            seen.observe(typed(object, |found| function::facts(&name.name, found))?)
        }
        Some(Kind::Repository) => {
            let allowed = object["metadata"]["annotations"][secret::ALLOWED_NAMESPACES].as_str();
            let allowed_namespaces = allowed.map(ToOwned::to_owned);
            seen.observe(dependency::Facts::Repository { allowed_namespaces })
        }
        Some(Kind::Snapshot) => {
            return Err("Snapshots are made by sessions; take this one out".into());
        }
        // Nothing is decided about these yet; whoever reads them for the operator says so.
        Some(
            Kind::BackupBatch
            | Kind::BackupBlueprint
            | Kind::BackupVerificationSession
            | Kind::BackupVerifier,
        ) => return Ok(None),
        Some(Kind::BackupSession) => return seen.session(),
        Some(Kind::BackupStorage) => seen.with(backup_storage::declare)?,
        Some(Kind::RetentionPolicy) => seen.with(retention_policy::declare)?,
        Some(Kind::HookTemplate) => seen.with(hook_template::declare)?,
        Some(Kind::BackupConfiguration) => {
            seen.with(|id, found| backup_configuration::declare(id, found, sight.now))?
        }
        Some(Kind::RestoreSession) => seen.with(restore_session::declare)?,
    };
    Ok(Some(Declared { order: Order::new(Actor::Operator, command), document }))
}

type Made = (Command, Option<Vec<u8>>);

struct Seen<'a> {
    sight: &'a Sight<'a>,
    name: &'a ObjectName,
    object: &'a Value,
    before: &'a Value,
}

impl Seen<'_> {
    fn with<T: DeserializeOwned>(
        &self,
        command: impl FnOnce(Identity, &T) -> Command,
    ) -> Result<Made, String> {
        let known = self.sight.known.version(self.name);
        let (uid, generation) = match known {
            None => (self.sight.ids.uid(), 1),
            Some(known) => {
                let changed = self.before["spec"] != self.object["spec"];
                (known.uid, known.generation + u64::from(changed))
            }
        };
        let document = self.document(Some((uid, generation)));
        let hash = attachment_name(&document);
        let identity = Identity { uid, key: self.key()?, generation, hash };
        Ok((typed(self.object, |found| command(identity, found))?, Some(document)))
    }

    fn foreign(&self) -> Made {
        let uid = self.uid();
        match self.name.kind.as_str() {
            "Namespace" => {
                let labels = self.object["metadata"]["labels"].as_object().into_iter().flatten();
                let labels = labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())));
                let (name, labels) = (self.name.name.clone(), labels.collect());
                let annotations = &self.object["metadata"]["annotations"];
                let allowed = annotations[secret::ALLOWED_NAMESPACES].as_str();
                let allowed_namespaces = allowed.map(ToOwned::to_owned);
                let command = namespace::Command::Observe { uid, name, labels, allowed_namespaces };
                (Command::Namespace(command), None)
            }
            "Secret" => {
                let facts = secret::facts(self.object, self.sight.version_key);
                let (object, hash) = (self.name.reference(), Hash::default());
                let command = dependency::Command::Observe { uid, object, hash, facts };
                (Command::Dependency(command), None)
            }
            kind => self.observe(workload::facts(kind, self.object)),
        }
    }

    fn observe(&self, facts: dependency::Facts) -> Made {
        let document = self.document(None);
        let (hash, object) = (attachment_name(&document), self.name.reference());
        let command = dependency::Command::Observe { uid: self.uid(), object, hash, facts };
        (Command::Dependency(command), Some(document))
    }

    fn key(&self) -> Result<Key, String> {
        self.name.key().ok_or_else(|| format!("{} is of an unknown API group", self.name))
    }

    fn uid(&self) -> Uid {
        self.sight.known.observed(self.name).unwrap_or_else(|| self.sight.ids.uid())
    }

    /// A run is identified by its name and what it says: declared again after a restart it is the same one, even
    /// when its session left the state long ago.
    fn session(&self) -> Result<Option<Declared>, String> {
        let (name, object) = (self.name, self.object);
        if self.sight.known.has_session(name) {
            return Ok(None);
        }
        let (uid, key) = (self.sight.ids.uid(), self.key()?);
        let said = format!("BackupSession {} {}", key.full(), object["spec"]);
        let command = typed(object, |found| backup_session::create(uid, key, found))??;
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(said.as_bytes()).as_bytes()[..16]);
        let order = Order::new(Actor::User("manifest".into()), command).with_id(CommandId(id));
        Ok(Some(Declared { order, document: None }))
    }

    /// The part of an object that decisions depend on (design 4.1 c).
    fn document(&self, identity: Option<(Uid, u64)>) -> Vec<u8> {
        let (name, object) = (self.name, self.object);
        let given = &object["metadata"];
        let mut metadata = Map::new();
        metadata.insert("name".into(), name.name.clone().into());
        if !name.namespace.is_empty() {
            metadata.insert("namespace".into(), name.namespace.clone().into());
        }
        if let Some((uid, generation)) = identity {
            metadata.insert("uid".into(), uid.to_string().into());
            metadata.insert("generation".into(), generation.into());
        }
        if given["labels"].is_object() {
            metadata.insert("labels".into(), given["labels"].clone());
        }
        let read: Map<String, Value> = ANNOTATIONS
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), given["annotations"].get(key)?.clone())))
            .collect();
        if !read.is_empty() {
            metadata.insert("annotations".into(), Value::Object(read));
        }
        let document = json!({
            "apiVersion": object["apiVersion"],
            "kind": object["kind"],
            "metadata": metadata,
            "spec": object["spec"],
        });
        document.to_string().into_bytes()
    }
}

fn typed<T: DeserializeOwned, R>(
    object: &Value,
    use_it: impl FnOnce(&T) -> R,
) -> Result<R, String> {
    holdfast_api::read::read::<T>(object)
        .map(|found| use_it(&found))
        .map_err(|error| error.to_string())
}
