//! Lists of paths and globs in files.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use holdfast_executor::report::printable;
use holdfast_executor::source::Globs;

use super::{Misuse, exclude_glob};

/// Stands for standard input in the place of a file.
const STANDARD_INPUT: &str = "-";

/// What an editor of Windows writes before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The globs in a file, one a line, with the variables of the environment in them.
///
/// # Errors
/// When it cannot be read, a line is no glob, or a variable is not set.
pub fn globs(option: &str, file: &Path) -> anyhow::Result<Vec<String>> {
    let option = format!("{option} {}", file.display());
    let bytes = read(file).map_err(|error| unreadable(&option, &error))?;
    let mut globs = Vec::new();
    for (number, line) in (1..).zip(split(&bytes)) {
        let misuse = |why: &str| Misuse::new(format!("{option}, line {number}: {why}"));
        let line = std::str::from_utf8(line)
            .map_err(|_| misuse("is no UTF-8 (`?` fits any character)"))?
            .trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = expanded(line, |name| std::env::var(name).ok()).map_err(|why| misuse(&why))?;
        globs.push(exclude_glob(&line).map_err(|why| misuse(&why))?);
    }
    Ok(globs)
}

/// A line with `$NAME` and `${NAME}` replaced; `$$` is a dollar sign. One that is not set would make another glob
/// of it, such as `/*` of `$CACHE/*`.
fn expanded(line: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), line);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let braced = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let (name, behind) = match (after.strip_prefix('$'), braced) {
            (Some(behind), _) => ("$", behind),
            (None, Some(braced)) => braced,
            (None, None) => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
        };
        match name {
            "$" | "" => out.push('$'),
            name => out.push_str(&value(name).ok_or_else(|| {
                format!("the variable {name} is not set; write $$ for a dollar sign")
            })?),
        }
        rest = behind;
    }
    Ok(out + rest)
}

/// The paths in a file, one a line: without comments, with blanks around them only where they are names, and
/// with `*`, `?` and `[` standing for what is there.
///
/// # Errors
/// When it cannot be read.
pub fn paths(file: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let bytes = read(file)
        .map_err(|error| unreadable(&format!("--files-from {}", file.display()), &error))?;
    let mut paths = Vec::new();
    for line in split(&bytes) {
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() || trimmed.starts_with(b"#") {
            continue;
        }
        let whole = Path::new(OsStr::from_bytes(line));
        match std::fs::symlink_metadata(whole) {
            Ok(_) => paths.push(whole.to_owned()),
            Err(_) => paths.extend(fitting(Path::new(OsStr::from_bytes(trimmed)))),
        }
    }
    Ok(paths)
}

/// The paths in a file, one a line and nothing else.
///
/// # Errors
/// When it cannot be read.
pub fn lines(file: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let bytes = read(file).map_err(|error| {
        unreadable(&format!("--files-from-verbatim {}", file.display()), &error)
    })?;
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(path).collect())
}

/// The paths in a file, each with a NUL behind it, as `find -print0` writes them.
///
/// # Errors
/// When it cannot be read; when a path is empty or the last one ends without a NUL.
pub fn records(file: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let option = format!("--files-from-raw {}", file.display());
    let bytes = read(file).map_err(|error| unreadable(&option, &error))?;
    let Some(records) = bytes.strip_suffix(b"\0") else {
        return match bytes.is_empty() {
            true => Ok(Vec::new()),
            false => {
                Err(Misuse::new(format!("{option}: the last path has no NUL behind it")).into())
            }
        };
    };
    let records: Vec<&[u8]> = records.split(|byte| *byte == 0).collect();
    if records.iter().any(|record| record.is_empty()) {
        return Err(Misuse::new(format!("{option}: a path is empty")).into());
    }
    Ok(records.into_iter().map(path).collect())
}

fn path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

/// A file of arguments that cannot be read is a wrong argument, as a wrong line in it is.
fn unreadable(option: &str, error: &std::io::Error) -> Misuse {
    Misuse::new(format!("{option}: {error}"))
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file == Path::new(STANDARD_INPUT) {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(file)
}

/// Lines as an editor writes them, on any system.
fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// What a path with `*`, `?` or `[` fits; itself where it fits nothing, so that it is named as missing.
fn fitting(path: &Path) -> Vec<PathBuf> {
    let has_glob = |text: &OsStr| text.as_bytes().iter().any(|byte| b"*?[".contains(byte));
    if !has_glob(path.as_os_str()) || path.symlink_metadata().is_ok() {
        return vec![path.to_owned()];
    }
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let Component::Normal(name) = part else {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        };
        let globs = name.to_str().filter(|_| has_glob(name)).map(str::to_owned);
        let globs = globs.and_then(|glob| Globs::new("files-from", &[glob]).ok());
        found = match globs {
            Some(globs) => found.iter().flat_map(|base| within(base, &globs)).collect(),
            None => {
                found.iter_mut().for_each(|path| path.push(name));
                found.into_iter().filter(|path| path.symlink_metadata().is_ok()).collect()
            }
        };
    }
    match found.is_empty() {
        true => vec![path.to_owned()],
        false => found,
    }
}

/// The entries of a directory that fit, by name.
fn within(base: &Path, globs: &Globs) -> Vec<PathBuf> {
    let dir = if base.as_os_str().is_empty() { Path::new(".") } else { base };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let mut found: Vec<PathBuf> =
        names.filter(|name| globs.matches(name.as_bytes())).map(|name| base.join(name)).collect();
    found.sort();
    found
}

/// A path as it can be shown.
pub(super) fn shown(path: &Path) -> String {
    printable(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("list");
        std::fs::write(&file, content).unwrap();
        (dir, file)
    }

    #[test]
    fn a_line_that_is_no_glob_is_named_with_its_number() {
        let (_dir, list) = file("\u{feff}# a comment\r\n\r\n *.tmp \r\n/x\n!/x/y\n");
        assert_eq!(globs("--exclude-file", &list).unwrap(), ["*.tmp", "/x", "!/x/y"]);
        for (line, words) in [
            (&b"[a"[..], "line 2: unclosed"),
            (b"!", "line 2: it names nothing"),
            (b"\xe4", "line 2: is no UTF-8"),
            (b"$NOT_SET_ANYWHERE/*", "line 2: the variable NOT_SET_ANYWHERE"),
        ] {
            let (_dir, list) = file([b"*.tmp\n", line, b"\n"].concat());
            let error = globs("--exclude-file", &list).unwrap_err();
            assert!(error.is::<Misuse>() && error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn k19_variables_are_replaced_in_files_of_globs() {
        let value = |name: &str| (name == "HOME").then(|| "/srv/u".to_owned());
        for (line, expected) in [
            ("$HOME/x", Ok("/srv/u/x")),
            ("/a${HOME}b", Ok("/a/srv/ub")),
            ("a$$b", Ok("a$b")),
            ("a$", Ok("a$")),
            ("$HOMER", Err("HOMER")),
            ("${}", Ok("$")),
        ] {
            let got = expanded(line, value);
            match expected {
                Ok(text) => assert_eq!(got.unwrap(), text, "{line}"),
                Err(words) => assert!(got.unwrap_err().contains(words), "{line}"),
            }
        }
    }

    #[test]
    fn k19_odd_names_are_taken_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
        let names: [&[u8]; 5] = [b"blank ", b"latin\xe4", b"a*", b"#x", b"ab"];
        for name in names {
            std::fs::write(at(name), "").unwrap();
        }
        let text = |name: &[u8]| [dir.path().as_os_str().as_bytes(), b"/", name, b"\n"].concat();
        let list = [text(b"blank "), text(b"latin\xe4"), text(b"a*"), b"# x\n".to_vec()].concat();
        let (_dir, list) = file(list);
        assert_eq!(paths(&list).unwrap(), [at(b"blank "), at(b"latin\xe4"), at(b"a*")]);
        let (_dir, list) =
            file([text(b"[ab]?"), text(b"none*"), b"  ".to_vec(), text(b"ab")].concat());
        assert_eq!(paths(&list).unwrap(), [at(b"a*"), at(b"ab"), at(b"none*"), at(b"ab")]);
        let (_dir, list) = file(b"#x\n blank \n\n\xe4\n");
        let verbatim: [&[u8]; 3] = [b"#x", b" blank ", b"\xe4"];
        assert_eq!(lines(&list).unwrap(), verbatim.map(path));
        let (_dir, list) = file(b"a\nb\0#\0");
        assert_eq!(records(&list).unwrap(), [path(b"a\nb"), path(b"#")]);
        for wrong in [&b"a"[..], b"a\0\0", b"\0"] {
            let (_dir, list) = file(wrong);
            assert!(records(&list).unwrap_err().is::<Misuse>(), "{wrong:?}");
        }
    }
}
