//! BackupStorage.

use holdfast_api::storage::{Backend, BackupStorage, DeletionPolicy as ApiDeletion};
use holdfast_engine::declared::Declared;
use holdfast_engine::storage::{Command, DeletionPolicy, Provider, Spec};
use holdfast_engine::view::storage::{StorageStatus, StoredRepository};
use holdfast_engine::{Command as Any, Key};
use serde_json::Value;

use super::fields::{self, Fields};
use super::{Findings, Identity, usage};

/// The command that declares the storage.
#[must_use]
pub fn declare(identity: Identity, object: &BackupStorage) -> Any {
    let Identity { uid, key, generation, hash } = identity;
    let spec = spec(&key.namespace, object);
    Any::Storage(Command::Declare(Declared { uid, key, generation, hash, spec }))
}

fn spec(namespace: &str, object: &BackupStorage) -> Spec {
    let mut findings = Findings::default();
    let nothing = Backend::default();
    let backend = object.spec.storage.as_ref().unwrap_or(&nothing);
    let place = place(backend, &mut findings);
    Spec {
        provider: place.provider,
        identity: place.identity,
        secret: place.secret.map(|name| Key::core(namespace, name)),
        usage: usage::policy(object.spec.usage_policy.as_ref()),
        default: object.spec.default.unwrap_or(false),
        deletion: deletion(object.spec.deletion_policy),
        own_namespace_only: place.claim,
        invalid: findings.into_invalid(),
    }
}

/// The engine's word for a deletion policy; the documents' default is to keep data.
#[must_use]
pub fn deletion(policy: Option<ApiDeletion>) -> DeletionPolicy {
    match policy {
        Some(ApiDeletion::WipeOut) => DeletionPolicy::WipeOut,
        Some(ApiDeletion::Delete) | None => DeletionPolicy::Delete,
    }
}

struct Place {
    provider: Provider,
    identity: String,
    secret: Option<String>,
    claim: bool,
}

fn place(backend: &Backend, findings: &mut Findings) -> Place {
    let mut place =
        Place { provider: Provider::Local, identity: String::new(), secret: None, claim: false };
    match backend.provider.as_deref() {
        Some("local") => {
            let local = backend.local.clone().unwrap_or_default();
            findings.required("spec.storage.local.mountPath", local.mount_path.as_ref());
            place.claim = local.source.persistent_volume_claim.is_some();
        }
        Some("s3") => {
            let s3 = backend.s3.clone().unwrap_or_default();
            let bucket = findings.required("spec.storage.s3.bucket", s3.bucket.as_ref());
            place.provider = Provider::S3;
            // The endpoint is left out, as the documents' own comparison does.
            place.identity = identity(&[
                "s3",
                &bucket,
                s3.region.as_deref().unwrap_or(""),
                &prefix(s3.prefix.as_ref()),
            ]);
            place.secret = s3.secret_name;
        }
        Some("gcs") => {
            let gcs = backend.gcs.clone().unwrap_or_default();
            let bucket = findings.required("spec.storage.gcs.bucket", gcs.bucket.as_ref());
            place.provider = Provider::Gcs;
            place.identity = identity(&["gcs", &bucket, &prefix(gcs.prefix.as_ref())]);
            place.secret = gcs.secret_name;
        }
        Some("azure") => {
            let azure = backend.azure.clone().unwrap_or_default();
            let account = findings
                .required("spec.storage.azure.storageAccount", azure.storage_account.as_ref());
            let container =
                findings.required("spec.storage.azure.container", azure.container.as_ref());
            place.provider = Provider::Azure;
            place.identity =
                identity(&["azure", &account, &container, &prefix(azure.prefix.as_ref())]);
            place.secret = azure.secret_name;
        }
        other => findings.add(
            "spec.storage.provider",
            &format!("{:?} is unknown; local, s3, gcs and azure are known", other.unwrap_or("")),
        ),
    }
    place.secret = place.secret.filter(|name| !name.is_empty());
    place
}

/// Parts joined by a character that none of them may hold.
fn identity(parts: &[&str]) -> String {
    parts.join("\n")
}

fn prefix(prefix: Option<&String>) -> String {
    prefix.map(|text| text.trim_matches('/').to_owned()).unwrap_or_default()
}

/// `status` of the storage.
#[must_use]
pub fn status(view: &StorageStatus) -> Value {
    Fields::default()
        .set("phase", view.phase.as_str())
        .set("totalSize", view.total_size.clone())
        .set("repositories", repositories(&view.repositories))
        .set("conditions", fields::conditions(&view.conditions))
        .into_value()
}

/// `status.repositories`, which `metadata.yaml` holds too.
#[must_use]
pub fn repositories(repositories: &[StoredRepository]) -> Value {
    repositories
        .iter()
        .map(|entry| {
            Fields::default()
                .set("name", entry.name.clone())
                .set("namespace", entry.namespace.clone())
                .set("path", entry.path.clone())
                .set("size", entry.size.clone())
                .set("synced", entry.synced)
                .set("error", entry.error.clone())
                .into_value()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(storage: &str) -> Spec {
        let text =
            format!("{{\"metadata\":{{\"name\":\"a\"}},\"spec\":{{\"storage\":{storage}}}}}");
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["apiVersion"] = "storage.kubestash.com/v1alpha1".into();
        value["kind"] = "BackupStorage".into();
        spec("demo", &holdfast_api::read::read::<BackupStorage>(&value).unwrap())
    }

    #[test]
    fn a_local_storage_is_never_the_same_directory_as_another() {
        let spec =
            of(r#"{"provider":"local","local":{"hostPath":{"path":"/srv"},"mountPath":"/m"}}"#);
        assert_eq!((spec.provider, spec.identity.as_str()), (Provider::Local, ""));
        assert_eq!(spec.deletion, DeletionPolicy::Delete);
        assert!(!spec.own_namespace_only && spec.invalid.is_none());
    }

    #[test]
    fn a_claim_serves_its_own_namespace() {
        let spec = of(
            r#"{"provider":"local","local":{"persistentVolumeClaim":{"claimName":"c"},"mountPath":"/m"}}"#,
        );
        assert!(spec.own_namespace_only);
    }

    #[test]
    fn buckets_are_compared_without_endpoint_and_outer_slashes() {
        let one = of(
            r#"{"provider":"s3","s3":{"bucket":"b","prefix":"/p/","endpoint":"e","secretName":"s"}}"#,
        );
        let two = of(r#"{"provider":"s3","s3":{"bucket":"b","prefix":"p"}}"#);
        assert_eq!(one.identity, two.identity);
        assert_eq!(one.secret, Some(Key::core("demo", "s")));
        assert_eq!(two.secret, None);
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        for (storage, field) in [
            (r#"{"provider":"swift"}"#, "spec.storage.provider"),
            (r#"{}"#, "spec.storage.provider"),
            (r#"{"provider":"local","local":{}}"#, "spec.storage.local.mountPath"),
            (r#"{"provider":"gcs"}"#, "spec.storage.gcs.bucket"),
            (
                r#"{"provider":"azure","azure":{"storageAccount":"a"}}"#,
                "spec.storage.azure.container",
            ),
        ] {
            let invalid = of(storage).invalid.unwrap();
            assert!(invalid.starts_with(field), "{storage}: {invalid}");
        }
    }
}
