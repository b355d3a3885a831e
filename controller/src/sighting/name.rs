//! What an object is called.

use std::fmt;

use holdfast_api::Kind;
use holdfast_engine::{Group, Key, TypedRef};

/// What an object is called; two objects with the same name are the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectName {
    /// A name of these parts.
    pub fn new(group: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The name of an object that has the form of one of our own kinds, in the group of its key: families
    /// have kinds of the same name.
    pub fn own(kind: Kind, key: &Key) -> Self {
        Self::new(key.group.as_str(), kind.name(), &key.namespace, &key.name)
    }

    /// Group, namespace and name, when the group is one that the state has names of.
    pub fn key(&self) -> Option<Key> {
        let group = Group::named(&self.group)?;
        Some(Key::new(group, self.namespace.clone(), self.name.clone()))
    }

    /// The name as states and sessions refer to it.
    pub fn reference(&self) -> TypedRef {
        TypedRef {
            api_group: self.group.clone(),
            kind: self.kind.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// The kind whose form its status has, whatever the group.
    pub fn form(&self) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == self.kind)
    }

    /// The kind, when it is one of our own.
    pub fn own_kind(&self) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.group() == self.group && k.name() == self.kind)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = Key::core(self.namespace.clone(), self.name.clone());
        write!(f, "{} {key}", self.kind)
    }
}

impl From<&TypedRef> for ObjectName {
    fn from(of: &TypedRef) -> Self {
        Self::new(&of.api_group, &of.kind, &of.namespace, &of.name)
    }
}
