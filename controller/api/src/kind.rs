//! The kinds of the family.

use kube::CustomResourceExt;
use kube::core::ApiResource;

use crate::addons::{Addon, Function};
use crate::core::{
    BackupBatch, BackupBlueprint, BackupConfiguration, BackupSession, BackupVerificationSession,
    BackupVerifier, HookTemplate, RestoreSession,
};
use crate::storage::{BackupStorage, Repository, RetentionPolicy, Snapshot};

/// Version of all kinds.
pub const VERSION: &str = "v1alpha1";

/// Group of sessions and what declares them.
pub const CORE_GROUP: &str = "core.kubestash.com";

/// Group of storages and what lies in them.
pub const STORAGE_GROUP: &str = "storage.kubestash.com";

/// Group of the catalog.
pub const ADDONS_GROUP: &str = "addons.kubestash.com";

/// A kind of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`Addon`].
    Addon,
    /// [`Function`].
    Function,
    /// [`BackupBatch`].
    BackupBatch,
    /// [`BackupBlueprint`].
    BackupBlueprint,
    /// [`BackupConfiguration`].
    BackupConfiguration,
    /// [`BackupSession`].
    BackupSession,
    /// [`BackupVerificationSession`].
    BackupVerificationSession,
    /// [`BackupVerifier`].
    BackupVerifier,
    /// [`HookTemplate`].
    HookTemplate,
    /// [`RestoreSession`].
    RestoreSession,
    /// [`BackupStorage`].
    BackupStorage,
    /// [`Repository`].
    Repository,
    /// [`RetentionPolicy`].
    RetentionPolicy,
    /// [`Snapshot`].
    Snapshot,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Addon,
        Self::Function,
        Self::BackupBatch,
        Self::BackupBlueprint,
        Self::BackupConfiguration,
        Self::BackupSession,
        Self::BackupVerificationSession,
        Self::BackupVerifier,
        Self::HookTemplate,
        Self::RestoreSession,
        Self::BackupStorage,
        Self::Repository,
        Self::RetentionPolicy,
        Self::Snapshot,
    ];

    /// The kind that `apiVersion` and `kind` of an object name, if it is one of these.
    pub fn from_api_version_kind(api_version: &str, kind: &str) -> Option<Self> {
        let (group, version) = api_version.split_once('/')?;
        Self::ALL.into_iter().find(|k| version == VERSION && k.group() == group && k.name() == kind)
    }

    /// The kind of an object.
    pub fn of(object: &serde_json::Value) -> Option<Self> {
        Self::from_api_version_kind(object["apiVersion"].as_str()?, object["kind"].as_str()?)
    }

    /// Its name, as `kind` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Addon => "Addon",
            Self::Function => "Function",
            Self::BackupBatch => "BackupBatch",
            Self::BackupBlueprint => "BackupBlueprint",
            Self::BackupConfiguration => "BackupConfiguration",
            Self::BackupSession => "BackupSession",
            Self::BackupVerificationSession => "BackupVerificationSession",
            Self::BackupVerifier => "BackupVerifier",
            Self::HookTemplate => "HookTemplate",
            Self::RestoreSession => "RestoreSession",
            Self::BackupStorage => "BackupStorage",
            Self::Repository => "Repository",
            Self::RetentionPolicy => "RetentionPolicy",
            Self::Snapshot => "Snapshot",
        }
    }

    /// Its API group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Addon | Self::Function => ADDONS_GROUP,
            Self::BackupBatch
            | Self::BackupBlueprint
            | Self::BackupConfiguration
            | Self::BackupSession
            | Self::BackupVerificationSession
            | Self::BackupVerifier
            | Self::HookTemplate
            | Self::RestoreSession => CORE_GROUP,
            Self::BackupStorage | Self::Repository | Self::RetentionPolicy | Self::Snapshot => {
                STORAGE_GROUP
            }
        }
    }

    /// Group and version, as `apiVersion` spells them.
    pub fn api_version(self) -> String {
        format!("{}/{VERSION}", self.group())
    }

    /// Group, version, kind and plural, for a client.
    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::Addon => Addon::api_resource(),
            Self::Function => Function::api_resource(),
            Self::BackupBatch => BackupBatch::api_resource(),
            Self::BackupBlueprint => BackupBlueprint::api_resource(),
            Self::BackupConfiguration => BackupConfiguration::api_resource(),
            Self::BackupSession => BackupSession::api_resource(),
            Self::BackupVerificationSession => BackupVerificationSession::api_resource(),
            Self::BackupVerifier => BackupVerifier::api_resource(),
            Self::HookTemplate => HookTemplate::api_resource(),
            Self::RestoreSession => RestoreSession::api_resource(),
            Self::BackupStorage => BackupStorage::api_resource(),
            Self::Repository => Repository::api_resource(),
            Self::RetentionPolicy => RetentionPolicy::api_resource(),
            Self::Snapshot => Snapshot::api_resource(),
        }
    }

    /// Its plural, as URLs and names of definitions spell it.
    pub fn plural(self) -> String {
        self.api_resource().plural
    }

    /// Whether objects of it lie in namespaces.
    pub const fn namespaced(self) -> bool {
        !matches!(self, Self::Addon | Self::Function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_group_version_and_name_only() {
        for kind in Kind::ALL {
            let found = Kind::from_api_version_kind(&kind.api_version(), kind.name());
            assert_eq!(found, Some(kind));
            let resource = kind.api_resource();
            assert_eq!(resource.api_version, kind.api_version());
            assert_eq!(resource.kind, kind.name());
        }
        for (api_version, kind) in [
            ("v1", "Repository"),
            ("core.kubestash.com/v1", "BackupSession"),
            ("storage.kubestash.com/v1alpha1", "BackupSession"),
            ("core.kubestash.com/v1alpha1", "backupsession"),
        ] {
            assert_eq!(Kind::from_api_version_kind(api_version, kind), None);
        }
    }
}
