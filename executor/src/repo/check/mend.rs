//! Putting back the second copy of what is there once.

use super::CheckReport;
use crate::error::Result;
use crate::limits;
use crate::repo::{MIRROR_FOLDER, Open, Repo, mirror_key};
use crate::store::PutOutcome;

impl Repo<Open> {
    /// Puts every copy that `report` found missing while the other one was intact. Returns how many
    /// were put. Nothing that is there is changed.
    ///
    /// # Errors
    /// The store's.
    pub fn put_missing_copies(&self, report: &CheckReport) -> Result<u64> {
        let mut put = 0;
        for key in &report.single_copies {
            let other = match key.strip_prefix(MIRROR_FOLDER) {
                Some(first) => first.to_owned(),
                None => mirror_key(key),
            };
            let bytes = self.store.get(&other, limits::SNAPSHOT_MAX_BYTES as u64)?;
            put += u64::from(self.store.put_new(key, &bytes)? == PutOutcome::Created);
        }
        Ok(put)
    }
}
