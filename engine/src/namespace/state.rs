//! What is known of a namespace.

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::{Deserialize, Serialize};

/// A namespace, its labels and whom it allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Annotation `holdfast.dev/allowed-namespaces`.
    pub allowed_namespaces: Option<String>,
}
