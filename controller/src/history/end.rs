//! The end of a log, held against an export of it.

use holdfast_engine::{Illegal, Recorded};
use holdfast_eventlog::{Error, Header, Machine, Reader, Until, drive};

/// Whether everything that an export saw acknowledged is in the log.
///
/// # Errors
/// [`Error::BehindAnchor`] if some of it is not, [`Error::Forked`] if it is of another log, and the errors of
/// reading either.
pub fn hold_against(log: &Reader, export: &Reader) -> Result<(), Error> {
    if let Some(damage) = export.head_lost() {
        return Err(damage.into());
    }
    let (have, anchored) = (last(log)?, export.head().seq);
    if have < anchored {
        return Err(Error::BehindAnchor { have, anchored });
    }
    // Checkpoints move the chain value and no event, so that the export's own head may stand behind one.
    match (log.hash_at(anchored)?, export.hash_at(anchored)?) {
        (Some(ours), Some(theirs)) if ours == theirs => Ok(()),
        _ => Err(Error::Forked { seq: anchored }),
    }
}

/// The last event that a reader shows, also of a log without HEAD.
fn last(reader: &Reader) -> Result<u64, Error> {
    let mut last = Last(reader.first_seq() - 1);
    drive(reader, &mut last, Until::End)?;
    Ok(last.0)
}

struct Last(u64);

impl Machine for Last {
    fn record(&mut self, _: &Recorded) -> Result<(), Illegal> {
        Ok(())
    }

    fn header(&mut self, header: &Header) {
        self.0 = header.seq;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use holdfast_engine::{Actor, Command, CommandId, Envelope, Timestamp, lease};
    use holdfast_eventlog::{Export, Ledger, Options};

    use super::*;

    /// Adds a term to the log in a directory.
    fn term(dir: &Path, epoch: u64, holder: &str) {
        let mut ledger = Ledger::open(dir, Options::default()).unwrap();
        let begin = Command::Lease(lease::Command::Begin { holder: holder.into() });
        let id = CommandId([epoch.to_le_bytes()[0]; 16]);
        let at = Timestamp(i64::try_from(epoch).unwrap());
        let envelope = Envelope { id, at, actor: Actor::Operator, epoch, command: begin };
        assert_eq!(ledger.submit(&[envelope]).unwrap().recorded.len(), 1);
        ledger.close().unwrap();
    }

    fn export(dir: &Path) -> Reader {
        let reader = Reader::open(dir, None).unwrap();
        Export::of(&reader).unwrap().reader(None).unwrap()
    }

    #[test]
    fn a_log_that_contains_its_export_fits_it_with_and_without_head() {
        let dir = tempfile::tempdir().unwrap();
        term(dir.path(), 1, "me");
        let earlier = export(dir.path());
        term(dir.path(), 2, "me");
        for head in [true, false] {
            if !head {
                std::fs::remove_file(dir.path().join("HEAD")).unwrap();
            }
            let log = Reader::open(dir.path(), None).unwrap();
            assert_eq!(log.head_lost().is_none(), head);
            hold_against(&log, &earlier).unwrap();
        }
    }

    #[test]
    fn a_log_that_lost_events_or_is_another_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        term(&one, 1, "me");
        term(&other, 1, "somebody else");
        let before = export(&one);
        term(&one, 2, "me");
        let after = export(&one);
        let behind = hold_against(&before, &after);
        assert!(matches!(behind, Err(Error::BehindAnchor { have: 1, anchored: 2 })));
        let log = Reader::open(&one, None).unwrap();
        let fork = hold_against(&log, &export(&other));
        assert!(matches!(fork, Err(Error::Forked { seq: 1 })));
    }
}
