//! Making a checkpoint beside the log: from a copy of the state, and from the journal, which has all places.

use std::collections::BTreeSet;
use std::thread::JoinHandle;

use crate::chain::Chain;
use crate::checkpoint::{self, Mark, runs_of};
use crate::error::Error;
use crate::fold::Fold;
use crate::index::run::{Places, Run, RunName};
use crate::index::{Doubt, FramePlace};
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::scan::{Scan, beginning};
use crate::journal::source::Source;
use crate::limits::{CHECKPOINTS_KEPT, RUN_EVENTS, RUNS_MERGED};
use crate::record::Header;

/// What the newest checkpoint that the chain vouches for has.
#[derive(Clone, Debug)]
pub(crate) struct Covered {
    /// Behind its last event.
    pub(crate) at: Position,
    /// Where the places of its events are.
    pub(crate) runs: Vec<RunName>,
}

/// A checkpoint to be made.
pub(crate) struct Job {
    pub(crate) dir: Directory,
    pub(crate) chain: Chain,
    pub(crate) fold: Fold,
    /// Behind the last event of the fold.
    pub(crate) at: Position,
    pub(crate) before: Covered,
    /// Last event in the newest checkpoint that has a mark.
    pub(crate) vouched: u64,
}

/// A checkpoint that is on disk, and that no mark names yet.
pub(crate) struct Made {
    pub(crate) mark: Mark,
    pub(crate) covered: Covered,
}

impl Job {
    /// Makes it here.
    pub(crate) fn make(self) -> Result<Made, Error> {
        let Self { dir, chain, fold, at, before, vouched } = self;
        dir.files.make(&dir.checkpoints_path())?;
        dir.files.make(&dir.positions_path())?;
        sweep(&dir, vouched)?;
        let since = runs_since(&dir, &chain, &before, at)?;
        let runs = match merge(&dir, &chain, since)? {
            Ok(runs) => runs,
            Err(Doubt(reason)) => {
                tracing::warn!(reason, "positions are made again from the journal");
                let nothing = Covered { at: beginning(&dir, &chain)?, runs: Vec::new() };
                runs_since(&dir, &chain, &nothing, at)?
            }
        };
        let (bytes, mark) = checkpoint::encode(&fold, &runs, at)?;
        dir.files.write_whole(&dir.checkpoint_path(mark.seq), &bytes)?;
        Ok(Made { mark, covered: Covered { at, runs } })
    }
}

/// A checkpoint on its way.
pub(crate) enum Making {
    /// On a thread of its own.
    Beside { seq: u64, thread: Option<JoinHandle<Result<Made, Error>>> },
    /// It was made at once.
    Ended(Box<Result<Made, Error>>),
}

impl Making {
    /// Begins: beside the caller on a disk; in memory at once, so that a seed reproduces a run.
    pub(crate) fn begin(job: Job) -> Self {
        if !job.dir.files.on_disk() {
            return Self::Ended(Box::new(job.make()));
        }
        let seq = job.fold.state.seq;
        let thread = std::thread::Builder::new().name("checkpoint".into());
        match thread.spawn(move || job.make()) {
            Ok(thread) => Self::Beside { seq, thread: Some(thread) },
            Err(source) => {
                let path = std::path::PathBuf::from("checkpoint");
                let error = Error::Io { doing: "start a thread for", path, source };
                Self::Ended(Box::new(Err(error)))
            }
        }
    }

    /// Whether asking for its outcome does not wait.
    pub(crate) fn has_ended(&self) -> bool {
        match self {
            Self::Beside { thread, .. } => thread.as_ref().is_none_or(JoinHandle::is_finished),
            Self::Ended(_) => true,
        }
    }

    /// Its outcome; waits for it.
    pub(crate) fn outcome(mut self) -> Result<Made, Error> {
        match &mut self {
            Self::Ended(made) => std::mem::replace(made.as_mut(), Err(Error::Poisoned)),
            Self::Beside { seq, thread } => match thread.take().map(JoinHandle::join) {
                Some(Ok(made)) => made,
                Some(Err(_)) | None => Err(Error::Encode {
                    what: "a checkpoint",
                    reason: format!("the thread for event {seq} panicked"),
                }),
            },
        }
    }
}

impl Drop for Making {
    /// Nothing is written after the log is let go.
    fn drop(&mut self) {
        if let Self::Beside { thread, .. } = self {
            thread.take().map(JoinHandle::join);
        }
    }
}

/// Removes what no start asks for: checkpoints that the chain has not vouched for, those behind the newest
/// ones, and the positions that none of the rest names.
fn sweep(dir: &Directory, vouched: u64) -> Result<(), Error> {
    let mut kept = dir.checkpoints()?;
    kept.retain(|seq| *seq <= vouched);
    let newest: BTreeSet<u64> = kept.into_iter().rev().take(CHECKPOINTS_KEPT).collect();
    let mut named = BTreeSet::new();
    for seq in dir.checkpoints()? {
        if !newest.contains(&seq) {
            dir.files.remove(&dir.checkpoint_path(seq))?;
        } else if let Some(bytes) = dir.checkpoint(seq)? {
            named.extend(runs_of(&bytes).unwrap_or_default().iter().map(|run| run.path(dir)));
        }
    }
    for name in dir.files.names(&dir.positions_path(), |name| Some(name.to_owned()))? {
        let path = dir.positions_path().join(name);
        if !named.contains(&path) {
            dir.files.remove(&path)?;
        }
    }
    Ok(())
}

/// The runs up to a place: those before it, and new ones of what the journal has since.
fn runs_since(
    dir: &Directory,
    chain: &Chain,
    before: &Covered,
    at: Position,
) -> Result<Vec<RunName>, Error> {
    let base = beginning(dir, chain)?;
    let from = if before.at.before(&base) { base } else { before.at };
    let mut runs = before.runs.clone();
    let mut scan = Scan::new(dir, chain, from, at)?;
    let mut places = Places::default();
    let mut first = from.seq + 1;
    while !scan.beyond_head() {
        let Some(found) = scan.next()? else { break };
        let place = FramePlace { segment: found.start.segment, offset: found.start.offset };
        let headers: Vec<Header> = found.records.iter().map(|(header, _)| *header).collect();
        places.note(place, &headers);
        let seq = scan.position().seq;
        if seq + 1 >= first + RUN_EVENTS {
            runs.push(store(dir, &places, (first, seq))?);
            (places, first) = (Places::default(), seq + 1);
        }
    }
    if first <= at.seq {
        runs.push(store(dir, &places, (first, at.seq))?);
    }
    Ok(runs)
}

fn store(dir: &Directory, places: &Places, ends: (u64, u64)) -> Result<RunName, Error> {
    let (bytes, name) = places.encode(ends);
    dir.files.write_whole(&name.path(dir), &bytes)?;
    Ok(name)
}

/// Puts the newest runs together when they are many and small: what is looked for is looked for in each.
fn merge(
    dir: &Directory,
    chain: &Chain,
    mut runs: Vec<RunName>,
) -> Result<Result<Vec<RunName>, Doubt>, Error> {
    let large = runs.iter().rposition(|run| run.events() >= RUN_EVENTS);
    let small = runs.split_off(large.map_or(0, |last| last + 1));
    let (Some(first), Some(last)) = (small.first(), small.last()) else { return Ok(Ok(runs)) };
    if small.len() < RUNS_MERGED {
        runs.extend(small);
        return Ok(Ok(runs));
    }
    let base = beginning(dir, chain)?;
    let mut places = Places::default();
    for name in &small {
        let taken =
            Run::open(dir, *name).and_then(|run| places.take(&run, (base.seq, base.segment)));
        if let Err(doubt) = taken {
            return Ok(Err(doubt));
        }
    }
    runs.push(store(dir, &places, (first.first, last.last))?);
    Ok(Ok(runs))
}
