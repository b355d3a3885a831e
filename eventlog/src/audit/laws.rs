//! Laws: the engine accepts every event in its order, and a replay reaches every checkpoint.

use std::collections::BTreeMap;

use holdfast_engine::{Hash, Illegal, Recorded};

use crate::audit::finding::{Check, Finding};
use crate::checkpoint::Mark;
use crate::fold::Fold;
use crate::record::Header;
use crate::replay::Machine;
use crate::restated::{schema, state_hash};

/// Folds the state beside the log.
pub(super) struct Laws {
    /// None once the fold is no longer that of the log: behind an illegal event, or without a beginning.
    fold: Option<Fold>,
    /// What the chain says of states, by their last event. A mark stands behind what it is about.
    marks: BTreeMap<u64, Vec<Mark>>,
    findings: Vec<Finding>,
}

impl Laws {
    pub(super) fn new(archived: bool, marks: Vec<Mark>) -> Self {
        let fold = (!archived).then(Fold::default);
        let mut laws = Self { fold, marks: BTreeMap::new(), findings: Vec::new() };
        for mark in marks {
            laws.marks.entry(mark.seq).or_default().push(mark);
        }
        laws
    }

    /// Compares the state with the marks that are about it.
    fn hold_against_marks(&mut self) {
        let Some(fold) = &self.fold else { return };
        let Some(marks) = self.marks.remove(&fold.state.seq) else { return };
        let state = state_hash(&fold.state);
        let all_read = fold.unread.is_empty();
        let comparable = |mark: &&Mark| mark.schema == schema() && mark.unread == 0 && all_read;
        for mark in marks.iter().filter(comparable).filter(|mark| mark.state != state) {
            let what = "the checkpoint of this event is not what a replay comes to".to_owned();
            self.findings.push(Finding { seq: mark.seq, check: Check::Laws, what });
        }
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
        self.hold_against_marks();
        Ok(())
    }

    fn unknown(&mut self, header: &Header) {
        if let Some(fold) = &mut self.fold {
            fold.unknown(header);
        }
        self.hold_against_marks();
    }
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{CommandId, Event, Timestamp, lease};

    use super::*;
    use crate::chain::Chain;
    use crate::journal::Position;

    fn began(seq: u64) -> Recorded {
        let holder = "me".to_owned();
        let event = Event::Lease(lease::Event::EpochBegan { holder });
        Recorded { seq, at: Timestamp(1), cause: CommandId::default(), epoch: seq, event }
    }

    #[test]
    fn an_event_that_cannot_follow_is_named_and_nothing_behind_it_is_judged() {
        let mut laws = Laws::new(false, Vec::new());
        laws.record(&began(1)).unwrap();
        laws.record(&began(3)).unwrap();
        laws.record(&began(9)).unwrap();
        let (state, findings) = laws.into_findings();
        assert_eq!(state, None);
        assert_eq!(findings.iter().map(|finding| finding.seq).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_checkpoint_of_another_state_is_named_wherever_its_mark_stands() {
        let mut fold = Fold::default();
        fold.record(&began(1)).unwrap();
        let position = Position::genesis(&Chain::default());
        let (_, mark) = crate::checkpoint::encode(&fold, &[], position).unwrap();
        let wrong = Mark { state: Hash([1; 32]), ..mark };
        let other_shapes = Mark { schema: mark.schema + 1, ..wrong };
        let mut laws = Laws::new(false, vec![mark, wrong, other_shapes]);
        laws.record(&began(1)).unwrap();
        laws.record(&began(2)).unwrap();
        let found: Vec<u64> = laws.into_findings().1.iter().map(|finding| finding.seq).collect();
        assert_eq!(found, [1]);
    }
}
