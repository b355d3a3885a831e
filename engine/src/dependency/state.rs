//! What is known of an object that is not ours, and how such objects are referred to.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::configuration::AddonRef;
use crate::dependency::Facts;
use crate::group::{Family, Group};
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

/// Reference to an Addon of KubeStash, which is cluster-scoped.
#[must_use]
pub fn addon(name: &str) -> TypedRef {
    cluster_scoped(Group::KubeStashAddons, "Addon", name)
}

/// Reference to a Function of KubeStash, which is cluster-scoped.
#[must_use]
pub fn function(name: &str) -> TypedRef {
    cluster_scoped(Group::KubeStashAddons, "Function", name)
}

impl AddonRef {
    /// What the tasks are defined by: an Addon, or Stash's word for it, a Task.
    #[must_use]
    pub fn object(&self) -> TypedRef {
        let kind = if self.group.family() == Family::Stash { "Task" } else { "Addon" };
        cluster_scoped(self.group, kind, &self.name)
    }

    /// The Function of this name that one of the tasks is carried out by.
    #[must_use]
    pub fn function(&self, name: &str) -> TypedRef {
        cluster_scoped(self.group, "Function", name)
    }
}

fn cluster_scoped(group: Group, kind: &str, name: &str) -> TypedRef {
    TypedRef {
        api_group: group.as_str().into(),
        kind: kind.into(),
        namespace: String::new(),
        name: name.into(),
    }
}
