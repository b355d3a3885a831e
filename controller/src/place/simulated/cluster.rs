//! The model of a cluster: what a user declared, what is published, who works, and what was ever created or deleted.
//!
//! It keeps no secrets from the tests and helps nobody: whatever the kernel does that must not be done is kept as a
//! breach, and a run that has one fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use holdfast_api::Kind;
use holdfast_engine::backup::Worker;
use holdfast_engine::survey::{
    Access, Claim, Host, NodeTerm, Operator, Requirement, Role, Security, Surroundings, Taint,
    Toleration, Volume,
};
use holdfast_engine::{Attempt, Failure, Key, TypedRef, Uid};
use serde_json::Value;
use tokio::sync::watch;

use super::clock::Time;
use super::report;
use super::store::Stores;
use super::worker::{Ending, Stands, Started, Work, vanished};
use crate::place::End;
use crate::sighting::Sightings;
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object::Published;
use crate::translate::kubestash::workload;

/// A cluster. It outlives the operator.
pub(crate) struct Cluster {
    time: Arc<Time>,
    inner: Mutex<Inner>,
    /// Counts changes of what is declared.
    version: watch::Sender<u64>,
    /// Counts workers that were stopped.
    stops: watch::Sender<u64>,
    /// Also workers of two sessions keep out of each other's way.
    strict: bool,
}

/// How hooks of a name go.
#[derive(Clone, Copy, Debug)]
pub(super) struct HookFate {
    /// How long one try takes.
    pub(super) millis: u64,
    /// It fails.
    pub(super) fails: bool,
}

#[derive(Default)]
pub(super) struct Inner {
    declared: BTreeMap<ObjectName, Value>,
    pub(super) published: BTreeMap<ObjectName, Value>,
    /// Live objects that users did not declare, and which creation each of them is: what the operator made, and copies.
    live: BTreeMap<ObjectName, Uid>,
    creations: u64,
    pub(super) workers: BTreeMap<Attempt, Started>,
    /// Attempts that somebody stopped, whatever there was of them.
    pub(super) stopped: BTreeSet<Attempt>,
    /// Attempts whose remains were removed.
    released: BTreeSet<Attempt>,
    pub(super) stores: Stores,
    /// Hooks that run, by session.
    hooks: BTreeMap<Key, String>,
    /// How workers of a component end; all others succeed.
    pub(super) endings: BTreeMap<String, Ending>,
    /// How hooks go; all others succeed at once.
    pub(super) hook_fates: BTreeMap<String, HookFate>,
    /// How often something was created or deleted.
    pub(super) counts: BTreeMap<String, u64>,
    /// All that was ever shown, with its time, where somebody asks for it.
    pub(super) history: Option<Vec<(i64, ObjectName, Value)>>,
    /// What must not be.
    breaches: Vec<String>,
}

impl Inner {
    /// The uid of a live object; one that is not there is created.
    fn live_uid(&mut self, name: &ObjectName) -> Uid {
        let next = Uid::default().derive(&format!("{name} {}", self.creations));
        let live = *self.live.entry(name.clone()).or_insert(next);
        self.creations += u64::from(live == next);
        live
    }

    pub(super) fn count(&mut self, what: String) {
        *self.counts.entry(what).or_default() += 1;
    }
}

impl Cluster {
    /// A cluster in which nothing is declared.
    pub(crate) fn new(time: Arc<Time>, strict: bool) -> Self {
        let (version, stops) = (watch::Sender::new(0), watch::Sender::new(0));
        Self { time, inner: Mutex::default(), version, stops, strict }
    }

    /// The model, with all workers as they are now.
    pub(super) fn now(&self) -> MutexGuard<'_, Inner> {
        let now = self.time.passed();
        let mut inner = self.inner.lock().unwrap();
        inner.settle(now);
        inner
    }

    /// What must not be, and is.
    pub(super) fn breach(&self, what: String) {
        let minutes = self.time.passed() as f64 / 60_000.0;
        self.inner.lock().unwrap().breaches.push(format!("{minutes:.3} min: {what}"));
    }

    /// All breaches.
    pub(crate) fn breaches(&self) -> Vec<String> {
        self.inner.lock().unwrap().breaches.clone()
    }

    /// A user declares an object.
    pub(crate) fn declare(&self, object: Value) {
        let name = name_of(&object);
        self.inner.lock().unwrap().declared.insert(name, object);
        self.version.send_modify(|version| *version += 1);
    }

    /// A user removes an object.
    pub(crate) fn remove(&self, name: &ObjectName) {
        self.inner.lock().unwrap().declared.remove(name);
        self.version.send_modify(|version| *version += 1);
    }

    /// Hears of changes of what is declared.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Hears of workers that are stopped.
    pub(super) fn stops(&self) -> watch::Receiver<u64> {
        self.stops.subscribe()
    }

    /// All that is declared.
    pub(super) fn look(&self) -> Sightings {
        let seen = self.inner.lock().unwrap().declared.clone();
        let made = Some(self.inner.lock().unwrap().live.clone());
        Sightings { seen, made, whole: true, ..Sightings::default() }
    }

    /// The manifest of an object.
    pub(super) fn declared(&self, kind: Kind, key: &Key) -> Option<Value> {
        self.inner.lock().unwrap().declared.get(&ObjectName::own(kind, key)).cloned()
    }

    /// The pods of a target.
    pub(super) fn hosts(&self, target: &TypedRef) -> Result<Vec<Host>, Failure> {
        let inner = self.inner.lock().unwrap();
        let Some(object) = inner.declared.get(&ObjectName::from(target)) else {
            return Err(Failure {
                reason: "TargetNotFound".into(),
                message: format!("{target} is not declared"),
                permanent: true,
            });
        };
        let host = |ordinal| host(&target.name, ordinal);
        Ok((0..workload::replicas(object)).map(host).collect())
    }

    /// Starts a worker, or finds the one that was started before.
    pub(super) fn start(
        &self,
        attempt: &Attempt,
        work: Work,
        millis: u64,
        ending: Ending,
    ) -> Worker {
        let begun = self.time.passed();
        let mut inner = self.now();
        if let Some(there) = inner.workers.get(attempt) {
            return there.worker;
        }
        let job = attempt.session.derive(&format!("{}/{}", attempt.component, attempt.number));
        let worker = Worker { job, pod: job };
        let same = |other: &&Started| match self.strict {
            true => other.work.label == work.label,
            false => other.work.what == work.what,
        };
        let beside = inner.at_work().find(same);
        let breach = match beside {
            Some(other) => {
                Some(format!("two workers at {:?}, also {:?}", work.what, other.attempt))
            }
            None if inner.released.contains(attempt) => {
                Some(format!("{attempt:?} begins again after its end"))
            }
            None => None,
        };
        let ending = inner.endings.get(&work.label).copied().unwrap_or(ending);
        inner.count(format!("created worker {} for {}", work.label, work.commit));
        let ends = begun + i64::try_from(millis).unwrap();
        let (attempt, stands) = (attempt.clone(), Stands::Works);
        let lost = BTreeSet::new();
        let started =
            Started { attempt: attempt.clone(), worker, work, begun, ends, ending, stands, lost };
        inner.workers.insert(attempt, started);
        drop(inner);
        breach.into_iter().for_each(|what| self.breach(what));
        worker
    }

    /// When the worker of an attempt ends by itself; absent: it does not, or has.
    pub(super) fn ends_at(&self, attempt: &Attempt) -> Option<i64> {
        let inner = self.now();
        let there = inner.workers.get(attempt)?;
        (there.stands == Stands::Works && there.ending != Ending::Hangs).then_some(there.ends)
    }

    /// How the worker of an attempt ended, if it did.
    pub(super) fn ended(&self, attempt: &Attempt) -> Option<End> {
        let inner = self.now();
        let Some(there) = inner.workers.get(attempt) else {
            return Some(End::Vanished(vanished("nothing of it is left")));
        };
        match there.stands {
            Stands::Works => None,
            Stands::Stopped => Some(End::Vanished(vanished("it was stopped"))),
            Stands::Ended(_) if there.ending == Ending::Vanishes => {
                Some(End::Vanished(vanished("its node is gone")))
            }
            Stands::Ended(at) => Some(End::Reported(Box::new(report::of(there, at, &there.lost)))),
        }
    }

    /// Stops the worker of an attempt.
    pub(super) fn stop(&self, attempt: &Attempt) {
        let mut inner = self.now();
        inner.stopped.insert(attempt.clone());
        let working = inner.workers.get_mut(attempt).filter(|w| w.stands == Stands::Works);
        if let Some(there) = working {
            there.stands = Stands::Stopped;
            let label = there.work.label.clone();
            inner.count(format!("deleted worker {label}"));
            drop(inner);
            self.stops.send_modify(|stops| *stops += 1);
        }
    }

    /// The log has what came of an attempt.
    pub(super) fn release(&self, attempt: &Attempt) {
        let mut inner = self.now();
        let works = inner.workers.get(attempt).is_some_and(|there| there.stands == Stands::Works);
        if !works {
            inner.workers.remove(attempt);
            inner.released.insert(attempt.clone());
        }
        drop(inner);
        if works {
            self.breach(format!("{attempt:?} is released while its worker works"));
        }
    }

    /// Removes what is left of all attempts but these; whoever works goes on.
    pub(super) fn tidy(&self, known: &[Attempt]) {
        let mut inner = self.now();
        inner
            .workers
            .retain(|attempt, there| there.stands == Stands::Works || known.contains(attempt));
    }

    /// A hook begins; one of a session at a time.
    pub(super) fn hook_begins(&self, session: &Key, name: &str) -> HookFate {
        let mut inner = self.now();
        let beside = inner.hooks.insert(session.clone(), name.into());
        let fate = inner.hook_fates.get(name).copied();
        drop(inner);
        if let Some(other) = beside {
            self.breach(format!("hook {name} of {session} begins while {other} runs"));
        }
        fate.unwrap_or(HookFate { millis: 50, fails: false })
    }

    /// A hook has ended, with all that it started.
    pub(super) fn hook_ends(&self, session: &Key) {
        self.now().hooks.remove(session);
    }

    /// Shows an object.
    pub(super) fn publish(&self, object: &Published) -> Option<Uid> {
        let name = ObjectName::own(object.kind, &object.key);
        let now = self.time.passed();
        let mut inner = self.now();
        if let Some(history) = &mut inner.history {
            history.push((now, name.clone(), object.object.clone()));
        }
        let live = (!inner.declared.contains_key(&name)).then(|| inner.live_uid(&name));
        let before = inner.published.insert(name.clone(), object.object.clone());
        if before.is_none() {
            inner.count(format!("created object {name}"));
        }
        drop(inner);
        let Some(before) = before else { return live };
        let same = before["metadata"]["uid"] == object.object["metadata"]["uid"];
        if same && is_final(&name, &before) && !is_final(&name, &object.object) {
            let (old, new) = (&before["status"]["phase"], &object.object["status"]["phase"]);
            self.breach(format!("{name} was shown {old} and then {new}"));
        }
        live
    }

    /// Somebody copies an object that the operator made, with all its labels, and deletes an earlier copy. Neither may
    /// change how anything ends.
    pub(super) fn meddle(&self, number: u64) {
        let mut inner = self.now();
        let made: Vec<ObjectName> = inner.live.keys().cloned().collect();
        let copies: Vec<&ObjectName> = made.iter().filter(|name| is_copy(name)).collect();
        if let Some(copy) = copies.first() {
            inner.live.remove(*copy);
        }
        let ours: Vec<&ObjectName> = made.iter().filter(|name| !is_copy(name)).collect();
        if let Some(one) = ours.get(usize::try_from(number).unwrap() % ours.len().max(1)) {
            let copy = ObjectName { name: format!("{}{COPY}", one.name), ..(*one).clone() };
            inner.live_uid(&copy);
        }
        drop(inner);
        self.version.send_modify(|version| *version += 1);
    }

    /// The uid of a live object that no user declared.
    pub(super) fn live(&self, name: &ObjectName) -> Option<Uid> {
        let inner = self.now();
        inner.live.get(name).filter(|_| !inner.declared.contains_key(name)).copied()
    }

    /// Whether an object is to be seen.
    pub(crate) fn shows(&self, name: &ObjectName) -> bool {
        self.now().published.contains_key(name)
    }

    /// Takes an object away.
    pub(super) fn retract(&self, name: &ObjectName, live: Option<Uid>) {
        let mut inner = self.now();
        if live.is_some_and(|live| inner.live.get(name).is_some_and(|there| *there != live)) {
            return;
        }
        inner.live.remove(name);
        if inner.published.remove(name).is_some() {
            inner.count(format!("deleted object {name}"));
        }
    }

    /// Takes away all objects but these.
    pub(super) fn sweep(&self, known: &[ObjectName]) {
        let known: BTreeSet<&ObjectName> = known.iter().collect();
        let gone: Vec<ObjectName> =
            self.now().published.keys().filter(|name| !known.contains(name)).cloned().collect();
        gone.iter().for_each(|name| self.retract(name, None));
    }
}

impl Inner {
    pub(super) fn at_work(&self) -> impl Iterator<Item = &Started> {
        self.workers.values().filter(|there| there.stands == Stands::Works)
    }

    /// Workers whose time has come end, and what they committed is there.
    fn settle(&mut self, now: i64) {
        for there in self.workers.values_mut() {
            if there.stands != Stands::Works || there.ending == Ending::Hangs || there.ends > now {
                continue;
            }
            there.stands = Stands::Ended(there.ends);
            let commits = matches!(there.ending, Ending::Succeeds | Ending::Partial);
            if !commits {
                continue;
            }
            for (_, place) in &there.work.repositories {
                let Some(found) = self.stores.repositories.get_mut(place) else {
                    there.lost.insert(place.clone());
                    continue;
                };
                if there.work.writes && found.commits.insert(there.work.commit.clone()) {
                    let what = format!("created commit {place} {}", there.work.commit);
                    *self.counts.entry(what).or_default() += 1;
                }
            }
        }
    }
}

/// What an object is called.
pub(super) fn name_of(object: &Value) -> ObjectName {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
    ObjectName::new(group, &text(&object["kind"]), &namespace, &name)
}

fn is_final(name: &ObjectName, object: &Value) -> bool {
    let runs = ["BackupSession", "RestoreSession", "Snapshot"].contains(&name.kind.as_str());
    let phase = object["status"]["phase"].as_str().unwrap_or_default();
    runs && ["Succeeded", "Failed", "Skipped"].contains(&phase)
}

/// A pod of a StatefulSet, each somewhat unlike its siblings.
fn host(set: &str, ordinal: u32) -> Host {
    let node = format!("node-{ordinal}");
    let dedicated = Toleration {
        key: "dedicated".into(),
        value: Some("db".into()),
        effect: Some(Taint::NoSchedule),
        seconds: None,
    };
    let number = i64::from(ordinal);
    let here = Requirement {
        key: "kubernetes.io/hostname".into(),
        operator: Operator::In,
        values: vec![format!("{node}.zone-a")],
    };
    let name = format!("data-{set}-{ordinal}");
    let pinned = ordinal.is_multiple_of(2);
    let claim = Claim {
        uid: Some(Uid::default().derive(&name)),
        access: vec![if pinned { Access::ReadWriteOnce } else { Access::ReadWriteOncePod }],
        class: "fast".into(),
        volume: format!("pv-{set}-{ordinal}"),
        driver: "hostpath.csi.k8s.io".into(),
        capacity: 1 << 30,
        affinity: if pinned {
            vec![NodeTerm { labels: vec![here], fields: vec![] }]
        } else {
            vec![]
        },
        writer: format!("{set}-{ordinal}"),
        ..Claim::named(name)
    };
    Host {
        role: Role::Ordinal(ordinal),
        pod: format!("{set}-{ordinal}"),
        ready: true,
        created_ms: 0,
        surroundings: Surroundings {
            pod_uid: Some(Uid::default().derive(&format!("pod/{set}/{ordinal}"))),
            hostname: format!("{node}.zone-a"),
            tolerations: if pinned { vec![dedicated] } else { vec![] },
            security: Security {
                user: Some(1_000 + number),
                fs_group: (!pinned).then_some(2_000),
                ..Security::default()
            },
            service_account: "default".into(),
        },
        node,
        volumes: vec![Volume {
            name: "data".into(),
            claim: Some(claim),
            mount_path: "/source/data".into(),
            ..Volume::default()
        }],
    }
}

/// How the name of a copy ends.
const COPY: &str = "-copy";

fn is_copy(name: &ObjectName) -> bool {
    name.name.ends_with(COPY)
}
