//! The made-up cluster as a place: what a plan asks for is done to the model, under the weather.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_api::Kind;
use holdfast_engine::Once;
use holdfast_engine::plan::{Attended, BackupWork, Doomed, Hook, Located, Plan, RestoreWork};
use holdfast_engine::{Actor, Attempt, Command, EffectId, Failure, Key, Uid, outbox};
use holdfast_executor::report::ProgressUpdate;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::calls::{Calls, Shows};
use super::clock::Time;
use super::cluster::Cluster;
use super::life::Fuse;
use super::panics::WEATHER;
use super::store;
use super::weather::{Fault, Weather, What as Effect};
use super::worker::{What, Work};
use crate::operator::class::Class;
use crate::operator::inbox::{Inbox, Order};
use crate::operator::progress::Teller;
use crate::place::{Answer, End, Place, Standing, Term, Trigger, Trouble};
use crate::sighting::Sightings;
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object::Published;
use crate::translate::{job, report};

/// How often all is looked at again, though nothing has changed.
const LOOK: Duration = Duration::from_secs(840);

/// How long a silence lasts.
const SILENCE: Duration = Duration::from_secs(3 * 3_600);

/// How often a worker tells how far it has come.
const TELLS: Duration = Duration::from_secs(40);

/// A cluster, as one life of the operator meets it.
pub(crate) struct Simulated {
    cluster: Arc<Cluster>,
    weather: Arc<Weather>,
    time: Arc<Time>,
    fuse: Arc<Fuse>,
    /// Where whoever says things twice says them.
    inbox: Mutex<Option<Inbox>>,
    changes: tokio::sync::Mutex<Watched>,
    lost: watch::Sender<bool>,
    lost_at: Mutex<Option<i64>>,
    calls: Calls,
    shows: Shows,
    /// When something was under way here last.
    active: Mutex<Instant>,
}

struct Watched {
    version: watch::Receiver<u64>,
    /// The last look did not show all, or there was none.
    again: bool,
}

impl Simulated {
    /// The place of one life.
    pub(crate) fn new(
        cluster: Arc<Cluster>,
        weather: Arc<Weather>,
        time: Arc<Time>,
        fuse: Arc<Fuse>,
    ) -> Self {
        let changes = Watched { version: cluster.changes(), again: true };
        Self {
            cluster,
            weather,
            time,
            fuse,
            inbox: Mutex::default(),
            changes: tokio::sync::Mutex::new(changes),
            lost: watch::Sender::new(false),
            lost_at: Mutex::default(),
            calls: Calls::default(),
            shows: Shows::default(),
            active: Mutex::new(Instant::now()),
        }
    }

    /// Who can be told things twice.
    pub(super) fn meet(&self, inbox: Inbox) {
        *self.inbox.lock().unwrap() = Some(inbox);
    }

    /// Whoever calls it without a kernel keeps to no order.
    fn has_kernel(&self) -> bool {
        self.inbox.lock().unwrap().is_some()
    }

    /// Whether something is under way here for the kernel, and since when nothing was.
    pub(super) fn activity(&self) -> (bool, Instant) {
        let busy = self.calls.is_any() || self.shows.is_any();
        (busy, *self.active.lock().unwrap())
    }

    /// Something ends, or is asked for that ends at once.
    fn acts(&self) {
        *self.active.lock().unwrap() = Instant::now();
    }

    /// Another one leads now.
    pub(super) fn lose(&self) {
        *self.lost_at.lock().unwrap() = Some(self.time.passed());
        self.lost.send_replace(true);
    }

    /// Nothing begins without the lead; what was on its way when it was lost may have begun.
    fn led(&self, what: &str) {
        let lost = *self.lost_at.lock().unwrap();
        if lost.is_some_and(|at| self.time.passed() > at + 1_000) {
            self.cluster.breach(format!("{what} without the lead"));
        }
    }

    /// Does what a plan asks for, at once.
    fn carry_out(&self, plan: &Plan) -> Result<Answer, Failure> {
        match plan {
            Plan::InitializeBackend(found) => self.describe(&found.storage.key),
            Plan::WipeBackend(storage) => self.wipe_backend(&storage.key),
            Plan::InitializeRepository(found) => self.open(&found.0),
            Plan::WipeRepository(found) => self.wipe(found),
            Plan::Survey(target) => {
                let none = || failed("UnsupportedTarget", "there is no target");
                let target = target.as_ref().ok_or_else(none)?;
                self.cluster.hosts(target).map(Answer::Hosts)
            }
            Plan::RunHook(_) => Ok(Answer::Done),
            Plan::StartBackup(work) => Ok(self.start(&work.attempt, of_backup(work))),
            Plan::StartRestore(work) => Ok(self.start(&work.attempt, of_restore(work))),
            Plan::StopWorker(attempt) => {
                self.cluster.stop(attempt);
                Ok(Answer::Done)
            }
            Plan::UploadMetadata(metadata) => {
                let name = &metadata.snapshot.snapshot.key.name;
                self.upload(&metadata.place, name)
            }
            Plan::RemoveSnapshot(doomed) => {
                doomed.iter().for_each(|doomed| self.forget(doomed));
                Ok(Answer::Done)
            }
        }
    }

    fn describe(&self, storage: &Key) -> Result<Answer, Failure> {
        let mut inner = self.cluster.now();
        if inner.stores.described.insert(storage.to_string()) {
            inner.count(format!("created store {storage}"));
        }
        Ok(Answer::Done)
    }

    fn wipe_backend(&self, storage: &Key) -> Result<Answer, Failure> {
        let mut inner = self.cluster.now();
        if inner.stores.described.remove(&storage.to_string()) {
            inner.count(format!("deleted store {storage}"));
        }
        Ok(Answer::Done)
    }

    fn open(&self, repository: &Located) -> Result<Answer, Failure> {
        let mut inner = self.cluster.now();
        match inner.stores.open(repository) {
            Ok((id, made)) => {
                if made {
                    inner.count(format!("created repository {}", store::place(repository)));
                }
                Ok(Answer::Repository { id })
            }
            Err(message) => Err(failed("RepositoryReplaced", &message)),
        }
    }

    fn wipe(&self, repository: &Located) -> Result<Answer, Failure> {
        let place = store::place(repository);
        let mut inner = self.cluster.now();
        let used = |work: &Work| work.repositories.iter().any(|(_, at)| *at == place);
        let used = inner.at_work().find(|there| used(&there.work));
        let used = used.map(|there| there.attempt.clone());
        if inner.stores.repositories.remove(&place).is_some() {
            inner.count(format!("deleted repository {place}"));
        }
        drop(inner);
        if let Some(attempt) = used {
            self.cluster.breach(format!("{place} is wiped while {attempt:?} uses it"));
        }
        Ok(Answer::Done)
    }

    fn start(&self, attempt: &Attempt, work: Work) -> Answer {
        let (millis, ending) = self.weather.worker();
        Answer::Worker(self.cluster.start(attempt, work, millis, ending))
    }

    fn upload(&self, repository: &Located, name: &str) -> Result<Answer, Failure> {
        let place = store::place(repository);
        let mut inner = self.cluster.now();
        let Some(found) = inner.stores.repositories.get_mut(&place) else {
            return Err(failed("StoreUnreachable", &format!("nothing is at {place}")));
        };
        if found.snapshots.insert(name.into()) {
            inner.count(format!("created description {place} {name}"));
        }
        Ok(Answer::Done)
    }

    fn forget(&self, doomed: &Doomed) {
        let place = store::place(&doomed.repository);
        let mut inner = self.cluster.now();
        let used = inner.at_work().find_map(|there| there.work.uses(&place, doomed));
        let Some(found) = inner.stores.repositories.get_mut(&place) else { return };
        let described = found.snapshots.remove(&doomed.name);
        let gone: Vec<String> =
            doomed.commits.iter().filter(|commit| found.commits.remove(*commit)).cloned().collect();
        found.removed.extend(gone.iter().cloned());
        gone.iter().for_each(|commit| inner.count(format!("deleted commit {place} {commit}")));
        if described {
            inner.count(format!("deleted description {place} {}", doomed.name));
        }
        drop(inner);
        if let Some(used) = used {
            self.cluster.breach(format!("{} is removed while it is {used}", doomed.name));
        }
    }

    /// Runs a hook to its end, or to the end of its time.
    async fn run(&self, effect: EffectId, hook: &Hook) -> Result<Answer, Trouble> {
        let session = hook.summary.session.clone();
        let fate = self.cluster.hook_begins(&session, &hook.spec.name);
        self.cluster.now().count(format!("ran hook {} of {session}", hook.spec.name));
        let _runs = Runs { cluster: &self.cluster, session };
        let takes = Duration::from_millis(fate.millis);
        let limit = hook.spec.timeout.map(|limit| Duration::from_millis(limit.0));
        if let Some(limit) = limit.filter(|limit| *limit < takes) {
            self.works(effect, limit).await;
            return Err(failed("Timeout", "the hook did not end in time").into());
        }
        self.works(effect, takes).await;
        match fate.fails {
            true => Err(failed("ExitCode", "exit code 1").into()),
            false => Ok(Answer::Done),
        }
    }

    /// Works for a while: nothing goes on that is ended when nobody waits for it any more, and that nobody waits for.
    async fn works(&self, effect: EffectId, span: Duration) {
        let ends = Instant::now() + span;
        while Instant::now() < ends {
            let Some(inbox) = self.inbox.lock().unwrap().clone() else { break };
            if inbox.ask(move |state| state.outbox.contains_key(&effect)).await.is_ok_and(|is| !is)
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
                self.cluster.breach(format!("{effect} goes on, and nobody waits for it"));
                break;
            }
            tokio::time::sleep(Duration::from_secs(5).min(ends - Instant::now())).await;
        }
        tokio::time::sleep_until(ends).await;
    }

    /// Somebody else says the same, while this one does.
    fn say_twice(&self, effect: EffectId, answer: Answer) {
        let Some(inbox) = self.inbox.lock().unwrap().clone() else { return };
        let command = Command::Outbox(outbox::Command::Answer { effect, answer });
        tokio::spawn(async move {
            // Whichever comes second is refused.
            let _ = inbox.submit(vec![Order::new(Actor::Operator, command)]).await;
        });
    }

    /// A worker's report comes a second time, over another way.
    fn report_twice(&self, attended: &Attended, end: &End, after: Duration) {
        let Some(inbox) = self.inbox.lock().unwrap().clone() else { return };
        let command = report::news(attended, end.clone());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            // It is refused, or the other one is.
            let _ = inbox.submit(vec![Order::new(Actor::Worker, command)]).await;
        });
    }
}

/// A hook that runs; it ends when its future does.
struct Runs<'a> {
    cluster: &'a Cluster,
    session: Key,
}

impl Drop for Runs<'_> {
    fn drop(&mut self) {
        self.cluster.hook_ends(&self.session);
    }
}

fn of_backup(work: &BackupWork) -> Work {
    let component = work.component.name.clone();
    let of = format!("{}/{}", work.configuration, work.session);
    let repositories = work.repositories.iter();
    Work {
        label: format!("{of}/{component}"),
        what: What { of: work.attempt.session.to_string(), component: component.clone() },
        repositories: repositories.map(|r| (r.uid.to_string(), store::place(r))).collect(),
        commit: format!("{}.{component}.{}", work.session_name, work.attempt.number),
        paths: job::paths(&work.component),
        writes: true,
    }
}

fn of_restore(work: &RestoreWork) -> Work {
    let component = work.component.name.clone();
    let repository = &work.repository;
    let target = work.target.as_ref().map_or("nothing", |target| target.name.as_str());
    Work {
        label: format!("restore/{target}/{component}"),
        what: What { of: work.attempt.session.to_string(), component },
        repositories: vec![(repository.uid.to_string(), store::place(repository))],
        commit: work.commit.clone(),
        paths: work.paths.clone(),
        writes: false,
    }
}

fn failed(reason: &str, message: &str) -> Failure {
    Failure { reason: reason.into(), message: message.into(), permanent: true }
}

fn moment(message: &str) -> Trouble {
    let failure = Failure { reason: "Moment".into(), message: message.into(), permanent: false };
    Trouble { failure, transient: true }
}

/// Nobody answers, until whatever was asked gives up: longer than any class of effects waits.
async fn silence() -> Trouble {
    tokio::time::sleep(SILENCE).await;
    moment("nobody answers")
}

impl Place for Simulated {
    async fn watch(&self) -> Sightings {
        self.fuse.call();
        let mut watched = self.changes.lock().await;
        if !std::mem::take(&mut watched.again) {
            // Also after a while in which nothing has changed.
            let _ = tokio::time::timeout(LOOK, watched.version.changed()).await;
        }
        let (late, whole) = self.weather.look();
        tokio::time::sleep(late).await;
        watched.version.mark_unchanged();
        let mut look = self.cluster.look();
        if !whole {
            watched.again = true;
            look.whole = false;
            look.seen.pop_last();
        }
        look
    }

    async fn carry_out(&self, effect: EffectId, plan: Plan) -> Result<Answer, Trouble> {
        self.fuse.call();
        self.led("an effect begins");
        let what = Effect::planned(&plan);
        let _call = self.has_kernel().then(|| {
            let children = self.weather.are_stores_children();
            self.calls.begin(&self.cluster, effect, &plan, children)
        });
        let fate = self.weather.effect(effect, what, &plan);
        tokio::time::sleep(fate.before).await;
        match fate.fault {
            Fault::NotDone => return Err(moment("it was not done")),
            Fault::Forbidden => return Err(failed("Forbidden", "nobody may do this").into()),
            Fault::Panics => std::panic::panic_any(WEATHER),
            Fault::Silent => return Err(silence().await),
            Fault::DiesBefore => self.fuse.die().await,
            _ => {}
        }
        let answer = match &plan {
            Plan::RunHook(hook) => self.run(effect, hook).await?,
            plan => Simulated::carry_out(self, plan)?,
        };
        tokio::time::sleep(fate.after).await;
        match fate.fault {
            Fault::AnswerLost => return Err(moment("its answer was lost")),
            Fault::SilentlyDone => return Err(silence().await),
            Fault::DiesAfter => self.fuse.die().await,
            Fault::Twice => self.say_twice(effect, answer.clone()),
            _ => {}
        }
        self.acts();
        Ok(answer)
    }

    fn ends_when_dropped(&self, once: &Once) -> bool {
        let at_store = Class::of(once) == Class::Store && self.weather.are_stores_children();
        at_store || Effect::of(once) == Effect::RunHook
    }

    async fn attend(&self, attended: &Attended, teller: &Teller) -> End {
        self.fuse.call();
        let mut stops = self.cluster.stops();
        let mut done = ProgressUpdate {
            files_total: 1_000,
            bytes_total: 1_000 << 20,
            ..ProgressUpdate::default()
        };
        let end = loop {
            if let Some(end) = self.cluster.ended(&attended.attempt) {
                break end;
            }
            let ends = self.cluster.ends_at(&attended.attempt);
            let ends = async {
                match ends {
                    Some(at) => self.time.until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = ends => {}
                () = tokio::time::sleep(TELLS) => {
                    done.files += 1;
                    done.bytes += 1 << 20;
                    teller.tell(&done);
                }
                stopped = stops.changed() => drop(stopped),
            }
        };
        let (late, twice) = self.weather.report();
        tokio::time::sleep(late).await;
        if let Some(after) = twice {
            self.report_twice(attended, &end, after);
        }
        end
    }

    async fn survey(&self, attended: &Attended) -> Standing {
        self.fuse.call();
        match self.weather.survey() {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
        self.cluster.ended(&attended.attempt).map_or(Standing::Works, Standing::Ended)
    }

    async fn release(&self, attempt: &Attempt) {
        self.fuse.call();
        self.acts();
        self.cluster.release(attempt);
    }

    async fn tidy(&self, known: &[Attempt]) {
        self.fuse.call();
        self.cluster.tidy(known);
    }

    fn declared(&self, kind: Kind, key: &Key) -> Option<Value> {
        self.cluster.declared(kind, key)
    }

    async fn publish(&self, object: &Published) -> Result<Option<Uid>, Trouble> {
        self.fuse.call();
        self.led("an object is shown");
        let show = self.shows.begin(&self.cluster);
        if self.weather.is_calm() && self.has_kernel() {
            self.shows.is_news(&self.cluster, object);
        }
        let shown = self.shows(|| self.cluster.publish(object)).await;
        drop(show);
        self.acts();
        shown
    }

    async fn retract(&self, name: &ObjectName, live: Option<Uid>) -> Result<(), Trouble> {
        self.fuse.call();
        self.led("an object is taken away");
        let show = self.shows.begin(&self.cluster);
        let shown = self.shows(|| self.cluster.retract(name, live)).await;
        drop(show);
        self.acts();
        shown
    }

    async fn trigger(&self, _: &Trigger) -> Result<Option<Uid>, Trouble> {
        self.fuse.call();
        let set_up = self.shows(|| None).await;
        self.acts();
        set_up
    }

    async fn sweep(&self, known: &[ObjectName]) {
        self.fuse.call();
        self.cluster.sweep(known);
    }

    async fn lease(&self) -> Result<Term, Trouble> {
        self.fuse.call();
        let (late, granted) = self.weather.lease();
        tokio::time::sleep(late).await;
        match granted {
            true => Ok(Term::new("somebody".into(), self.lost.subscribe())),
            false => Err(moment("the lead cannot be asked for")),
        }
    }
}

impl Simulated {
    async fn shows<T>(&self, show: impl FnOnce() -> T) -> Result<T, Trouble> {
        let fate = self.weather.publish();
        tokio::time::sleep(fate.before).await;
        match fate.fault {
            Fault::NotDone => return Err(moment("it was not shown")),
            Fault::Forbidden => return Err(failed("Forbidden", "nobody may show this").into()),
            Fault::Panics => std::panic::panic_any(WEATHER),
            Fault::Silent => return Err(silence().await),
            _ => {}
        }
        let shown = show();
        match fate.fault {
            Fault::AnswerLost => Err(moment("whether it is shown is not known")),
            _ => Ok(shown),
        }
    }
}
