//! Laws: the engine accepts every event in its order, and a replay reaches every checkpoint.

use holdfast_engine::{Hash, Illegal, Recorded};

use crate::audit::{Check, Finding};
use crate::checkpoint::{Mark, STATE_SCHEMA, state_hash};
use crate::record::Header;
use crate::replay::{Fold, Machine};

/// Folds the state beside the log.
pub(super) struct Laws {
    /// None once the fold is no longer that of the log: behind an illegal event, or without a beginning.
    fold: Option<Fold>,
    findings: Vec<Finding>,
}

impl Laws {
    pub(super) fn new(archived: bool) -> Self {
        Self { fold: (!archived).then(Fold::default), findings: Vec::new() }
    }

    /// Hash of the state at the end, and what was found.
    pub(super) fn into_findings(self) -> (Option<Hash>, Vec<Finding>) {
        (self.fold.map(|fold| state_hash(&fold.state)), self.findings)
    }
}

impl Machine for Laws {
    fn record(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        let Some(fold) = &mut self.fold else { return Ok(()) };
        if let Err(illegal) = fold.record(recorded) {
            let what = illegal.to_string();
            self.findings.push(Finding { seq: recorded.seq, check: Check::Laws, what });
            self.fold = None;
        }
        Ok(())
    }

    fn unknown(&mut self, header: &Header) {
        if let Some(fold) = &mut self.fold {
            fold.unknown(header);
        }
    }

    fn checkpoint(&mut self, mark: &Mark) {
        let Some(fold) = &self.fold else { return };
        if mark.schema == STATE_SCHEMA && mark.state != state_hash(&fold.state) {
            let what = "the checkpoint here is not what a replay comes to".to_owned();
            self.findings.push(Finding { seq: mark.seq, check: Check::Laws, what });
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{CommandId, Event, Timestamp, lease};

    use super::*;

    fn began(seq: u64) -> Recorded {
        let holder = "me".to_owned();
        let event = Event::Lease(lease::Event::EpochBegan { holder });
        Recorded { seq, at: Timestamp(1), cause: CommandId::default(), epoch: seq, event }
    }

    #[test]
    fn an_event_that_cannot_follow_is_named_and_nothing_behind_it_is_judged() {
        let mut laws = Laws::new(false);
        laws.record(&began(1)).unwrap();
        laws.record(&began(3)).unwrap();
        laws.record(&began(9)).unwrap();
        let (state, findings) = laws.into_findings();
        assert_eq!(state, None);
        assert_eq!(findings.iter().map(|finding| finding.seq).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_checkpoint_of_another_state_is_named() {
        let mut laws = Laws::new(false);
        laws.record(&began(1)).unwrap();
        let state = state_hash(&laws.fold.as_ref().unwrap().state);
        let mark = Mark { seq: 1, schema: STATE_SCHEMA, length: 0, file: Hash([0; 32]), state };
        laws.checkpoint(&mark);
        laws.checkpoint(&Mark { state: Hash([1; 32]), ..mark });
        assert_eq!(laws.into_findings().1.len(), 1);
    }
}
