//! `usagePolicy`: who may refer to an object.

use holdfast_api::storage::{AllowedFrom, UsagePolicy as ApiPolicy};
use holdfast_engine::usage::{Requirement, Selector, UsagePolicy};

/// The policy as the defaulting webhook would leave it: absent means the object's own namespace, a policy
/// that says nothing denies everybody.
#[must_use]
pub fn policy(policy: Option<&ApiPolicy>) -> Option<UsagePolicy> {
    let Some(policy) = policy else { return Some(UsagePolicy::Same) };
    let allowed = policy.allowed_namespaces.as_ref()?;
    Some(match allowed.from.unwrap_or(AllowedFrom::Same) {
        AllowedFrom::All => UsagePolicy::All,
        AllowedFrom::Same => UsagePolicy::Same,
        AllowedFrom::Selector => {
            let selector = allowed.selector.as_ref()?;
            UsagePolicy::Selector(Selector {
                match_labels: selector.match_labels.clone().unwrap_or_default(),
                match_expressions: selector
                    .match_expressions
                    .iter()
                    .flatten()
                    .map(|r| Requirement {
                        key: r.key.clone(),
                        operator: r.operator.clone(),
                        values: r.values.clone().unwrap_or_default(),
                    })
                    .collect(),
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Option<UsagePolicy> {
        let parsed: Option<ApiPolicy> = serde_json::from_str(text).unwrap();
        policy(parsed.as_ref())
    }

    #[test]
    fn each_form_has_its_meaning() {
        assert_eq!(from("null"), Some(UsagePolicy::Same));
        assert_eq!(from("{}"), None);
        assert_eq!(from(r#"{"allowedNamespaces":{}}"#), Some(UsagePolicy::Same));
        assert_eq!(from(r#"{"allowedNamespaces":{"from":"All"}}"#), Some(UsagePolicy::All));
        assert_eq!(from(r#"{"allowedNamespaces":{"from":"Selector"}}"#), None);
        let selected = from(
            r#"{"allowedNamespaces":{"from":"Selector","selector":{"matchLabels":{"a":"b"},
                "matchExpressions":[{"key":"c","operator":"In","values":["d"]}]}}}"#,
        );
        let Some(UsagePolicy::Selector(selector)) = selected else { panic!("{selected:?}") };
        assert_eq!(selector.match_labels["a"], "b");
        assert_eq!(selector.match_expressions[0].values, ["d"]);
    }
}
