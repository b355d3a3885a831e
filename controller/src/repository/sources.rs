//! What is backed up, from paths on the command line and lists in files.

use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use holdfast_executor::job::Source;

use super::{Misuse, glob};

/// The globs in a file, one a line.
///
/// # Errors
/// When it cannot be read, or a line is no glob.
pub fn globs(file: &Path) -> anyhow::Result<Vec<String>> {
    let option = format!("--exclude-file {}", file.display());
    let lines = lines(file).with_context(|| option.clone())?;
    for (number, line) in &lines {
        if line.starts_with('!') {
            return Err(Misuse::new(format!(
                "{option}, line {number}: {line:?} would take something back, which is not supported; write \\! for a name that begins so"
            ))
            .into());
        }
        glob(line).map_err(|why| Misuse::new(format!("{option}, line {number}: {why}")))?;
    }
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

/// The paths in a file, one a line.
///
/// # Errors
/// When it cannot be read.
pub fn paths(file: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let lines = lines(file).with_context(|| format!("--files-from {}", file.display()))?;
    Ok(lines.into_iter().map(|(_, line)| line.into()).collect())
}

/// The lines of a file with their numbers, without empty ones and comments.
fn lines(file: &Path) -> std::io::Result<Vec<(usize, String)>> {
    let text = std::fs::read_to_string(file)?;
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines().map(str::trim));
    let wanted = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    Ok(wanted.map(|(number, line)| (number, line.to_owned())).collect())
}

/// A path of this machine, stored under its absolute name.
///
/// # Errors
/// When it has no such name.
pub fn source(path: &Path) -> anyhow::Result<Source> {
    let misuse = |why: &str| Misuse::new(format!("{}: {why}", path.display()));
    if path.as_os_str().is_empty() {
        return Err(Misuse::new("a path is empty").into());
    }
    let absolute = std::path::absolute(path).with_context(|| format!("{}", path.display()))?;
    let stored_as = absolute
        .to_str()
        .ok_or_else(|| misuse("the path given must be UTF-8 (what lies below need not)"))?
        .trim_end_matches('/');
    let stored_as = if stored_as.is_empty() { "/" } else { stored_as };
    // `a/..` means the directory above only while `a` is no link; nothing else may be stored under a
    // name that it does not have.
    if absolute.components().any(|part| part == Component::ParentDir) {
        return Err(misuse("give the path without `..`").into());
    }
    Ok(Source::Directory { path: absolute.clone(), stored_as: stored_as.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_glob_is_named_with_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("globs");
        std::fs::write(&file, "\u{feff}# a comment\r\n\r\n *.tmp \r\n/x\n").unwrap();
        assert_eq!(globs(&file).unwrap(), ["*.tmp", "/x"]);
        for (line, words) in [("[a", "line 2: unclosed"), ("!x", "line 2: \"!x\" would take")] {
            std::fs::write(&file, format!("*.tmp\n{line}\n")).unwrap();
            let error = globs(&file).unwrap_err();
            assert!(error.is::<Misuse>() && error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn what_has_no_absolute_name_is_refused() {
        for path in ["", "a/../b", "/.."] {
            assert!(source(Path::new(path)).unwrap_err().is::<Misuse>(), "{path}");
        }
        let Source::Directory { stored_as, .. } = source(Path::new("//")).unwrap() else {
            panic!()
        };
        assert_eq!(stored_as, "/");
    }
}
