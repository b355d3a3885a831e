//! Repository, which the operator makes.

use holdfast_engine::repository::state::Repository;
use holdfast_engine::storage::DeletionPolicy;
use holdfast_engine::view::repository::RepositoryStatus;
use serde_json::Value;

use super::fields::{self, Fields};

/// `spec` of the repository.
#[must_use]
pub fn spec(repository: &Repository) -> Value {
    Fields::default()
        .set("appRef", fields::typed(&repository.app))
        .set("storageRef", fields::reference(&repository.storage))
        .set("path", repository.path.clone())
        .set("deletionPolicy", deletion(repository.deletion))
        .set("encryptionSecret", repository.secret.as_ref().map_or(Value::Null, fields::reference))
        .into_value()
}

/// The word of a deletion policy. Retain belongs to configurations; the object itself then keeps its data.
#[must_use]
pub fn deletion(policy: DeletionPolicy) -> &'static str {
    match policy {
        DeletionPolicy::WipeOut => "WipeOut",
        DeletionPolicy::Delete | DeletionPolicy::Retain => "Delete",
    }
}

/// `status` of the repository.
#[must_use]
pub fn status(view: &RepositoryStatus) -> Value {
    let recent: Value = view
        .recent
        .iter()
        .map(|entry| {
            Fields::default()
                .set("name", entry.name.clone())
                .set("phase", entry.phase.as_str())
                .set("session", entry.session.clone())
                .set("size", entry.size.clone())
                .set("snapshotTime", fields::time(entry.taken))
                .into_value()
        })
        .collect();
    Fields::default()
        .set("phase", view.phase.as_str())
        .set("lastBackupTime", view.last_backup_time.map_or(Value::Null, fields::time))
        .set("integrity", view.integrity)
        .set("snapshotCount", view.snapshot_count)
        .set("size", view.size.clone())
        .set("recentSnapshots", recent)
        .set("componentPaths", view.component_paths.iter().cloned().collect::<Value>())
        .set("conditions", fields::conditions(&view.conditions))
        .into_value()
}
