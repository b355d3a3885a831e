//! From the files to the state: every frame is proven, and what is behind the newest usable
//! checkpoint is decoded and applied.

use crate::chain::Chain;
use crate::checkpoint::{Candidate, Mark};
use crate::error::{Damage, Error, Fault};
use crate::journal::Position;
use crate::journal::scan::{Found, Scan, beginning};
use crate::journal::source::Source;
use crate::replay::{Fold, Until, feed};

/// What a log came to.
pub(crate) struct Recovered {
    pub(crate) fold: Fold,
    /// Behind the last frame that was taken.
    pub(crate) end: Position,
    /// The last checkpoint in the chain.
    pub(crate) mark: Option<Mark>,
}

/// Sees every frame, for what is rebuilt on the way.
pub(crate) trait Witness {
    /// All seen so far does not count.
    fn restart(&mut self);
    /// The next frame.
    fn frame(&mut self, found: &Found<'_>);
}

/// Nobody watches.
pub(crate) struct Unwitnessed;

impl Witness for Unwitnessed {
    fn restart(&mut self) {}
    fn frame(&mut self, _: &Found<'_>) {}
}

/// Which frames count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Up to HEAD: what a reader may show.
    Acknowledged,
    /// To the end of what is valid: what a writer goes on from.
    Valid,
}

/// Folds a log.
///
/// # Errors
/// [`Error::Damaged`] at the first damage before HEAD.
pub(crate) fn recover(
    source: &dyn Source,
    chain: &Chain,
    head: Position,
    (extent, until): (Extent, Until),
    witness: &mut dyn Witness,
) -> Result<Recovered, Error> {
    let start = beginning(source, chain)?;
    let attempt = Attempt { source, chain, start, head, extent, until };
    for seq in source.checkpoints()?.into_iter().rev() {
        let usable = match until {
            Until::Seq(last) => seq <= last,
            Until::End | Until::Time(_) => true,
        };
        if !usable || seq < start.seq {
            continue;
        }
        let Some(bytes) = source.checkpoint(seq)? else { continue };
        let Some(candidate) = Candidate::decode(&bytes) else { continue };
        let too_late = matches!(until, Until::Time(at) if candidate.fold.state.last_at > at);
        if too_late {
            continue;
        }
        witness.restart();
        if let Some(recovered) = attempt.run(Some(candidate), witness)? {
            return Ok(recovered);
        }
    }
    witness.restart();
    let from_nothing = if start.seq == 0 { attempt.run(None, witness)? } else { None };
    from_nothing.ok_or(Error::Damaged(Damage {
        after: start.seq,
        segment: start.segment,
        offset: start.offset,
        what: Fault::Checkpoint,
    }))
}

struct Attempt<'a> {
    source: &'a dyn Source,
    chain: &'a Chain,
    start: Position,
    head: Position,
    extent: Extent,
    until: Until,
}

impl Attempt<'_> {
    /// One pass; `None` if the chain does not vouch for the candidate.
    fn run(
        &self,
        candidate: Option<Candidate>,
        witness: &mut dyn Witness,
    ) -> Result<Option<Recovered>, Error> {
        let mut scan = Scan::new(self.source, self.chain, self.start, self.head)?;
        let mut fold = candidate.as_ref().map(|c| c.fold.clone()).unwrap_or_default();
        let from = fold.state.seq;
        let mut vouched = candidate.is_none();
        let mut last_mark = None;
        'frames: while !(self.extent == Extent::Acknowledged && scan.beyond_head()) {
            let Some(found) = scan.next()? else { break };
            witness.frame(&found);
            if let Some(mark) = Mark::of(&found) {
                last_mark = Some(mark);
                vouched |= candidate.as_ref().is_some_and(|c| c.is(&mark));
            }
            for (header, payload) in &found.records {
                if header.seq <= from {
                    continue;
                }
                if !vouched {
                    return Ok(None);
                }
                if !self.until.includes(header) {
                    break 'frames;
                }
                feed(&mut fold, header, payload, &found.start)?;
            }
        }
        let end = scan.position();
        Ok(vouched.then_some(Recovered { fold, end, mark: last_mark }))
    }
}
