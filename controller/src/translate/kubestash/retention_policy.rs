//! RetentionPolicy.

use holdfast_api::storage::{RetentionPolicy, SuccessfulSnapshots};
use holdfast_engine::Command as Any;
use holdfast_engine::declared::Declared;
use holdfast_engine::retention::{Command, Keep, Spec};

use super::{Findings, Identity, usage};

/// Failed snapshots that are kept when nothing is said.
const FAILED_LAST: u32 = 1;

/// The command that declares the policy.
#[must_use]
pub fn declare(identity: Identity, object: &RetentionPolicy) -> Any {
    let Identity { uid, key, generation, hash } = identity;
    Any::Retention(Command::Declare(Declared { uid, key, generation, hash, spec: spec(object) }))
}

/// The fields that decisions use.
#[must_use]
pub fn spec(object: &RetentionPolicy) -> Spec {
    let mut findings = Findings::default();
    let spec = &object.spec;
    let failed = spec.failed_snapshots.as_ref().and_then(|failed| failed.last);
    let max_period = spec.max_retention_period.clone().unwrap_or_default();
    if max_period.is_empty() && spec.successful_snapshots.is_none() {
        findings.add("spec", "maxRetentionPeriod or successfulSnapshots is needed");
    }
    Spec {
        successful: spec.successful_snapshots.as_ref().map(|keep| self::keep(keep, &mut findings)),
        failed_last: findings.count("spec.failedSnapshots.last", failed, FAILED_LAST),
        usage: usage::policy(spec.usage_policy.as_ref()),
        default: spec.default.unwrap_or(false),
        max_period,
        invalid: findings.into_invalid(),
    }
}

fn keep(snapshots: &SuccessfulSnapshots, findings: &mut Findings) -> Keep {
    let mut class = |name: &str, value: Option<i32>| {
        value.map(|_| findings.count(&format!("spec.successfulSnapshots.{name}"), value, 0))
    };
    Keep {
        last: class("last", snapshots.last),
        hourly: class("hourly", snapshots.hourly),
        daily: class("daily", snapshots.daily),
        weekly: class("weekly", snapshots.weekly),
        monthly: class("monthly", snapshots.monthly),
        yearly: class("yearly", snapshots.yearly),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Spec {
        spec(&RetentionPolicy::new("p", serde_json::from_str(text).unwrap()))
    }

    #[test]
    fn absent_classes_are_not_used_and_one_failed_snapshot_is_kept() {
        let spec = of(r#"{"maxRetentionPeriod":"2mo","successfulSnapshots":{"last":5}}"#);
        assert_eq!(spec.max_period, "2mo");
        assert_eq!(spec.successful, Some(Keep { last: Some(5), ..Keep::default() }));
        assert_eq!((spec.failed_last, spec.invalid), (1, None));
    }

    #[test]
    fn a_policy_that_says_nothing_or_less_than_nothing_is_invalid() {
        assert!(of("{}").invalid.unwrap().contains("maxRetentionPeriod"));
        let negative = of(r#"{"successfulSnapshots":{"daily":-1}}"#);
        assert!(negative.invalid.unwrap().starts_with("spec.successfulSnapshots.daily"));
    }
}
