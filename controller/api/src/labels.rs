//! Labels, annotations, the finalizer, and the words that stand in them.

use std::collections::BTreeMap;

use crate::Kind;

/// Who manages an object that was made for another one.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The value of [`MANAGED_BY`].
pub const MANAGER: &str = "kubestash.com";

/// What a made object is for: one of the `COMPONENT_` values.
pub const COMPONENT: &str = "app.kubernetes.io/component";

/// Name of the object that another one was made for.
pub const INVOKER_NAME: &str = "kubestash.com/invoker-name";

/// Namespace of the object that another one was made for.
pub const INVOKER_NAMESPACE: &str = "kubestash.com/invoker-namespace";

/// Kind of the object that another one was made for; for storages, repositories and snapshots only.
pub const INVOKER_KIND: &str = "kubestash.com/invoker-kind";

/// Session of a configuration.
pub const SESSION_NAME: &str = "kubestash.com/session-name";

/// Repository of a snapshot.
pub const REPO_NAME: &str = "kubestash.com/repo-name";

/// Kind of the target of a snapshot; empty without a target.
pub const APP_REF_KIND: &str = "kubestash.com/app-ref-kind";

/// Name of the target of a snapshot; [`NO_TARGET`] without a target.
pub const APP_REF_NAME: &str = "kubestash.com/app-ref-name";

/// Namespace of the target of a snapshot; empty without a target.
pub const APP_REF_NAMESPACE: &str = "kubestash.com/app-ref-namespace";

/// What stands for the name and group of a target where there is none.
pub const NO_TARGET: &str = "na";

/// What a pod that serves a network volume belongs to.
pub const APP: &str = "kubestash.com/app";

/// The value of [`APP`] on accessor pods.
pub const NETWORK_VOLUME_ACCESSOR: &str = "kubestash-netvol-accessor";

/// Makes a backup.
pub const COMPONENT_BACKUP: &str = "kubestash-backup";

/// Makes a restore.
pub const COMPONENT_RESTORE: &str = "kubestash-restore";

/// Prepares a storage.
pub const COMPONENT_INITIALIZER: &str = "kubestash-initializer";

/// Writes metadata into a storage.
pub const COMPONENT_UPLOADER: &str = "kubestash-uploader";

/// Removes data from a storage.
pub const COMPONENT_CLEANER: &str = "kubestash-cleaner";

/// Removes old snapshots.
pub const COMPONENT_RETENTION_POLICY: &str = "kubestash-retention-policy";

/// Runs a hook.
pub const COMPONENT_HOOK: &str = "kubestash-hook";

/// Fills a claim from a snapshot.
pub const COMPONENT_POPULATOR: &str = "kubestash-populator";

/// Checks a snapshot.
pub const COMPONENT_BACKUP_VERIFIER: &str = "kubestash-backup-verifier";

/// Keeps an object until what was made for it is gone.
pub const FINALIZER: &str = "kubestash.com/cleanup";

/// On a target: the BackupBlueprint that backs it up.
pub const BLUEPRINT_NAME: &str = "blueprint.kubestash.com/name";

/// On a target: the namespace of that blueprint.
pub const BLUEPRINT_NAMESPACE: &str = "blueprint.kubestash.com/namespace";

/// On a target: the sessions of that blueprint to use.
pub const BLUEPRINT_SESSION_NAMES: &str = "blueprint.kubestash.com/session-names";

/// Prefix of annotations on a target that give values to variables of a blueprint.
pub const VARIABLE_PREFIX: &str = "variables.kubestash.com/";

/// On a claim: the workload that it was made for.
pub const POPULATOR_APP_NAME: &str = "populator.kubestash.com/app-name";

/// On a claim: the snapshot that it was filled from.
pub const POPULATED_FROM: &str = "populator.kubestash.com/populated-from";

/// On a target or snapshot: the version of the database.
pub const DB_VERSION: &str = "kubedb.com/db-version";

/// On a RestoreSession: who it is for.
pub const BENEFICIARY: &str = "restoresession.kubestash.com/beneficiary";

/// On a Secret or Repository: the namespaces that may refer to it.
pub const ALLOWED_NAMESPACES: &str = "holdfast.dev/allowed-namespaces";

/// On a session: unreadable entries do not make a component Failed.
pub const ALLOW_PARTIAL: &str = "holdfast.dev/allow-partial";

/// Longest value of a label, a rule of Kubernetes.
const VALUE_MAX_BYTES: usize = 63;

/// The object that another one is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for kinds of the cluster.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The session of the configuration, for a BackupSession.
    pub session: &'a str,
}

/// The labels of an object that is made for another one: those of the owner itself, and over them
/// who manages it and whom it was made for.
pub fn offshoot(owner: Owner<'_>, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = own.clone();
    let mut set = |key: &str, text: &str| {
        labels.insert(key.to_owned(), value(text));
    };
    set(MANAGED_BY, MANAGER);
    set(INVOKER_NAME, owner.name);
    set(INVOKER_NAMESPACE, owner.namespace);
    match owner.kind {
        Kind::BackupSession => set(SESSION_NAME, owner.session),
        Kind::BackupStorage | Kind::Repository | Kind::Snapshot => {
            set(INVOKER_KIND, owner.kind.name());
        }
        _ => {}
    }
    labels
}

/// A text as the value of a label: names may be longer than values, and are cut then.
pub fn value(text: &str) -> String {
    let fits = text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= VALUE_MAX_BYTES);
    let cut: String = fits.map(|(_, c)| c).collect();
    cut.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_for(kind: Kind, own: &[(&str, &str)]) -> Vec<String> {
        let own = own.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let owner = Owner { kind, namespace: "shop", name: "ledger-nightly-1", session: "nightly" };
        offshoot(owner, &own).into_iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    #[test]
    fn generated_labels_win_over_those_of_the_owner() {
        let own = [("team", "data"), (INVOKER_NAME, "ledger")];
        assert_eq!(
            made_for(Kind::BackupSession, &own),
            [
                "app.kubernetes.io/managed-by=kubestash.com",
                "kubestash.com/invoker-name=ledger-nightly-1",
                "kubestash.com/invoker-namespace=shop",
                "kubestash.com/session-name=nightly",
                "team=data",
            ]
        );
    }

    #[test]
    fn storages_repositories_and_snapshots_say_their_kind() {
        for kind in Kind::ALL {
            let labels = made_for(kind, &[]);
            let says = labels.contains(&format!("{INVOKER_KIND}={}", kind.name()));
            let should = matches!(kind, Kind::BackupStorage | Kind::Repository | Kind::Snapshot);
            assert_eq!(says, should, "{}", kind.name());
        }
    }

    #[test]
    fn a_value_is_no_longer_than_kubernetes_takes_and_ends_well() {
        assert_eq!(value("short"), "short");
        assert_eq!(value(&"a".repeat(64)), "a".repeat(63));
        let dotted = format!("{}.b", "a".repeat(62));
        assert_eq!(value(&dotted), "a".repeat(62));
        assert_eq!(value(&"ä".repeat(40)), "");
    }
}
