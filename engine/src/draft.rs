//! A decision while it is being made.
//!
//! One command may take a session several steps further, and each step looks at what the ones before
//! it have changed. A draft folds every event that it takes on into a scratch copy of the few objects
//! that the event touches, with the same [`crate::apply`] that folds the log; everything else is read
//! from the state underneath, which is never copied. Whoever has to hear of the events as they come is a
//! [`Witness`].

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::iter;
use core::ops::Bound;

use crate::apply;
use crate::backup::{self, state::Backup};
use crate::configuration::{self, state::Configuration};
use crate::dependency::Facts;
use crate::effect::Once;
use crate::envelope::Envelope;
use crate::event::{Event, Recorded, StreamKind};
use crate::hook::state::HookTemplate;
use crate::ids::{EffectId, Key, TypedRef, Uid};
use crate::limits;
use crate::namespace::state::Namespace;
use crate::outbox;
use crate::reaction::{self, Reaction};
use crate::rejection::Rejection;
use crate::repository::state::Repository;
use crate::requests;
use crate::restore::state::Restore;
use crate::retention::state::RetentionPolicy;
use crate::run::limit::Limits;
use crate::schedule::state::Schedule;
use crate::snapshot::{self, state::Snapshot};
use crate::state::{Known, State};
use crate::storage::state::Storage;
use crate::table::Table;
use crate::time::Timestamp;
use crate::usage::References;

mod within;

/// Hears of every event as it is taken into a decision.
pub(crate) trait Witness {
    /// An event was taken in; the draft shows what it has led to.
    fn heard(&self, draft: &Draft, event: &Event);
}

/// Nobody has to hear of it.
impl Witness for () {
    fn heard(&self, _: &Draft, _: &Event) {}
}

/// A decision while it is being made.
pub struct Draft<'a> {
    base: &'a State,
    scratch: State,
    gone: BTreeSet<(StreamKind, Uid)>,
    settled: BTreeSet<EffectId>,
    taken_up: BTreeSet<u64>,
    envelope: &'a Envelope,
    witness: &'a dyn Witness,
    objects: usize,
    events: Vec<Event>,
    broken: Option<apply::Illegal>,
}

/// Reads an object from the scratch copy, else from the state underneath.
macro_rules! lookup {
    ($(#[$doc:meta] $one:ident: $map:ident, $kind:ident -> $type:ty;)*) => {$(
        #[$doc]
        #[must_use]
        pub fn $one(&self, uid: Uid) -> Option<&$type> {
            if self.gone.contains(&(StreamKind::$kind, uid)) {
                return None;
            }
            self.scratch.$map.get(&uid).or_else(|| self.base.$map.get(&uid))
        }
    )*};
}

/// Reads all objects of a kind. Sessions and snapshots have no such list: there are too many of them, and
/// whoever needs some finds them by what they lie in.
macro_rules! list {
    ($(#[$doc:meta] $behind:ident: $map:ident, $kind:ident -> $type:ty;)*) => {$(
        #[$doc]
        pub fn $behind(&self, after: Option<Uid>) -> impl Iterator<Item = &$type> {
            merged(&self.base.$map, &self.scratch.$map, after)
                .filter(|(uid, _)| !self.gone.contains(&(StreamKind::$kind, **uid)))
                .map(|(_, found)| found)
        }
    )*};
}

/// Two maps as one in the order of their keys, behind one of them; what both have is the upper one's.
fn merged<'m, T>(
    below: &'m Table<T>,
    above: &'m Table<T>,
    after: Option<Uid>,
) -> impl Iterator<Item = (&'m Uid, &'m T)> {
    let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
    let mut above = above.range(behind).peekable();
    let mut below = below.range(behind).peekable();
    iter::from_fn(move || match (above.peek(), below.peek()) {
        (Some((mine, _)), Some((other, _))) if mine == other => {
            below.next();
            above.next()
        }
        (Some((mine, _)), Some((other, _))) if mine > other => below.next(),
        (Some(_), _) => above.next(),
        (None, _) => below.next(),
    })
}

impl<'a> Draft<'a> {
    /// An empty decision on a command; the witness hears what is taken into it.
    pub(crate) fn new(base: &'a State, envelope: &'a Envelope, witness: &'a dyn Witness) -> Self {
        let scratch = State {
            seq: base.seq,
            epoch: base.epoch,
            last_at: base.last_at,
            references: base.references,
            limits: base.limits,
            ..State::default()
        };
        Self {
            base,
            scratch,
            gone: BTreeSet::new(),
            settled: BTreeSet::new(),
            taken_up: BTreeSet::new(),
            envelope,
            witness,
            objects: limits::OBJECTS_A_REACTION,
            events: Vec::new(),
            broken: None,
        }
    }

    /// The time of the decision.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.envelope.at
    }

    /// The command with what surrounds it.
    #[must_use]
    pub fn envelope(&self) -> &'a Envelope {
        self.envelope
    }

    /// The state underneath, without the events of this decision: for objects that no decision
    /// changes while it reads them (namespaces, dependencies, policies, templates).
    #[must_use]
    pub fn base(&self) -> &'a State {
        self.base
    }

    /// Limits on workers, as they will be once this decision is recorded.
    pub(crate) fn limits(&self) -> Limits {
        self.scratch.limits
    }

    /// Backups and restores that the decision has changed so far, or taken out of the state.
    pub(crate) fn touched_sessions(&self) -> BTreeSet<Uid> {
        let backups = self.scratch.backups.keys();
        let restores = self.scratch.restores.keys();
        let is_session =
            |kind: &StreamKind| matches!(kind, StreamKind::Backup | StreamKind::Restore);
        let gone = self.gone.iter().filter(|(kind, _)| is_session(kind)).map(|(_, uid)| uid);
        backups.chain(restores).chain(gone).copied().collect()
    }

    /// A uid for an object that this command creates. It follows from the command and from what it is for,
    /// so that it is the same in whatever order the command's objects are made.
    #[must_use]
    pub fn mint(&self, kind: StreamKind, what: &str) -> Uid {
        let mut uid = Uid(self.envelope.id.0).derive(what);
        while self.gone.contains(&(kind, uid)) {
            uid = uid.derive(what);
        }
        uid
    }

    /// How many events it has come to.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// The sequence number of its last event, or of the state underneath.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.scratch.seq
    }

    /// Whether it has come to no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether some event could not follow: nothing is taken in any more.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// The reactions of earlier decisions that wait, in order of their numbers.
    pub fn waiting(&self) -> impl Iterator<Item = (u64, &Reaction)> {
        let untaken = |(number, _): &(&u64, &Reaction)| !self.taken_up.contains(*number);
        self.base.waiting.iter().filter(untaken).map(|(number, waiting)| (*number, waiting))
    }

    /// How many objects one reaction takes on.
    pub(crate) fn objects(&self) -> usize {
        self.objects
    }

    /// Has a reaction take on so many objects.
    pub(crate) fn take_on(&mut self, objects: usize) {
        self.objects = objects;
    }

    /// Does something for one object after another, up to the bounds of one reaction; where objects are
    /// left, it says behind which one they are.
    pub(crate) fn each(
        &mut self,
        objects: Vec<Uid>,
        mut what: impl FnMut(&mut Self, Uid),
    ) -> Option<Uid> {
        let full = self.events.len().saturating_add(limits::EVENTS_A_REACTION);
        let mut left = objects.len();
        for (done, uid) in objects.into_iter().enumerate() {
            what(self, uid);
            left -= 1;
            let enough = done + 1 >= self.objects || self.events.len() >= full;
            if enough && left > 0 {
                return Some(uid);
            }
        }
        None
    }

    /// Takes an event into the decision, and requests what it asks of the outside.
    pub fn emit(&mut self, event: impl Into<Event>) {
        if self.broken.is_some() {
            return;
        }
        let event = event.into();
        self.fold(event.clone());
        if self.broken.is_none() {
            let witness = self.witness;
            witness.heard(self, &event);
            for once in requests::of(&self.scratch, &event) {
                self.fold(outbox::Event::Requested { once }.into());
            }
        }
    }

    fn fold(&mut self, event: Event) {
        let recorded = Recorded {
            seq: self.scratch.seq + 1,
            at: self.at(),
            cause: self.envelope.id,
            epoch: self.envelope.epoch,
            event,
        };
        self.pull(&recorded.event);
        if let Err(illegal) = apply::fold(&mut self.scratch, &recorded) {
            self.broken = Some(illegal);
            return;
        }
        self.note_gone(&recorded.event);
        self.events.push(recorded.event);
    }

    /// Requests what no event of its own asks for.
    pub(crate) fn request(&mut self, once: Once) {
        if self.broken.is_none() {
            self.fold(outbox::Event::Requested { once }.into());
        }
    }

    /// Takes an effect whose outcome is known out of the outbox.
    pub fn settle(&mut self, effect: EffectId) {
        if let Some(subject) = self.effect(effect).map(Once::subject) {
            self.emit(outbox::Event::EffectDone { effect, subject });
        }
    }

    /// Takes an effect that nobody waits for any more out of the outbox.
    pub fn give_up(&mut self, effect: EffectId, message: impl Into<String>) {
        if let Some(subject) = self.effect(effect).map(Once::subject) {
            self.emit(outbox::Event::EffectFailed { effect, subject, message: message.into() });
        }
    }

    /// The once-effect of this id, while its outcome is not known.
    #[must_use]
    pub fn effect(&self, id: EffectId) -> Option<&Once> {
        if self.settled.contains(&id) {
            return None;
        }
        self.scratch.outbox.get(&id).or_else(|| self.base.outbox.get(&id))
    }

    /// The once-effects that fit, in order of their ids.
    #[must_use]
    pub fn effects(&self, fits: impl Fn(&Once) -> bool) -> Vec<EffectId> {
        let all = self.base.outbox.iter().chain(self.scratch.outbox.iter());
        let open: BTreeSet<EffectId> = all
            .filter(|(id, once)| !self.settled.contains(id) && fits(once))
            .map(|(id, _)| *id)
            .collect();
        open.into_iter().collect()
    }

    /// The decision.
    ///
    /// # Errors
    /// A conflict when an event cannot follow the ones before it; nothing is recorded then.
    pub fn finish(self) -> Result<Vec<Event>, Rejection> {
        match self.broken {
            None => Ok(self.events),
            Some(illegal) => Err(Rejection::conflict("state", illegal.reason)),
        }
    }

    /// The uid behind a name.
    #[must_use]
    pub fn uid_of(&self, kind: StreamKind, key: &Key) -> Option<Uid> {
        let found = self.scratch.uid_of(kind, key).or_else(|| self.base.uid_of(kind, key))?;
        (!self.gone.contains(&(kind, found))).then_some(found)
    }

    lookup! {
        /// A storage.
        storage: storages, Storage -> Storage;
        /// A retention policy.
        retention: retentions, Retention -> RetentionPolicy;
        /// A hook template.
        hook: hooks, Hook -> HookTemplate;
        /// A configuration.
        configuration: configurations, Configuration -> Configuration;
        /// A repository.
        repository: repositories, Repository -> Repository;
        /// A backup session.
        backup: backups, Backup -> Backup;
        /// A snapshot.
        snapshot: snapshots, Snapshot -> Snapshot;
        /// A restore session.
        restore: restores, Restore -> Restore;
    }

    list! {
        /// Storages behind one of them, in order of their uids, whatever was touched.
        storages_behind: storages, Storage -> Storage;
        /// Retention policies behind one of them, in order of their uids, whatever was touched.
        retentions_behind: retentions, Retention -> RetentionPolicy;
        /// Configurations behind one of them, in order of their uids, whatever was touched.
        configurations_behind: configurations, Configuration -> Configuration;
        /// Repositories behind one of them, in order of their uids, whatever was touched.
        repositories_behind: repositories, Repository -> Repository;
    }

    /// The storage of this name.
    #[must_use]
    pub fn storage_named(&self, key: &Key) -> Option<&Storage> {
        self.storage(self.uid_of(StreamKind::Storage, key)?)
    }

    /// The retention policy of this name.
    #[must_use]
    pub fn retention_named(&self, key: &Key) -> Option<&RetentionPolicy> {
        self.retention(self.uid_of(StreamKind::Retention, key)?)
    }

    /// The hook template of this name.
    #[must_use]
    pub fn hook_named(&self, key: &Key) -> Option<&HookTemplate> {
        self.hook(self.uid_of(StreamKind::Hook, key)?)
    }

    /// The repository of this name.
    #[must_use]
    pub fn repository_named(&self, key: &Key) -> Option<&Repository> {
        self.repository(self.uid_of(StreamKind::Repository, key)?)
    }

    /// What is known of a dependency, as it will be once this decision is recorded.
    #[must_use]
    pub fn facts(&self, object: &TypedRef) -> Option<&Facts> {
        let uid = self.scratch.objects.get(object).or_else(|| self.base.objects.get(object))?;
        if self.gone.contains(&(StreamKind::Dependency, *uid)) {
            return None;
        }
        let found = self.scratch.dependencies.get(uid).or_else(|| self.base.dependencies.get(uid));
        found.map(|dependency| &dependency.facts)
    }

    /// A namespace, as it will be once this decision is recorded.
    #[must_use]
    pub fn namespace_named(&self, name: &str) -> Option<&Namespace> {
        let key = Key::core("", name);
        let uid = self.uid_of(StreamKind::Namespace, &key)?;
        self.scratch.namespaces.get(&uid).or_else(|| self.base.namespaces.get(&uid))
    }

    /// Labels of a namespace, as they will be once this decision is recorded.
    #[must_use]
    pub fn labels_of(&self, namespace: &str) -> alloc::collections::BTreeMap<String, String> {
        self.namespace_named(namespace).map(|found| found.labels.clone()).unwrap_or_default()
    }

    /// How far references across namespaces go.
    #[must_use]
    pub fn references(&self) -> References {
        self.scratch.references
    }

    /// The schedule of one session of a configuration.
    #[must_use]
    pub fn schedule(&self, configuration: Uid, session: &str) -> Option<&Schedule> {
        if self.scratch.schedules.contains_key(&configuration) {
            return self.scratch.schedule(configuration, session);
        }
        self.base.schedule(configuration, session)
    }

    /// Names of the sessions of a configuration that have a schedule.
    #[must_use]
    pub fn scheduled_sessions(&self, configuration: Uid) -> Vec<String> {
        let of = |state: &State| {
            state.schedules.get(&configuration).map(|map| map.keys().cloned().collect())
        };
        of(&self.scratch).or_else(|| of(self.base)).unwrap_or_default()
    }

    /// Copies what an event touches into the scratch copy.
    fn pull(&mut self, event: &Event) {
        let stream = event.stream();
        self.pull_one(stream.kind, stream.uid);
        match event {
            Event::Backup(backup::Event::Started { uid, .. }) => {
                if let Some(configuration) = self.backup(*uid).map(|found| found.configuration) {
                    self.pull_one(StreamKind::Configuration, configuration);
                }
            }
            Event::Configuration(configuration::Event::PausedByRestore { restore, .. }) => {
                self.pull_one(StreamKind::Restore, *restore);
            }
            Event::Snapshot(snapshot::Event::Created { backup, .. }) => {
                self.pull_one(StreamKind::Backup, *backup);
            }
            Event::Snapshot(_) => {
                if let Some(backup) = self.snapshot(stream.uid).and_then(|found| found.backup) {
                    self.pull_one(StreamKind::Backup, backup);
                }
            }
            Event::Outbox(
                outbox::Event::EffectDone { effect, .. }
                | outbox::Event::EffectFailed { effect, .. },
            ) => {
                if let Some(once) = self.effect(*effect).cloned() {
                    self.scratch.outbox.insert(*effect, once);
                }
            }
            Event::Reaction(reaction::Event::TakenUp { number }) => {
                if let Some(waiting) = self.base.waiting.get(number) {
                    self.scratch.waiting.insert(*number, waiting.clone());
                }
            }
            _ => {}
        }
    }

    fn pull_one(&mut self, kind: StreamKind, uid: Uid) {
        if self.gone.contains(&(kind, uid)) {
            return;
        }
        let Self { base, scratch, .. } = self;
        macro_rules! copy {
            ($map:ident) => {
                scratch.$map.share(uid, &base.$map)
            };
        }
        match kind {
            StreamKind::Namespace => copy!(namespaces),
            StreamKind::Dependency => copy!(dependencies),
            StreamKind::Storage => copy!(storages),
            StreamKind::Retention => copy!(retentions),
            StreamKind::Hook => copy!(hooks),
            StreamKind::Configuration => copy!(configurations),
            StreamKind::Schedule => copy!(schedules),
            StreamKind::Repository => copy!(repositories),
            StreamKind::Backup => copy!(backups),
            StreamKind::Snapshot => copy!(snapshots),
            StreamKind::Restore => copy!(restores),
            StreamKind::Lease | StreamKind::Outbox | StreamKind::Reaction | StreamKind::Binding => {
            }
        }
    }

    fn note_gone(&mut self, event: &Event) {
        if let Event::Outbox(
            outbox::Event::EffectDone { effect, .. } | outbox::Event::EffectFailed { effect, .. },
        ) = event
        {
            self.settled.insert(*effect);
        } else if let Event::Reaction(reaction::Event::TakenUp { number }) = event {
            self.taken_up.insert(*number);
        } else if event.ends_stream() {
            let stream = event.stream();
            self.gone.insert((stream.kind, stream.uid));
        }
    }
}

impl Known for Draft<'_> {
    fn storage_named(&self, key: &Key) -> Option<&Storage> {
        Self::storage_named(self, key)
    }

    fn retention_named(&self, key: &Key) -> Option<&RetentionPolicy> {
        Self::retention_named(self, key)
    }

    fn hook_named(&self, key: &Key) -> Option<&HookTemplate> {
        Self::hook_named(self, key)
    }

    fn facts(&self, object: &TypedRef) -> Option<&Facts> {
        Self::facts(self, object)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::command::Command;
    use crate::envelope::Actor;
    use crate::ids::CommandId;
    use crate::lease;
    use crate::namespace;
    use crate::testing::given::{self, key, stored};
    use crate::testing::world::{APP, World, named};

    fn envelope(world: &World) -> Envelope {
        let command = Command::Lease(lease::Command::AcknowledgeGap { from: 1, to: 1 });
        let (id, at, epoch) = (CommandId([7; 16]), world.now, world.state.epoch);
        Envelope { id, at, actor: Actor::Operator, epoch, command }
    }

    #[test]
    fn what_was_emitted_is_read_back_and_the_state_underneath_is_untouched() {
        let world = World::ready();
        let (before, envelope) = (world.state.clone(), envelope(&world));
        let mut draft = Draft::new(&world.state, &envelope, &());
        let uid = world.repository("one");
        assert!(draft.repository(uid).is_some_and(|found| !found.deleting));
        draft.emit(crate::repository::Event::DeletionRequested { uid });
        assert!(draft.repository(uid).is_some_and(|found| found.deleting));
        assert_eq!(draft.repositories_behind(None).count(), 1, "listed once, as changed");
        draft.emit(crate::repository::Event::Deleted {
            uid,
            key: stored("one"),
            storage: stored("store"),
            wiped: false,
            configuration: APP,
        });
        assert_eq!(draft.repository(uid), None);
        assert_eq!(draft.repository_named(&stored("one")), None);
        assert_eq!(draft.repositories_behind(None).count(), 0);
        assert_eq!(world.state, before);
        assert_eq!(draft.finish().unwrap().len(), 2);
    }

    #[test]
    fn a_name_goes_to_whoever_took_it_last() {
        let mut world = World::new();
        world.declare_retention("keep", given::retention(1));
        let (old, new) = (named("retention/keep"), named("new"));
        let envelope = envelope(&world);
        let mut draft = Draft::new(&world.state, &envelope, &());
        draft.emit(crate::retention::Event::Declared {
            uid: new,
            key: stored("keep"),
            generation: 1,
            hash: given::hash(1),
            spec: given::retention(2),
        });
        assert_eq!(draft.retention_named(&stored("keep")).unwrap().uid, new);
        draft.emit(crate::retention::Event::Deleted { uid: old, key: stored("keep") });
        assert_eq!(draft.retention_named(&stored("keep")).unwrap().uid, new);
        draft.emit(crate::retention::Event::Deleted { uid: new, key: stored("keep") });
        assert_eq!(draft.retention_named(&stored("keep")), None);
    }

    #[test]
    fn facts_and_labels_are_those_of_the_decision() {
        let mut world = World::furnished();
        world.label("demo", &[("team", "blue")]);
        let envelope = envelope(&world);
        let mut draft = Draft::new(&world.state, &envelope, &());
        assert_eq!(draft.labels_of("demo").len(), 1);
        draft.emit(namespace::Event::Observed {
            uid: named("namespace/demo"),
            name: "demo".into(),
            labels: [("a".into(), "b".into()), ("c".into(), "d".into())].into(),
            allowed_namespaces: None,
        });
        assert_eq!(draft.labels_of("demo").len(), 2);
        let target = given::target();
        assert!(draft.facts(&target).is_some());
        let uid = world.state.objects[&target];
        draft.emit(crate::dependency::Event::Gone { uid, object: target.clone() });
        assert_eq!(draft.facts(&target), None);
    }

    #[test]
    fn schedules_that_were_withdrawn_are_seen_no_more() {
        let world = World::ready();
        let envelope = envelope(&world);
        let mut draft = Draft::new(&world.state, &envelope, &());
        assert_eq!(draft.scheduled_sessions(APP), ["nightly"]);
        let session = String::from("nightly");
        draft.emit(crate::schedule::Event::Declared {
            configuration: APP,
            session: "weekly".into(),
            version: 1,
            next: vec![],
        });
        assert_eq!(draft.scheduled_sessions(APP), ["nightly", "weekly"]);
        draft.emit(crate::schedule::Event::Withdrawn { configuration: APP, session });
        assert_eq!(draft.scheduled_sessions(APP), ["weekly"]);
        assert_eq!(draft.schedule(APP, "nightly"), None);
    }

    #[test]
    fn effects_appear_with_their_event_and_leave_with_their_answer() {
        let mut world = World::ready();
        world.create("nightly");
        let before = world.find(|_| true).unwrap();
        let envelope = envelope(&world);
        let mut draft = Draft::new(&world.state, &envelope, &());
        let uid = world.repository("one");
        draft.emit(crate::repository::Event::InitializationRequested { uid });
        let asked = Once::InitializeRepository { repository: uid };
        let new = draft.effects(|once| *once == asked);
        assert_eq!(new, [EffectId(world.state.seq + 2)], "the request's own number");
        assert_eq!(draft.effects(|_| true), [before, new[0]], "in order of their ids");
        assert_eq!(draft.effect(new[0]), Some(&asked));
        draft.settle(before);
        draft.give_up(new[0], "why not");
        assert_eq!(draft.effects(|_| true), []);
        assert_eq!(draft.effect(before), None);
        assert_eq!(draft.effect(new[0]), None);
    }

    #[test]
    fn uids_follow_from_the_command_and_what_they_are_for() {
        let world = World::new();
        let envelope = envelope(&world);
        let mut draft = Draft::new(&world.state, &envelope, &());
        let mint = |draft: &Draft, what| draft.mint(StreamKind::Repository, what);
        let (a, b) = (mint(&draft, "a"), mint(&draft, "b"));
        assert_eq!((mint(&draft, "b"), mint(&draft, "a")), (b, a), "in whatever order");
        assert_ne!(a, b);
        draft.gone.insert((StreamKind::Repository, a));
        assert_ne!(mint(&draft, "a"), a, "a uid that is gone is not used again");
    }

    #[test]
    fn an_event_that_cannot_follow_ends_the_decision_as_a_conflict() {
        let world = World::new();
        let envelope = envelope(&world);
        let mut draft = Draft::new(&world.state, &envelope, &());
        let uid = named("nobody");
        draft.emit(crate::hook::Event::Deleted { uid, key: key("nobody") });
        draft.emit(lease::Event::LogGapAcknowledged { from: 1, to: 1 });
        let reason = alloc::format!("no template {uid}");
        assert_eq!(draft.finish(), Err(Rejection::conflict("state", reason)));
    }
}
