//! What has changed about the declared objects, as commands in the order of dependence.

use std::collections::BTreeMap;

use holdfast_api::Kind;
use holdfast_engine::{Actor, Timestamp};
use holdfast_eventlog::{Attachments, Error};
use serde_json::Value;

use super::Sightings;
use super::declare::{Declared, Sight, declare};
use super::known::Known;
use super::name::ObjectName;
use crate::operator::dispatcher::Order;
use crate::ports::ids::Ids;

/// What a look leads to.
#[derive(Default)]
pub struct Changes {
    /// What everything else stands on, in the order of dependence.
    pub objects: Vec<(ObjectName, Order)>,
    /// Runs that were declared.
    pub backups: Vec<(ObjectName, Order)>,
    /// Restores that were declared.
    pub restores: Vec<(ObjectName, Order)>,
    /// Objects that are gone: declared ones, and such as we made.
    pub gone: Vec<(ObjectName, Order)>,
    /// Objects that could not be used, and why.
    pub refused: Vec<(ObjectName, String)>,
}

/// What was declared before, by this process: name and digest of the whole object.
pub type Applied = BTreeMap<ObjectName, [u8; 32]>;

/// What looks are compared with and stored in.
pub struct Sighter<'a> {
    /// The key under which versions of Secrets are recorded.
    pub version_key: &'a [u8; 32],
    /// The documents beside the log.
    pub attachments: &'a Attachments,
    /// Names for what the log does not know.
    pub ids: &'a dyn Ids,
    /// When the look was taken.
    pub now: Timestamp,
}

impl Sighter<'_> {
    /// Compares a look with what was applied, and with the log for what is gone. Documents are stored when this returns.
    ///
    /// # Errors
    /// When documents cannot be stored or read.
    pub fn changes(
        &self,
        known: &Known,
        look: &Sightings,
        applied: &mut Applied,
    ) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        let mut seen: Vec<(&ObjectName, &Value)> = look.seen.iter().collect();
        seen.sort_by_key(|(name, _)| rank(name));
        for (name, object) in seen {
            let digest = *blake3::hash(object.to_string().as_bytes()).as_bytes();
            if applied.get(name) == Some(&digest) {
                continue;
            }
            self.declare(known, name, object, &mut changes)?;
            applied.insert(name.clone(), digest);
        }
        if let Some(live) = &look.made {
            let missing = known.missing(live).into_iter();
            let orders =
                missing.map(|(name, command)| (name, Order::new(Actor::Operator, command)));
            changes.gone.extend(orders);
        }
        if look.whole {
            let gone = known.gone(|name| look.seen.contains_key(name)).into_iter();
            let gone = gone.map(|(name, command)| (name, Order::new(Actor::Operator, command)));
            changes.gone.extend(gone);
            applied.retain(|name, _| look.seen.contains_key(name));
        }
        Ok(changes)
    }

    fn declare(
        &self,
        known: &Known,
        name: &ObjectName,
        object: &Value,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let &Self { version_key, attachments, ids, now } = self;
        let before = match known.version(name) {
            Some(version) => attachments.load(&version.hash)?,
            None => None,
        };
        let before = before.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let sight = Sight { known, version_key, now, ids };
        let Declared { order, document } = match declare(&sight, name, object, &before) {
            Ok(None) => return Ok(()),
            Ok(Some(declared)) => declared,
            Err(message) => {
                changes.refused.push((name.clone(), message));
                return Ok(());
            }
        };
        match document.map(|document| attachments.store(&document)).transpose() {
            Ok(_) => {}
            Err(error @ Error::AttachmentTooLarge { .. }) => {
                changes.refused.push((name.clone(), error.to_string()));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let list = match name.own_kind() {
            Some(Kind::BackupSession) => &mut changes.backups,
            Some(Kind::RestoreSession) => &mut changes.restores,
            _ => &mut changes.objects,
        };
        list.push((name.clone(), order));
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use holdfast_engine::{Command, CommandId, Envelope, Key, lease, storage};
    use holdfast_eventlog::{Answer, Ledger, Options};

    use super::*;
    use crate::place::local::declared::manifest::read_documents;
    use crate::ports::ids;

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

        fn submit(&mut self, Order { id, actor, command }: Order) -> Answer {
            let id = id.unwrap_or_else(|| CommandId(ids::uid().0));
            let envelope = Envelope { id, at: Timestamp(1), actor, epoch: 1, command };
            self.ledger.submit(&[envelope]).unwrap().answers.remove(0)
        }

        fn changes(&mut self, look: &Sightings) -> Changes {
            let sighter = Sighter {
                version_key: &KEY,
                attachments: &self.ledger.attachments(),
                ids: &ids::Machine,
                now: Timestamp(1),
            };
            let known = Known::of(self.ledger.state());
            sighter.changes(&known, look, &mut self.applied).unwrap()
        }

        /// Declares everything, as the operator does.
        fn declare(&mut self, texts: &[&str]) -> Changes {
            let mut found = self.changes(&look(texts));
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
            self.ledger
                .state()
                .storage_named(&Key::new(holdfast_engine::Group::KubeStashStorage, "demo", "store"))
                .unwrap()
        }
    }

    fn look(texts: &[&str]) -> Sightings {
        let mut look = nothing();
        for text in texts {
            let found = read_documents(Path::new("a.yaml"), text);
            assert!(found.problems.is_empty(), "{:?}", found.problems);
            look.seen.extend(found.manifests.into_iter().map(|m| (m.name, m.object)));
        }
        look
    }

    fn nothing() -> Sightings {
        Sightings { whole: true, ..Sightings::default() }
    }

    fn kinds(orders: &[(ObjectName, Order)]) -> Vec<&str> {
        orders.iter().map(|(name, _)| name.kind.as_str()).collect()
    }

    const ALL: [&str; 5] = [CONFIGURATION, STORAGE, POLICY, SECRET, NAMESPACE];

    #[test]
    fn what_others_stand_on_comes_first_and_nothing_comes_twice() {
        let mut watched = Watched::new();
        let found = watched.changes(&look(&ALL));
        assert_eq!(
            kinds(&found.objects),
            ["Namespace", "Secret", "RetentionPolicy", "BackupStorage", "BackupConfiguration"]
        );
        assert!(found.gone.is_empty() && found.refused.is_empty());
        assert!(watched.changes(&look(&ALL)).objects.is_empty());
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
        let incomplete = Sightings::default();
        assert!(watched.changes(&incomplete).gone.is_empty());
        let gone = watched.changes(&nothing()).gone;
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
        assert!(watched.changes(&look(&ALL[1..])).gone.is_empty());
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
            let found = watched.changes(&look(&[ALL.as_slice(), &[text]].concat())).backups;
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
    fn a_kind_that_nothing_is_decided_about_leaves_no_trace_in_the_log() {
        let text = "apiVersion: core.kubestash.com/v1alpha1\nkind: BackupBatch\n\
                    metadata: {name: x, namespace: demo}\nspec: {}\n";
        let mut watched = Watched::new();
        let found = watched.declare(&[text]);
        assert!(found.objects.is_empty() && found.refused.is_empty() && found.gone.is_empty());
    }

    #[test]
    fn a_snapshot_cannot_be_declared() {
        let text = "apiVersion: storage.kubestash.com/v1alpha1\nkind: Snapshot\n\
                    metadata: {name: x, namespace: demo}\nspec: {}\n";
        let found = Watched::new().changes(&look(&[text]));
        assert_eq!(found.refused.len(), 1);
        assert!(found.refused.iter().all(|(_, why)| why.contains("made by sessions")));
        assert!(found.objects.is_empty() && found.gone.is_empty());
    }
}
