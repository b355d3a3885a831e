//! From the files to the state: frames are proven, and what is behind a usable checkpoint is decoded and
//! applied.

use crate::chain::Chain;
use crate::checkpoint::{Candidate, Mark};
use crate::error::{Damage, Error, Fault};
use crate::fold::Fold;
use crate::journal::Position;
use crate::journal::scan::{Found, Scan, beginning};
use crate::journal::source::Source;
use crate::replay::{Until, feed};

/// Sees every frame, for what is rebuilt on the way.
pub(crate) trait Witness {
    /// The next frame.
    fn frame(&mut self, found: &Found<'_>);
}

/// Nobody watches.
pub(crate) struct Unwitnessed;

impl Witness for Unwitnessed {
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

/// Goes on with a fold from the place behind its last event; the fold, and where the log ends.
///
/// # Errors
/// [`Error::Damaged`] at the first damage before HEAD.
pub(crate) fn go_on(
    source: &dyn Source,
    chain: &Chain,
    mut fold: Fold,
    (from, head, extent): (Position, Position, Extent),
    witness: &mut dyn Witness,
) -> Result<(Fold, Position), Error> {
    let mut scan = Scan::new(source, chain, from, head)?;
    while !(extent == Extent::Acknowledged && scan.beyond_head()) {
        let Some(found) = scan.next()? else { break };
        witness.frame(&found);
        for (header, payload) in &found.records {
            feed(&mut fold, header, payload, &found.start)?;
        }
    }
    Ok((fold, scan.position()))
}

/// Folds a log from its beginning on, every frame of it proven; the fold, and where the log ends. What a
/// checkpoint has is not decoded.
///
/// # Errors
/// [`Error::Damaged`] at the first damage before HEAD.
pub(crate) fn recover(
    source: &dyn Source,
    chain: &Chain,
    head: Position,
    (extent, until): (Extent, Until),
) -> Result<(Fold, Position), Error> {
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
        if let Some(recovered) = attempt.run(Some(candidate))? {
            return Ok(recovered);
        }
    }
    let from_nothing = if start.seq == 0 { attempt.run(None)? } else { None };
    from_nothing.ok_or_else(|| no_checkpoint(start))
}

/// A log whose beginning is archived has nothing to begin with.
pub(crate) fn no_checkpoint(start: Position) -> Error {
    let Position { seq: after, segment, offset, .. } = start;
    Error::Damaged(Damage { after, segment, offset, what: Fault::Checkpoint })
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
    /// One pass; `None` if the chain does not vouch for the candidate. Its mark may stand far behind it, so
    /// that this is only known at the end.
    fn run(&self, candidate: Option<Candidate>) -> Result<Option<(Fold, Position)>, Error> {
        let mut scan = Scan::new(self.source, self.chain, self.start, self.head)?;
        let mut fold = candidate.as_ref().map(|c| c.fold.clone()).unwrap_or_default();
        let from = fold.state.seq;
        let mut vouched = candidate.is_none();
        let mut reached = false;
        while !(reached && vouched || self.extent == Extent::Acknowledged && scan.beyond_head()) {
            let Some(found) = scan.next()? else { break };
            if let Some(mark) = Mark::of(&found) {
                vouched |= candidate.as_ref().is_some_and(|c| c.is(&mark));
            }
            for (header, payload) in &found.records {
                reached |= !self.until.includes(header);
                if header.seq > from && !reached {
                    feed(&mut fold, header, payload, &found.start)?;
                }
            }
        }
        let end = scan.position();
        Ok(vouched.then_some((fold, end)))
    }
}
