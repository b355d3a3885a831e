//! The tracked files, read once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::manifest::Manifest;
use crate::modules::Modules;
use crate::source::Source;

/// Every tracked text file, with what several rules need to know about it.
pub struct Tree {
    /// Text by path from the root. Files that are no UTF-8 are left out: no rule reads them.
    pub files: BTreeMap<String, String>,
    /// Rust files, masked and measured.
    pub sources: BTreeMap<String, Source>,
    /// One entry for each package, in the order of the folders.
    pub manifests: Vec<Manifest>,
    /// Which Rust files the compiler reaches, and which of them only in tests.
    pub modules: Modules,
}

impl Tree {
    /// Reads what git tracks below `root`; without git (a build sandbox) all files.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut paths = Vec::new();
        if root.join(".git").exists() {
            let listed =
                Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output()?;
            if !listed.status.success() {
                return Err(io::Error::other(String::from_utf8_lossy(&listed.stderr).into_owned()));
            }
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            paths.extend(listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned));
        } else {
            walk(root, "", &mut paths)?;
        }
        let mut files = BTreeMap::new();
        for path in paths {
            match std::fs::read(root.join(&path)).map(String::from_utf8) {
                Ok(Ok(text)) => drop(files.insert(path, text)),
                Ok(Err(_not_text)) => {}
                // Deleted but not yet committed: the tree that will be committed has no such file.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(Self::new(files))
    }

    fn new(files: BTreeMap<String, String>) -> Self {
        let sources: BTreeMap<_, _> = files
            .iter()
            .filter(|(path, _)| path.ends_with(".rs"))
            .map(|(path, text)| (path.clone(), Source::new(text)))
            .collect();
        let manifests: Vec<_> = files
            .iter()
            .filter(|(path, _)| path.ends_with("/Cargo.toml"))
            .map(|(path, text)| Manifest::parse(path, text))
            .collect();
        let modules = Modules::find(&files, &sources, &manifests);
        Self { files, sources, manifests, modules }
    }

    /// A tree written down in a test.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self::new(files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect())
    }

    /// Rust files that end up in the binary: not the fences, not the harnesses, not test files.
    pub fn product(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.sources
            .iter()
            .map(|(path, source)| (path.as_str(), source))
            .filter(|(path, _)| {
                !["./", ".ci/", "e2e/", "benches/"].iter().any(|at| path.starts_with(at))
            })
            .filter(|(path, _)| !self.modules.only_in_tests(path))
    }
}

fn walk(root: &Path, below: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if !entry.file_type()?.is_dir() {
            paths.push(path);
        } else if name != "target" && name != ".git" {
            walk(root, &path, paths)?;
        }
    }
    Ok(())
}
