//! A condition of a session, by the name that its users see.

use holdfast_engine::condition::{Condition, Type};
use holdfast_engine::view::fold::{SessionFold, SessionStatus};

/// The session has no such condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has no condition {wanted:?}; it has {}", if .there.is_empty() { "none yet".into() } else { .there.join(", ") })]
pub struct NoSuchCondition {
    /// What was asked for.
    pub wanted: String,
    /// What there is.
    pub there: Vec<&'static str>,
}

/// The type of the condition of this name, in any case.
///
/// # Errors
/// [`NoSuchCondition`] with those that there are.
pub fn of(fold: &SessionFold, wanted: &str) -> Result<Type, NoSuchCondition> {
    let conditions = match fold.status() {
        Some(SessionStatus::Backup(status)) => status.conditions,
        Some(SessionStatus::Restore(status)) => status.conditions,
        None => Vec::new(),
    };
    find(&conditions, wanted)
}

fn find(conditions: &[Condition], wanted: &str) -> Result<Type, NoSuchCondition> {
    let mut kinds = conditions.iter().map(|condition| condition.kind);
    kinds.find(|kind| kind.as_str().eq_ignore_ascii_case(wanted)).ok_or_else(|| NoSuchCondition {
        wanted: wanted.into(),
        there: conditions.iter().map(|condition| condition.kind.as_str()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use holdfast_engine::Timestamp;
    use holdfast_engine::condition::Conditions;

    use super::*;

    #[test]
    fn a_name_that_is_not_there_lists_those_that_are() {
        let mut facts = Conditions::default();
        facts.state(Timestamp(1), Type::SnapshotsEnsured, None);
        facts.state(Timestamp(2), Type::MetricsPushed, None);
        let conditions: Vec<Condition> = facts.iter().cloned().collect();
        assert_eq!(find(&conditions, "metricspushed"), Ok(Type::MetricsPushed));
        assert_eq!(
            find(&conditions, "Ready").unwrap_err().to_string(),
            "it has no condition \"Ready\"; it has SnapshotsEnsured, MetricsPushed"
        );
        assert!(find(&[], "Ready").unwrap_err().to_string().ends_with("it has none yet"));
    }
}
