//! Lists: sessions, snapshots, repositories, newest first; from the state or from archived streams.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{backup, phases, repository};
use crate::backup::Trigger;
use crate::backup::phase::phase as backup_phase;
use crate::ids::{Key, Uid};
use crate::restore::phase::phase as restore_phase;
use crate::snapshot::phase::phase as snapshot_phase;
use crate::state::State;
use crate::time::{Millis, Timestamp};

/// Kinds of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum SessionKind {
    BackupSession,
    RestoreSession,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    /// Its uid.
    pub uid: Uid,
    /// Backup or restore.
    pub kind: SessionKind,
    /// Namespace and name.
    pub key: Key,
    /// The configuration, or the snapshot that is restored; empty while unknown.
    pub of: String,
    /// Session name; empty for a restore.
    pub session: String,
    /// Why it exists: `initial`, `slot`, `retry`, `manual`.
    pub trigger: &'static str,
    /// The word of its phase.
    pub phase: &'static str,
    /// When it was created.
    pub created: Timestamp,
    /// From creation to end; absent before the end.
    pub duration: Option<Millis>,
    /// What is wrong, in one sentence.
    pub error: Option<String>,
}

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SnapshotRow {
    /// Its uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// Name of the repository; its uid where that is not known.
    pub repository: String,
    /// Session name.
    pub session: String,
    /// The word of its phase.
    pub phase: &'static str,
    /// Committed, but not everything could be read.
    pub partial: bool,
    /// When it was taken.
    pub taken: Timestamp,
    /// Components that ended, and how many there are to be.
    pub components: (u32, u32),
    /// Bytes processed.
    pub processed: u64,
    /// Bytes that were new.
    pub uploaded: u64,
}

/// One repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepositoryRow {
    /// Its uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// The storage.
    pub storage: Key,
    /// Path inside the storage.
    pub path: String,
    /// The word of its phase.
    pub phase: &'static str,
    /// How many snapshots of any phase.
    pub snapshots: u32,
    /// Bytes, while known.
    pub size: Option<u64>,
    /// Of the last Succeeded snapshot.
    pub last_backup: Option<Timestamp>,
}

/// All sessions, newest first.
#[must_use]
pub fn sessions(state: &State) -> Vec<SessionRow> {
    let backups = state.backups.values().map(|known| SessionRow {
        uid: known.uid,
        kind: SessionKind::BackupSession,
        key: known.key.clone(),
        of: state
            .configurations
            .get(&known.configuration)
            .map(|configuration| configuration.key.name.clone())
            .unwrap_or_default(),
        session: known.session.clone(),
        trigger: word(&known.trigger),
        phase: backup_phase(known).as_str(),
        created: known.created_at,
        duration: known.ended_at.map(|end| end.since(known.created_at)),
        error: phases::backup_error(known),
    });
    let restores = state.restores.values().map(|known| SessionRow {
        uid: known.uid,
        kind: SessionKind::RestoreSession,
        key: known.key.clone(),
        of: known
            .snapshot
            .and_then(|uid| state.snapshots.get(&uid))
            .map(|snapshot| snapshot.key.name.clone())
            .unwrap_or_default(),
        session: String::new(),
        trigger: word(&Trigger::Manual),
        phase: restore_phase(known).as_str(),
        created: known.created_at,
        duration: known.ended_at.map(|end| end.since(known.created_at)),
        error: phases::restore_error(known),
    });
    // Of one whose beginning is archived only what came later is known, and not its name.
    let known = |row: &SessionRow| !row.key.name.is_empty();
    let mut rows: Vec<SessionRow> = backups.chain(restores).filter(known).collect();
    rows.sort_by(|a, b| (b.created, &a.key, a.uid).cmp(&(a.created, &b.key, b.uid)));
    rows
}

fn word(trigger: &Trigger) -> &'static str {
    match trigger {
        Trigger::Initial => "initial",
        Trigger::Slot { .. } => "slot",
        Trigger::Retry { .. } => "retry",
        Trigger::Manual => "manual",
    }
}

/// All snapshots, newest first.
#[must_use]
pub fn snapshots(state: &State) -> Vec<SnapshotRow> {
    let mut rows: Vec<SnapshotRow> = state
        .snapshots
        .values()
        .map(|known| {
            let ended = known.components.iter().filter(|c| c.outcome.is_some()).count();
            let paths = || known.components.iter().flat_map(|component| &component.paths);
            SnapshotRow {
                uid: known.uid,
                key: known.key.clone(),
                repository: backup::repository_name(state, known.repository),
                session: known.session.clone(),
                phase: snapshot_phase(known).as_str(),
                partial: known.is_partial(),
                taken: known.taken,
                components: (u32::try_from(ended).unwrap_or(u32::MAX), known.total),
                processed: paths().fold(0, |sum, path| sum.saturating_add(path.size)),
                uploaded: paths().fold(0, |sum, path| sum.saturating_add(path.uploaded)),
            }
        })
        .collect();
    rows.sort_by(|a, b| (b.taken, &a.key, a.uid).cmp(&(a.taken, &b.key, b.uid)));
    rows
}

/// All repositories, by name.
#[must_use]
pub fn repositories(state: &State) -> Vec<RepositoryRow> {
    let rows = state.repositories.values().map(|known| {
        let status = repository::status(state, known);
        RepositoryRow {
            uid: known.uid,
            key: known.key.clone(),
            storage: known.storage.clone(),
            path: known.path.clone(),
            phase: status.phase.as_str(),
            snapshots: status.snapshot_count,
            size: repository::bytes(state, known.uid),
            last_backup: status.last_backup_time,
        }
    });
    let mut rows: Vec<RepositoryRow> = rows.collect();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::Command;
    use crate::configuration::Retry;
    use crate::table::Table;
    use crate::testing::given;
    use crate::testing::world::{APP, BACK, DAY, MINUTE, World, named};

    #[test]
    fn sessions_newest_first_with_why_they_exist() {
        let mut session = given::session("nightly");
        session.retry = Some(Retry { max: 1, delay: Millis(MINUTE) });
        let mut world = World::with(vec![session]);
        let by_hand = world.succeed();
        world.pass(DAY);
        let failed = named("slot");
        let command = world.creation(failed, "nightly", Some(world.now));
        world.ask(command);
        world.surveyed(failed, 1);
        world.vanished(failed, "pod-0");
        world.closed();
        world.pass(MINUTE);
        world.ask(Command::Retry { session: failed });
        world.pass(1);
        world.declare_restore(given::restore(&[]));

        let retry = world.backup(failed).retried_by.unwrap();
        let rows = sessions(&world.state);
        let seen: Vec<_> = rows.iter().map(|row| (row.uid, row.trigger, row.phase)).collect();
        assert_eq!(
            seen,
            [
                (BACK, "manual", "Pending"),
                (retry, "retry", "Pending"),
                (failed, "slot", "Failed"),
                (by_hand, "manual", "Succeeded"),
            ]
        );
        assert_eq!(
            (rows[0].of.as_str(), rows[0].session.as_str()),
            ("one-app-nightly-1700438400", "")
        );
        assert_eq!((rows[2].of.as_str(), rows[2].session.as_str()), ("app", "nightly"));
        assert_eq!(rows[2].error.as_deref(), Some("component pod-0: it went wrong"));
        assert_eq!(rows[1].duration, None);
        assert_eq!(rows[3].duration, Some(Millis(0)));
        assert_eq!(word(&Trigger::Initial), "initial");
    }

    #[test]
    fn snapshots_newest_first_with_what_they_moved() {
        let mut world = World::ready();
        world.adopt("old", &["pod-0"]);
        world.pass(MINUTE);
        let session = world.working(2);
        world.reported(session, "pod-0");
        let rows = snapshots(&world.state);
        let written = &rows[0];
        assert_eq!(written.key.name, "one-app-nightly-1700438460");
        assert_eq!((written.components, written.phase), ((1, 2), "Running"));
        assert_eq!((written.processed, written.uploaded), (100, 10));
        assert_eq!(written.repository, "one");
        assert_eq!((rows[1].key.name.as_str(), rows[1].phase), ("old", "Succeeded"));
        world.state.repositories = Table::default();
        let unnamed = snapshots(&world.state).remove(0).repository;
        assert_eq!(unnamed.len(), 36, "its uid where the name is not known any more");
    }

    #[test]
    fn repositories_by_name() {
        let mut session = given::session("nightly");
        session.repositories.insert(0, given::repository("zero"));
        let mut world = World::with(vec![session]);
        world.succeed();
        let uid = world.repository("zero");
        let failure = crate::testing::failure("WrongPassphrase");
        world.record(crate::repository::Event::InitializationFailed {
            uid,
            failure,
            retry_at: None,
        });
        let rows = repositories(&world.state);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.key.name.as_str(), row.phase, row.snapshots, row.size))
            .collect();
        assert_eq!(seen, [("one", "Ready", 1, Some(1_000)), ("zero", "NotReady", 1, Some(1_000))]);
        assert_eq!(rows[0].last_backup, Some(world.now));
        assert_eq!((rows[0].path.as_str(), &rows[0].storage), ("dir/one", &given::stored("store")));
        assert!(world.state.configurations.contains_key(&APP));
    }
}
