//! What a replay came to, for people and for programs.

use std::time::Duration;

use holdfast_engine::{Hash, State, Timestamp};
use holdfast_eventlog::state_hash;
use serde_json::{Value, json};

use super::style::{Style, Tone};

/// Counts of a state, and its hash: two replays of one log give the same, on any machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    seq: u64,
    at: Timestamp,
    epoch: u64,
    state: Hash,
    took: Duration,
    objects: Vec<(&'static str, usize)>,
}

impl Census {
    /// Counts what a log came to.
    #[must_use]
    pub fn of(state: &State, took: Duration) -> Self {
        Self {
            seq: state.seq,
            at: state.last_at,
            epoch: state.epoch,
            state: state_hash(state),
            took,
            objects: vec![
                ("storages", state.storages.len()),
                ("repositories", state.repositories.len()),
                ("configurations", state.configurations.len()),
                ("backup sessions", state.backups.len()),
                ("restore sessions", state.restores.len()),
                ("snapshots", state.snapshots.len()),
                ("effects under way", state.outbox.len()),
            ],
        }
    }

    /// For people.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let millis = self.took.as_millis();
        let mut out = format!(
            "{}: {} events in {millis} ms, the last at {:#} in epoch {}\n",
            style.paint(Tone::Good, "replayed"),
            self.seq,
            self.at,
            self.epoch
        );
        for (what, count) in &self.objects {
            out.push_str(&format!("  {what:<18}{count}\n"));
        }
        out.push_str(&format!("  {:<18}{}\n", "state hash", self.state));
        out
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let objects: serde_json::Map<String, Value> =
            self.objects.iter().map(|(what, count)| ((*what).into(), (*count).into())).collect();
        json!({
            "seq": self.seq,
            "at": format!("{:#}", self.at),
            "epoch": self.epoch,
            "state": self.state.to_string(),
            "objects": objects,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_log_is_counted_too_and_json_has_no_time_of_its_own() {
        let slow = Census::of(&State::default(), Duration::from_secs(9));
        let quick = Census::of(&State::default(), Duration::ZERO);
        assert!(slow.text(Style::plain()).starts_with("replayed: 0 events in 9000 ms"));
        assert_eq!(slow.json(), quick.json());
    }
}
