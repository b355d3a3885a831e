//! Removing a snapshot. Its data stays until a collection finds that nothing else needs it.

use super::{Repo, fetch_all, mirror_key};
use crate::digest::SnapshotName;
use crate::error::Result;
use crate::snapshot::snapshot_key;

impl<S> Repo<S> {
    /// Removes a snapshot object and its copy. One that is gone is no error, so a removal that was
    /// stopped between the two is finished by asking again: until both are gone the snapshot is there.
    /// Needs no key.
    ///
    /// # Errors
    /// The store's; `Denied` where credentials may not delete.
    pub fn forget(&self, name: &SnapshotName) -> Result<()> {
        let key = snapshot_key(name);
        self.store.delete(&mirror_key(&key))?;
        self.store.delete(&key)?;
        Ok(())
    }

    /// Removes snapshots, as many at once as the store likes.
    ///
    /// # Errors
    /// As for `forget`, the first in their order. Others may be gone by then.
    pub fn forget_all(&self, names: &[SnapshotName]) -> Result<()>
    where
        S: Sync,
    {
        fetch_all(&*self.store, names, |name| self.forget(name)).map(|_| ())
    }
}
