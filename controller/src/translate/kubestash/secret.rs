//! Secret: names of its keys for the log, values for those who need them.

use std::collections::BTreeMap;

use holdfast_engine::dependency::Facts;
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

/// Annotation that lets other namespaces use a Secret.
pub const ALLOWED_NAMESPACES: &str = "holdfast.dev/allowed-namespaces";

/// Key of the passphrase in an encryption Secret.
pub const PASSPHRASE: &str = "RESTIC_PASSWORD";

/// What the engine may know of a Secret: nothing that depends on its values except that they changed.
///
/// The version is a keyed hash: a plain one in a log would let a weak value be guessed.
#[must_use]
pub fn facts(object: &Value, version_key: &[u8; 32]) -> Facts {
    let values = values(object);
    let mut hasher = blake3::Hasher::new_keyed(version_key);
    for (name, value) in &values {
        for part in [name.as_bytes(), value.as_slice()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    let allowed = object["metadata"]["annotations"][ALLOWED_NAMESPACES].as_str();
    Facts::Secret {
        version: hasher.finalize().to_hex()[..16].to_owned(),
        keys: values.into_keys().collect(),
        allowed_namespaces: allowed.map(ToOwned::to_owned),
    }
}

/// The values: `data`, with `stringData` on top as an API server merges them.
#[must_use]
pub fn values(object: &Value) -> BTreeMap<String, Vec<u8>> {
    let secret: Secret = serde_json::from_value(object.clone()).unwrap_or_default();
    let mut values: BTreeMap<String, Vec<u8>> =
        secret.data.unwrap_or_default().into_iter().map(|(name, bytes)| (name, bytes.0)).collect();
    let text = secret.string_data.unwrap_or_default();
    values.extend(text.into_iter().map(|(name, text)| (name, text.into_bytes())));
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret() -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
               "data": {"RESTIC_PASSWORD": "bWFya2Vy", "a": "eA=="}, "stringData": {"a": "y"}})
    }

    #[test]
    fn plain_text_wins_over_data() {
        let values = values(&secret());
        assert_eq!(values["a"], b"y");
        assert_eq!(values[PASSPHRASE], b"marker");
    }

    #[test]
    fn facts_name_keys_and_change_with_values_but_do_not_show_them() {
        let before = facts(&secret(), &[7; 32]);
        let mut changed = secret();
        changed["stringData"]["a"] = "z".into();
        assert_ne!(before, facts(&changed, &[7; 32]));
        assert_ne!(before, facts(&secret(), &[8; 32]));
        assert!(!format!("{before:?}").contains("marker"));
        let Facts::Secret { keys, .. } = before else { panic!("a Secret") };
        assert_eq!(keys, [PASSPHRASE, "a"]);
    }
}
