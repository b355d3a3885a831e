//! Opening a log: lock, take up the newest checkpoint and the index, prove every frame behind it, go on
//! behind the last valid one. What lies before the checkpoint is proven meanwhile.

use crate::anchor::{Anchor, Relation, compare};
use crate::chain::{Chain, ChainKey};
use crate::checkpoint::Candidate;
use crate::checkpoint::make::Covered;
use crate::error::Error;
use crate::files::Files;
use crate::fold::Fold;
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::scan::{acknowledged, beginning};
use crate::journal::source::Source;
use crate::journal::writer::Writer;
use crate::limits::{CHECKPOINT_EVERY_EVENTS, MIN_SEGMENT_BYTES, SEGMENT_BYTES};
use crate::lock::Lock;
use crate::positions::Positions;
use crate::proof::Proof;
use crate::reader::Reader;
use crate::recover::{Extent, Unwitnessed, go_on, no_checkpoint};
use crate::resume;

/// How a log is opened. The defaults are for production; tests make segments and intervals small.
#[derive(Clone, Debug)]
pub struct Options {
    /// Makes the chain a MAC. Fixed for the life of a log.
    pub key: Option<ChainKey>,
    /// What somebody else remembers of the log; a log that is behind it is not opened for writing.
    pub anchor: Option<Anchor>,
    /// Size of new segments.
    pub segment_bytes: u32,
    /// Events between two checkpoints.
    pub checkpoint_every_events: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: None,
            anchor: None,
            segment_bytes: SEGMENT_BYTES,
            checkpoint_every_events: CHECKPOINT_EVERY_EVENTS,
        }
    }
}

/// Everything a ledger starts with.
pub(crate) struct Opened {
    pub(crate) dir: Directory,
    pub(crate) writer: Writer,
    pub(crate) fold: Fold,
    pub(crate) positions: Positions,
    /// Last event in the newest checkpoint that has a mark.
    pub(crate) mark: u64,
    pub(crate) proof: Proof,
    pub(crate) lock: Lock,
}

pub(crate) fn open(files: Files, options: &Options) -> Result<Opened, Error> {
    check(options)?;
    files.make_root()?;
    let dir = Directory::new(files);
    let lock = Lock::take(&dir)?;
    let chain = Chain::new(options.key.clone());
    if is_new(&dir)? {
        if let Some(anchor) = &options.anchor {
            return Err(Error::BehindAnchor { have: 0, anchored: anchor.seq });
        }
        dir.files.remove(&dir.segment_path(1))?;
        let writer = Writer::create(dir.clone(), chain.clone(), options.segment_bytes)?;
        let at = writer.position();
        let positions = Positions::open(&dir, &chain, &at, &Covered { at, runs: Vec::new() })?;
        let proof = Proof::begin(&dir, &chain, (at, at));
        return Ok(Opened { dir, writer, fold: Fold::default(), positions, mark: 0, proof, lock });
    }
    let (generation, head) = acknowledged(&dir, &chain)?;
    let start = beginning(&dir, &chain)?;
    let resumed = resume(&dir, &chain, (start, head))?;
    let mut positions = Positions::open(&dir, &chain, &head, &resumed.covered)?;
    if positions.from() != resumed.covered.at {
        positions.fill(resumed.covered.at)?;
    }
    let from = resumed.covered.at;
    let (fold, end) =
        go_on(&dir, &chain, resumed.fold, (from, head, Extent::Valid), &mut positions)?;
    if let Some(anchor) = &options.anchor {
        hold_against(anchor, &dir, options)?;
    }
    let proof = Proof::begin(&dir, &chain, (start, from));
    let acknowledged = (generation, head);
    let writer = Writer::resume(dir.clone(), chain, options.segment_bytes, acknowledged, end)?;
    Ok(Opened { dir, writer, fold, positions, mark: resumed.marked, proof, lock })
}

/// What a start goes on from.
struct Resumed {
    fold: Fold,
    covered: Covered,
    marked: u64,
}

/// The newest usable checkpoint, or the beginning.
fn resume(
    dir: &Directory,
    chain: &Chain,
    (start, head): (Position, Position),
) -> Result<Resumed, Error> {
    match resume::newest(dir, chain, start, head)? {
        Some((Candidate { fold, runs, .. }, mark)) => {
            let covered = Covered { at: mark.position, runs };
            Ok(Resumed { fold, covered, marked: mark.seq })
        }
        None if start.seq > 0 => Err(no_checkpoint(start)),
        None => {
            let covered = Covered { at: start, runs: Vec::new() };
            Ok(Resumed { fold: Fold::default(), covered, marked: 0 })
        }
    }
}

/// The fold of everything acknowledged, from the files.
pub(crate) fn reload(dir: &Directory, options: &Options) -> Result<Fold, Error> {
    let chain = Chain::new(options.key.clone());
    let (_, head) = acknowledged(dir, &chain)?;
    let Resumed { fold, covered, .. } = resume(dir, &chain, (beginning(dir, &chain)?, head))?;
    let way = (covered.at, head, Extent::Acknowledged);
    go_on(dir, &chain, fold, way, &mut Unwitnessed).map(|(fold, _)| fold)
}

fn check(options: &Options) -> Result<(), Error> {
    if options.segment_bytes < MIN_SEGMENT_BYTES {
        return Err(Error::Setting {
            setting: "segment size",
            value: u64::from(options.segment_bytes),
            bounds: "at least 4 KiB",
        });
    }
    if options.checkpoint_every_events == 0 {
        return Err(Error::Setting {
            setting: "checkpoint interval",
            value: 0,
            bounds: "at least 1 event",
        });
    }
    Ok(())
}

/// No HEAD, and at most a first segment without a frame: the making of the log was interrupted.
pub(crate) fn is_new(dir: &Directory) -> Result<bool, Error> {
    if dir.head()?.is_some() || dir.base()?.is_some() {
        return Ok(false);
    }
    Ok(match dir.segments()?.as_slice() {
        [] => true,
        [1] => {
            let bytes = dir.segment(1)?.unwrap_or_default();
            let header = crate::bytes::to_usize(crate::journal::segment::HEADER_BYTES);
            bytes.iter().skip(header).all(|byte| *byte == 0)
        }
        _ => false,
    })
}

fn hold_against(anchor: &Anchor, dir: &Directory, options: &Options) -> Result<(), Error> {
    let reader = Reader::open_in(&dir.files, options.key.clone())?;
    match compare(&reader, anchor)? {
        Relation::Same | Relation::Ahead => Ok(()),
        Relation::Behind { have } => Err(Error::BehindAnchor { have, anchored: anchor.seq }),
        Relation::Fork => Err(Error::Forked { seq: anchor.seq }),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{Actor, Command, CommandId, Envelope, Timestamp, lease};

    use std::fs;

    use super::*;
    use crate::ledger::{Answer, Ledger, Refusal};

    fn term(epoch: u64) -> Envelope {
        Envelope {
            id: CommandId([epoch.to_le_bytes()[0]; 16]),
            at: Timestamp(5),
            actor: Actor::Operator,
            epoch,
            command: Command::Lease(lease::Command::Begin { holder: "me".into() }),
        }
    }

    fn small() -> Options {
        Options { segment_bytes: MIN_SEGMENT_BYTES, ..Options::default() }
    }

    #[test]
    fn an_interrupted_making_is_begun_again() {
        let root = tempfile::tempdir().unwrap();
        drop(Ledger::open(root.path(), small()).unwrap());
        fs::remove_file(root.path().join("HEAD")).unwrap();
        let mut ledger = Ledger::open(root.path(), small()).unwrap();
        assert_eq!(ledger.submit(&[term(1)]).unwrap().recorded.len(), 1);
    }

    /// /dev/full takes the place of the disk that is full.
    #[test]
    fn without_space_commands_are_refused_and_it_recovers_alone() {
        let root = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(root.path(), small()).unwrap();
        ledger.submit(&[term(1)]).unwrap();
        let next = root.path().join("journal/next");
        std::os::unix::fs::symlink("/dev/full", &next).unwrap();
        let full = ledger.submit(&[term(2), term(3)]).unwrap();
        assert!(full.recorded.is_empty());
        assert!(matches!(
            full.answers.as_slice(),
            [Answer::Refused(Refusal::NoSpace(_)), Answer::Refused(Refusal::NoSpace(_))]
        ));
        assert_eq!(ledger.reader().unwrap().range(1, 9).unwrap().len(), 1, "reading goes on");
        assert_eq!(ledger.submit(&[term(2)]).unwrap().recorded.len(), 1, "and writing, with space");
    }

    #[test]
    fn another_error_of_the_disk_poisons_the_ledger() {
        let root = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(root.path(), small()).unwrap();
        ledger.submit(&[term(1)]).unwrap();
        fs::create_dir(root.path().join("journal/next")).unwrap();
        assert!(ledger.submit(&[term(2)]).unwrap_err().is_fatal());
        assert_eq!(ledger.state().seq, 1);
        assert!(matches!(ledger.submit(&[term(2)]), Err(Error::Poisoned)));
        drop(ledger);
        fs::remove_dir(root.path().join("journal/next")).unwrap();
        let mut ledger = Ledger::open(root.path(), small()).unwrap();
        assert_eq!(ledger.submit(&[term(2)]).unwrap().recorded.len(), 1);
    }
}
