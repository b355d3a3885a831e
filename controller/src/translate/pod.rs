//! What a worker's pod copies from a pod and its volumes: the part of their specs that the engine carries.
//!
//! What is not understood is left out, so that the pod waits where it could have run, and never runs where it must not.

use holdfast_engine::survey::{
    Access, NodeTerm, Operator, Requirement, SeLinux, Security, Surroundings, Taint, Toleration,
};
use serde_json::Value;

/// Tolerations, security context and ServiceAccount of a pod, whose `container` has the volumes: what a container
/// says of itself goes before what its pod says.
#[must_use]
pub fn surroundings(spec: &Value, container: &Value) -> Surroundings {
    let tolerations = list(&spec["tolerations"]).filter_map(toleration);
    Surroundings {
        tolerations: tolerations.collect(),
        security: security(&spec["securityContext"], &container["securityContext"]),
        service_account: text(&spec["serviceAccountName"]),
        ..Surroundings::default()
    }
}

fn toleration(from: &Value) -> Option<Toleration> {
    let exists = match from["operator"].as_str() {
        None | Some("" | "Equal") => false,
        Some("Exists") => true,
        Some(_) => return None,
    };
    let effect = match from["effect"].as_str() {
        None | Some("") => None,
        Some("NoSchedule") => Some(Taint::NoSchedule),
        Some("PreferNoSchedule") => Some(Taint::PreferNoSchedule),
        Some("NoExecute") => Some(Taint::NoExecute),
        Some(_) => return None,
    };
    Some(Toleration {
        key: text(&from["key"]),
        value: (!exists).then(|| text(&from["value"])),
        effect,
        seconds: from["tolerationSeconds"].as_i64(),
    })
}

fn security(pod: &Value, container: &Value) -> Security {
    let number = |name: &str| container[name].as_i64().or(pod[name].as_i64());
    let labels =
        [container, pod].into_iter().map(|of| &of["seLinuxOptions"]).find(|l| l.is_object());
    Security {
        user: number("runAsUser"),
        group: number("runAsGroup"),
        fs_group: pod["fsGroup"].as_i64(),
        supplemental_groups: list(&pod["supplementalGroups"]).filter_map(Value::as_i64).collect(),
        se_linux: labels.map(|of| SeLinux {
            user: text(&of["user"]),
            role: text(&of["role"]),
            kind: text(&of["type"]),
            level: text(&of["level"]),
        }),
    }
}

/// `accessModes`.
#[must_use]
pub fn access(modes: &Value) -> Vec<Access> {
    let known = |mode: &Value| match mode.as_str()? {
        "ReadWriteOnce" => Some(Access::ReadWriteOnce),
        "ReadOnlyMany" => Some(Access::ReadOnlyMany),
        "ReadWriteMany" => Some(Access::ReadWriteMany),
        "ReadWriteOncePod" => Some(Access::ReadWriteOncePod),
        _ => None,
    };
    list(modes).filter_map(known).collect()
}

/// `nodeAffinity` of a PersistentVolume. A term with a requirement that is not understood becomes an empty one,
/// which fits no node: fewer nodes fit then, never others.
#[must_use]
pub fn affinity(of: &Value) -> Vec<NodeTerm> {
    let term = |term: &Value| {
        let all = |name: &str| list(&term[name]).map(requirement).collect::<Option<Vec<_>>>();
        Some(NodeTerm { labels: all("matchExpressions")?, fields: all("matchFields")? })
    };
    list(&of["required"]["nodeSelectorTerms"]).map(|of| term(of).unwrap_or_default()).collect()
}

fn requirement(from: &Value) -> Option<Requirement> {
    let operator = match from["operator"].as_str()? {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt,
        "Lt" => Operator::Lt,
        _ => return None,
    };
    let values = list(&from["values"]).map(text).collect();
    Some(Requirement { key: text(&from["key"]), operator, values })
}

/// A quantity of bytes as Kubernetes writes it, rounded up; none for what is no quantity.
#[must_use]
pub fn quantity(of: &Value) -> Option<u64> {
    let written = match of {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let end = written.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(written.len());
    let (number, suffix) = written.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let factor: u128 = match suffix {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        _ => return None,
    };
    let whole: u128 = whole.parse::<u64>().ok()?.into();
    let digits = u32::try_from(fraction.len()).ok().filter(|digits| *digits <= 9)?;
    let parts: u128 = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()?.into() };
    let scale = 10_u128.pow(digits);
    u64::try_from((whole * scale + parts).checked_mul(factor)?.div_ceil(scale)).ok()
}

fn list(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

fn text(of: &Value) -> String {
    of.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_goes_before_its_pod() {
        let spec = json!({
            "serviceAccountName": "db",
            "tolerations": [
                {"key": "dedicated", "value": "db", "effect": "NoSchedule"},
                {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "odd", "operator": "Near"},
            ],
            "securityContext": {
                "runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4, 5],
                "seLinuxOptions": {"level": "s0:c1,c2"},
            },
        });
        let container = json!({"securityContext": {"runAsUser": 26}});
        let found = surroundings(&spec, &container);
        let of = |key: &str, value: Option<&str>, effect, seconds| Toleration {
            key: key.into(),
            value: value.map(Into::into),
            effect: Some(effect),
            seconds,
        };
        assert_eq!(
            found.tolerations,
            [
                of("dedicated", Some("db"), Taint::NoSchedule, None),
                of("", None, Taint::NoExecute, Some(300))
            ]
        );
        let level = SeLinux { level: "s0:c1,c2".into(), ..SeLinux::default() };
        let expected = Security {
            user: Some(26),
            group: Some(2),
            fs_group: Some(3),
            supplemental_groups: vec![4, 5],
            se_linux: Some(level),
        };
        assert_eq!((found.security, found.service_account.as_str()), (expected, "db"));
        assert_eq!(surroundings(&Value::Null, &Value::Null), Surroundings::default());
    }

    #[test]
    fn a_term_that_is_not_understood_makes_no_node_fit() {
        let zone = json!({"key": "zone", "operator": "In", "values": ["a", "b"]});
        let odd = json!({"key": "zone", "operator": "Near", "values": ["c"]});
        let affinity = affinity(&json!({"required": {"nodeSelectorTerms": [
            {"matchExpressions": [zone]}, {"matchExpressions": [zone, odd]},
        ]}}));
        let values = vec!["a".into(), "b".into()];
        let requirement = Requirement { key: "zone".into(), operator: Operator::In, values };
        let fits = NodeTerm { labels: vec![requirement], fields: vec![] };
        assert_eq!(affinity, [fits, NodeTerm::default()]);
    }

    #[test]
    fn quantities_are_whole_bytes() {
        for (written, bytes) in [
            (json!("10Gi"), Some(10 << 30)),
            (json!("1.5Ki"), Some(1536)),
            (json!("0.0001k"), Some(1)),
            (json!("500M"), Some(500_000_000)),
            (json!(4096), Some(4096)),
            (json!("16000Pi"), Some(16_000 << 50)),
            (json!("99999Pi"), None),
            (json!("1e3"), None),
            (json!("x"), None),
            (Value::Null, None),
        ] {
            assert_eq!(quantity(&written), bytes, "{written}");
        }
    }
}
