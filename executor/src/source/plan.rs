//! Where each source has its place in the logical tree of a snapshot.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::job::Source;
use crate::tree::check_name;

/// Longest logical path of a source.
const STORED_AS_MAX_BYTES: usize = 4_096;

/// Which source of the job something belongs to, counted from zero.
pub(crate) type SourceNumber = usize;

/// A node of the plan: directories that only lead to sources, and the sources.
#[derive(Debug)]
pub(crate) enum Planned {
    /// Leads to what is beneath.
    Passage(BTreeMap<Vec<u8>, Planned>),
    /// A directory or file of this machine.
    Path(SourceNumber, PathBuf),
    /// Standard input.
    Stdin(SourceNumber),
    /// A file in memory.
    Document(SourceNumber, Vec<u8>),
}

impl Planned {
    /// Whose it is; none for a passage.
    pub(crate) fn source(&self) -> Option<SourceNumber> {
        match self {
            Self::Passage(_) => None,
            Self::Path(source, _) | Self::Stdin(source) | Self::Document(source, _) => {
                Some(*source)
            }
        }
    }
}

/// Puts all sources into one tree.
///
/// # Errors
/// When a logical path is not absolute and plain, or two sources claim the same place.
pub(crate) fn plan(sources: &[Source]) -> Result<Planned> {
    let mut root = Planned::Passage(BTreeMap::new());
    for (number, source) in sources.iter().enumerate() {
        match source {
            Source::Directory { path, stored_as } => {
                insert(&mut root, stored_as, Planned::Path(number, path.clone()))?;
            }
            Source::Stdin { stored_as } => insert(&mut root, stored_as, Planned::Stdin(number))?,
            Source::Documents { documents } => {
                for document in documents {
                    let content = document.content.as_bytes().to_vec();
                    insert(&mut root, &document.stored_as, Planned::Document(number, content))?;
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

/// The components of an absolute logical path.
pub(crate) fn components(path: &str) -> Result<Vec<&[u8]>> {
    let invalid = |reason: String| Error::Invalid { field: "storedAs", reason };
    let Some(rest) = path.strip_prefix('/') else {
        return Err(invalid(format!("{path:?} is not absolute")));
    };
    if path.len() > STORED_AS_MAX_BYTES {
        return Err(invalid(format!("is longer than {STORED_AS_MAX_BYTES} bytes")));
    }
    let parts: Vec<_> = rest.trim_end_matches('/').split('/').map(str::as_bytes).collect();
    if parts == [b""] {
        return Ok(Vec::new());
    }
    for part in &parts {
        check_name(part).map_err(|error| invalid(format!("{path:?}: a {error}")))?;
    }
    Ok(parts)
}

fn insert(root: &mut Planned, stored_as: &str, planned: Planned) -> Result<()> {
    let taken = || Error::Invalid {
        field: "storedAs",
        reason: format!("{stored_as:?} lies within another source, or has one within it"),
    };
    let parts = components(stored_as)?;
    let Some((last, passages)) = parts.split_last() else {
        return match root {
            Planned::Passage(children)
                if children.is_empty() && matches!(planned, Planned::Path(..)) =>
            {
                *root = planned;
                Ok(())
            }
            _ => Err(taken()),
        };
    };
    let mut at = root;
    for part in passages {
        let Planned::Passage(children) = at else { return Err(taken()) };
        at = children.entry(part.to_vec()).or_insert_with(|| Planned::Passage(BTreeMap::new()));
    }
    let Planned::Passage(children) = at else { return Err(taken()) };
    if children.contains_key(*last) {
        return Err(taken());
    }
    children.insert(last.to_vec(), planned);
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

    #[test]
    fn overlaps_and_paths_that_are_none_are_refused() {
        let table: [&[&str]; 9] = [
            &[],
            &["data"],
            &[""],
            &["/a/../b"],
            &["/a//b"],
            &["/a", "/a"],
            &["/a", "/a/b"],
            &["/a/b", "/a"],
            &["/", "/a"],
        ];
        for paths in table {
            let sources: Vec<_> = paths.iter().map(|path| directory(path)).collect();
            assert!(plan(&sources).is_err(), "{paths:?}");
        }
        assert!(plan(&[Source::Stdin { stored_as: "/".to_owned() }]).is_err());
        assert!(plan(&[directory("/")]).is_ok());
    }
}
