//! Where each source has its place in the logical tree of a snapshot.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::job::Source;
use crate::report::printable;
use crate::tree::check_name;

/// Longest logical path of a source.
const STORED_AS_MAX_BYTES: usize = 4_096;

/// Which source of the job something belongs to, counted from zero.
pub(crate) type SourceNumber = usize;

/// What lies in a directory of the plan.
pub(crate) type Children = BTreeMap<Vec<u8>, Planned>;

/// A node of the plan: directories that only lead to sources, and the sources.
#[derive(Debug)]
pub(crate) enum Planned {
    /// Leads to what is beneath.
    Passage(Children),
    /// A directory or file of this machine, and the sources that have their places beneath it. They come from
    /// where they say, whatever the directory itself has there.
    Path(SourceNumber, PathBuf, Children),
    /// Standard input.
    Stdin(SourceNumber),
    /// What a command writes.
    Command(SourceNumber, Vec<String>),
    /// A file in memory.
    Document(SourceNumber, Vec<u8>),
}

impl Planned {
    /// Whose it is; none for a passage.
    pub(crate) fn source(&self) -> Option<SourceNumber> {
        match self {
            Self::Passage(_) => None,
            Self::Path(source, ..)
            | Self::Stdin(source)
            | Self::Command(source, _)
            | Self::Document(source, _) => Some(*source),
        }
    }

    /// Whether all that lies beneath are directories and files of this machine.
    fn holds_only_paths(&self) -> bool {
        match self {
            Self::Passage(children) | Self::Path(_, _, children) => {
                children.values().all(Self::holds_only_paths)
            }
            Self::Stdin(_) | Self::Command(..) | Self::Document(..) => false,
        }
    }
}

/// Puts all sources into one tree. Directories may lie within each other, and one may be named twice.
///
/// # Errors
/// When a logical path is not absolute and plain, or two sources claim the same place.
pub(crate) fn plan(sources: &[Source]) -> Result<Planned> {
    let mut root = Planned::Passage(Children::new());
    for (number, source) in sources.iter().enumerate() {
        match source {
            Source::Directory { path, stored_as } => {
                let planned = Planned::Path(number, path.clone(), Children::new());
                insert(&mut root, stored_as.as_bytes(), planned)?;
            }
            Source::Path { path } => {
                let planned = Planned::Path(number, path.clone(), Children::new());
                insert(&mut root, path.as_os_str().as_bytes(), planned)?;
            }
            Source::Stdin { stored_as } => {
                insert(&mut root, stored_as.as_bytes(), Planned::Stdin(number))?;
            }
            Source::Command { command, stored_as } => {
                let planned = Planned::Command(number, command.clone());
                insert(&mut root, stored_as.as_bytes(), planned)?;
            }
            Source::Documents { documents } => {
                for document in documents {
                    let content = document.content.as_bytes().to_vec();
                    let planned = Planned::Document(number, content);
                    insert(&mut root, document.stored_as.as_bytes(), planned)?;
                }
            }
        }
    }
    match &root {
        Planned::Passage(children) if children.is_empty() => {
            Err(Error::Invalid { field: "sources", reason: "name nothing to back up".to_owned() })
        }
        _ => Ok(root),
    }
}

/// The logical path of a source as text, where it has one: bytes that are no text are escaped.
pub(crate) fn logical_of(source: &Source) -> Option<String> {
    match source {
        Source::Directory { stored_as, .. }
        | Source::Stdin { stored_as }
        | Source::Command { stored_as, .. } => Some(stored_as.clone()),
        Source::Path { path } => Some(
            path.to_str().map_or_else(|| printable(path.as_os_str().as_bytes()), str::to_owned),
        ),
        Source::Documents { .. } => None,
    }
}

/// The components of an absolute logical path.
pub(crate) fn components(path: &str) -> Result<Vec<&[u8]>> {
    parts(path.as_bytes())
}

fn parts(path: &[u8]) -> Result<Vec<&[u8]>> {
    let shown = || printable(path);
    let invalid = |reason: String| Error::Invalid { field: "storedAs", reason };
    let Some(mut rest) = path.strip_prefix(b"/") else {
        return Err(invalid(format!("{:?} is not absolute", shown())));
    };
    if path.len() > STORED_AS_MAX_BYTES {
        return Err(invalid(format!("is longer than {STORED_AS_MAX_BYTES} bytes")));
    }
    while let Some(shorter) = rest.strip_suffix(b"/") {
        rest = shorter;
    }
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let parts: Vec<_> = rest.split(|byte| *byte == b'/').collect();
    for part in &parts {
        check_name(part).map_err(|error| invalid(format!("{:?}: a {error}", shown())))?;
    }
    Ok(parts)
}

fn insert(root: &mut Planned, stored_as: &[u8], planned: Planned) -> Result<()> {
    let taken = || Error::Invalid {
        field: "storedAs",
        reason: format!(
            "{:?} lies within another source, or has one within it",
            printable(stored_as)
        ),
    };
    let is_path = matches!(planned, Planned::Path(..));
    let mut at = root;
    for part in parts(stored_as)? {
        at = match at {
            Planned::Passage(children) => children,
            Planned::Path(_, _, children) if is_path => children,
            _ => return Err(taken()),
        }
        .entry(part.to_vec())
        .or_insert_with(|| Planned::Passage(Children::new()));
    }
    let is_root = stored_as.iter().all(|byte| *byte == b'/');
    let is_free = matches!(at, Planned::Passage(children) if children.is_empty());
    let may_hold = at.holds_only_paths();
    match planned {
        // Only a directory can be the root of a snapshot: all else has a name.
        planned if is_free && (is_path || !is_root) => *at = planned,
        Planned::Path(number, path, _) if may_hold => match at {
            Planned::Passage(children) => {
                let children = std::mem::take(children);
                *at = Planned::Path(number, path, children);
            }
            // The same one again.
            Planned::Path(_, known, _) if *known == path => {}
            _ => return Err(taken()),
        },
        _ => return Err(taken()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(stored_as: &str) -> Source {
        Source::Directory { path: "/mnt".into(), stored_as: stored_as.to_owned() }
    }

    #[test]
    fn sources_share_passages() {
        let plan = plan(&[directory("/srv/a"), directory("/srv/b/"), directory("/etc")]).unwrap();
        let Planned::Passage(root) = plan else { panic!("a passage") };
        assert_eq!(root.keys().collect::<Vec<_>>(), [b"etc", b"srv"]);
        let Planned::Passage(srv) = &root[&b"srv"[..]] else { panic!("a passage") };
        assert_eq!(srv.len(), 2);
    }

    fn names(planned: &Planned) -> Vec<&[u8]> {
        let (Planned::Passage(children) | Planned::Path(_, _, children)) = planned else {
            return Vec::new();
        };
        children.keys().map(Vec::as_slice).collect()
    }

    #[test]
    fn k16_sources_lie_within_each_other_in_any_order_and_twice() {
        let at = |path: &str, stored_as: &str| Source::Directory {
            path: path.into(),
            stored_as: stored_as.to_owned(),
        };
        let all = [at("/", "/"), at("/x/b", "/a/b"), at("/x", "/a"), at("/x/b/", "/a/b/")];
        for turn in 0..all.len() {
            let mut sources = all.clone();
            sources.rotate_left(turn);
            let root = plan(&sources).unwrap();
            let Planned::Path(_, path, children) = &root else { panic!("the root") };
            assert_eq!(
                (path.as_path(), names(&root)),
                (std::path::Path::new("/"), vec![&b"a"[..]])
            );
            assert!(matches!(&children[&b"a"[..]], Planned::Path(..)));
            assert_eq!(names(&children[&b"a"[..]]), [b"b"]);
        }
        // Two different places cannot be one.
        assert!(plan(&[at("/x", "/a"), at("/y", "/a")]).is_err());
    }

    #[test]
    fn a_stream_shares_its_place_with_nothing() {
        let stream = |stored_as: &str| Source::Stdin { stored_as: stored_as.to_owned() };
        for (one, other) in [("/a", "/a"), ("/a", "/a/b"), ("/", "/a")] {
            assert!(plan(&[directory(one), stream(other)]).is_err(), "{one} {other}");
            assert!(plan(&[stream(other), directory(one)]).is_err(), "{other} {one}");
        }
        assert!(plan(&[stream("/a"), directory("/a/b")]).is_err());
        assert!(plan(&[stream("/a/x"), directory("/a/b")]).is_ok());
    }

    #[test]
    fn k19_a_path_that_is_no_text_is_a_source_like_others() {
        let path = std::ffi::OsStr::from_bytes(b"/x/\xe4").into();
        let source = Source::Path { path };
        assert_eq!(logical_of(&source).unwrap(), "/x/\\xe4");
        let Planned::Passage(root) = plan(&[source]).unwrap() else { panic!("a passage") };
        assert_eq!(names(&root[&b"x"[..]]), [b"\xe4"]);
    }

    #[test]
    fn paths_that_are_none_are_refused() {
        let table: [&[&str]; 5] = [&[], &["data"], &[""], &["/a/../b"], &["/a//b"]];
        for paths in table {
            let sources: Vec<_> = paths.iter().map(|path| directory(path)).collect();
            assert!(plan(&sources).is_err(), "{paths:?}");
        }
        assert!(plan(&[Source::Stdin { stored_as: "/".to_owned() }]).is_err());
        assert!(plan(&[directory("/")]).is_ok());
    }
}
