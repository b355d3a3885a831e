//! Where what lies below the state directory.

use std::path::{Path, PathBuf};

/// Directories below the state directory.
#[derive(Clone, Debug)]
pub struct Layout(PathBuf);

impl Layout {
    /// The layout below a directory.
    #[must_use]
    pub fn below(state: &Path) -> Self {
        Self(state.to_path_buf())
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Directories of workers.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// Published objects.
    #[must_use]
    pub fn status(&self) -> PathBuf {
        self.0.join("status")
    }

    /// Volumes of claims that no PersistentVolume stands for.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.0.join("volumes")
    }

    /// The key under which versions of Secrets are recorded.
    #[must_use]
    pub fn version_key(&self) -> PathBuf {
        self.0.join("secret-version.key")
    }
}
