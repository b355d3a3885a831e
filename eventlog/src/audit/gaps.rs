//! Gaps: what the chain cannot see, because a mistaken writer chains it as well.

use std::collections::BTreeMap;

use holdfast_engine::Timestamp;

use crate::audit::finding::{Check, Finding};
use crate::record::{Header, StreamKey};

/// Follows versions of streams, and times.
pub(super) struct Gaps {
    /// The first version of a stream is only known for a log that is here from its beginning.
    archived: bool,
    versions: BTreeMap<StreamKey, u32>,
    last: Option<(u64, Timestamp)>,
    findings: Vec<Finding>,
}

impl Gaps {
    pub(super) fn new(archived: bool) -> Self {
        Self { archived, versions: BTreeMap::new(), last: None, findings: Vec::new() }
    }

    pub(super) fn header(&mut self, header: &Header) {
        let known = self.versions.insert(header.stream, header.version);
        let expected = match known {
            Some(before) => Some(before + 1),
            None if self.archived => None,
            None => Some(1),
        };
        if let Some(expected) = expected.filter(|expected| *expected != header.version) {
            let found = header.version;
            self.add(header.seq, format!("version {found} of its stream where {expected} is next"));
        }
        if let Some((_, at)) = self.last.filter(|(_, at)| *at > header.at) {
            let back = at.since(header.at).0;
            self.add(header.seq, format!("{back} ms before the event it follows"));
        }
        self.last = Some((header.seq, header.at));
    }

    /// Last sequence number that was seen.
    pub(super) fn last(&self) -> Option<u64> {
        self.last.map(|(seq, _)| seq)
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    fn add(&mut self, seq: u64, what: String) {
        self.findings.push(Finding { seq, check: Check::Gaps, what });
    }
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{CommandId, Uid};

    use super::*;

    fn header(seq: u64, version: u32, at: i64) -> Header {
        Header {
            seq,
            epoch: 1,
            at: Timestamp(at),
            cause: CommandId::default(),
            stream: StreamKey { kind: 1, uid: Uid::default() },
            version,
            event_type: 0x0101,
            schema: 1,
            codec: 1,
            length: 0,
        }
    }

    #[test]
    fn a_version_that_is_left_out_and_a_time_that_runs_back_are_named() {
        let mut gaps = Gaps::new(false);
        for (seq, version, at) in [(1, 1, 10), (2, 2, 10), (3, 4, 11), (4, 5, 9)] {
            gaps.header(&header(seq, version, at));
        }
        let found: Vec<u64> = gaps.into_findings().iter().map(|finding| finding.seq).collect();
        assert_eq!(found, [3, 4]);
    }

    #[test]
    fn a_stream_may_begin_in_the_archive() {
        let mut gaps = Gaps::new(true);
        gaps.header(&header(90, 7, 10));
        gaps.header(&header(91, 8, 10));
        assert!(gaps.into_findings().is_empty());
    }
}
