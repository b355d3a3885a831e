//! Who may use a storage, a policy or a hook template (behaviour reference, section 8).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::TypedRef;

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

/// How far references across namespaces go; the operator records what it is installed with (`crossNamespaceReferences`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum References {
    /// Only to what allows it by its annotation.
    #[default]
    Annotated,
    /// To Secrets and Repositories as well; targets have to allow it.
    AnyButTargets,
    /// To everything, as KubeStash does.
    Any,
}

impl References {
    /// As the chart spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Annotated => "annotated",
            Self::AnyButTargets => "any-but-targets",
            Self::Any => "any",
        }
    }

    /// The setting of this spelling.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Annotated, Self::AnyButTargets, Self::Any].into_iter().find(|s| s.as_str() == name)
    }
}

/// Reason of a condition that says that a reference is not allowed.
pub const DENIED: &str = "CrossNamespaceReferenceDenied";

/// What every object that allows references has them written in.
const ANNOTATION: &str = "holdfast.dev/allowed-namespaces";

/// What ends the annotation of a Namespace in which Jobs may be given pods of their own making.
const WITH_JOBS: &str = ":jobs";

/// What stands in another namespace and is referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referred {
    /// A Secret; it has the annotation.
    Secret,
    /// A Repository; it has the annotation.
    Repository,
    /// What is backed up or restored; its Namespace has the annotation. The field by which the user brings a
    /// container, a ServiceAccount or a volume into the pod that works there.
    Target(Option<&'static str>),
}

/// Why a reference is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The annotation does not name the namespace that refers.
    Unnamed,
    /// It does, and does not allow Jobs to be given this.
    Jobs(&'static str),
}

/// Whether an object of namespace `using` may refer to one in `own`, whose annotation `holdfast.dev/allowed-namespaces`
/// is this: names between commas, or `*` (design, D13).
///
/// # Errors
/// [`Denied`], of which [`refusal`] tells the ways out.
pub fn consent(
    setting: References,
    referred: Referred,
    annotation: Option<&str>,
    own: &str,
    using: &str,
) -> Result<(), Denied> {
    let free = match setting {
        References::Annotated => false,
        References::AnyButTargets => !matches!(referred, Referred::Target(_)),
        References::Any => true,
    };
    if free || own == using {
        return Ok(());
    }
    let annotation = annotation.unwrap_or_default().trim();
    let (list, jobs) = match (annotation.strip_suffix(WITH_JOBS), referred) {
        (Some(list), Referred::Target(_)) => (list, true),
        _ => (annotation, false),
    };
    if !list.split(',').map(str::trim).any(|name| name == "*" || name == using) {
        return Err(Denied::Unnamed);
    }
    match referred {
        Referred::Target(Some(field)) if !jobs => Err(Denied::Jobs(field)),
        _ => Ok(()),
    }
}

/// What a condition says of a refused reference to an object, with both ways out.
#[must_use]
pub fn refusal(
    denied: Denied,
    referred: Referred,
    object: &dyn core::fmt::Display,
    own: &str,
    using: &str,
) -> String {
    // The narrowest setting that would do.
    let (annotation, setting) = match referred {
        Referred::Target(_) => {
            (format!("annotation {ANNOTATION} of Namespace {own}"), References::Any)
        }
        Referred::Secret | Referred::Repository => {
            (format!("its annotation {ANNOTATION}"), References::AnyButTargets)
        }
    };
    let (why, change) = match denied {
        Denied::Unnamed => (
            format!("{object} is in another namespace and does not allow {using}"),
            format!("add {using} to {annotation}"),
        ),
        Denied::Jobs(field) => (
            format!("{object} is in another namespace, which does not allow {field} of {using}"),
            format!("end {annotation} with {WITH_JOBS}"),
        ),
    };
    let setting = setting.as_str();
    format!("{why}; {change}, or run the operator with --cross-namespace-references {setting}")
}

/// The namespace that a target is in, or that it is.
#[must_use]
pub fn home(target: &TypedRef) -> &str {
    match (target.api_group.as_str(), target.kind.as_str()) {
        ("", "Namespace") => &target.name,
        _ => &target.namespace,
    }
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
    fn who_refers_to_what_under_which_setting() {
        use References::{Annotated, Any, AnyButTargets};
        use Referred::{Repository, Secret, Target};
        const OK: Result<(), Denied> = Ok(());
        const NO: Result<(), Denied> = Err(Denied::Unnamed);
        const JOBS: Result<(), Denied> = Err(Denied::Jobs("volumes"));
        let (plain, made) = (Target(None), Target(Some("volumes")));
        // What the annotation says; then, under each setting, Secret, Repository, target, target with a pod of one's own.
        for (annotation, annotated, but_targets) in [
            (None, [NO, NO, NO, NO], [OK, OK, NO, NO]),
            (Some(""), [NO, NO, NO, NO], [OK, OK, NO, NO]),
            (Some("demo"), [OK, OK, OK, JOBS], [OK, OK, OK, JOBS]),
            (Some(" a, demo "), [OK, OK, OK, JOBS], [OK, OK, OK, JOBS]),
            (Some("*"), [OK, OK, OK, JOBS], [OK, OK, OK, JOBS]),
            (Some("demo:jobs"), [NO, NO, OK, OK], [OK, OK, OK, OK]),
            (Some("a,demo:jobs"), [NO, NO, OK, OK], [OK, OK, OK, OK]),
            (Some("demo,a:jobs"), [OK, OK, OK, OK], [OK, OK, OK, OK]),
            (Some("*:jobs"), [NO, NO, OK, OK], [OK, OK, OK, OK]),
            (Some("demo:jobs,a"), [NO, NO, NO, NO], [OK, OK, NO, NO]),
            (Some("a:jobs"), [NO, NO, NO, NO], [OK, OK, NO, NO]),
            (Some("dem*"), [NO, NO, NO, NO], [OK, OK, NO, NO]),
        ] {
            let under = |setting| {
                [Secret, Repository, plain, made]
                    .map(|referred| consent(setting, referred, annotation, "shop", "demo"))
            };
            assert_eq!(under(Annotated), annotated, "{annotation:?}");
            assert_eq!(under(AnyButTargets), but_targets, "{annotation:?}");
            assert_eq!(under(Any), [OK; 4], "{annotation:?}");
            for setting in [Annotated, AnyButTargets, Any] {
                assert_eq!(consent(setting, made, annotation, "demo", "demo"), OK, "its own");
                assert_eq!(References::named(setting.as_str()), Some(setting));
            }
        }
    }

    #[test]
    fn a_refusal_says_both_ways_out() {
        let said = refusal(Denied::Unnamed, Referred::Secret, &"Secret shop/key", "shop", "demo");
        assert_eq!(
            said,
            "Secret shop/key is in another namespace and does not allow demo; add demo to its annotation \
             holdfast.dev/allowed-namespaces, or run the operator with \
             --cross-namespace-references any-but-targets"
        );
        let referred = Referred::Target(Some("volumes"));
        let said =
            refusal(Denied::Jobs("volumes"), referred, &"StatefulSet shop/db", "shop", "demo");
        assert_eq!(
            said,
            "StatefulSet shop/db is in another namespace, which does not allow volumes of demo; end annotation \
             holdfast.dev/allowed-namespaces of Namespace shop with :jobs, or run the operator with \
             --cross-namespace-references any"
        );
    }
}
