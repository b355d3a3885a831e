//! What is backed up, from paths and commands on the command line.

use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use holdfast_executor::job::Source;

use super::Misuse;
use super::lists::shown;

/// Paths of this machine; one that is named twice is taken once.
///
/// # Errors
/// When one has no absolute name.
pub fn sources(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for path in paths {
        let absolute = absolute(path)?;
        if seen.insert(absolute.clone()) {
            sources.push(source(absolute));
        }
    }
    Ok(sources)
}

/// A command whose output is backed up.
///
/// # Errors
/// When it is no text, or there is none.
pub fn command(arguments: &[PathBuf], stored_as: String) -> anyhow::Result<Source> {
    let text = |argument: &PathBuf| {
        let text = argument.to_str().map(str::to_owned);
        text.ok_or_else(|| Misuse::new(format!("{}: a command must be UTF-8", shown(argument))))
    };
    let command = arguments.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    if command.is_empty() {
        return Err(Misuse::new("give the command behind --stdin-from-command and --").into());
    }
    Ok(Source::Command { command, stored_as })
}

/// Stored under its own absolute name, be that text or not.
fn source(path: PathBuf) -> Source {
    match path.to_str() {
        Some(text) => Source::Directory { stored_as: text.to_owned(), path },
        None => Source::Path { path },
    }
}

/// The absolute name of a path, without a slash at its end.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Misuse::new("a path is empty").into());
    }
    let absolute = std::path::absolute(path).with_context(|| shown(path))?;
    // `a/..` means the directory above only while `a` is no link; nothing else may be stored under a
    // name that it does not have.
    if absolute.components().any(|part| part == Component::ParentDir) {
        return Err(Misuse::new(format!("{}: give the path without `..`", shown(path))).into());
    }
    Ok(absolute.components().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_absolute_name_is_refused() {
        for path in ["", "a/../b", "/.."] {
            assert!(sources(&[path.into()]).unwrap_err().is::<Misuse>(), "{path}");
        }
    }

    #[test]
    fn k16_a_path_that_is_named_twice_is_one_source() {
        let paths = ["//", "/a", "/a/", "/./a", "/a//b"].map(PathBuf::from);
        let stored_as = |source| match source {
            Source::Directory { stored_as, .. } => stored_as,
            other => panic!("{other:?}"),
        };
        let stored: Vec<_> = sources(&paths).unwrap().into_iter().map(stored_as).collect();
        assert_eq!(stored, ["/", "/a", "/a/b"]);
    }
}
