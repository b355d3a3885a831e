//! The KubeStash family: objects become commands, views become statuses. One kind a file.

pub mod addon;
pub mod backup_configuration;
pub mod backup_session;
pub mod backup_storage;
pub mod fields;
pub mod function;
pub mod hook_info;
pub mod hook_template;
pub mod object;
pub mod reference;
pub mod repository;
pub mod restore_session;
pub mod retention_policy;
pub mod secret;
pub mod snapshot;
pub mod summary;
pub mod task;
pub mod usage;
pub mod workload;

use holdfast_engine::{Hash, Key, Uid};

/// What identifies a version of an object to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The object.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// Counts versions of the spec.
    pub generation: u64,
    /// Hash of the content that the engine's attachments are stored under.
    pub hash: Hash,
}

/// The first thing that is wrong with an object, field first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings(Option<String>);

impl Findings {
    /// Records a finding unless there is one already.
    pub(crate) fn add(&mut self, field: &str, message: &str) {
        self.0.get_or_insert_with(|| format!("{field}: {message}"));
    }

    /// The text of a field that must be there; empty when it is not.
    pub(crate) fn required(&mut self, field: &str, value: Option<&String>) -> String {
        match value {
            Some(text) if !text.is_empty() => text.clone(),
            _ => {
                self.add(field, "a value is needed");
                String::new()
            }
        }
    }

    /// A duration that may be absent.
    pub(crate) fn duration(
        &mut self,
        field: &str,
        value: Option<&String>,
    ) -> Option<holdfast_engine::Millis> {
        let text = value?;
        let parsed = super::duration::parse(text);
        if parsed.is_none() {
            self.add(field, &format!("{text:?} is no duration; write it as 30s, 2m or 1h5m"));
        }
        parsed
    }

    /// A count that may be absent.
    pub(crate) fn count(&mut self, field: &str, value: Option<i32>, absent: u32) -> u32 {
        match value.map(u32::try_from) {
            None => absent,
            Some(Ok(count)) => count,
            Some(Err(_)) => {
                self.add(field, "must not be negative");
                absent
            }
        }
    }

    pub(crate) fn into_invalid(self) -> Option<String> {
        self.0
    }
}
