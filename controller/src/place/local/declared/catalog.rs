//! The declared objects as they are now: what an API server would answer.
//!
//! Secrets are kept here, in memory, and read when their values are needed; neither log, status nor message has
//! them. Everything else that a session uses was frozen at its start and comes from the log's attachments.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use holdfast_engine::Key;
use serde_json::Value as Object;
use zeroize::Zeroizing;

use super::manifest::{Manifest, ObjectName};
use crate::ports::secrets::{Secrets, Value};
use crate::translate::kubestash::secret;

/// A catalog that the watcher fills and the handlers of effects read.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<RwLock<Arc<Catalog>>>);

impl Shared {
    /// The catalog as it is now.
    #[must_use]
    pub fn get(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the catalog.
    pub fn set(&self, catalog: Catalog) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
    }
}

impl Secrets for Shared {
    fn value<'a>(
        &'a self,
        secret: &'a Key,
        key: &'a str,
    ) -> Pin<Box<dyn Future<Output = Value> + Send + 'a>> {
        let value = self.get().secret_value(secret, key).map(Zeroizing::new);
        Box::pin(std::future::ready(Ok(value)))
    }
}

/// All declared objects by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// The objects.
    pub objects: BTreeMap<ObjectName, Manifest>,
}

impl Catalog {
    /// An object by its parts.
    #[must_use]
    pub fn find(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        self.get(&ObjectName::new(group, kind, namespace, name))
    }

    /// An object by its name.
    #[must_use]
    pub fn get(&self, name: &ObjectName) -> Option<&Object> {
        self.objects.get(name).map(|manifest| &manifest.object)
    }

    /// All objects of a core kind, in the order of their names.
    pub fn of_core_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        self.objects
            .values()
            .filter(move |m| m.name.group.is_empty() && m.name.kind == kind)
            .map(|manifest| &manifest.object)
    }

    /// A value of a Secret.
    #[must_use]
    pub fn secret_value(&self, secret: &Key, name: &str) -> Option<Vec<u8>> {
        let object = self.find("", "Secret", &secret.namespace, &secret.name)?;
        secret::values(object).remove(name)
    }
}
