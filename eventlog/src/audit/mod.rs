//! Audit: proves a log without owning it, from its directory, a copy or an export. Nothing is changed.
//!
//! Each check is a [`Machine`]; all of them see one replay. A finding names a sequence number.

mod finding;
mod gaps;
mod laws;
mod orphans;

use holdfast_engine::{Hash, Illegal, Recorded};

use crate::checkpoint::Mark;
use crate::error::Error;
use crate::reader::Reader;
use crate::reader::drive;
use crate::record::Header;
use crate::replay::{Machine, Until};
pub use finding::{Check, Finding};

/// What an audit came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Events that were proven.
    pub events: u64,
    /// First event that is here.
    pub first: u64,
    /// Last event that is proven.
    pub last: u64,
    /// Chain value of HEAD.
    pub hash: Hash,
    /// Hash of the state that the events come to ([`crate::state_hash`]); absent if the log's beginning
    /// is archived.
    pub state: Option<Hash>,
    /// What is wrong, in the order of the log.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// All checks on one replay.
struct All {
    gaps: gaps::Gaps,
    laws: laws::Laws,
    orphans: orphans::Orphans,
}

impl Machine for All {
    fn record(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        self.laws.record(recorded)?;
        self.orphans.record(recorded)
    }

    fn header(&mut self, header: &Header) {
        self.gaps.header(header);
    }

    fn unknown(&mut self, header: &Header) {
        self.laws.unknown(header);
        self.orphans.unknown(header);
    }
}

/// Checks everything that a reader sees.
///
/// # Errors
/// Only if the files cannot be read; what is wrong with the log is in the report.
pub fn audit(reader: &Reader) -> Result<Report, Error> {
    let archived = reader.first_seq() > 1;
    let mut all = All {
        gaps: gaps::Gaps::new(archived),
        laws: laws::Laws::new(archived, marks(reader)?),
        orphans: orphans::Orphans::new(archived),
    };
    let mut findings = Vec::new();
    if let Some(damage) = reader.head_lost() {
        findings.push(Finding { seq: 0, check: Check::Chain, what: damage.what.to_string() });
    }
    match drive(reader, &mut all, Until::End) {
        Ok(_) => {}
        Err(Error::Damaged(damage)) => {
            let what = damage.to_string();
            findings.push(Finding { seq: damage.after, check: Check::Chain, what });
        }
        Err(error) => return Err(error),
    }
    let last = all.gaps.last().unwrap_or(reader.first_seq() - 1);
    findings.extend(all.gaps.into_findings());
    let (state, broken_laws) = all.laws.into_findings();
    findings.extend(broken_laws);
    findings.extend(all.orphans.into_findings(reader)?);
    findings.sort_by_key(|finding| (finding.seq, finding.check));
    let first = reader.first_seq();
    let events = (last + 1).saturating_sub(first);
    Ok(Report { events, first, last, hash: reader.head().hash, state, findings })
}

/// All marks of the chain, up to its first damage.
fn marks(reader: &Reader) -> Result<Vec<Mark>, Error> {
    let mut marks = Vec::new();
    let mut scan = match reader.scan() {
        Err(Error::Damaged(_)) => return Ok(marks),
        scan => scan?,
    };
    while !reader.at_end(&scan) {
        match scan.next() {
            Ok(Some(found)) => marks.extend(Mark::of(&found)),
            Ok(None) | Err(Error::Damaged(_)) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(marks)
}
