//! Anchors: what somebody else remembers of the log's end. A log that was rolled back, or replaced, does
//! not fit them.

use std::fmt;
use std::str::FromStr;

use holdfast_engine::Hash;

use crate::error::Error;
use crate::journal::Position;
use crate::journal::directory::parse_hash;
use crate::reader::Reader;

/// The end of a log at some time: short enough for an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Epoch of the last frame.
    pub epoch: u64,
    /// Last sequence number.
    pub seq: u64,
    /// Chain value behind it.
    pub hash: Hash,
}

/// How a log stands to an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It ends where the anchor is.
    Same,
    /// It contains the anchor and goes on.
    Ahead,
    /// It ends before the anchor.
    Behind {
        /// Its last sequence number.
        have: u64,
    },
    /// At the anchor it has another history.
    Fork,
}

impl From<Position> for Anchor {
    fn from(at: Position) -> Self {
        Self { epoch: at.epoch, seq: at.seq, hash: at.hash }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.epoch, self.seq, self.hash)
    }
}

/// A text that is no anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("anchor {0:?} is not epoch/sequence/hash")]
pub struct NotAnAnchor(String);

impl FromStr for Anchor {
    type Err = NotAnAnchor;

    fn from_str(text: &str) -> Result<Self, NotAnAnchor> {
        let mut parts = text.splitn(3, '/');
        let mut part = || parts.next().unwrap_or_default();
        let (epoch, seq, hash) = (part().parse(), part().parse(), parse_hash(part()));
        match (epoch, seq, hash) {
            (Ok(epoch), Ok(seq), Some(hash)) => Ok(Self { epoch, seq, hash }),
            _ => Err(NotAnAnchor(text.to_owned())),
        }
    }
}

/// Compares a log with an anchor.
///
/// A checkpoint moves the chain value without moving the sequence number, so every value that stood
/// behind the anchor's event counts.
///
/// # Errors
/// [`Error::Damaged`] if damage stands in the way.
pub fn compare(reader: &Reader, anchor: &Anchor) -> Result<Relation, Error> {
    let mut scan = reader.scan_near(anchor.seq)?;
    let mut met = false;
    loop {
        let at = scan.position();
        met |= at.seq == anchor.seq && at.hash == anchor.hash;
        if at.seq > anchor.seq || reader.at_end(&scan) || scan.next()?.is_none() {
            break;
        }
    }
    let end = reader.head();
    Ok(match (met, end.seq) {
        (true, _) if end.hash == anchor.hash => Relation::Same,
        (true, _) => Relation::Ahead,
        (false, have) if have < anchor.seq => Relation::Behind { have },
        // What was archived can no longer be compared; the chain behind it still holds.
        (false, _) if anchor.seq < reader.first_seq() - 1 => Relation::Ahead,
        (false, _) => Relation::Fork,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_survives_being_written() {
        let anchor = Anchor { epoch: 3, seq: 99, hash: Hash([0xA5; 32]) };
        assert_eq!(anchor.to_string().parse(), Ok(anchor));
        assert!("3/99".parse::<Anchor>().is_err());
        assert!("3/x/00".parse::<Anchor>().is_err());
    }
}
