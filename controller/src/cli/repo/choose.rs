//! Options that choose snapshots, the same for every verb that takes some.

use clap::Args;
use holdfast_executor::digest::SnapshotName;
use holdfast_executor::repo::{Filter, Open, Repo};
use holdfast_executor::snapshot::Snapshot;

use super::Output;
use crate::ports::clock;
use crate::repository::{Heard, Misuse, choosing_tags};

/// Which snapshots.
#[derive(Debug, Clone, Default, Args)]
pub struct Choose {
    /// Only snapshots of this machine. Can be repeated: of one of them.
    #[arg(long, short = 'H', value_name = "HOST")]
    host: Vec<String>,
    /// Only snapshots with all of these tags. Can be repeated: with all of one list. An empty text means
    /// snapshots without tags.
    #[arg(long, value_name = "TAG[,TAG…]", value_parser = choosing_tags)]
    tag: Vec<Vec<String>>,
    /// Only snapshots of this path. Can be repeated: of all of them.
    #[arg(long, value_name = "PATH")]
    path: Vec<String>,
}

impl Choose {
    /// The conditions as the executor takes them.
    #[must_use]
    pub fn filter(&self) -> Filter {
        Filter {
            hosts: self.host.clone(),
            tags: self.tag.clone(),
            paths: self.path.clone(),
            now_ms: Some(clock::now().0),
        }
    }

    /// The conditions on `latest`; beside the name of one snapshot they would say nothing.
    ///
    /// # Errors
    /// `Misuse`.
    pub fn filter_of(&self, snapshot: &str) -> anyhow::Result<Filter> {
        let filter = self.filter();
        if snapshot != "latest" && !filter.is_empty() {
            let text = format!(
                "--host, --tag and --path choose what `latest` is: leave them out beside {snapshot:?}"
            );
            return Err(Misuse::new(text).into());
        }
        Ok(filter)
    }

    /// The one snapshot that is meant.
    ///
    /// # Errors
    /// `Misuse`, or why it is not found.
    pub fn one(
        &self,
        repository: &Repo<Open>,
        snapshot: &str,
        output: Output,
    ) -> anyhow::Result<(SnapshotName, Snapshot)> {
        let (filter, heard) = (self.filter_of(snapshot)?, Heard { json: output.json });
        Ok(repository.find_fitting(snapshot, None, &filter, &heard)?)
    }
}
