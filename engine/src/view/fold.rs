//! History: a fold that forgets nothing and forgives gaps.
//!
//! The state drops what is archived; readers of the log want it back. A [`History`] takes any events in
//! order, of one session or of everything, also when earlier ones are missing: what an event says is
//! taken whether or not it could have happened there. A [`SessionFold`] is the history of one session.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;

use crate::backup::state::Backup;
use crate::backup::{self, Trigger};
use crate::condition::Conditions;
use crate::event::{Event, Recorded};
use crate::ids::{Key, TypedRef, Uid};
use crate::restore::state::Restore;
use crate::run::state::Run;
use crate::snapshot::state::Snapshot;
use crate::state::State;
use crate::storage::DeletionPolicy;
use crate::time::Timestamp;
use crate::view;
use crate::{configuration, repository, restore, retention, snapshot, storage};

/// Everything that the events said, and nothing forgotten.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// In the shape of the state, so that every view works on it.
    pub state: State,
    /// Sessions and restores that left the state, and the event by which they did.
    pub archived: BTreeMap<Uid, u64>,
    /// Snapshots that are gone, and when.
    pub forgotten: BTreeMap<Uid, Timestamp>,
}

impl History {
    /// Takes one event.
    pub fn record(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        self.state.seq = recorded.seq;
        self.state.last_at = at;
        match &recorded.event {
            Event::Backup(event) => self.backup(at, event),
            Event::Snapshot(event) => self.snapshot(at, event),
            Event::Restore(event) => self.restore(at, event),
            Event::Configuration(event)
                if !matches!(event, configuration::Event::Deleted { .. }) =>
            {
                // A gap before it is no reason to lose what follows.
                let _ = configuration::apply::apply(&mut self.state, at, event);
            }
            Event::Repository(event) if !matches!(event, repository::Event::Deleted { .. }) => {
                let _ = repository::apply::apply(&mut self.state, at, event);
            }
            Event::Storage(event) if !matches!(event, storage::Event::Deleted { .. }) => {
                let _ = storage::apply::apply(&mut self.state, at, event);
            }
            Event::Retention(event) if !matches!(event, retention::Event::Deleted { .. }) => {
                let _ = retention::apply::apply(&mut self.state, event);
            }
            _ => {}
        }
        // Views find what lies in what by it.
        let stream = recorded.event.stream();
        let mut index = mem::take(&mut self.state.index);
        index.look(&self.state, (stream.kind, stream.uid));
        self.state.index = index;
    }

    fn backup(&mut self, at: Timestamp, event: &backup::Event) {
        let uid = event.uid();
        let plan = match event {
            backup::Event::Started { .. } => backup::apply::plan_of(&self.state, uid).ok(),
            _ => None,
        };
        let known = self.state.backups.get_or_insert_with(uid, || blank_backup(uid, at));
        if let backup::Event::Created {
            key,
            configuration,
            session,
            trigger,
            retry_left,
            timeout,
            ..
        } = event
        {
            known.key = key.clone();
            known.configuration = *configuration;
            known.session.clone_from(session);
            known.trigger = trigger.clone();
            known.retry_left = *retry_left;
            known.timeout = *timeout;
            known.created_at = at;
        }
        // What cannot be folded without the event before it is passed over.
        let _ = backup::apply::fold(known, at, event);
        known.run.come_to(at, backup::phase::next(known.step, event).unwrap_or(known.step));
        known.plan = plan.or_else(|| known.plan.take());
        if matches!(event, backup::Event::Archived { .. }) {
            self.archived.insert(uid, self.state.seq);
        }
    }

    fn snapshot(&mut self, at: Timestamp, event: &snapshot::Event) {
        use snapshot::Event as E;
        let uid = event.uid();
        let known = self.state.snapshots.get_or_insert_with(uid, || blank_snapshot(uid, at));
        match event {
            E::Created { key, repository, backup, session, app, deletion, .. } => {
                known.key = key.clone();
                known.repository = *repository;
                known.backup = Some(*backup);
                known.backup_key = self.state.backups.get(backup).map(|made| made.key.clone());
                known.session.clone_from(session);
                known.app = app.clone();
                known.deletion = *deletion;
                known.taken = at;
                let backup = *backup;
                let blank = || blank_backup(backup, at);
                self.state.backups.get_or_insert_with(backup, blank);
            }
            E::Adopted { key, repository, session, app, taken, .. } => {
                known.key = key.clone();
                known.repository = *repository;
                known.session.clone_from(session);
                known.app = app.clone();
                known.taken = *taken;
            }
            E::Forgotten { .. } => {
                self.forgotten.insert(uid, at);
            }
            _ => {
                let _ = snapshot::apply::fold(known, at, event);
                known.updated = at;
            }
        }
        snapshot::apply::summarize(&mut self.state, uid);
    }

    fn restore(&mut self, at: Timestamp, event: &restore::Event) {
        let uid = event.uid();
        let blank = || restore::apply::blank(uid, at);
        let known = self.state.restores.get_or_insert_with(uid, blank);
        let _ = restore::apply::fold(known, at, event);
        known.run.come_to(at, restore::phase::next(known.step, event).unwrap_or(known.step));
        if matches!(event, restore::Event::Archived { .. }) {
            self.archived.insert(uid, self.state.seq);
        }
    }
}

/// One session: its state, its status, and the events that it was folded from.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionFold {
    uid: Uid,
    history: History,
    events: Vec<Recorded>,
}

/// The status of a session of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionStatus {
    /// A BackupSession.
    Backup(view::backup::BackupStatus),
    /// A RestoreSession.
    Restore(view::restore::RestoreStatus),
}

impl SessionFold {
    /// A session of which nothing is known yet.
    #[must_use]
    pub fn new(uid: Uid) -> Self {
        Self { uid, history: History::default(), events: Vec::new() }
    }

    /// Takes an event; those of other sessions are passed over, those of repositories and
    /// configurations only lend their names.
    pub fn record(&mut self, recorded: &Recorded) {
        if concerns(&recorded.event, self.uid, &self.history.state) {
            self.events.push(recorded.clone());
            self.history.record(recorded);
        } else if matches!(recorded.event, Event::Repository(_) | Event::Configuration(_)) {
            self.history.record(recorded);
        }
    }

    /// The session.
    #[must_use]
    pub fn uid(&self) -> Uid {
        self.uid
    }

    /// The events of the session and its snapshots, in order.
    #[must_use]
    pub fn events(&self) -> &[Recorded] {
        &self.events
    }

    /// What was folded; views of snapshots take it from here.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.history.state
    }

    /// It is a backup, and some event of it was seen.
    #[must_use]
    pub fn backup(&self) -> Option<&Backup> {
        self.history.state.backups.get(&self.uid)
    }

    /// It is a restore, and some event of it was seen.
    #[must_use]
    pub fn restore(&self) -> Option<&Restore> {
        self.history.state.restores.get(&self.uid)
    }

    /// Its status; absent while no event was seen.
    #[must_use]
    pub fn status(&self) -> Option<SessionStatus> {
        let state = self.state();
        match (self.backup(), self.restore()) {
            (Some(backup), _) => Some(SessionStatus::Backup(view::backup::status(state, backup))),
            (None, Some(restore)) => {
                Some(SessionStatus::Restore(view::restore::status(state, restore)))
            }
            (None, None) => None,
        }
    }

    /// The word of its phase; absent while no event was seen.
    #[must_use]
    pub fn phase(&self) -> Option<&'static str> {
        match (self.backup(), self.restore()) {
            (Some(backup), _) => Some(backup::phase::phase(backup).as_str()),
            (None, Some(restore)) => Some(restore::phase::phase(restore).as_str()),
            (None, None) => None,
        }
    }

    /// Its spans.
    #[must_use]
    pub fn timeline(&self) -> view::timeline::Timeline {
        view::timeline::timeline(self)
    }
}

/// Whether an event is of this session, of one of its snapshots, or of a pause that it made.
#[must_use]
pub fn concerns(event: &Event, session: Uid, state: &State) -> bool {
    match event {
        Event::Backup(event) => event.uid() == session,
        Event::Restore(event) => event.uid() == session,
        Event::Snapshot(snapshot::Event::Created { backup, .. }) => *backup == session,
        Event::Snapshot(event) => {
            state.snapshots.get(&event.uid()).is_some_and(|known| known.backup == Some(session))
        }
        Event::Configuration(
            configuration::Event::PausedByRestore { restore, .. }
            | configuration::Event::ResumedAfterRestore { restore, .. },
        ) => *restore == session,
        _ => false,
    }
}

fn blank_backup(uid: Uid, at: Timestamp) -> Backup {
    Backup {
        uid,
        key: Key { name: uid.to_string(), ..Key::default() },
        configuration: Uid::default(),
        session: String::new(),
        trigger: Trigger::Manual,
        retry_left: 0,
        timeout: None,
        created_at: at,
        run: Run::default(),
        behind: None,
        until: None,
        plan: None,
        total_snapshots: 0,
        snapshots: Vec::new(),
        retention: Vec::new(),
        retry_at: None,
        retried_by: None,
    }
}

fn blank_snapshot(uid: Uid, at: Timestamp) -> Snapshot {
    Snapshot {
        uid,
        key: Key { name: uid.to_string(), ..Key::default() },
        repository: Uid::default(),
        backup: None,
        backup_key: None,
        session: String::new(),
        app: TypedRef::absent(),
        deletion: DeletionPolicy::Delete,
        taken: at,
        total: 0,
        components: Vec::new(),
        conditions: Conditions::default(),
        removal: None,
        updated: at,
    }
}
