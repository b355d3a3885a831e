//! What a backup leaves out: globs in their order, of which each may take back what earlier ones leave out.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, Ordering};

use globset::{GlobSet, GlobSetBuilder};

use super::select::compile;
use crate::error::{Error, Result};
use crate::job::Selection;

/// Takes back what fits.
const TAKES_BACK: char = '!';

/// Both lists of a selection. What one of them leaves out, the other cannot take back.
#[derive(Debug)]
pub(crate) struct Excludes {
    lists: [List; 2],
}

#[derive(Debug)]
struct List {
    globs: Vec<One>,
    /// Matched against names, and which of the globs each of them is.
    names: (GlobSet, Vec<usize>),
    /// The same for paths.
    paths: (GlobSet, Vec<usize>),
    any_takes_back: bool,
}

#[derive(Debug)]
struct One {
    text: String,
    takes_back: bool,
    has_fitted: AtomicBool,
}

impl Excludes {
    /// Compiles the globs.
    ///
    /// # Errors
    /// Names the first glob that cannot be understood.
    pub(crate) fn new(selection: &Selection) -> Result<Self> {
        Ok(Self {
            lists: [
                List::new("exclude", &selection.exclude, false)?,
                List::new("iexclude", &selection.iexclude, true)?,
            ],
        })
    }

    /// Whether there are no globs at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.lists.iter().all(|list| list.globs.is_empty())
    }

    /// Whether the entry at this logical path is left out.
    pub(crate) fn matches(&self, path: &[u8]) -> bool {
        // Both hear of each path, so that each knows what it fits.
        self.lists.iter().fold(false, |out, list| list.leaves_out(path) | out)
    }

    /// The globs that have fitted nothing. Those beneath what another one leaves out were never asked.
    pub(crate) fn unfit(&self) -> Vec<String> {
        let all = self.lists.iter().flat_map(|list| &list.globs);
        let unfit = all.filter(|one| !one.has_fitted.load(Ordering::Relaxed));
        unfit.filter(|one| one.takes_back || !self.covers(&one.text)).map(One::shown).collect()
    }

    /// Whether something above the place that a glob names is left out.
    fn covers(&self, glob: &str) -> bool {
        glob.starts_with('/')
            && above(glob.trim_end_matches('/').as_bytes())
                .any(|path| self.lists.iter().any(|list| list.leaves_out(path)))
    }
}

impl List {
    fn new(field: &'static str, globs: &[String], ignore_case: bool) -> Result<Self> {
        let mut list = Vec::new();
        let mut sets = [GlobSetBuilder::new(), GlobSetBuilder::new()];
        let mut numbers = [Vec::new(), Vec::new()];
        for (number, text) in globs.iter().enumerate() {
            let bare = text.strip_prefix(TAKES_BACK);
            let (glob, is_path) = compile(field, bare.unwrap_or(text), ignore_case)?;
            sets[usize::from(is_path)].add(glob);
            numbers[usize::from(is_path)].push(number);
            let takes_back = bare.is_some();
            let text = bare.unwrap_or(text).to_owned();
            list.push(One { text, takes_back, has_fitted: AtomicBool::new(false) });
        }
        let build = |set: &GlobSetBuilder| {
            set.build().map_err(|error| Error::Invalid { field, reason: error.to_string() })
        };
        let [names, paths] = numbers;
        Ok(Self {
            names: (build(&sets[0])?, names),
            paths: (build(&sets[1])?, paths),
            any_takes_back: list.iter().any(|one| one.takes_back),
            globs: list,
        })
    }

    fn leaves_out(&self, path: &[u8]) -> bool {
        if self.globs.is_empty() {
            return false;
        }
        let mut last = self.last_fitting(path);
        // What fits a directory fits all beneath it, unless a later glob says something else of that.
        if self.any_takes_back {
            last = above(path).filter_map(|path| self.last_fitting(path)).chain(last).max();
        }
        last.is_some_and(|number| !self.globs[number].takes_back)
    }

    /// The last of the globs that fit a path itself.
    fn last_fitting(&self, path: &[u8]) -> Option<usize> {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let asked = [(&self.names, name), (&self.paths, path)];
        let mut last = None;
        for ((set, numbers), text) in asked {
            let text = OsStr::from_bytes(text);
            if !set.is_match(text) {
                continue;
            }
            for at in set.matches(text) {
                self.globs[numbers[at]].has_fitted.store(true, Ordering::Relaxed);
                last = last.max(Some(numbers[at]));
            }
        }
        last
    }
}

impl One {
    fn shown(&self) -> String {
        format!("{}{}", if self.takes_back { "!" } else { "" }, self.text)
    }
}

/// The paths of the directories above a path, but for the root.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(at, byte)| *at > 0 && **byte == b'/');
    slashes.map(|(at, _)| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(exclude: &[&str], iexclude: &[&str]) -> Excludes {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        let selection = Selection {
            exclude: texts(exclude),
            iexclude: texts(iexclude),
            ..Selection::default()
        };
        Excludes::new(&selection).unwrap()
    }

    #[test]
    fn k19_the_last_glob_that_fits_decides() {
        let cases: &[(&[&str], &str, bool)] = &[
            (&["*.log", "!keep.log"], "/a/x.log", true),
            (&["*.log", "!keep.log"], "/a/keep.log", false),
            (&["!keep.log", "*.log"], "/a/keep.log", true),
            (&["/srv/*/*", "!/srv/u/.config"], "/srv/u/.config", false),
            (&["/srv/*/*", "!/srv/u/.config"], "/srv/u/.config/x", false),
            (&["/srv/*/*", "!/srv/u/.config"], "/srv/u/x", true),
            // What fits a directory fits what is beneath, as with restic.
            (&["x", "!/a"], "/a/x", false),
            (&["!/a", "x"], "/a/x", true),
            (&["\\!x"], "/!x", true),
        ];
        for (globs, path, left_out) in cases {
            assert_eq!(
                excludes(globs, &[]).matches(path.as_bytes()),
                *left_out,
                "{globs:?} {path}"
            );
        }
    }

    #[test]
    fn k19_case_is_ignored_where_that_is_asked_and_not_elsewhere() {
        let both = excludes(&["*.jpg"], &["*.png"]);
        for (path, left_out) in
            [("/a.jpg", true), ("/a.JPG", false), ("/a.png", true), ("/a.PNG", true)]
        {
            assert_eq!(both.matches(path.as_bytes()), left_out, "{path}");
        }
        // One list takes nothing back from the other.
        assert!(excludes(&["!a.png"], &["*.png"]).matches(b"/a.png"));
    }

    #[test]
    fn k19_a_glob_that_fits_nothing_is_known_unless_it_was_never_asked() {
        let all = excludes(&["*.tmp", "/a", "/a/b", "none", "!/a/c", "src/x"], &["NONE"]);
        for path in ["/x.tmp", "/a", "/src", "/s/src/x"] {
            all.matches(path.as_bytes());
        }
        assert_eq!(all.unfit(), ["none", "!/a/c", "src/x", "NONE"]);
        assert!(!excludes(&[], &[]).matches(b"/a"));
    }
}
