//! What of a snapshot is restored, and which patterns fit nothing of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::job::RestoreOptions;
use crate::source::Globs;

/// All that is not excluded; where something is included, only that and what lies beneath it.
pub(super) struct Filter {
    include: [Globs; 2],
    exclude: [Globs; 2],
    /// Patterns that have fitted nothing so far, as a user wrote them.
    unmatched: Mutex<Vec<Pattern>>,
    all_matched: AtomicBool,
}

struct Pattern {
    text: String,
    globs: Globs,
}

impl Filter {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// Names the first pattern that cannot be understood.
    pub(super) fn new(options: &RestoreOptions) -> Result<Self> {
        let RestoreOptions { include, iinclude, exclude, iexclude, .. } = options;
        let include =
            [Globs::new("include", include)?, Globs::ignoring_case("iinclude", iinclude)?];
        let exclude =
            [Globs::new("exclude", exclude)?, Globs::ignoring_case("iexclude", iexclude)?];
        let mut unmatched = Vec::new();
        let lists = [
            ("include", &options.include, false),
            ("iinclude", iinclude, true),
            ("exclude", &options.exclude, false),
            ("iexclude", iexclude, true),
        ];
        for (field, list, ignores_case) in lists {
            for text in list {
                let one = std::slice::from_ref(text);
                let globs = match ignores_case {
                    true => Globs::ignoring_case(field, one)?,
                    false => Globs::new(field, one)?,
                };
                unmatched.push(Pattern { text: format!("--{field} {text}"), globs });
            }
        }
        let all_matched = AtomicBool::new(unmatched.is_empty());
        Ok(Self { include, exclude, unmatched: Mutex::new(unmatched), all_matched })
    }

    /// Whether an entry is left out together with everything beneath it.
    pub(super) fn excludes(&self, path: &[u8]) -> bool {
        let excludes = self.exclude.iter().any(|globs| globs.matches(path));
        if excludes {
            self.note(path);
        }
        excludes
    }

    /// Whether an entry is written when it is not excluded; `inherited` says that a directory above it was.
    pub(super) fn includes(&self, path: &[u8], inherited: bool) -> bool {
        let chosen = self.include.iter().all(Globs::is_empty);
        if chosen || inherited && self.all_matched.load(Ordering::Relaxed) {
            return true;
        }
        let includes = self.include.iter().any(|globs| globs.matches(path));
        if includes {
            self.note(path);
        }
        includes || inherited
    }

    fn note(&self, path: &[u8]) {
        if self.all_matched.load(Ordering::Relaxed) {
            return;
        }
        let mut unmatched = self.unmatched.lock().unwrap_or_else(PoisonError::into_inner);
        unmatched.retain(|pattern| !pattern.globs.matches(path));
        self.all_matched.store(unmatched.is_empty(), Ordering::Relaxed);
    }

    /// Patterns that have fitted nothing.
    pub(super) fn unmatched(&self) -> Vec<String> {
        let unmatched = self.unmatched.lock().unwrap_or_else(PoisonError::into_inner);
        unmatched.iter().map(|pattern| pattern.text.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn k19_patterns_that_fit_nothing_are_known() {
        let filter = Filter::new(&RestoreOptions {
            include: texts(&["/a", "/a/b", "/none"]),
            iinclude: texts(&["*.JPG"]),
            exclude: texts(&["/a/x", "nothing"]),
            iexclude: texts(&["SECRET*"]),
            ..RestoreOptions::default()
        })
        .unwrap();
        assert!(filter.includes(b"/a", false) && !filter.includes(b"/c", false));
        assert!(filter.includes(b"/a/b", true), "beneath what was chosen already");
        assert!(filter.includes(b"/c/y.jpg", false));
        assert!(filter.excludes(b"/a/x") && filter.excludes(b"/a/secrets"));
        assert!(!filter.excludes(b"/a/b"));
        assert_eq!(filter.unmatched(), ["--include /none", "--exclude nothing"]);
    }

    #[test]
    fn without_patterns_everything_is_restored() {
        let filter = Filter::new(&RestoreOptions::default()).unwrap();
        assert!(filter.includes(b"/x", false) && !filter.excludes(b"/x"));
        assert!(filter.unmatched().is_empty());
    }
}
