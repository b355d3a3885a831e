//! What is known of an object that is not ours, and how such objects are referred to.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::dependency::Facts;
use crate::ids::{Hash, Key, TypedRef};

/// An object that others depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Group, kind, namespace and name.
    pub object: TypedRef,
    /// Content hash; zero for Secrets.
    pub hash: Hash,
    /// The fields that decisions use.
    pub facts: Facts,
}

/// Reference to a Secret.
#[must_use]
pub fn secret(key: &Key) -> TypedRef {
    TypedRef {
        api_group: String::new(),
        kind: "Secret".into(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}

/// Reference to an Addon, which is cluster-scoped.
#[must_use]
pub fn addon(name: &str) -> TypedRef {
    cluster_scoped("Addon", name)
}

/// Reference to a Function, which is cluster-scoped.
#[must_use]
pub fn function(name: &str) -> TypedRef {
    cluster_scoped("Function", name)
}

fn cluster_scoped(kind: &str, name: &str) -> TypedRef {
    TypedRef {
        api_group: "addons.kubestash.com".into(),
        kind: kind.into(),
        namespace: String::new(),
        name: name.into(),
    }
}
