//! What `--delete` leaves alone: what the backup itself left out, since a snapshot says nothing about it.

use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, Stat};

use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::source::{Globs, Marker, Names, has_marker};

/// The rules of a snapshot's selection that left something out.
#[derive(Debug)]
pub(crate) struct Spared {
    exclude: Globs,
    exclude_ignoring_case: Globs,
    markers: Vec<Marker>,
    largest: u64,
    /// What was mounted was left out, and its mount point kept as an empty directory.
    one_file_system: bool,
    /// The logical root itself is a source: it is data, and not only the way to some.
    pub(crate) root_is_source: bool,
}

impl Spared {
    /// Reads the rules, as `docs/format.md` writes them.
    ///
    /// # Errors
    /// A rule that leaves something out and that this release does not know: what it spares nobody can say.
    pub(crate) fn of(snapshot: &Snapshot) -> Result<Self> {
        let (mut exclude, mut ignoring_case, mut markers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut largest, mut root_is_source, mut one_file_system) = (u64::MAX, false, false);
        for rule in &snapshot.selection {
            if let Some(text) = rule.strip_prefix("exclude if present ") {
                markers.push(Marker::parse(text)?);
            } else if let Some(text) = rule.strip_prefix("exclude larger than ") {
                largest = text.parse().map_err(|_| unknown(rule))?;
            } else if rule.starts_with("exclude !") || rule.starts_with("exclude ignoring case !") {
                // What such a rule took back is in the snapshot. Of what is not, rather too much is left alone.
            } else if let Some(glob) = rule.strip_prefix("exclude ignoring case ") {
                ignoring_case.push(glob.to_owned());
            } else if let Some(glob) = rule.strip_prefix("exclude ") {
                exclude.push(glob.to_owned());
            } else if rule.starts_with("exclude") {
                return Err(unknown(rule));
            } else if rule == "one file system" {
                one_file_system = true;
            } else if rule == "source /" {
                root_is_source = true;
            }
        }
        let exclude = Globs::new("selection", &exclude)?;
        let exclude_ignoring_case = Globs::ignoring_case("selection", &ignoring_case)?;
        Ok(Self {
            exclude,
            exclude_ignoring_case,
            markers,
            largest,
            one_file_system,
            root_is_source,
        })
    }

    /// Whether the backup would have left this entry out.
    pub(super) fn spares(&self, logical: &[u8], stat: &Stat) -> bool {
        let too_large = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_size as u64 > self.largest;
        too_large || self.exclude.matches(logical) || self.exclude_ignoring_case.matches(logical)
    }

    /// Whether the backup left out all but the markers of this directory. Of a marker that the snapshot holds
    /// the snapshot's other names tell, of another one the target. An empty directory of a backup that stayed on one
    /// file system may be a mount point: what was mounted there, and what lay beneath it, nobody has looked at.
    pub(super) fn spares_content(
        &self,
        dir: BorrowedFd<'_>,
        names: &Names,
        of_snapshot: Option<&OfSnapshot>,
    ) -> bool {
        let may_be_mount_point =
            self.one_file_system && of_snapshot.is_some_and(OfSnapshot::is_empty);
        let is_marked = self.markers.iter().any(|marker| match of_snapshot {
            Some(known) if known.markers.iter().any(|name| name == marker.name()) => {
                !known.has_others
            }
            _ => has_marker(marker, dir, names),
        });
        may_be_mount_point || is_marked
    }

    /// What of a snapshot's directory decides whether it was marked.
    pub(super) fn note(&self, known: &mut OfSnapshot, name: &[u8]) {
        match self.markers.iter().any(|marker| marker.name() == name) {
            true => known.markers.push(name.to_vec()),
            false => known.has_others = true,
        }
    }
}

/// Names of a snapshot's directory, as far as markers are concerned.
#[derive(Debug, Default)]
pub(super) struct OfSnapshot {
    markers: Vec<Vec<u8>>,
    has_others: bool,
}

impl OfSnapshot {
    fn is_empty(&self) -> bool {
        self.markers.is_empty() && !self.has_others
    }
}

fn unknown(rule: &str) -> Error {
    Error::Invalid {
        field: "--delete",
        reason: format!(
            "the snapshot was taken by the rule {rule:?}, which this release does not know: nothing can be removed safely"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn of(rules: &[&str]) -> Result<Spared> {
        let selection = rules.iter().map(|&rule| rule.to_owned()).collect();
        Spared::of(&Snapshot { selection, ..Snapshot::default() })
    }

    #[test]
    fn k04_the_rules_of_a_selection_are_read_back() {
        let spared = of(&[
            "source /srv",
            "exclude *.tmp",
            "exclude /srv/cache",
            "exclude larger than 5",
            "one file system",
        ])
        .unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), b"123456").unwrap();
        let large = rustix::fs::stat(dir.path().join("f")).unwrap();
        std::fs::write(dir.path().join("f"), b"12345").unwrap();
        let small = rustix::fs::stat(dir.path().join("f")).unwrap();
        assert!(spared.spares(b"/srv/a/x.tmp", &small) && spared.spares(b"/srv/cache", &small));
        assert!(spared.spares(b"/srv/x", &large) && !spared.spares(b"/srv/x", &small));
        assert!(!spared.root_is_source && of(&["source /"]).unwrap().root_is_source);
        assert!(spared.one_file_system && !of(&["source /"]).unwrap().one_file_system);
    }

    #[test]
    fn k04_an_empty_directory_of_one_file_system_may_be_a_mount_point() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x"), b"x").unwrap();
        let opened = std::fs::File::open(dir.path()).unwrap();
        let names = Names::list(opened.as_fd()).unwrap();
        for (rule, expected) in [("one file system", true), ("source /srv", false)] {
            let spared = of(&[rule]).unwrap();
            let keeps =
                |known: Option<&OfSnapshot>| spared.spares_content(opened.as_fd(), &names, known);
            let mut known = OfSnapshot::default();
            assert_eq!((keeps(Some(&known)), keeps(None)), (expected, false), "{rule}");
            spared.note(&mut known, b"a");
            assert!(!keeps(Some(&known)), "{rule}: it held something, and so was looked at");
        }
    }

    #[test]
    fn k04_a_rule_that_is_not_known_removes_nothing() {
        let error = of(&["excluded by the moon"]).unwrap_err().to_string();
        assert!(error.contains("by the moon"), "{error}");
    }
}
