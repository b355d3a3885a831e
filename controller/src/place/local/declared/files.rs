//! Reads all manifests of a directory.
//!
//! The directory is read again on an interval instead of being watched: editors replace files in steps, and
//! only a complete read without an error may take a missing object for a deletion.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::manifest::{Manifest, ObjectName, Place, Problem, read_documents};

/// Directories below one another; more is a loop of links.
const DEPTH_LIMIT: usize = 32;

/// A manifest file is written by people; a larger one is something else.
const FILE_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// One read of a directory.
#[derive(Debug, Default)]
pub struct Scan {
    /// The objects by name.
    pub manifests: BTreeMap<ObjectName, Manifest>,
    /// Everything that could not be used, in the order of files.
    pub problems: Vec<Problem>,
    /// For the reader's information.
    pub notices: Vec<String>,
}

impl Scan {
    /// Whether a missing object is a deletion.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Reads a directory and what lies below it, or a single file.
#[must_use]
pub fn scan(root: &Path) -> Scan {
    let mut scan = Scan::default();
    let mut files = Vec::new();
    collect(root, root, 0, &mut files, &mut scan.problems);
    files.sort();
    for file in files {
        let shown = file.strip_prefix(root).ok().filter(|p| !p.as_os_str().is_empty());
        let shown = shown.map_or_else(|| file.clone(), Path::to_path_buf);
        match read_limited(&file) {
            Ok(text) => {
                let found = read_documents(&shown, &text);
                scan.problems.extend(found.problems);
                scan.notices.extend(found.notices);
                found.manifests.into_iter().for_each(|manifest| add(&mut scan, manifest));
            }
            Err(error) => scan.problems.push(whole_file(shown, error.to_string())),
        }
    }
    scan
}

fn add(scan: &mut Scan, manifest: Manifest) {
    if let Some(first) = scan.manifests.get(&manifest.name) {
        scan.problems.push(Problem {
            message: format!("the object stands in {} already; keep one", first.place),
            object: Some(manifest.name),
            place: manifest.place,
            field: String::new(),
        });
    } else {
        scan.manifests.insert(manifest.name.clone(), manifest);
    }
}

fn collect(
    root: &Path,
    path: &Path,
    depth: usize,
    files: &mut Vec<PathBuf>,
    problems: &mut Vec<Problem>,
) {
    let shown = || path.strip_prefix(root).map_or_else(|_| path.to_path_buf(), Path::to_path_buf);
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            let name = if depth == 0 { path.to_path_buf() } else { shown() };
            problems.push(whole_file(name, error.to_string()));
            return;
        }
    };
    if !metadata.is_dir() {
        if depth == 0 || is_manifest(path) {
            files.push(path.to_path_buf());
        }
        return;
    }
    if depth > DEPTH_LIMIT {
        problems.push(whole_file(shown(), format!("more than {DEPTH_LIMIT} directories deep")));
        return;
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match entries {
        Ok(entries) => {
            for entry in entries {
                // Hidden names are editors' and version control's own.
                if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    collect(root, &entry.path(), depth + 1, files, problems);
                }
            }
        }
        Err(error) => problems.push(whole_file(shown(), error.to_string())),
    }
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
}

fn read_limited(file: &Path) -> std::io::Result<String> {
    let size = std::fs::metadata(file)?.len();
    if size > FILE_LIMIT_BYTES {
        return Err(std::io::Error::other(format!(
            "{size} bytes are more than a manifest file may have ({FILE_LIMIT_BYTES})"
        )));
    }
    std::fs::read_to_string(file)
}

fn whole_file(file: PathBuf, message: String) -> Problem {
    Problem { place: Place { file, document: 0 }, object: None, field: String::new(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n";

    #[test]
    fn reads_below_and_skips_what_is_no_manifest() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("sub/.git")).unwrap();
        std::fs::write(dir.path().join("sub/a.yaml"), NAMESPACE).unwrap();
        std::fs::write(dir.path().join("sub/.git/b.yaml"), "a: [").unwrap();
        std::fs::write(dir.path().join("sub/notes.txt"), "a: [").unwrap();
        let scan = scan(dir.path());
        assert_eq!(scan.manifests.len(), 1);
        assert!(scan.complete(), "{:?}", scan.problems);
    }

    #[test]
    fn the_same_object_twice_names_both_places() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.yaml"), NAMESPACE).unwrap();
        std::fs::write(dir.path().join("b.yml"), NAMESPACE).unwrap();
        let scan = scan(dir.path());
        assert_eq!(scan.manifests.len(), 1);
        let text = scan.problems[0].to_string();
        assert!(
            text.contains("b.yml, document 1, Namespace demo") && text.contains("a.yaml"),
            "{text}"
        );
    }

    #[test]
    fn a_missing_or_broken_file_makes_the_read_incomplete() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!scan(&dir.path().join("gone")).complete());
        std::fs::write(dir.path().join("a.yaml"), [0xff, 0xfe, 0x00]).unwrap();
        assert!(!scan(dir.path()).complete());
    }
}
