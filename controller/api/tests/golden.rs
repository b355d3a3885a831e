//! The definitions under `deploy/crds` are those that the code makes.
//!
//! `HOLDFAST_UPDATE_GOLDEN=1 cargo test -p holdfast-api --test golden` writes them again.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use holdfast_api::crds;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// `kubectl apply` keeps the whole object in an annotation, of which all together may take 262,144 bytes.
const SIZE_LIMIT_BYTES: usize = 250_000;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds")
}

fn file_of(crd: &CustomResourceDefinition) -> String {
    format!("{}.{}.yaml", crd.spec.names.plural, crd.spec.group)
}

#[test]
fn files_are_what_the_code_makes_and_no_others() {
    let update = std::env::var_os("HOLDFAST_UPDATE_GOLDEN").is_some();
    if update {
        std::fs::create_dir_all(folder()).unwrap();
    }
    for crd in crds() {
        // Through JSON, so that the fields come in the order of their names.
        let value = serde_json::to_value(&crd).unwrap();
        let made = serde_saphyr::to_string(&value).unwrap();
        let path = folder().join(file_of(&crd));
        if update {
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made, "{} differs: see the head of this test", path.display());
        let again: serde_json::Value = serde_saphyr::from_str(&kept).unwrap();
        assert_eq!(again, value, "{}", path.display());
    }
    let made: BTreeSet<String> = crds().iter().map(file_of).collect();
    let kept = std::fs::read_dir(folder()).unwrap();
    let kept = kept.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(made, kept, "files in {}", folder().display());
}

#[test]
fn kubectl_apply_takes_every_definition() {
    for crd in crds() {
        let size = serde_json::to_vec(&crd).unwrap().len();
        assert!(size < SIZE_LIMIT_BYTES, "{} has {size} bytes", crd.spec.names.kind);
    }
}

#[test]
fn every_version_has_a_schema() {
    for crd in crds() {
        for version in &crd.spec.versions {
            let schema = version.schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref());
            let properties = schema.and_then(|s| s.properties.as_ref()).unwrap();
            assert!(properties.contains_key("spec"), "{}", crd.spec.names.kind);
        }
    }
}
