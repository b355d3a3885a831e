//! Putting back second copies, from those that are intact.

use super::{CheckReport, Problem};
use crate::digest::ObjectHash;
use crate::error::Result;
use crate::limits;
use crate::repo::{MIRROR_FOLDER, Open, Repo, mirror_key};
use crate::store::PutOutcome;

/// What was done for objects that are stored twice. A rehearsal has found the same and done nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MendedCopies {
    /// Copies that were missing and are there now.
    pub put: Vec<String>,
    /// Copies that were damaged and were replaced.
    pub replaced: Vec<String>,
    /// Objects of which no copy is known to be intact: they stay as they are.
    pub left: Vec<String>,
}

impl Repo<Open> {
    /// Puts every copy that `report` found missing while the other one was intact. Returns how many
    /// were put. Nothing that is there is changed.
    ///
    /// # Errors
    /// The store's.
    pub fn put_missing_copies(&self, report: &CheckReport) -> Result<u64> {
        let mut put = 0;
        for key in &report.single_copies {
            if let Some(bytes) = self.intact(&other(key))? {
                put += u64::from(self.store.put_new(key, &bytes)? == PutOutcome::Created);
            }
        }
        Ok(put)
    }

    /// The same, and replaces copies that `report` found damaged while the other one was intact. Index
    /// objects are left to the repair of the index.
    ///
    /// # Errors
    /// The store's.
    pub fn mend_copies(&self, report: &CheckReport, rehearse: bool) -> Result<MendedCopies> {
        let mut done = MendedCopies::default();
        let missing = report.single_copies.iter().map(|key| (key, Problem::Missing, true));
        let found = report.findings.iter();
        let found = found.map(|one| (&one.object, one.problem, one.has_copy));
        for (key, problem, has_copy) in missing.chain(found) {
            if key.starts_with(crate::index::INDEX_FOLDER) {
                continue;
            }
            let bytes = match has_copy && problem != Problem::Unstable {
                true => self.intact(&other(key))?,
                false => None,
            };
            let list = match (&bytes, problem) {
                (None, _) => &mut done.left,
                (Some(_), Problem::Missing) => &mut done.put,
                (Some(_), _) => &mut done.replaced,
            };
            list.push(key.clone());
            if let (Some(bytes), false) = (bytes, rehearse) {
                // What is cut short here leaves the other copy, and the next repair puts this one.
                self.store.delete(key)?;
                self.store.put_new(key, &bytes)?;
            }
        }
        Ok(done)
    }

    /// The bytes of a copy that a check has found intact. Where the name is the hash of the bytes that is
    /// shown again: a check without data has seen only the end of a pack.
    fn intact(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let bytes = match self.store.get(key, limits::PACK_MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let logical = key.strip_prefix(MIRROR_FOLDER).unwrap_or(key);
        let hashed = ["keys/", "packs/"].iter().any(|folder| logical.starts_with(folder));
        let name = logical.rsplit('/').next().unwrap_or_default();
        let is_intact = !hashed || ObjectHash::of(&bytes).to_string() == name;
        Ok(is_intact.then_some(bytes))
    }
}

/// Where the other copy lies.
fn other(key: &str) -> String {
    match key.strip_prefix(MIRROR_FOLDER) {
        Some(first) => first.to_owned(),
        None => mirror_key(key),
    }
}
