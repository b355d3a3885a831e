//! What lies in what, in a decision: found through the sets that `apply` keeps and through what the decision
//! has touched, so that it costs what there is of one object and not what there is in the state.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::{self, Vec};

use super::Draft;
use crate::backup::state::Backup;
use crate::condition::Type;
use crate::configuration::state::Configuration;
use crate::event::StreamKind;
use crate::ids::{Key, Uid};
use crate::index::Looked;
use crate::rejection::Rejection;
use crate::repository::state::Repository;
use crate::restore::state::Restore;
use crate::run::state::Run;
use crate::snapshot::state::Snapshot;

impl Draft<'_> {
    /// Sessions of a configuration.
    pub(crate) fn backups_of(&self, configuration: Uid) -> impl Iterator<Item = &Backup> {
        let touched = self.scratch.backups.keys();
        self.lookers(StreamKind::Backup, &Looked::Home(configuration), touched)
            .filter_map(|uid| self.backup(uid))
            .filter(move |known| known.configuration == configuration)
    }

    /// Repositories that were made for a configuration.
    pub(crate) fn repositories_of(&self, configuration: Uid) -> impl Iterator<Item = &Repository> {
        let touched = self.scratch.repositories.keys();
        self.lookers(StreamKind::Repository, &Looked::Home(configuration), touched)
            .filter_map(|uid| self.repository(uid))
            .filter(move |known| known.configuration == configuration)
    }

    /// Repositories in a storage.
    pub(crate) fn repositories_in(&self, storage: &Key) -> impl Iterator<Item = &Repository> {
        let touched = self.scratch.repositories.keys();
        self.lookers(StreamKind::Repository, &Looked::Inside(storage.clone()), touched)
            .filter_map(|uid| self.repository(uid))
            .filter(move |known| known.storage == *storage)
    }

    /// Snapshots in a repository.
    pub(crate) fn snapshots_in(&self, repository: Uid) -> impl Iterator<Item = &Snapshot> {
        let touched = self.scratch.snapshots.keys();
        self.lookers(StreamKind::Snapshot, &Looked::Home(repository), touched)
            .filter_map(|uid| self.snapshot(uid))
            .filter(move |known| known.repository == repository)
    }

    /// Configurations that write to a repository.
    pub(crate) fn writers_to(&self, repository: &Key) -> impl Iterator<Item = &Configuration> {
        let touched = self.scratch.configurations.keys();
        self.lookers(StreamKind::Configuration, &Looked::Repository(repository.clone()), touched)
            .filter_map(|uid| self.configuration(uid))
            .filter(move |known| known.writes_to(repository))
    }

    /// Configurations that are not valid as they are, and may be once a repository is not in their way any more:
    /// by its name, or by where it lies.
    pub(crate) fn invalid_beside(&self, repository: &Key, storage: &Key) -> BTreeSet<Uid> {
        let touched = || self.scratch.configurations.keys();
        let kind = StreamKind::Configuration;
        let by_name = self.lookers(kind, &Looked::Repository(repository.clone()), touched());
        let by_place = self.lookers(kind, &Looked::Storage(storage.clone()), touched());
        let is_invalid = |uid: &Uid| {
            let known = self.configuration(*uid);
            known.is_some_and(|known| known.conditions.is_false(Type::ValidationPassed))
        };
        by_name.chain(by_place).filter(is_invalid).collect()
    }

    /// Who writes a snapshot or reads from it, in words: a session that goes, or that has ended and whose worker may
    /// not have stopped yet.
    #[must_use]
    pub(crate) fn user_of(&self, snapshot: &Snapshot) -> Option<String> {
        let writer = snapshot.backup.and_then(|uid| self.backup(uid));
        if let Some(writer) = writer.filter(|known| self.is_at_work(known.uid, known)) {
            return Some(format!("BackupSession {} writes it", writer.key));
        }
        let reader = self.reader_of(snapshot.uid)?;
        Some(format!("RestoreSession {} reads it", reader.key))
    }

    /// The restore that reads a snapshot, or whose worker may still.
    fn reader_of(&self, snapshot: Uid) -> Option<&Restore> {
        let touched = self.scratch.restores.keys();
        self.lookers(StreamKind::Restore, &Looked::Listed(snapshot), touched)
            .filter_map(|uid| self.restore(uid))
            .filter(|restore| restore.snapshot == Some(snapshot))
            .find(|restore| self.is_at_work(restore.uid, restore))
    }

    /// A session goes, or a worker of it may still.
    fn is_at_work(&self, session: Uid, run: &Run) -> bool {
        run.is_going() || self.is_stopping(session)
    }

    /// A worker of the session has to stop, and may not have yet: also after the session's end.
    #[must_use]
    pub fn is_stopping(&self, session: Uid) -> bool {
        !self.effects(|once| once.stops(session)).is_empty()
    }

    /// A repository that a session reads or writes is not deleted under its hands.
    ///
    /// # Errors
    /// Which session that is; it has to be asked again.
    pub fn refuse_if_used(&self, repository: &Repository) -> Result<(), Rejection> {
        let (key, uid) = (&repository.key, repository.uid);
        let touched = self.scratch.backups.keys();
        let mut backups = self
            .lookers(StreamKind::Backup, &Looked::Listed(uid), touched)
            .filter_map(|uid| self.backup(uid));
        let writes = |known: &&Backup| {
            known.snapshots.iter().any(|listed| listed.repository == uid)
                && self.is_at_work(known.uid, known)
        };
        if let Some(writer) = backups.find(writes) {
            let message = format!("BackupSession {} writes to it", writer.key);
            return Err(Rejection::retry(key, message));
        }
        let mut read = self.snapshots_in(uid);
        match read.find_map(|snapshot| self.reader_of(snapshot.uid)) {
            Some(reader) => {
                let message = format!("RestoreSession {} reads from it", reader.key);
                Err(Rejection::retry(key, message))
            }
            None => Ok(()),
        }
    }

    /// Objects of a kind that looked at something before the decision, and all that it has touched; in order
    /// of their uids, whatever was touched.
    fn lookers<'t>(
        &self,
        kind: StreamKind,
        at: &Looked,
        touched: impl Iterator<Item = &'t Uid>,
    ) -> vec::IntoIter<Uid> {
        let before = self.base.index.lookers(at).filter(|(looker, _)| *looker == kind);
        let mut all: Vec<Uid> = before.map(|(_, uid)| uid).chain(touched.copied()).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter()
    }
}
