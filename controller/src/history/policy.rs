//! A retention policy from a file.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use holdfast_api::storage::RetentionPolicy;
use holdfast_engine::retention::Spec;

use crate::place::local::declared::manifest::read_documents;
use crate::translate::kubestash::retention_policy;

/// The kind that the file has to hold, once.
const KIND: &str = "RetentionPolicy";

/// Reads the only RetentionPolicy of a file; documents of other kinds are passed over.
///
/// # Errors
/// When there is none, there are several, or it is not valid.
pub fn read(file: &Path) -> anyhow::Result<Spec> {
    parse(file, &std::fs::read_to_string(file)?)
}

fn parse(file: &Path, text: &str) -> anyhow::Result<Spec> {
    let documents = read_documents(file, text);
    let concerns = |kind: Option<&str>| kind.is_none_or(|kind| kind == KIND);
    let problem =
        documents.problems.iter().find(|p| concerns(p.object.as_ref().map(|o| o.kind.as_str())));
    if let Some(problem) = problem {
        bail!("{problem}");
    }
    let mut policies = documents.manifests.into_iter().filter(|m| m.name.kind == KIND);
    let policy = policies.next().with_context(|| format!("no {KIND} in it"))?;
    ensure!(policies.next().is_none(), "several policies in it; give a file with one {KIND}");
    let object: RetentionPolicy = serde_json::from_value(policy.object)?;
    let spec = retention_policy::spec(&object);
    match &spec.invalid {
        Some(invalid) => bail!("{}: {invalid}", policy.name),
        None => Ok(spec),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "
apiVersion: storage.kubestash.com/v1alpha1
kind: RetentionPolicy
metadata: {name: strict, namespace: demo}
spec:
  maxRetentionPeriod: 7d
  successfulSnapshots: {last: 1}
";

    fn read_text(text: &str) -> Result<Spec, String> {
        parse(Path::new("p.yaml"), text).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn one_policy_among_other_documents() {
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n---";
        let spec = read_text(&format!("{namespace}{POLICY}")).unwrap();
        assert_eq!(spec.max_period, "7d");
        assert_eq!(spec.successful.unwrap().last, Some(1));
    }

    #[test]
    fn what_is_no_single_valid_policy_is_refused_with_its_field() {
        let cases = [
            ("", "no RetentionPolicy in it"),
            ("kind: [", "p.yaml"),
            (&format!("{POLICY}---{}", POLICY.replace("strict", "lax")), "several policies"),
            (&POLICY.replace("last: 1", "last: -1"), "spec.successfulSnapshots.last"),
        ];
        for (text, expected) in cases {
            let error = read_text(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
