//! Options that leave something out of a backup.

use std::path::PathBuf;

use clap::Args;
use holdfast_executor::job::Selection;
use holdfast_executor::source::CACHE_MARKER;

use crate::repository::{Size, exclude_glob, globs, marker};

/// What is left out.
#[derive(Debug, Args)]
#[command(next_help_heading = "Left out")]
pub struct Excludes {
    /// Leave out what fits; with a slash from the root, without one at any level. One that begins with `!` takes
    /// back what earlier ones leave out. Can be repeated.
    #[arg(long, short = 'e', value_name = "GLOB", value_parser = exclude_glob)]
    exclude: Vec<String>,
    /// The same, blind to the case of letters.
    #[arg(long, value_name = "GLOB", value_parser = exclude_glob)]
    iexclude: Vec<String>,
    /// Leave out what fits one of the globs in this file, one a line; lines that begin with `#` are comments, and
    /// `$NAME` stands for a variable of the environment. Can be repeated.
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<PathBuf>,
    /// The same, blind to the case of letters.
    #[arg(long, value_name = "FILE")]
    iexclude_file: Vec<PathBuf>,
    /// Of directories with a CACHEDIR.TAG that has the signature keep only that file.
    #[arg(long)]
    exclude_caches: bool,
    /// Of directories with an entry of this name keep only that entry. With a beginning the file must begin
    /// so. Can be repeated.
    #[arg(long, value_name = "NAME[:BEGINNING]", value_parser = marker)]
    exclude_if_present: Vec<String>,
    /// Leave out files that are larger, such as 100M or 2G.
    #[arg(long, value_name = "SIZE")]
    exclude_larger_than: Option<Size>,
    /// Do not descend into other file systems.
    #[arg(long, short = 'x')]
    one_file_system: bool,
}

impl Excludes {
    /// The selection as jobs have it.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub fn selection(self) -> anyhow::Result<Selection> {
        let mut exclude = self.exclude;
        for file in &self.exclude_file {
            exclude.extend(globs("--exclude-file", file)?);
        }
        let mut iexclude = self.iexclude;
        for file in &self.iexclude_file {
            iexclude.extend(globs("--iexclude-file", file)?);
        }
        let mut exclude_if_present = self.exclude_if_present;
        exclude_if_present.extend(self.exclude_caches.then(|| CACHE_MARKER.to_owned()));
        Ok(Selection {
            exclude,
            iexclude,
            exclude_if_present,
            exclude_larger_than: self.exclude_larger_than.map(|size| size.0),
            one_file_system: self.one_file_system,
            network_file_system: false,
        })
    }
}
