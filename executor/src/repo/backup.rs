//! Backup: from sources to a committed snapshot that was read back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::parent::{self, Earlier};
use super::snapshots::source_rule;
use super::{
    Collection, Commit, Committed, Intent, Open, Repo, WriteOptions, WriteSession, Writer, Written,
    emptied,
};
use crate::digest::{BlobId, SnapshotName};
use crate::error::{Error, Result};
use crate::index::DedupIndex;
use crate::job::{Backup, Source};
use crate::limits::SNAPSHOT_MAX_LABELS;
use crate::pipeline::{self, Input, SourceTally, Tally};
use crate::report::{BackupFigures, Phase, Progress, SourceFigures};
use crate::snapshot::{Counts, Root, Snapshot};
use crate::source::{Excludes, Marker, logical_of, plan};
use crate::store::Discard;

/// Share of the byte budget that each worker takes before it starts: one file of 8 MiB, two runs of 6 MiB,
/// a block sealed, opened and plain.
const WORKER_BYTES: u64 = 32 * 1024 * 1024;

/// What a verb is run with.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// When the job began, nanoseconds since 1970.
    pub at: i64,
    /// Threads that move data; 0 means one for each processor.
    pub workers: usize,
    /// Bytes that buffers may take; 0 means as many as the workers need. There is always one worker.
    pub memory_bytes: u64,
    /// Who hears how far it is.
    pub progress: &'a dyn Progress,
    /// The repository, as progress names it.
    pub repository: &'a str,
}

/// Threads that this process may run at once.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl Environment<'_> {
    pub(super) fn threads(&self) -> usize {
        let wanted = match self.workers {
            0 => processors(),
            workers => workers,
        };
        match self.memory_bytes {
            0 => wanted,
            bytes => wanted.min((bytes / WORKER_BYTES) as usize).max(1),
        }
    }

    fn tell(&self, phase: Phase, tally: &Tally) -> Result<()> {
        self.progress.update(&tally.update(self.repository, phase));
        if self.progress.cancelled() {
            return Err(Error::Interrupted);
        }
        Ok(())
    }
}

/// A backup that is done.
#[derive(Debug)]
pub struct Backed {
    /// Its snapshot.
    pub committed: Committed,
    /// What was counted; `requests` is left to whoever owns the store.
    pub figures: BackupFigures,
}

/// Backs up into one repository.
///
/// # Errors
/// `Superseded` when this attempt was committed already; `SourceMissing`, `SourceUnreadable` and `EmptySource`
/// when no source is left; `EmptyStream`; those of the store, the write session and the commit; `ReadBack`. Entries that cannot be
/// read are no errors: they make the snapshot partial.
pub fn backup(repo: &Repo<Open>, job: &Backup, environment: &Environment<'_>) -> Result<Backed> {
    let began = Instant::now();
    check_sources(&job.sources)?;
    let selection = selection_of(job)?;
    let writer = Writer {
        session: job.session.clone(),
        component: job.component.clone(),
        host: job.host.clone(),
        started_ms: environment.at / 1_000_000,
        gc_generation: 0,
    };
    let intent = repo.put_intent(writer)?;
    let mut intent = Some(intent);
    let result = with_intent(repo, job, environment, began, selection, &mut intent);
    if let Some(intent) = intent {
        // One that stays would only delay a collection.
        let _ = intent.release(repo);
    }
    result
}

/// What a backup would come to, by the same walk, the same claims and the same compression. Nothing is put
/// into the store and nothing deleted; `bytes_added` is what packs would take.
///
/// # Errors
/// As [`backup`], without those of the commit.
pub fn rehearse_backup(
    repo: &Repo<Open>,
    job: &Backup,
    environment: &Environment<'_>,
) -> Result<BackupFigures> {
    check_sources(&job.sources)?;
    let store = Arc::new(Discard::new(repo.store.clone()));
    let repo = Repo { store, state: repo.state.clone() };
    let selection = selection_of(job)?;
    let moved = move_data(&repo, job, environment, &selection, None)?;
    let Moved { written, mut figures, before, .. } = moved;
    figures.take(&written);
    figures.repository_bytes = before + written.bytes_stored;
    Ok(figures)
}

/// All that a session has done before its commit.
struct Moved {
    collection: Collection,
    parent: Option<SnapshotName>,
    dedup: Arc<DedupIndex>,
    tree: BlobId,
    written: Written,
    tally: Tally,
    figures: BackupFigures,
    /// Bytes of the packs that were there.
    before: u64,
}

fn move_data(
    repo: &Repo<Open>,
    job: &Backup,
    environment: &Environment<'_>,
    selection: &[String],
    intent: Option<&Intent>,
) -> Result<Moved> {
    let seen = repo.overview()?;
    let name = repo.keys().snapshot_name(&job.session, &job.component, job.attempt_number);
    let Earlier { parent, same_sources, other_host } =
        parent::find(repo, job, selection, &name, &seen.snapshots)?;
    let indexed = repo.index_for_writing(&seen)?;
    let dedup = Arc::new(DedupIndex::new(indexed.index().clone()));
    let mut session = WriteSession::begin(repo, dedup.clone(), WriteOptions::default())?;
    if let Some(intent) = intent {
        session = session.renewing(intent)?;
    }
    let tally = Tally::new(job.sources.len());
    let exclude = Excludes::new(&job.selection)?;
    let input = Input {
        previous: parent
            .as_ref()
            .and_then(|(_, snapshot)| snapshot.roots.first())
            .map(|root| (root.tree, indexed.reader())),
        ..input(repo, job, environment, exclude, &session)?
    };
    let tree = match pipeline::run(&input, &tally) {
        Err(Error::Interrupted) => {
            drop(input);
            // What was sent is named, so that the next run finds it and does not send it again.
            let _ = session.finish();
            return Err(Error::Interrupted);
        }
        done => done?,
    };
    // What newer rules leave out is not gone.
    let comparable = parent.is_some() || tally.excluded.get() == 0;
    let before = if comparable { &same_sources[..] } else { &[] };
    emptied::check(job, before, &indexed.reader(), &tally)?;
    let mut figures = figures_of(job, &tally);
    figures.unfit_globs = input.exclude.unfit();
    let previous = input.previous.as_ref().map(|(tree, _)| *tree);
    figures.same_as_parent = previous == Some(tree);
    figures.other_host = other_host;
    drop(input);
    let written = session.finish()?;
    let before = indexed.index().packs().iter().map(|pack| pack.size).sum();
    let parent = parent.map(|(name, _)| name);
    let collection = seen.collection;
    Ok(Moved { collection, parent, dedup, tree, written, tally, figures, before })
}

fn with_intent(
    repo: &Repo<Open>,
    job: &Backup,
    environment: &Environment<'_>,
    began: Instant,
    selection: Vec<String>,
    intent: &mut Option<Intent>,
) -> Result<Backed> {
    let moved = move_data(repo, job, environment, &selection, intent.as_ref())?;
    let Moved { collection, parent, dedup, tree, written, tally, mut figures, before } = moved;
    environment.tell(Phase::Committing, &tally)?;
    let mut snapshot = snapshot_of(job, environment, selection, parent, tree, &figures);
    snapshot.ended_ms += began.elapsed().as_millis() as i64;
    let Some(intent) = intent.take() else {
        return Err(Error::Defect("an intent was used twice"));
    };
    let committed = repo.commit(Commit { intent, collection, dedup, written, snapshot })?;
    figures.take(&committed.written);
    environment.progress.update(&tally.update(environment.repository, Phase::ReadingBack));
    figures.read_back = repo.read_back(&committed.written)?;
    figures.repository_bytes = before + committed.written.bytes_stored;
    Ok(Backed { committed, figures })
}

impl BackupFigures {
    /// Fills in what only the write session knows.
    fn take(&mut self, written: &Written) {
        self.bytes_added = written.bytes_stored;
        self.blobs_new = written.blobs_added;
        self.bytes_new = written.bytes_added;
        share(self.bytes_added, &mut self.sources);
    }
}

/// Refuses a job of which no source is there, before anything is written. Where only some are missing, the
/// others are worth a backup: those that are missing are named when it comes to them.
fn check_sources(sources: &[Source]) -> Result<()> {
    let mut errors = Vec::new();
    for source in sources {
        let (Source::Directory { path, .. } | Source::Path { path }) = source else {
            return Ok(());
        };
        match std::fs::metadata(path) {
            Ok(_) => return Ok(()),
            Err(error) => errors.push(pipeline::unreadable_source(path, error)),
        }
    }
    Error::of_sources(errors.into_iter()).map_or(Ok(()), Err)
}

/// The rules that a parent must share, as text.
///
/// # Errors
/// When there are more of them than a snapshot can hold.
fn selection_of(job: &Backup) -> Result<Vec<String>> {
    let mut rules = Vec::new();
    let mut seen = HashSet::new();
    for source in &job.sources {
        // One rule for all documents: they may be more than a snapshot names rules.
        let rule = logical_of(source).map_or("documents".to_owned(), |path| source_rule(&path));
        if seen.insert(rule.clone()) {
            rules.push(rule);
        }
    }
    let selection = &job.selection;
    rules.extend(selection.exclude.iter().map(|glob| format!("exclude {glob}")));
    rules.extend(selection.iexclude.iter().map(|glob| format!("exclude ignoring case {glob}")));
    let markers = selection.exclude_if_present.iter();
    rules.extend(markers.map(|marker| format!("exclude if present {marker}")));
    let largest = selection.exclude_larger_than;
    rules.extend(largest.map(|bytes| format!("exclude larger than {bytes}")));
    if selection.one_file_system {
        rules.push("one file system".to_owned());
    }
    match rules.len() {
        found if found > SNAPSHOT_MAX_LABELS => Err(Error::Limit {
            what: "number of sources and globs, which a snapshot names one by one,",
            limit: SNAPSHOT_MAX_LABELS as u64,
            found: found as u64,
        }),
        _ => Ok(rules),
    }
}

/// What goes through the pipeline, but for the parent.
fn input<'a>(
    repo: &Repo<Open>,
    job: &Backup,
    environment: &Environment<'a>,
    exclude: Excludes,
    session: &'a WriteSession,
) -> Result<Input<'a>> {
    let markers = job.selection.exclude_if_present.iter();
    Ok(Input {
        plan: plan(&job.sources)?,
        exclude,
        markers: markers.map(|text| Marker::parse(text)).collect::<Result<_>>()?,
        largest: job.selection.exclude_larger_than.unwrap_or(u64::MAX),
        one_file_system: job.selection.one_file_system,
        network: job.selection.network_file_system,
        reading: job.reading,
        started: environment.at,
        previous: None,
        session,
        keys: repo.keys().clone(),
        chunker: repo.chunker(),
        workers: environment.threads(),
        progress: environment.progress,
        repository: environment.repository,
    })
}

fn figures_of(job: &Backup, tally: &Tally) -> BackupFigures {
    let (unreadable, changed_while_read, attributes_unreadable) = tally.lists();
    let empty =
        job.sources.iter().zip(tally.sources()).enumerate().filter(|(number, (_, source))| {
            // Of one that is named twice, the second has no entries at all.
            source.entries().directories > 0
                && source.entries().holds_nothing()
                && !tally.has_failed(*number)
        });
    let empty_sources = empty.filter_map(|(_, (source, _))| logical_of(source)).collect();
    BackupFigures {
        entries: tally.entries(),
        files_new: tally.files_new.get(),
        files_changed: tally.files_changed.get(),
        files_unmodified: tally.files_unmodified.get(),
        files_opened: tally.files_opened.get(),
        bytes_processed: tally.bytes(),
        blobs_reused: tally.blobs_reused.get(),
        data_blobs_new: tally.data_blobs_new.get(),
        unreadable,
        changed_while_read,
        attributes_unreadable,
        empty_sources,
        files_distrusted: tally.files_distrusted.get(),
        excluded: tally.excluded.get(),
        sources: tally.sources().iter().map(source_figures).collect(),
        ..Default::default()
    }
}

fn source_figures(source: &SourceTally) -> SourceFigures {
    SourceFigures {
        entries: source.entries(),
        bytes_processed: source.bytes.get(),
        bytes_new: source.bytes_new.get(),
        bytes_added: 0,
    }
}

/// Divides what the store gained among the sources, by what was new of each. What division leaves over, and
/// everything when nothing of any source was new, goes to the first.
fn share(gained: u64, sources: &mut [SourceFigures]) {
    let all: u128 = sources.iter().map(|source| u128::from(source.bytes_new)).sum();
    let mut left = gained;
    for source in &mut *sources {
        let part = u128::from(gained) * u128::from(source.bytes_new);
        source.bytes_added = part.checked_div(all).unwrap_or(0) as u64;
        left -= source.bytes_added;
    }
    if let Some(first) = sources.first_mut() {
        first.bytes_added += left;
    }
}

fn snapshot_of(
    job: &Backup,
    environment: &Environment<'_>,
    selection: Vec<String>,
    parent: Option<SnapshotName>,
    tree: BlobId,
    figures: &BackupFigures,
) -> Snapshot {
    let entries = &figures.entries;
    Snapshot {
        session: job.session.clone(),
        component: job.component.clone(),
        attempt: job.attempt_number,
        partial: figures.unreadable.count > 0,
        started_ms: environment.at / 1_000_000,
        ended_ms: environment.at / 1_000_000,
        host: job.host.clone(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        roots: vec![Root { path: b"/".to_vec(), tree }],
        tags: job.tags.iter().cloned().collect(),
        labels: job.labels.clone(),
        selection,
        parent,
        counts: Counts {
            files: entries.files,
            directories: entries.directories,
            others: entries.symlinks + entries.special,
            bytes: figures.bytes_processed,
            unchanged: figures.files_unmodified,
            unreadable: figures.unreadable.count,
            ..Default::default()
        },
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_the_sources_add_up_to_what_the_store_gained() {
        for (gained, new, expected) in [
            (100, &[1, 1, 1][..], &[34, 33, 33][..]),
            (100, &[0, 3, 1], &[0, 75, 25]),
            (7, &[0, 0], &[7, 0]),
            (0, &[5, 5], &[0, 0]),
            (u64::MAX, &[u64::MAX, u64::MAX], &[u64::MAX / 2 + 1, u64::MAX / 2]),
            (9, &[], &[]),
        ] {
            let mut sources: Vec<_> = new
                .iter()
                .map(|bytes_new| SourceFigures { bytes_new: *bytes_new, ..Default::default() })
                .collect();
            share(gained, &mut sources);
            let shares: Vec<_> = sources.iter().map(|source| source.bytes_added).collect();
            assert_eq!(shares, expected, "{gained} among {new:?}");
        }
    }
}
