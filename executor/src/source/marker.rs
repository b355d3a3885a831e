//! Files whose presence says that the rest of their directory is not worth keeping, as caches have them
//! (<https://bford.info/cachedir/>).

use std::os::fd::BorrowedFd;

use rustix::fs::FileType;

use super::{Names, open_file, stat_entry};
use crate::error::{Error, Result};
use crate::tree::check_name;

/// The content of a cache directory is left out: the marker with its signature.
pub const CACHE_MARKER: &str = "CACHEDIR.TAG:Signature: 8a477f597d28d172789f06886806bc55";

/// Longest beginning that a marker may have to have.
const HEADER_MAX_BYTES: usize = 4_096;

/// Whether a text is a marker: `NAME` or `NAME:BEGINNING`.
///
/// # Errors
/// `Invalid`, with what is wrong with it.
pub fn check_marker(text: &str) -> Result<()> {
    Marker::parse(text).map(drop)
}

/// A name, and what a regular file of that name must begin with.
#[derive(Debug, Clone)]
pub(crate) struct Marker {
    name: Vec<u8>,
    header: Vec<u8>,
}

impl Marker {
    /// Reads `NAME` or `NAME:HEADER`.
    ///
    /// # Errors
    /// When the name is no single component, or the header is too long.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (name, header) = text.split_once(':').unwrap_or((text, ""));
        let invalid = |reason: String| Error::Invalid { field: "excludeIfPresent", reason };
        check_name(name.as_bytes()).map_err(|error| invalid(format!("{text:?}: the {error}")))?;
        if header.len() > HEADER_MAX_BYTES {
            return Err(invalid(format!(
                "{name:?}: a header has {HEADER_MAX_BYTES} bytes at most"
            )));
        }
        Ok(Self { name: name.as_bytes().to_vec(), header: header.as_bytes().to_vec() })
    }

    /// The name that it has in a directory.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether the directory has it. One that cannot be read counts as absent: rather too much is kept.
    fn is_in(&self, dir: BorrowedFd<'_>, names: &Names) -> bool {
        if !names.holds(&self.name) {
            return false;
        }
        let mut found = vec![0; self.header.len()];
        // Opening a device does something to it.
        let is_file = || {
            let stat = stat_entry(dir, &self.name).ok().flatten();
            stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
        };
        self.header.is_empty()
            || is_file()
                && open_file(dir, &self.name)
                    .and_then(|file| file.read_at(&mut found, 0))
                    .is_ok_and(|len| found[..len] == self.header[..])
    }
}

/// Whether a directory has a marker, and its beginning is right.
pub(crate) fn has_marker(marker: &Marker, dir: BorrowedFd<'_>, names: &Names) -> bool {
    marker.is_in(dir, names)
}

/// Leaves only the markers of a directory that has one; returns how many entries went.
pub(crate) fn leave_markers(markers: &[Marker], dir: BorrowedFd<'_>, names: &mut Names) -> u64 {
    let here: Vec<&Marker> = markers.iter().filter(|marker| marker.is_in(dir, names)).collect();
    if here.is_empty() {
        return 0;
    }
    let before = names.len();
    names.retain(|name| here.iter().any(|marker| marker.name == name));
    (before - names.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, write};
    use std::os::fd::AsFd;

    fn left(markers: &[&str], files: &[(&str, &str)]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            write(dir.path().join(name), content).unwrap();
        }
        let markers: Vec<Marker> =
            markers.iter().map(|text| Marker::parse(text).unwrap()).collect();
        let fd = File::open(dir.path()).unwrap();
        let mut names = Names::list(fd.as_fd()).unwrap();
        leave_markers(&markers, fd.as_fd(), &mut names);
        names.iter().map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_marker_stays_alone_if_it_begins_as_it_must() {
        let tag = &CACHE_MARKER["CACHEDIR.TAG:".len()..];
        let longer = format!("{tag}\n# more");
        assert_eq!(
            left(&[CACHE_MARKER], &[("CACHEDIR.TAG", &longer), ("a", "")]),
            ["CACHEDIR.TAG"]
        );
        assert_eq!(left(&[CACHE_MARKER], &[("CACHEDIR.TAG", "Signature: 8a"), ("a", "")]).len(), 2);
        assert_eq!(left(&[CACHE_MARKER], &[("cachedir.tag", tag), ("a", "")]).len(), 2);
        assert_eq!(left(&[".nobackup"], &[(".nobackup", ""), ("a", "")]), [".nobackup"]);
        assert_eq!(left(&["x", "y", "z"], &[("x", ""), ("y", ""), ("a", "")]), ["x", "y"]);
        assert_eq!(left(&[], &[("x", "")]), ["x"]);
    }

    #[test]
    fn a_marker_is_one_name() {
        for text in ["", "a/b", "..", ":header"] {
            assert!(Marker::parse(text).is_err(), "{text}");
        }
        let long = format!("x:{}", "h".repeat(HEADER_MAX_BYTES + 1));
        assert!(Marker::parse(&long).is_err());
    }
}
