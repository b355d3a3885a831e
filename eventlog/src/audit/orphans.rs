//! Orphans: documents that an event names and that are gone or damaged, documents that nobody names, and
//! streams that this release cannot read.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::{Hash, Illegal, Recorded};

use crate::attachment;
use crate::audit::finding::{Check, Finding};
use crate::error::Error;
use crate::reader::Reader;
use crate::record::Header;
use crate::replay::Machine;

/// Collects the names of documents.
pub(super) struct Orphans {
    /// Events that name documents may be in the archive.
    archived: bool,
    /// Each document, and the first event that names it.
    named: BTreeMap<Hash, u64>,
    last: u64,
    /// Something was recorded that may name documents in a way that this release does not know.
    unread: bool,
    findings: Vec<Finding>,
}

impl Orphans {
    pub(super) fn new(archived: bool) -> Self {
        let (named, findings) = (BTreeMap::new(), Vec::new());
        Self { archived, named, last: 0, unread: false, findings }
    }

    /// Compares the names with what is there.
    pub(super) fn into_findings(mut self, reader: &Reader) -> Result<Vec<Finding>, Error> {
        let there: BTreeSet<Hash> = reader.source().attachments()?.into_iter().collect();
        for (hash, seq) in &self.named {
            let what = match reader.attachment(hash) {
                Ok(Some(_)) => continue,
                Ok(None) => format!("names document {hash}, which is missing"),
                Err(Error::Mismatch { .. }) => format!("names document {hash}, which is damaged"),
                Err(error) => return Err(error),
            };
            self.findings.push(Finding { seq: *seq, check: Check::Orphans, what });
        }
        if !self.archived && !self.unread {
            for hash in there.iter().filter(|hash| !self.named.contains_key(hash)) {
                let what = format!("no event names document {hash}");
                self.findings.push(Finding { seq: self.last, check: Check::Orphans, what });
            }
        }
        Ok(self.findings)
    }
}

impl Machine for Orphans {
    fn record(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        self.last = recorded.seq;
        for hash in attachment::named_by(&recorded.event) {
            self.named.entry(hash).or_insert(recorded.seq);
        }
        Ok(())
    }

    fn unknown(&mut self, header: &Header) {
        self.last = header.seq;
        self.unread = true;
        let (event_type, schema) = (header.event_type, header.schema);
        let what =
            format!("type 0x{event_type:04X} schema {schema} is of a newer release; kept unread");
        self.findings.push(Finding { seq: header.seq, check: Check::Orphans, what });
    }
}
