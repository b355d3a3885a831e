//! Who may use a storage, a policy or a hook template (behaviour reference, section 8).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// `usagePolicy.allowedNamespaces`; an absent policy denies everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UsagePolicy {
    /// Every namespace.
    All,
    /// The object's own namespace.
    Same,
    /// Namespaces whose labels match.
    Selector(Selector),
}

/// A label selector; an invalid one matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selector {
    /// Labels that must be equal.
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements, all of which must hold.
    pub match_expressions: Vec<Requirement>,
}

/// One requirement of a label selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Label key.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`; anything else is invalid.
    pub operator: String,
    /// Values, for `In` and `NotIn`.
    pub values: Vec<String>,
}

impl UsagePolicy {
    /// Whether objects of namespace `using`, which has these labels, may use the object in `own`.
    ///
    /// `labels` is absent when the namespace is not known: a selector then denies.
    #[must_use]
    pub fn allows(
        &self,
        own: &str,
        using: &str,
        labels: Option<&BTreeMap<String, String>>,
    ) -> bool {
        match self {
            Self::All => true,
            Self::Same => own == using,
            Self::Selector(selector) => labels.is_some_and(|labels| selector.matches(labels)),
        }
    }
}

impl Selector {
    /// Whether these labels meet every requirement; an empty selector matches, an invalid one never.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|r| r.holds(labels).unwrap_or(false))
    }

    /// What is wrong with it, if anything: the requirement's key and why.
    #[must_use]
    pub fn invalid(&self) -> Option<(&str, &'static str)> {
        let none = BTreeMap::new();
        self.match_expressions
            .iter()
            .find_map(|r| r.holds(&none).err().map(|why| (r.key.as_str(), why)))
    }
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> Result<bool, &'static str> {
        let listed = || labels.get(&self.key).is_some_and(|value| self.values.contains(value));
        match (self.operator.as_str(), self.values.is_empty()) {
            ("In", false) => Ok(listed()),
            ("NotIn", false) => Ok(!listed()),
            ("In" | "NotIn", true) => Err("needs values"),
            ("Exists", true) => Ok(labels.contains_key(&self.key)),
            ("DoesNotExist", true) => Ok(!labels.contains_key(&self.key)),
            ("Exists" | "DoesNotExist", false) => Err("takes no values"),
            _ => Err("has an unknown operator; use In, NotIn, Exists or DoesNotExist"),
        }
    }
}

/// Whether namespace `using` may use the object in `own`; without a policy nobody may.
#[must_use]
pub fn allowed(
    policy: Option<&UsagePolicy>,
    own: &str,
    using: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> bool {
    policy.is_some_and(|policy| policy.allows(own, using, labels))
}

/// Whether namespace `using` may refer to an object in `own` that carries this annotation
/// `holdfast.dev/allowed-namespaces`: names between commas, or `*` (design, D13).
#[must_use]
pub fn annotated(annotation: Option<&str>, own: &str, using: &str) -> bool {
    let listed =
        |text: &str| text.split(',').map(str::trim).any(|name| name == "*" || name == using);
    own == using || annotation.is_some_and(listed)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    fn expression(operator: &str, values: &[&str]) -> Selector {
        let values = values.iter().map(|v| (*v).into()).collect();
        let requirement = Requirement { key: "tier".into(), operator: operator.into(), values };
        Selector { match_labels: BTreeMap::new(), match_expressions: vec![requirement] }
    }

    #[test]
    fn from_says_who() {
        let gold = labels(&[("tier", "gold")]);
        let selector = UsagePolicy::Selector(expression("In", &["gold"]));
        for (policy, using, known, expected) in [
            (None, "own", true, false),
            (Some(UsagePolicy::All), "other", false, true),
            (Some(UsagePolicy::Same), "own", false, true),
            (Some(UsagePolicy::Same), "other", true, false),
            (Some(selector.clone()), "other", true, true),
            (Some(selector.clone()), "other", false, false),
            // The own namespace has no privilege before a selector.
            (Some(selector), "own", false, false),
        ] {
            let labels = known.then_some(&gold);
            assert_eq!(
                allowed(policy.as_ref(), "own", using, labels),
                expected,
                "{policy:?} {using}"
            );
        }
    }

    #[test]
    fn requirements_follow_kubernetes() {
        let (gold, none) = (labels(&[("tier", "gold")]), labels(&[]));
        for (selector, with, without) in [
            (expression("In", &["gold", "silver"]), true, false),
            (expression("In", &["silver"]), false, false),
            (expression("NotIn", &["gold"]), false, true),
            (expression("Exists", &[]), true, false),
            (expression("DoesNotExist", &[]), false, true),
            (expression("In", &[]), false, false),
            (expression("Exists", &["x"]), false, false),
            (expression("Near", &["gold"]), false, false),
            (Selector::default(), true, true),
        ] {
            assert_eq!((selector.matches(&gold), selector.matches(&none)), (with, without));
        }
        assert_eq!(expression("Near", &["x"]).invalid().map(|(key, _)| key), Some("tier"));
        assert_eq!(expression("NotIn", &["x"]).invalid(), None);
    }

    #[test]
    fn all_requirements_must_hold() {
        let mut selector = expression("Exists", &[]);
        selector.match_labels = labels(&[("env", "prod")]);
        assert!(selector.matches(&labels(&[("tier", "x"), ("env", "prod")])));
        assert!(!selector.matches(&labels(&[("tier", "x"), ("env", "dev")])));
        assert!(!selector.matches(&labels(&[("env", "prod")])));
    }

    #[test]
    fn an_annotation_lists_namespaces() {
        for (annotation, using, expected) in [
            (None, "own", true),
            (None, "other", false),
            (Some(""), "own", true),
            (Some(""), "other", false),
            (Some("a, other"), "other", true),
            (Some("others"), "other", false),
            (Some("*"), "other", true),
            (Some("oth*"), "other", false),
        ] {
            assert_eq!(annotated(annotation, "own", using), expected, "{annotation:?} {using}");
        }
    }
}
