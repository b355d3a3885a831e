//! Options that leave something out of a backup.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use holdfast_executor::job::Selection;
use holdfast_executor::source::CACHE_MARKER;

/// What is left out.
#[derive(Debug, Args)]
#[command(next_help_heading = "Left out")]
pub struct Excludes {
    /// Leave out what fits; with a slash from the root, without one at any level. Can be repeated.
    #[arg(long, short = 'e', value_name = "GLOB")]
    exclude: Vec<String>,
    /// Leave out what fits one of the globs in this file, one a line; lines that begin with `#` are comments.
    /// Can be repeated.
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<PathBuf>,
    /// Of directories with a CACHEDIR.TAG that has the signature keep only that file.
    #[arg(long)]
    exclude_caches: bool,
    /// Of directories with an entry of this name keep only that entry. With a beginning the file must begin
    /// so. Can be repeated.
    #[arg(long, value_name = "NAME[:BEGINNING]")]
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
            exclude.extend(globs(file)?);
        }
        let mut exclude_if_present = self.exclude_if_present;
        exclude_if_present.extend(self.exclude_caches.then(|| CACHE_MARKER.to_owned()));
        Ok(Selection {
            exclude,
            exclude_if_present,
            exclude_larger_than: self.exclude_larger_than.map(|size| size.0),
            one_file_system: self.one_file_system,
            network_file_system: false,
        })
    }
}

fn globs(file: &Path) -> anyhow::Result<Vec<String>> {
    let lines = lines(file).with_context(|| format!("--exclude-file {}", file.display()))?;
    let taken_back = lines.iter().find(|line| line.starts_with('!'));
    anyhow::ensure!(
        taken_back.is_none(),
        "--exclude-file {}: {:?} would take something back, which is not supported; write \\! for a name that begins so",
        file.display(),
        taken_back.map(String::as_str).unwrap_or_default()
    );
    Ok(lines)
}

/// The lines of a file without empty ones and comments.
///
/// # Errors
/// When it cannot be read, or is no text.
pub fn lines(file: &Path) -> std::io::Result<Vec<String>> {
    let text = std::fs::read_to_string(file)?;
    let lines = text.lines().map(str::trim);
    let wanted = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(wanted.map(str::to_owned).collect())
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(u64);

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a whole number of bytes, or one with k, M, G or T, such as 100M")]
pub struct NotASize;

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let units = [('k', 10), ('m', 20), ('g', 30), ('t', 40)];
        let unit = text.chars().last().map(|last| last.to_ascii_lowercase());
        let found = units.into_iter().find(|(letter, _)| unit == Some(*letter));
        let (number, shift) =
            found.map_or((text, 0), |(_, shift)| (&text[..text.len() - 1], shift));
        let number: u64 = number.parse().map_err(|_| NotASize)?;
        number.checked_mul(1 << shift).map(Self).ok_or(NotASize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("100", 100),
            ("1k", 1_024),
            ("2M", 2 << 20),
            ("3G", 3 << 30),
            ("1T", 1 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "k", "1.5M", "-1", "1KiB", "1 M", "99999999T", "1ü"] {
            assert_eq!(text.parse::<Size>(), Err(NotASize), "{text}");
        }
    }
}
