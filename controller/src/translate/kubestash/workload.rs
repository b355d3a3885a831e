//! Targets: workloads and claims, as far as the engine asks about them.

use holdfast_engine::dependency::Facts;
use serde_json::Value;

/// The facts of a target.
#[must_use]
pub fn facts(kind: &str, object: &Value) -> Facts {
    let replicas = matches!(kind, "StatefulSet" | "Deployment").then(|| replicas(object));
    Facts::Target { replicas }
}

/// `spec.replicas`, which is one when absent.
#[must_use]
pub fn replicas(object: &Value) -> u32 {
    match &object["spec"]["replicas"] {
        Value::Null => 1,
        given => given.as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_replicas_are_one() {
        let three = serde_json::json!({"spec": {"replicas": 3}});
        assert_eq!(facts("StatefulSet", &three), Facts::Target { replicas: Some(3) });
        assert_eq!(facts("Deployment", &Value::Null), Facts::Target { replicas: Some(1) });
        assert_eq!(facts("DaemonSet", &three), Facts::Target { replicas: None });
    }
}
