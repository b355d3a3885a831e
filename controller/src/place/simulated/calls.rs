//! Calls of one life: how they must follow each other, and how many there may be at once.
//!
//! | What is called | What has to hold |
//! |---|---|
//! | effects of one subject | one at a time |
//! | an effect once more | after a wait, by class; not more than three times as long as the one before; within its time |
//! | short work at stores | 8 at once, one at a storage; 4 of them at storages that did not answer in time |
//! | what is shown | two at once |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_engine::plan::Plan;
use holdfast_engine::{EffectId, Key};
use serde_json::Value;
use tokio::time::Instant;

use super::cluster::Cluster;
use crate::operator::stores;
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object::Published;

/// Short calls at stores at once.
const AT_STORES: usize = 8;

/// Of them, at storages whose last call ran into its limit.
const AT_SILENT_ONES: usize = 4;

/// Objects that are shown at once.
const SHOWN_AT_ONCE: usize = 2;

/// How many times an object may be shown as it is where nothing goes wrong.
const SHOWN_ALIKE: u32 = 2;

/// What the clock of the runtime rounds up to.
const ROUNDED: Duration = Duration::from_millis(2);

/// Calls for effects.
#[derive(Default)]
pub(super) struct Calls(Arc<Mutex<Made>>);

#[derive(Default)]
struct Made {
    tries: BTreeMap<EffectId, Tries>,
    under_way: BTreeMap<EffectId, (String, Option<Key>)>,
    silent: BTreeSet<Key>,
}

/// Tries of one effect.
#[derive(Clone, Copy)]
struct Tries {
    first: Instant,
    ended: Option<Instant>,
    /// The last wait between two of them.
    waited: Option<Duration>,
}

/// What a call is about, the shortest wait after one that failed, and the time in which the last one has to begin.
fn terms(plan: &Plan) -> (String, Duration, Duration) {
    let seconds = Duration::from_secs;
    let quick = Duration::from_millis(200);
    let worker = |attempt| (format!("{attempt:?}"), quick, seconds(120));
    match plan {
        Plan::InitializeBackend(found) => (found.storage.key.to_string(), quick, seconds(120)),
        Plan::WipeBackend(storage) => (storage.key.to_string(), seconds(1), seconds(3_600)),
        Plan::InitializeRepository(found) => (found.0.uid.to_string(), quick, seconds(120)),
        Plan::WipeRepository(found) => (found.uid.to_string(), seconds(1), seconds(3_600)),
        Plan::StartBackup(work) => worker(&work.attempt),
        Plan::StartRestore(work) => worker(&work.attempt),
        Plan::StopWorker(attempt) => worker(attempt),
        Plan::UploadMetadata(metadata) => {
            (metadata.snapshot.snapshot.uid.to_string(), quick, seconds(120))
        }
        // A snapshot that is gone, a target and a hook are not named by their uids in their plans.
        Plan::RemoveSnapshot(_) => (String::new(), quick, seconds(120)),
        Plan::Survey(_) => (String::new(), quick, seconds(60)),
        Plan::RunHook(hook) => (hook.summary.session.to_string(), quick, seconds(24 * 3_600)),
    }
}

/// What a call is about; empty where its plan does not name it.
pub(super) fn subject(plan: &Plan) -> String {
    terms(plan).0
}

/// A call that is under way.
pub(super) struct Call {
    made: Arc<Mutex<Made>>,
    effect: EffectId,
    begun: Instant,
}

impl Calls {
    /// A call begins.
    pub(super) fn begin(
        &self,
        cluster: &Cluster,
        effect: EffectId,
        plan: &Plan,
        children: bool,
    ) -> Call {
        let begun = Instant::now();
        let (subject, least, time) = terms(plan);
        let storage = stores::of(plan).map(|(storage, _)| storage);
        // A turn at a store is waited for, however long.
        let limit = storage.is_none().then_some(time);
        let mut made = self.0.lock().unwrap();
        let wrong = made.tries.get(&effect).and_then(|tries| tries.wrong(begun, least, limit));
        let ended = made.tries.get(&effect).and_then(|tries| Some((tries.waited, tries.ended?)));
        if let Some((before, ended)) = ended {
            let waited = begun - ended;
            // At stores the turn is waited for as well.
            let long = |before: Duration| waited > (before * 3).max(least) + ROUNDED;
            if storage.is_none() && before.is_some_and(long) {
                cluster.breach(format!("{effect} waits for {waited:?} after {before:?}"));
            }
        }
        wrong.into_iter().for_each(|what| cluster.breach(format!("{effect} {what}")));
        let waited = ended.map(|(_, ended)| begun - ended);
        let tries = made.tries.entry(effect).or_insert(Tries { first: begun, ended: None, waited });
        (tries.ended, tries.waited) = (None, waited);
        let others = || made.under_way.iter().filter(|(other, _)| **other != effect);
        let beside = others().find(|(_, (of, _))| *of == subject && !subject.is_empty());
        if let Some((other, _)) = beside {
            cluster.breach(format!("{effect} begins beside {other}, which is of the same subject"));
        }
        // Work that cannot be ended is waited for by its subject alone.
        if let Some(storage) = storage.as_ref().filter(|_| children) {
            let at: Vec<&Key> = others().filter_map(|(_, (_, at))| at.as_ref()).collect();
            let silent = at.iter().filter(|at| made.silent.contains(**at)).count();
            let silent_one = made.silent.contains(storage);
            if at.contains(&storage)
                || at.len() >= AT_STORES
                || silent_one && silent >= AT_SILENT_ONES
            {
                cluster.breach(format!("{effect} at {storage} begins beside {at:?}"));
            }
        }
        made.under_way.insert(effect, (subject, storage));
        Call { made: Arc::clone(&self.0), effect, begun }
    }
}

impl Calls {
    /// Whether a call is under way.
    pub(super) fn is_any(&self) -> bool {
        !self.0.lock().unwrap().under_way.is_empty()
    }
}

impl Tries {
    /// What is wrong about one more.
    fn wrong(&self, begun: Instant, least: Duration, limit: Option<Duration>) -> Option<String> {
        let ended = self.ended?;
        if begun < ended + least {
            return Some(format!("is tried again after {:?}", begun - ended));
        }
        let late = limit.is_some_and(|limit| begun > self.first + limit + ROUNDED);
        late.then(|| format!("is tried again after its time, {:?}", begun - self.first))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut made = self.made.lock().unwrap();
        if let Some(tries) = made.tries.get_mut(&self.effect) {
            tries.ended = Some(now);
        }
        if let Some((_, Some(storage))) = made.under_way.remove(&self.effect) {
            if now >= self.begun + stores::LIMIT {
                made.silent.insert(storage);
            } else {
                made.silent.remove(&storage);
            }
        }
    }
}

/// What is being shown.
#[derive(Default)]
pub(super) struct Shows {
    under_way: Arc<Mutex<usize>>,
    /// What was asked to be shown last of each object, and how many times in a row.
    last: Mutex<BTreeMap<ObjectName, (Value, u32)>>,
}

/// Something is being shown.
pub(super) struct Show(Arc<Mutex<usize>>);

impl Shows {
    /// It begins.
    pub(super) fn begin(&self, cluster: &Cluster) -> Show {
        let mut under_way = self.under_way.lock().unwrap();
        *under_way += 1;
        if *under_way > SHOWN_AT_ONCE {
            cluster.breach(format!("{under_way} objects are shown at once"));
        }
        Show(Arc::clone(&self.under_way))
    }

    /// Whether something is being shown.
    pub(super) fn is_any(&self) -> bool {
        *self.under_way.lock().unwrap() > 0
    }

    /// Where nothing goes wrong, nothing is shown again as it is; but once, until the log knows which live object it is.
    pub(super) fn is_news(&self, cluster: &Cluster, shown: &Published) {
        let name = ObjectName::own(shown.kind, &shown.key);
        let mut last = self.last.lock().unwrap();
        let times = match last.get(&name) {
            Some((before, times)) if *before == shown.object => times + 1,
            _ => 1,
        };
        if times > SHOWN_ALIKE {
            cluster.breach(format!("{name} is shown {times} times as it is"));
        }
        last.insert(name, (shown.object.clone(), times));
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        *self.0.lock().unwrap() -= 1;
    }
}
