//! How many workers there may be at once, and what a session says that finds a limit reached (design D21).

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::ids::Key;

/// How many workers there may be at once; absent: as many as are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// In all.
    pub cluster: Option<u32>,
    /// For the sessions of one namespace.
    pub namespace: Option<u32>,
    /// On one node.
    pub node: Option<u32>,
    /// At one storage.
    pub storage: Option<u32>,
}

impl Limits {
    /// Some limit lets nobody begin.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        [self.cluster, self.namespace, self.node, self.storage].contains(&Some(0))
    }
}

/// Which limit was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lack {
    /// That of the cluster.
    Cluster,
    /// That of the session's namespace.
    Namespace,
    /// That of a node.
    Node {
        /// Which one.
        name: String,
    },
    /// That of a storage.
    Storage {
        /// Which one.
        key: Key,
    },
}

impl Lack {
    /// What a session says while it waits; `limit` is the one that was reached.
    #[must_use]
    pub fn sentence(&self, limit: u32) -> String {
        let whose = match self {
            Self::Cluster => "of the cluster".into(),
            Self::Namespace => "of its namespace".into(),
            Self::Node { name } => format!("of node {name}"),
            Self::Storage { key } => format!("of BackupStorage {key}"),
        };
        format!("It waits for a worker: the limit {whose} ({limit}) is reached.")
    }
}
