//! Globs that choose paths: what a backup leaves out, what a restore writes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};

/// A list of globs. With a slash a glob is matched against the whole logical path from its root, without one
/// against the name alone, at any level. `*` does not cross a slash, `**` does.
#[derive(Debug, Clone)]
pub struct Globs {
    paths: GlobSet,
    names: GlobSet,
    empty: bool,
}

impl Globs {
    /// Compiles the globs.
    ///
    /// # Errors
    /// Names the first glob that cannot be understood.
    pub fn new(field: &'static str, globs: &[String]) -> Result<Self> {
        Self::build(field, globs, false)
    }

    /// Whether any of them asks for more than a name.
    #[must_use]
    pub(crate) fn look_at_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// The same, blind to the case of letters.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn ignoring_case(field: &'static str, globs: &[String]) -> Result<Self> {
        Self::build(field, globs, true)
    }

    fn build(field: &'static str, globs: &[String], ignore_case: bool) -> Result<Self> {
        let mut paths = GlobSetBuilder::new();
        let mut names = GlobSetBuilder::new();
        for text in globs {
            let (glob, is_path) = compile(field, text, ignore_case)?;
            if is_path {
                paths.add(glob)
            } else {
                names.add(glob)
            };
        }
        let build = |set: GlobSetBuilder| {
            set.build().map_err(|error| Error::Invalid { field, reason: error.to_string() })
        };
        Ok(Self { paths: build(paths)?, names: build(names)?, empty: globs.is_empty() })
    }

    /// Whether there are no globs at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// Whether one of the globs matches the entry at this logical path.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        if self.empty {
            return false;
        }
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        self.names.is_match(OsStr::from_bytes(name)) || self.paths.is_match(OsStr::from_bytes(path))
    }
}

/// One glob, and whether it is matched against whole paths.
pub(super) fn compile(field: &'static str, text: &str, ignore_case: bool) -> Result<(Glob, bool)> {
    let invalid = |reason: &dyn std::fmt::Display| Error::Invalid {
        field,
        reason: format!("glob {text:?} cannot be used: {reason}"),
    };
    let clean = clean(text);
    if matches!(&*clean, "" | "/" | ".") {
        return Err(invalid(&"it names nothing"));
    }
    let is_path = clean.contains('/');
    let anchored = match is_path && !clean.starts_with('/') && !clean.starts_with("**/") {
        true => format!("/{clean}"),
        false => clean,
    };
    let glob = GlobBuilder::new(&anchored)
        .literal_separator(true)
        .backslash_escape(true)
        .case_insensitive(ignore_case)
        .build()
        .map_err(|error| invalid(&error.kind()))?;
    Ok((glob, is_path))
}

/// A glob as restic cleans it, by its text alone: without `.`, empty parts and a slash at the end, and `..` takes
/// the part before away.
fn clean(text: &str) -> String {
    let rooted = text.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    format!("{}{}", if rooted { "/" } else { "" }, parts.join("/"))
}

/// What a restore writes: all but the excluded, or of the included all but the excluded.
#[derive(Debug, Clone)]
pub struct Matcher {
    include: Globs,
    exclude: Globs,
}

impl Matcher {
    /// Compiles both lists.
    ///
    /// # Errors
    /// Names the first glob that cannot be understood.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        Ok(Self {
            include: Globs::new("include", include)?,
            exclude: Globs::new("exclude", exclude)?,
        })
    }

    /// Whether nothing is filtered.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether the entry is left out together with everything beneath it.
    #[must_use]
    pub fn excludes(&self, path: &[u8]) -> bool {
        self.exclude.matches(path)
    }

    /// Whether the entry is written when it is not excluded; `inherited` says that a directory above it was
    /// included.
    #[must_use]
    pub fn includes(&self, path: &[u8], inherited: bool) -> bool {
        inherited || self.include.is_empty() || self.include.matches(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_globs() {
        let table = [
            // glob, path, whether it matches
            ("*.tmp", "/a/b/x.tmp", true),
            ("*.tmp", "/x.tmp", true),
            ("*.tmp", "/x.tmp.keep", false),
            ("cache", "/data/cache", true),
            ("cache", "/data/mycache", false),
            ("cache/", "/data/cache", true),
            ("/data/cache", "/data/cache", true),
            ("/data/cache", "/other/data/cache", false),
            ("data/cache", "/data/cache", true),
            ("data/cache", "/x/data/cache", false),
            ("/data/*/x", "/data/a/x", true),
            ("/data/*/x", "/data/a/b/x", false),
            ("/data/**/x", "/data/a/b/x", true),
            ("/data/**/x", "/data/x", true),
            ("**/lost+found", "/data/lost+found", true),
            ("[ab].txt", "/z/a.txt", true),
            ("{a,b}.txt", "/z/b.txt", true),
            ("\\*", "/z/*", true),
            ("\\*", "/z/y", false),
            ("./cache", "/data/cache", true),
            ("cache/.", "/data/cache", true),
            ("/data//cache", "/data/cache", true),
            ("/data/./cache/", "/data/cache", true),
            ("x/../data/cache", "/data/cache", true),
            ("/../data", "/data", true),
            ("../data", "/data", false),
        ];
        for (glob, path, expected) in table {
            let globs = Globs::new("exclude", &[glob.to_owned()]).unwrap();
            assert_eq!(globs.matches(path.as_bytes()), expected, "{glob} on {path}");
        }
    }

    #[test]
    fn case_counts_unless_it_is_ignored() {
        let glob = ["*.JPG".to_owned()];
        assert!(!Globs::new("find", &glob).unwrap().matches(b"/a.jpg"));
        assert!(Globs::ignoring_case("find", &glob).unwrap().matches(b"/a.jpg"));
    }

    #[test]
    fn names_that_are_no_text_match_by_bytes() {
        let globs = Globs::new("exclude", &["a*".to_owned()]).unwrap();
        assert!(globs.matches(b"/x/a\xff"));
        assert!(!globs.matches(b"/x/\xffa"));
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        let error = Globs::new("exclude", &["[a".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("exclude") && error.contains("[a"), "{error}");
        for nothing in ["", "/", "//", ".", "./", "a/.."] {
            assert!(Globs::new("exclude", &[nothing.to_owned()]).is_err(), "{nothing:?}");
        }
    }

    #[test]
    fn exclusion_wins_over_inclusion() {
        let m = Matcher::new(&["*.txt".to_owned()], &["secret.txt".to_owned()]).unwrap();
        assert!(m.includes(b"/a/b.txt", false) && !m.excludes(b"/a/b.txt"));
        assert!(m.excludes(b"/a/secret.txt"));
        assert!(!m.includes(b"/a/b.md", false) && m.includes(b"/a/b.md", true));
    }
}
