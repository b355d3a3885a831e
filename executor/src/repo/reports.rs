//! Reports that a worker could not deliver: they wait in the repository, sealed, for whoever asks.

use super::{Open, Repo};
use crate::error::{Error, Result};
use crate::limits;
use crate::seal::Purpose;
use crate::store::PutOutcome;

fn report_key(attempt: &str) -> String {
    format!("reports/{attempt}")
}

impl Repo<Open> {
    /// Leaves the report of an attempt. The same one may be left again.
    ///
    /// # Errors
    /// `Limit`; `Invalid` if another report of this attempt is there; the store's, also for an attempt
    /// that cannot be part of a key.
    pub fn put_report(&self, attempt: &str, report: &[u8]) -> Result<()> {
        if report.len() >= limits::REPORT_MAX_BYTES {
            let (limit, found) = (limits::REPORT_MAX_BYTES as u64, report.len() as u64);
            return Err(Error::Limit { what: "bytes of a report", limit, found });
        }
        let key = report_key(attempt);
        let bytes = self.seal_object(Purpose::Report, Some(&key), |out| {
            out.extend_from_slice(report);
        })?;
        let outcome = self.store.put_new(&key, &bytes)?;
        if outcome == PutOutcome::Exists && self.read_report(attempt)? != report {
            let reason = format!("another report of attempt {attempt} is there already");
            return Err(Error::Invalid { field: "report", reason });
        }
        Ok(())
    }

    /// The report of an attempt.
    ///
    /// # Errors
    /// `Damaged`, or the store's `NotFound`.
    pub fn read_report(&self, attempt: &str) -> Result<Vec<u8>> {
        let key = report_key(attempt);
        // What sealing adds is far below what a report may have.
        let bytes = self.store.get(&key, limits::REPORT_MAX_BYTES as u64 * 2)?;
        self.open_object(&key, Purpose::Report, Some(&key), &bytes)
    }
}
