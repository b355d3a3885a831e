//! What has changed about the declared objects, as commands.
//!
//! An object keeps the uid that the log knows; the first sight of a name mints one, and the event that follows
//! records it. A generation counts versions of the spec. The hash names the object's content as the engine
//! decides on it, which is stored beside the log before the command that names it.

use std::collections::BTreeMap;

use holdfast_api::Kind;
use holdfast_engine::{
    Actor, Command, CommandId, Hash, Key, State, StreamKind, Timestamp, TypedRef, Uid, backup,
    configuration, dependency, hook, namespace, restore, retention, storage,
};
use holdfast_eventlog::Ledger;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::files::Scan;
use super::manifest::{Manifest, ObjectName};
use crate::operator::dispatcher::Order;
use crate::ports::ids;
use crate::translate::kubestash::{
    Identity, addon, backup_configuration, backup_session, backup_storage, function, hook_template,
    restore_session, retention_policy, secret, workload,
};

/// Annotations that decisions look at; others may change without a new version of the object.
const ANNOTATIONS: [&str; 2] = [backup_configuration::ALLOW_PARTIAL, secret::ALLOWED_NAMESPACES];

/// What a scan leads to.
#[derive(Default)]
pub struct Changes {
    /// What everything else stands on, in the order of dependence.
    pub objects: Vec<(ObjectName, Order)>,
    /// Runs that were declared.
    pub backups: Vec<(ObjectName, Order)>,
    /// Restores that were declared.
    pub restores: Vec<(ObjectName, Order)>,
    /// Objects that are gone.
    pub gone: Vec<(ObjectName, Order)>,
    /// Objects that could not be used, and why.
    pub refused: Vec<(ObjectName, String)>,
}

/// What was declared before, by this process: name and digest of the whole object.
pub type Applied = BTreeMap<ObjectName, [u8; 32]>;

/// Compares a scan with what was applied, and with the log for what is gone.
///
/// # Errors
/// When a document cannot be stored.
pub fn changes(
    ledger: &Ledger,
    scan: &Scan,
    applied: &mut Applied,
    version_key: &[u8; 32],
    now: Timestamp,
) -> Result<Changes, holdfast_eventlog::Error> {
    let mut changes = Changes::default();
    let mut manifests: Vec<&Manifest> = scan.manifests.values().collect();
    manifests.sort_by_key(|manifest| rank(&manifest.name));
    for manifest in manifests {
        let digest = *blake3::hash(manifest.object.to_string().as_bytes()).as_bytes();
        if applied.get(&manifest.name) == Some(&digest) {
            continue;
        }
        let name = manifest.name.clone();
        match declare(ledger, manifest, version_key, now)? {
            Ok(Some(order)) => match name.own_kind() {
                Some(Kind::BackupSession) => changes.backups.push((name, order)),
                Some(Kind::RestoreSession) => changes.restores.push((name, order)),
                _ => changes.objects.push((name, order)),
            },
            Ok(None) => {}
            Err(message) => changes.refused.push((name, message)),
        }
        applied.insert(manifest.name.clone(), digest);
    }
    if scan.complete() {
        changes.gone = gone(ledger.state(), scan);
        applied.retain(|name, _| scan.manifests.contains_key(name));
    }
    Ok(changes)
}

/// Dependencies before those who depend on them.
fn rank(name: &ObjectName) -> u8 {
    match name.own_kind() {
        None if name.kind == "Namespace" => 0,
        None => 1,
        Some(Kind::Function) => 2,
        Some(Kind::Addon) => 3,
        Some(Kind::HookTemplate | Kind::RetentionPolicy) => 4,
        Some(Kind::BackupStorage) => 5,
        Some(Kind::BackupConfiguration) => 6,
        Some(_) => 7,
    }
}

type Declared = Result<Option<Order>, String>;

fn declare(
    ledger: &Ledger,
    manifest: &Manifest,
    version_key: &[u8; 32],
    now: Timestamp,
) -> Result<Declared, holdfast_eventlog::Error> {
    let state = ledger.state();
    let (name, object) = (&manifest.name, &manifest.object);
    let command = match name.own_kind() {
        None => foreign(ledger, name, object, version_key)?,
        Some(Kind::Addon) => {
            typed(object, addon::facts).map(|facts| observe(ledger, name, object, facts))
        }
        Some(Kind::Function) => typed(object, |found| function::facts(&name.name, found))
            .map(|facts| observe(ledger, name, object, facts)),
        Some(Kind::Repository) => {
            let allowed_namespaces = object["metadata"]["annotations"][secret::ALLOWED_NAMESPACES]
                .as_str()
                .map(ToOwned::to_owned);
            Ok(observe(ledger, name, object, dependency::Facts::Repository { allowed_namespaces }))
        }
        Some(Kind::Snapshot) => Err("Snapshots are made by sessions; take this one out".into()),
        Some(Kind::BackupSession) => return Ok(session(state, name, object)),
        Some(Kind::BackupStorage) => with(ledger, name, object, backup_storage::declare)?,
        Some(Kind::RetentionPolicy) => with(ledger, name, object, retention_policy::declare)?,
        Some(Kind::HookTemplate) => with(ledger, name, object, hook_template::declare)?,
        Some(Kind::BackupConfiguration) => {
            with(ledger, name, object, |id, found| backup_configuration::declare(id, found, now))?
        }
        Some(Kind::RestoreSession) => with(ledger, name, object, restore_session::declare)?,
    };
    Ok(command.map(|command| Some(Order::new(Actor::Operator, command))))
}

fn typed<T: DeserializeOwned, R>(
    object: &Value,
    use_it: impl FnOnce(&T) -> R,
) -> Result<R, String> {
    holdfast_api::read::read::<T>(object)
        .map(|found| use_it(&found))
        .map_err(|error| error.to_string())
}

fn with<T: DeserializeOwned>(
    ledger: &Ledger,
    name: &ObjectName,
    object: &Value,
    command: impl FnOnce(Identity, &T) -> Command,
) -> Result<Result<Command, String>, holdfast_eventlog::Error> {
    let identity = identity(ledger, name, object)?;
    Ok(typed(object, |found| command(identity, found)))
}

fn foreign(
    ledger: &Ledger,
    name: &ObjectName,
    object: &Value,
    version_key: &[u8; 32],
) -> Result<Result<Command, String>, holdfast_eventlog::Error> {
    let state = ledger.state();
    Ok(Ok(match name.kind.as_str() {
        "Namespace" => {
            let uid = state.uid_of(StreamKind::Namespace, &Key::new("", name.name.clone()));
            let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
            let labels = labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())));
            Command::Namespace(namespace::Command::Observe {
                uid: uid.unwrap_or_else(ids::uid),
                name: name.name.clone(),
                labels: labels.collect(),
            })
        }
        "Secret" => Command::Dependency(dependency::Command::Observe {
            uid: dependency_uid(state, name),
            object: reference(name),
            hash: Hash::default(),
            facts: secret::facts(object, version_key),
        }),
        kind => observe(ledger, name, object, workload::facts(kind, object)),
    }))
}

fn observe(
    ledger: &Ledger,
    name: &ObjectName,
    object: &Value,
    facts: dependency::Facts,
) -> Command {
    let hash = store(ledger, &content(name, object, None)).unwrap_or_default();
    Command::Dependency(dependency::Command::Observe {
        uid: dependency_uid(ledger.state(), name),
        object: reference(name),
        hash,
        facts,
    })
}

fn dependency_uid(state: &State, name: &ObjectName) -> Uid {
    state.objects.get(&reference(name)).copied().unwrap_or_else(ids::uid)
}

fn reference(name: &ObjectName) -> TypedRef {
    TypedRef {
        api_group: name.group.clone(),
        kind: name.kind.clone(),
        namespace: name.namespace.clone(),
        name: name.name.clone(),
    }
}

/// A run is identified by its name and what it says: declared again after a restart it is the same one, even
/// when its session left the state long ago.
fn session(state: &State, name: &ObjectName, object: &Value) -> Declared {
    let key = name.key();
    if state.uid_of(StreamKind::Backup, &key).is_some() {
        return Ok(None);
    }
    let command = typed(object, |found| backup_session::create(ids::uid(), key, found))??;
    let said = format!("BackupSession {} {}", name.key(), object["spec"]);
    let mut id = [0; 16];
    id.copy_from_slice(&blake3::hash(said.as_bytes()).as_bytes()[..16]);
    Ok(Some(Order::new(Actor::User("manifest".into()), command).with_id(CommandId(id))))
}

fn identity(
    ledger: &Ledger,
    name: &ObjectName,
    object: &Value,
) -> Result<Identity, holdfast_eventlog::Error> {
    let key = name.key();
    let known = known(ledger.state(), name);
    let uid = known.map_or_else(ids::uid, |(uid, _, _)| uid);
    let generation = match known {
        None => 1,
        Some((_, generation, hash)) => {
            let before = ledger.attachment(&hash)?;
            let before: Value =
                before.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
            generation + u64::from(before["spec"] != object["spec"])
        }
    };
    let hash = store(ledger, &content(name, object, Some((uid, generation))))?;
    Ok(Identity { uid, key, generation, hash })
}

fn known(state: &State, name: &ObjectName) -> Option<(Uid, u64, Hash)> {
    let key = name.key();
    match name.own_kind()? {
        Kind::BackupStorage => state.storage_named(&key).map(|o| (o.uid, o.generation, o.hash)),
        Kind::RetentionPolicy => state.retention_named(&key).map(|o| (o.uid, o.generation, o.hash)),
        Kind::HookTemplate => state.hook_named(&key).map(|o| (o.uid, o.generation, o.hash)),
        Kind::BackupConfiguration => {
            state.configuration_named(&key).map(|o| (o.uid, o.generation, o.hash))
        }
        Kind::RestoreSession => {
            let uid = state.uid_of(StreamKind::Restore, &key)?;
            state.restores.get(&uid).map(|o| (o.uid, o.generation, o.hash))
        }
        _ => None,
    }
}

/// The part of an object that decisions depend on (design 4.1 c).
fn content(name: &ObjectName, object: &Value, identity: Option<(Uid, u64)>) -> Value {
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
    json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": metadata,
        "spec": object["spec"],
    })
}

fn store(ledger: &Ledger, content: &Value) -> Result<Hash, holdfast_eventlog::Error> {
    ledger.attach(content.to_string().as_bytes())
}

/// What the log knows and nobody declares any more; users before what they use.
fn gone(state: &State, scan: &Scan) -> Vec<(ObjectName, Order)> {
    let mut gone: Vec<(ObjectName, Command)> = Vec::new();
    let mut check = |name: ObjectName, command: Command| {
        if !scan.manifests.contains_key(&name) {
            gone.push((name, command));
        }
    };
    for found in state.restores.values() {
        let name = ObjectName::own(Kind::RestoreSession, &found.key);
        check(name, Command::Restore(restore::Command::Delete { session: found.uid }));
    }
    for found in state.backups.values().filter(|b| b.trigger == backup::Trigger::Manual) {
        let name = ObjectName::own(Kind::BackupSession, &found.key);
        check(name, Command::Backup(backup::Command::Delete { session: found.uid }));
    }
    for found in state.configurations.values().filter(|c| !c.deleting) {
        let name = ObjectName::own(Kind::BackupConfiguration, &found.key);
        check(name, Command::Configuration(configuration::Command::Delete { uid: found.uid }));
    }
    for found in state.storages.values().filter(|s| !s.deleting) {
        let name = ObjectName::own(Kind::BackupStorage, &found.key);
        check(name, Command::Storage(storage::Command::Delete { uid: found.uid }));
    }
    for found in state.retentions.values() {
        let name = ObjectName::own(Kind::RetentionPolicy, &found.key);
        check(name, Command::Retention(retention::Command::Delete { uid: found.uid }));
    }
    for found in state.hooks.values() {
        let name = ObjectName::own(Kind::HookTemplate, &found.key);
        check(name, Command::Hook(hook::Command::Delete { uid: found.uid }));
    }
    for (uid, found) in &state.dependencies {
        let TypedRef { api_group, kind, namespace, name } = &found.object;
        let name = ObjectName::new(api_group, kind, namespace, name);
        check(name, Command::Dependency(dependency::Command::Forget { uid: *uid }));
    }
    for (uid, found) in &state.namespaces {
        let name = ObjectName::new("", "Namespace", "", &found.name);
        check(name, Command::Namespace(namespace::Command::Forget { uid: *uid }));
    }
    gone.into_iter().map(|(name, command)| (name, Order::new(Actor::Operator, command))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use holdfast_engine::{Envelope, lease};
    use holdfast_eventlog::{Answer, Options};

    use super::*;
    use crate::watch::manifest::{Place, Problem, read_documents};

    const KEY: [u8; 32] = [7; 32];

    const STORAGE: &str = "
apiVersion: storage.kubestash.com/v1alpha1
kind: BackupStorage
metadata: {name: store, namespace: demo}
spec:
  storage: {provider: local, local: {mountPath: /safe, hostPath: {path: /srv/backups}}}
  deletionPolicy: Delete
";
    const POLICY: &str = "
apiVersion: storage.kubestash.com/v1alpha1
kind: RetentionPolicy
metadata: {name: keep, namespace: demo}
spec: {maxRetentionPeriod: 1mo}
";
    const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: demo}\nstringData: {a: marker}\n";
    const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n";
    const CONFIGURATION: &str = "
apiVersion: core.kubestash.com/v1alpha1
kind: BackupConfiguration
metadata: {name: app, namespace: demo}
spec:
  backends: [{name: b, storageRef: {name: store, namespace: demo}, retentionPolicy: {name: keep, namespace: demo}}]
  sessions:
  - name: nightly
    scheduler: {schedule: '0 3 * * *', jobTemplate: {template: {}}}
    addon: {name: workload-addon, tasks: [{name: logical-backup}]}
    repositories: [{name: repo, backend: b, directory: /x, encryptionSecret: {name: s, namespace: demo}}]
";
    const SESSION: &str = "
apiVersion: core.kubestash.com/v1alpha1
kind: BackupSession
metadata: {name: now, namespace: demo}
spec: {invoker: {apiGroup: core.kubestash.com, kind: BackupConfiguration, name: app}, session: nightly}
";

    struct Watched {
        dir: tempfile::TempDir,
        ledger: Ledger,
        applied: Applied,
    }

    impl Watched {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let ledger = Ledger::open(dir.path(), Options::default()).unwrap();
            let mut watched = Self { dir, ledger, applied: Applied::new() };
            let begin = lease::Command::Begin { holder: "me".into() };
            watched.submit(Order::new(Actor::Operator, Command::Lease(begin)));
            watched
        }

        fn submit(&mut self, Order { id, actor, command, .. }: Order) -> Answer {
            let envelope = Envelope { id, at: Timestamp(1), actor, epoch: 1, command };
            self.ledger.submit(&[envelope]).unwrap().answers.remove(0)
        }

        fn changes(&mut self, scan: &Scan) -> Changes {
            changes(&self.ledger, scan, &mut self.applied, &KEY, Timestamp(1)).unwrap()
        }

        /// Declares everything, as the operator does.
        fn declare(&mut self, texts: &[&str]) -> Changes {
            let mut found = self.changes(&scan(texts));
            let all = [&mut found.objects, &mut found.gone, &mut found.backups];
            for (name, order) in all.into_iter().flat_map(std::mem::take) {
                let answer = self.submit(order);
                assert!(!matches!(answer, Answer::Refused(_)), "{name}: {answer:?}");
            }
            found
        }

        /// Another process on the same log.
        fn restart(self) -> Self {
            let Self { dir, ledger, .. } = self;
            ledger.close().unwrap();
            let ledger = Ledger::open(dir.path(), Options::default()).unwrap();
            Self { dir, ledger, applied: Applied::new() }
        }

        fn store(&self) -> &storage::state::Storage {
            self.ledger.state().storage_named(&Key::new("demo", "store")).unwrap()
        }
    }

    fn scan(texts: &[&str]) -> Scan {
        let mut scan = Scan::default();
        for text in texts {
            let found = read_documents(Path::new("a.yaml"), text);
            scan.problems.extend(found.problems);
            let named = found.manifests.into_iter().map(|m| (m.name.clone(), m));
            scan.manifests.extend(named);
        }
        assert!(scan.complete(), "{:?}", scan.problems);
        scan
    }

    fn kinds(orders: &[(ObjectName, Order)]) -> Vec<&str> {
        orders.iter().map(|(name, _)| name.kind.as_str()).collect()
    }

    const ALL: [&str; 5] = [CONFIGURATION, STORAGE, POLICY, SECRET, NAMESPACE];

    #[test]
    fn what_others_stand_on_comes_first_and_nothing_comes_twice() {
        let mut watched = Watched::new();
        let found = watched.changes(&scan(&ALL));
        assert_eq!(
            kinds(&found.objects),
            ["Namespace", "Secret", "RetentionPolicy", "BackupStorage", "BackupConfiguration"]
        );
        assert!(found.gone.is_empty() && found.refused.is_empty());
        assert!(watched.changes(&scan(&ALL)).objects.is_empty());
    }

    #[test]
    fn an_object_keeps_its_uid_and_its_generation_counts_specs() {
        let mut watched = Watched::new();
        watched.declare(&[STORAGE]);
        let (uid, hash) = (watched.store().uid, watched.store().hash);
        assert_eq!(watched.store().generation, 1);
        watched = watched.restart();
        watched.declare(&[&STORAGE.replace("namespace: demo", "namespace: demo, labels: {a: b}")]);
        assert_eq!((watched.store().uid, watched.store().generation), (uid, 1));
        assert_ne!(watched.store().hash, hash, "labels are part of what decisions see");
        watched.declare(&[&STORAGE.replace("/srv/backups", "/srv/others")]);
        assert_eq!((watched.store().uid, watched.store().generation), (uid, 2));
    }

    #[test]
    fn what_no_decision_looks_at_is_no_new_version() {
        let mut watched = Watched::new();
        watched.declare(&[STORAGE]);
        let hash = watched.store().hash;
        let annotated = STORAGE
            .replace("namespace: demo", "namespace: demo, annotations: {somebody/else: '1'}")
            + "status: {phase: Ready}\n";
        watched.declare(&[&annotated]);
        assert_eq!(watched.store().hash, hash);
    }

    #[test]
    fn a_missing_object_is_a_deletion_only_when_everything_was_read() {
        let mut watched = Watched::new();
        watched.declare(&ALL);
        let problem = Problem {
            place: Place { file: "b.yaml".into(), document: 1 },
            object: None,
            field: String::new(),
            message: "cannot be read".into(),
        };
        let incomplete = Scan { problems: vec![problem], ..Scan::default() };
        assert!(watched.changes(&incomplete).gone.is_empty());
        let gone = watched.changes(&Scan::default()).gone;
        assert_eq!(
            kinds(&gone),
            ["BackupConfiguration", "BackupStorage", "RetentionPolicy", "Secret", "Namespace"],
            "users go before what they use"
        );
    }

    #[test]
    fn a_deletion_that_has_begun_is_not_begun_again() {
        let mut watched = Watched::new();
        watched.declare(&ALL);
        watched.declare(&ALL[1..]);
        let state = watched.ledger.state();
        assert!(state.configurations.values().all(|found| found.deleting));
        assert!(watched.changes(&scan(&ALL[1..])).gone.is_empty());
    }

    #[test]
    fn an_object_that_comes_back_is_declared_again() {
        let mut watched = Watched::new();
        watched.declare(&[STORAGE, POLICY]);
        watched.declare(&[STORAGE]);
        assert!(watched.ledger.state().retentions.is_empty());
        watched.declare(&[STORAGE, POLICY]);
        assert_eq!(watched.ledger.state().retentions.len(), 1);
    }

    #[test]
    fn a_run_is_the_same_after_a_restart_and_another_one_with_another_spec() {
        let mut watched = Watched::new();
        watched.declare(&ALL);
        let id = |watched: &mut Watched, text: &str| {
            let found = watched.changes(&scan(&[ALL.as_slice(), &[text]].concat())).backups;
            found.into_iter().next().map(|(_, order)| order.id)
        };
        let first = id(&mut watched, SESSION);
        assert!(first.is_some());
        assert_eq!(id(&mut watched, SESSION), None, "it was seen");
        watched = watched.restart();
        assert_eq!(id(&mut watched, SESSION), first);
        let other = SESSION.replace("session: nightly", "session: weekly");
        let other = id(&mut watched, &other);
        assert!(other.is_some() && other != first);
    }

    #[test]
    fn of_a_secret_nothing_but_names_and_a_version_reaches_the_log() {
        let mut watched = Watched::new();
        watched.declare(&[SECRET]);
        watched.declare(&[&SECRET.replace("marker", "marker-of-another")]);
        let dir = watched.restart().dir;
        let mut files = vec![dir.path().to_path_buf()];
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                let content = std::fs::read(&path).unwrap();
                assert!(!content.windows(6).any(|w| w == b"marker"), "{}", path.display());
            }
        }
    }

    #[test]
    fn a_snapshot_cannot_be_declared() {
        let text = "apiVersion: storage.kubestash.com/v1alpha1\nkind: Snapshot\n\
                    metadata: {name: x, namespace: demo}\nspec: {}\n";
        let mut scan = Scan::default();
        let found = read_documents(Path::new("a.yaml"), text);
        scan.manifests.extend(found.manifests.into_iter().map(|m| (m.name.clone(), m)));
        let found = Watched::new().changes(&scan);
        assert!(found.refused.iter().all(|(_, why)| why.contains("made by sessions")));
        assert!(found.objects.is_empty() && found.gone.is_empty());
    }
}
