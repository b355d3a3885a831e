//! Which kinds are watched, and how much of each.

use holdfast_api::{Kind, kind};
use kube::core::ApiResource;

/// How much of an object is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its metadata. Values of Secrets never come into the operator's memory by a watch.
    Metadata,
}

/// A kind that is watched in all namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// How the API server calls it.
    pub of: ApiResource,
    /// How much of it is asked for.
    pub part: Part,
}

/// Kinds of others: group, version, kind, plural.
const OTHERS: [(&str, &str, &str, &str, Part); 5] = [
    ("", "v1", "Namespace", "namespaces", Part::Metadata),
    ("", "v1", "Secret", "secrets", Part::Metadata),
    ("apps", "v1", "DaemonSet", "daemonsets", Part::Whole),
    ("apps", "v1", "Deployment", "deployments", Part::Whole),
    ("apps", "v1", "StatefulSet", "statefulsets", Part::Whole),
];

/// All that is watched: what users declare, what we make, and what decisions look at.
#[must_use]
pub fn all() -> Vec<Resource> {
    let own = Kind::ALL.into_iter().map(own);
    let others = OTHERS.into_iter().map(|(group, version, kind, plural, part)| {
        let api_version = match group {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        };
        let of = ApiResource {
            group: group.into(),
            version: version.into(),
            api_version,
            kind: kind.into(),
            plural: plural.into(),
        };
        Resource { of, part }
    });
    own.chain(others).collect()
}

/// One of our own kinds.
pub(super) fn own(kind: Kind) -> Resource {
    let (group, version) = (kind.group(), kind::VERSION);
    let of = ApiResource {
        group: group.into(),
        version: version.into(),
        api_version: format!("{group}/{version}"),
        kind: kind.name().into(),
        plural: kind.plural(),
    };
    Resource { of, part: Part::Whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_ours_is_watched_and_no_value_of_a_secret() {
        let all = all();
        for kind in Kind::ALL {
            let found = all.iter().filter(|found| found.of.kind == kind.name());
            assert_eq!(found.count(), 1, "{kind:?}");
        }
        let secrets = all.iter().find(|found| found.of.kind == "Secret").unwrap();
        assert_eq!((secrets.part, &*secrets.of.api_version), (Part::Metadata, "v1"));
    }
}
