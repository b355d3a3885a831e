//! Shows outside what the state says: objects with their statuses, and what triggers sessions.
//!
//! | Law | How |
//! |---|---|
//! | each dirty object is rendered once a pass | marks are a set; a pass takes some of them and asks for their views at once |
//! | never an older view after a newer one | a pass ends before the next begins, and an object is in it once |
//! | only differences are shown | the digest of what was shown last |
//! | what failed is tried again | it becomes a mark again after a wait |
//! | all is shown anew after a start, and what is not known any more goes | everything is marked, then swept |
//!
//! Events only mark: the dispatcher's thread renders nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::binding::{self, Made};
use holdfast_engine::view::object::{Object, object};
use holdfast_engine::{Actor, Command, Level, Outcome, State, StreamKind, Uid, configuration};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::inbox::{Line, Order, Stopped};
use super::jitter::Backoff;
use super::progress::Overlay;
use super::tasks::{Tasks, words_of};
use super::{Ports, broken};
use crate::place::{Place, Term, Trigger, Trouble};
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object::{self, Published};

/// How long marks are gathered before they are rendered: a burst of events is one status, and nobody reads faster.
const GATHER: Duration = Duration::from_millis(50);

/// Objects of one pass: their views are copied while the dispatcher waits.
const PASS: usize = 128;

/// Objects that are shown at once.
const AT_ONCE: usize = 2;

/// How long one object may take to be shown.
const LIMIT: Duration = Duration::from_secs(10);

/// The waits between tries.
const BACKOFF: Backoff =
    Backoff { least: Duration::from_millis(500), most: Duration::from_secs(60) };

/// How long a trigger that stands may fail to be shown before it is said to be missing: while it is said so, sessions
/// that others make are skipped.
const HICCUP: Duration = Duration::from_secs(30);

/// Hears of every object whose status may have changed.
pub trait Readers: Send {
    /// An object as it is published now.
    fn published(&mut self, kind: StreamKind, uid: Uid, object: &Published);
}

/// What may have to be shown anew.
#[derive(Clone, Default)]
pub struct Marks(Arc<Inner>);

#[derive(Default)]
struct Inner {
    dirty: Mutex<BTreeSet<Level>>,
    news: Notify,
}

impl Marks {
    /// Marks.
    pub fn mark(&self, levels: impl IntoIterator<Item = Level>) {
        let mut dirty = self.0.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        dirty.extend(levels);
        if !dirty.is_empty() {
            self.0.news.notify_one();
        }
    }

    /// Whether nothing is marked.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.0.dirty.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(super) fn take(&self, most: usize) -> Vec<Level> {
        let mut dirty = self.0.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| dirty.pop_first()).take(most).collect()
    }
}

/// What a view of a level is, at one sequence number.
enum View {
    /// With the uid that is bound to it.
    Object(Box<Object>, Option<Uid>),
    Trigger(Trigger),
    Gone,
}

/// What was shown last.
struct Shown {
    name: ObjectName,
    /// Absent: it may not have been shown.
    digest: Option<[u8; 32]>,
    /// The live object that shows it, where that has a uid of its own.
    live: Option<Uid>,
    /// The uid that the log knows.
    bound: Option<Uid>,
}

/// What failed, and when it is tried again.
struct Later {
    at: Instant,
    wait: Duration,
    /// Since when it has failed.
    since: Instant,
}

/// The publisher of one term.
pub struct Publisher<P> {
    place: Arc<P>,
    line: Line,
    ports: Ports,
    marks: Marks,
    tasks: Tasks,
    readers: Box<dyn Readers>,
    overlay: Overlay,
    epoch: u64,
    term: Term,
    shown: BTreeMap<Level, Shown>,
    /// Whose a name is now.
    owners: BTreeMap<ObjectName, Level>,
    later: BTreeMap<Level, Later>,
}

/// What a publisher works with.
pub struct Desk<P> {
    /// Where it shows.
    pub place: Arc<P>,
    /// Whom it asks.
    pub line: Line,
    /// Dice.
    pub ports: Ports,
    /// What is to be shown.
    pub marks: Marks,
    /// Who knows that it works.
    pub tasks: Tasks,
    /// Who hears of it.
    pub readers: Box<dyn Readers>,
    /// How far workers have come.
    pub overlay: Overlay,
}

impl<P: Place> Publisher<P> {
    /// A publisher of the term `epoch`.
    #[must_use]
    pub fn new(desk: Desk<P>, epoch: u64, term: Term) -> Self {
        let Desk { place, line, ports, marks, tasks, readers, overlay } = desk;
        let (shown, owners, later) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self {
            place,
            line,
            ports,
            marks,
            tasks,
            readers,
            overlay,
            epoch,
            term,
            shown,
            owners,
            later,
        }
    }

    /// Shows what is marked until the term or the operator ends. What was marked before is everything there is: what
    /// an earlier operator showed besides is swept away after it.
    pub async fn run(mut self) {
        if self.work(true).await.is_err() {
            return;
        }
        loop {
            self.wait().await;
            tokio::time::sleep(GATHER).await;
            if self.work(false).await.is_err() {
                return;
            }
        }
    }

    /// Waits until something is marked, or a try is due.
    async fn wait(&mut self) {
        let first = self.later.iter().min_by_key(|(_, later)| later.at);
        let again = async {
            match first {
                Some((level, later)) => {
                    tokio::time::sleep_until(later.at).await;
                    level.clone()
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            // It comes first: news without end keep no try waiting.
            level = again => self.marks.mark([level]),
            () = self.marks.0.news.notified() => {}
        }
    }

    /// Shows all that is marked.
    async fn work(&mut self, first: bool) -> Result<(), Stopped> {
        // Counted before the marks are taken: what is shown is at no time neither marked nor under way.
        let _busy = self.tasks.busy();
        loop {
            let taken = self.marks.take(PASS);
            if taken.is_empty() {
                break;
            }
            self.pass(taken).await?;
        }
        if first {
            let known: Vec<ObjectName> =
                self.shown.values().map(|shown| shown.name.clone()).collect();
            self.place.sweep(&known).await;
        }
        Ok(())
    }

    /// Shows some levels, all as they were at one sequence number.
    async fn pass(&mut self, levels: Vec<Level>) -> Result<(), Stopped> {
        let epoch = self.epoch;
        let asked = self.line.ask(move |state| {
            let views = levels.into_iter().map(|level| {
                let view = view(state, &level);
                (level, view)
            });
            (state.epoch == epoch).then(|| views.collect::<Vec<_>>())
        });
        let views = asked.await?.ok_or(Stopped)?;
        let mut gone = Vec::new();
        let mut work = Vec::new();
        for (level, view) in views {
            match view {
                View::Gone => gone.push(level),
                View::Trigger(trigger) => work.push((level, Work::Trigger(trigger))),
                View::Object(object, bound) => {
                    let work_of = self.render(&level, &object, bound);
                    work.extend(work_of.map(|object| (level, Work::Show(object))));
                }
            }
        }
        // What is gone goes first, so that a new object of its name is not taken for it.
        let gone = gone.into_iter().filter_map(|level| Some((self.last(&level)?, level)));
        let gone = gone.map(|((name, live), level)| (level, Work::Retract(name, live)));
        let gone: Vec<_> = gone.collect();
        self.carry_out(gone).await?;
        self.carry_out(work).await
    }

    /// The name under which an object that is gone is still shown; none where it is another object's by now.
    fn last(&mut self, level: &Level) -> Option<(ObjectName, Option<Uid>)> {
        self.later.remove(level);
        let shown = self.shown.get(level)?;
        if self.owners.get(&shown.name) != Some(level) {
            self.shown.remove(level);
            return None;
        }
        Some((shown.name.clone(), shown.live.or(shown.bound)))
    }

    /// Renders an object; none when it is shown already as it is.
    fn render(
        &mut self,
        level: &Level,
        object: &Object,
        bound: Option<Uid>,
    ) -> Option<Box<Published>> {
        let (kind, key) = object::name(object);
        let mut published = object::render(object, self.place.declared(kind, &key));
        self.overlay.cover(object, &mut published.object);
        if let Level::Object { kind, uid } = level {
            self.readers.published(*kind, *uid, &published);
        }
        let digest = digest(&published);
        match self.shown.get_mut(level) {
            // A live object that is not the bound one is missing, or not recorded yet: it is shown once more.
            Some(shown) if shown.digest == Some(digest) && shown.live == bound => {
                shown.bound = bound;
                self.later.remove(level);
                return None;
            }
            Some(shown) => (shown.digest, shown.bound) = (None, bound),
            None => {
                let name = ObjectName::own(kind, &key);
                self.owners.insert(name.clone(), level.clone());
                self.shown.insert(level.clone(), Shown { name, digest: None, live: None, bound });
            }
        }
        Some(Box::new(published))
    }

    /// Carries out, some at once, until all have ended. A pass may take long: each of its objects asks whether the
    /// term is over before it is shown.
    async fn carry_out(&mut self, work: Vec<(Level, Work)>) -> Result<(), Stopped> {
        let mut work = work.into_iter();
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < AT_ONCE
                && !self.term.is_over()
                && let Some((level, work)) = work.next()
            {
                let place = Arc::clone(&self.place);
                under_way.spawn(async move {
                    let mut task = tokio::spawn(async move { work.carry_out(&*place).await });
                    let ended = match tokio::time::timeout(LIMIT, &mut task).await {
                        Ok(Ok(ended)) => ended,
                        Ok(Err(broken)) => Err(broke(broken)),
                        Err(_elapsed) => {
                            task.abort();
                            // What it may still do is done before anything newer is shown.
                            let _ = task.await;
                            Err(late())
                        }
                    };
                    (level, ended)
                });
            }
            match under_way.join_next().await {
                Some(Ok((level, ended))) => self.ended(level, ended),
                // The process ends.
                Some(Err(_)) => {}
                None if self.term.is_over() => {
                    tracing::warn!(epoch = self.epoch, "nothing is published: the term is over");
                    return Err(Stopped);
                }
                None => return Ok(()),
            }
        }
    }

    fn ended(&mut self, level: Level, ended: Result<Done, Trouble>) {
        match ended {
            Ok(Done::Shown(digest, live)) => {
                self.later.remove(&level);
                let Level::Object { kind, uid } = level else { return };
                let Some(shown) = self.shown.get_mut(&level) else { return };
                // Of an object that has our own uid nothing has to be known besides.
                let live = live.filter(|live| *live != uid);
                (shown.digest, shown.live) = (Some(digest), live);
                if let Some(live) = live.filter(|_| shown.live != shown.bound) {
                    self.bind(Made::whole(kind, uid), live);
                }
            }
            Ok(Done::Retracted) => {
                if let Some(shown) = self.shown.remove(&level) {
                    self.owners.remove(&shown.name);
                }
            }
            Ok(Done::Triggered(trigger, live)) => {
                self.later.remove(&level);
                if let Some(live) = live {
                    self.bind(Made::trigger(trigger.configuration, &trigger.session), live);
                }
                self.triggered(trigger, Outcome::Succeeded);
            }
            Err(trouble) => {
                tracing::error!(?level, %trouble, "it was not published");
                let last = self.later.get(&level);
                let wait = BACKOFF.after(last.map(|later| later.wait), &*self.ports.ids);
                let now = Instant::now();
                let since = last.map_or(now, |later| later.since);
                self.later.insert(level.clone(), Later { at: now + wait, wait, since });
                let is_told = trouble.failure.permanent || since + HICCUP <= now;
                if let (Level::Scheduler { configuration, session }, true) = (level, is_told) {
                    let trigger = Trigger { configuration, session };
                    self.triggered(trigger, Outcome::Failed(trouble.failure));
                }
            }
        }
    }

    /// Tells the log which live object is ours.
    fn bind(&self, made: Made, live: Uid) {
        let command = binding::Command::Bind { made, live };
        let order = Order::new(Actor::Operator, Command::Binding(command));
        // When nobody decides any more, the next start shows it anew.
        let line = self.line.clone();
        self.tasks.run(async move { drop(line.insist(order).await) });
    }

    /// Tells the log what came of a trigger.
    fn triggered(&self, trigger: Trigger, outcome: Outcome) {
        let Trigger { configuration: uid, session } = trigger;
        let command = configuration::Command::SchedulerReported { uid, session, outcome };
        let order = Order::new(Actor::Operator, Command::Configuration(command));
        // When nobody decides any more, the next start sets it up anew.
        let line = self.line.clone();
        self.tasks.run(async move { drop(line.insist(order).await) });
    }
}

fn view(state: &State, level: &Level) -> View {
    match level {
        Level::Object { kind, uid } => match object(state, *kind, *uid) {
            Some(object) => {
                let bound = state.bound.get(&Made::whole(*kind, *uid)).copied();
                View::Object(Box::new(object), bound)
            }
            None => View::Gone,
        },
        Level::Scheduler { configuration, session } => {
            match state.schedule(*configuration, session) {
                Some(_) => {
                    let (configuration, session) = (*configuration, session.clone());
                    View::Trigger(Trigger { configuration, session })
                }
                None => View::Gone,
            }
        }
    }
}

/// What is done outside for one level.
enum Work {
    Show(Box<Published>),
    Retract(ObjectName, Option<Uid>),
    Trigger(Trigger),
}

enum Done {
    Shown([u8; 32], Option<Uid>),
    Retracted,
    Triggered(Trigger, Option<Uid>),
}

impl Work {
    async fn carry_out<P: Place>(self, place: &P) -> Result<Done, Trouble> {
        match self {
            Self::Show(published) => {
                let live = place.publish(&published).await?;
                Ok(Done::Shown(digest(&published), live))
            }
            Self::Retract(name, live) => place.retract(&name, live).await.map(|()| Done::Retracted),
            Self::Trigger(trigger) => {
                let live = place.trigger(&trigger).await?;
                Ok(Done::Triggered(trigger, live))
            }
        }
    }
}

fn digest(published: &Published) -> [u8; 32] {
    *blake3::hash(published.object.to_string().as_bytes()).as_bytes()
}

fn broke(broken: tokio::task::JoinError) -> Trouble {
    let words = match broken.try_into_panic() {
        Ok(panic) => words_of(&*panic),
        Err(_ended) => "it was ended".into(),
    };
    broken::failure(&words).into()
}

fn late() -> Trouble {
    let failure = holdfast_engine::Failure {
        reason: "Timeout".into(),
        message: format!("it was not published within {} s", LIMIT.as_secs()),
        permanent: false,
    };
    Trouble { failure, transient: true }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use holdfast_api::Kind;
    use holdfast_engine::{Key, storage};

    use super::*;
    use crate::operator::testing::{STORAGE, Stage, World, declared, declared_as};
    use crate::ports::ids::tests::Seeded;

    fn name(name: &str) -> ObjectName {
        ObjectName::own(
            Kind::BackupStorage,
            &Key::new(holdfast_engine::Group::KubeStashStorage, "demo", name),
        )
    }

    async fn world(dir: &std::path::Path, stage: Stage, seed: u64) -> World {
        World::start(dir, stage, seed).await
    }

    fn gone(uid: Uid) -> Command {
        Command::Storage(storage::Command::Delete { uid })
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_status_and_the_same_one_is_not_shown_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut world = world(dir.path(), Stage::default(), 1).await;
        world.quiet().await;
        world.submit((1..=20).map(declared).collect()).await;
        world.quiet().await;
        let shown = world.stage.shown();
        assert!(shown.len() <= 2, "{shown:?}");
        let (_, last) = shown.last().unwrap();
        let last = last.as_ref().unwrap();
        assert_eq!(
            (&last["metadata"]["generation"], &last["status"]["phase"]),
            (&20.into(), &"Ready".into())
        );
        // Declared again as it is: nothing changes, and nothing is shown.
        world.submit(vec![declared(20)]).await;
        world.quiet().await;
        assert_eq!(world.stage.shown().len(), shown.len());
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_shown_within_a_quarter_of_a_second() {
        let dir = tempfile::tempdir().unwrap();
        let mut world = world(dir.path(), Stage::default(), 1).await;
        world.quiet().await;
        let begun = Instant::now();
        world.submit(vec![declared(1)]).await;
        while world.stage.shown().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(begun.elapsed() <= Duration::from_millis(250), "{:?}", begun.elapsed());
        world.stop().await;
    }

    /// Declares storages at odd times, in a place that is slow and fails now and then.
    async fn stormy(seed: u64) {
        let dir = tempfile::tempdir().unwrap();
        let (weather, dice) = (Seeded::of(seed), Seeded::of(seed + 1_000));
        let shows = Box::new(move |_| {
            let chance = weather.chance();
            (Duration::from_millis(chance % 3_000), chance % 5 != 0)
        });
        let mut world = world(dir.path(), Stage { shows, ..Stage::default() }, seed).await;
        let mut versions = BTreeMap::from([(1_u8, 0_u8), (2, 0), (3, 0)]);
        for _ in 0..40 {
            let chance = dice.chance();
            let storage = u8::try_from(chance % 3).unwrap() + 1;
            let version = versions.get_mut(&storage).unwrap();
            *version += 1;
            let declared = declared_as(Uid([storage; 16]), &format!("s{storage}"), *version);
            world.submit(vec![declared]).await;
            tokio::time::sleep(Duration::from_millis(dice.chance() % 2_000)).await;
        }
        world.quiet().await;
        // Failures are tried again until the last of them is over.
        tokio::time::sleep(Duration::from_secs(1800)).await;
        world.quiet().await;
        let shown = world.stage.shown();
        for (storage, version) in versions.iter().filter(|(_, version)| **version > 0) {
            let name = name(&format!("s{storage}"));
            let of = shown.iter().filter(|(of, _)| *of == name);
            let generations: Vec<u64> = of
                .filter_map(|(_, object)| object.as_ref()?["metadata"]["generation"].as_u64())
                .collect();
            assert!(generations.is_sorted(), "seed {seed}: {generations:?}");
            assert_eq!(generations.last(), Some(&u64::from(*version)), "seed {seed}");
        }
        let before = shown.len();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(world.stage.shown().len(), before, "seed {seed}: it is quiet at the end");
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn never_an_older_one_after_a_newer_one_and_the_last_one_in_the_end() {
        for seed in 0..20 {
            stormy(seed).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_is_taken_away_unless_its_name_is_another_ones() {
        let dir = tempfile::tempdir().unwrap();
        let mut world = world(dir.path(), Stage::default(), 1).await;
        world.submit(vec![declared(1)]).await;
        world.quiet().await;
        world.submit(vec![gone(STORAGE)]).await;
        world.quiet().await;
        assert_eq!(world.stage.shown().last(), Some(&(name("store"), None)));
        // Another one of its name, and the old one goes in the same breath.
        world.submit(vec![declared(1)]).await;
        world.quiet().await;
        let other = Uid([7; 16]);
        world.submit(vec![gone(STORAGE), declared_as(other, "store", 1)]).await;
        world.quiet().await;
        let (_, last) = world.stage.shown().pop().unwrap();
        assert_eq!(last.unwrap()["metadata"]["uid"], other.to_string());
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn all_is_shown_anew_at_a_start_and_the_rest_swept_away() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = world(dir.path(), Stage::default(), 1).await;
        first.submit(vec![declared(1), declared_as(Uid([1; 16]), "other", 1)]).await;
        first.quiet().await;
        first.stop().await;
        let mut second = world(dir.path(), Stage::default(), 2).await;
        second.quiet().await;
        assert_eq!(second.stage.shown().len(), 2);
        assert_eq!(second.stage.times("swept all but 2").len(), 1);
        second.stop().await;
    }
}
