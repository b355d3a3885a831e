//! File systems of our own, unmounted when they go out of scope.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system.
#[derive(Debug)]
pub struct Mounted {
    at: PathBuf,
}

impl Mounted {
    /// An ext4 in a file of this size, mounted at `at`.
    ///
    /// # Errors
    /// What creating, formatting or mounting answers.
    pub fn new_ext4(image: &Path, bytes: u64, at: &Path) -> io::Result<Self> {
        File::create(image)?.set_len(bytes)?;
        run(Command::new("mkfs.ext4").arg("-q").arg(image))?;
        Self::image(image, at)
    }

    /// The file system in a file, mounted at `at`; its journal is replayed by the kernel.
    ///
    /// # Errors
    /// What mounting answers.
    pub fn image(image: &Path, at: &Path) -> io::Result<Self> {
        fs::create_dir_all(at)?;
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(at))?;
        Ok(Self { at: at.to_owned() })
    }

    /// What a power cut at this moment leaves of the mounted file system in `image`: its file is copied
    /// to `copy` and mounted at `at`. What the kernel holds in memory only is not in it.
    ///
    /// # Errors
    /// What copying or mounting answers.
    pub fn after_power_cut(image: &Path, copy: &Path, at: &Path) -> io::Result<Self> {
        fs::copy(image, copy)?;
        Self::image(copy, at)
    }

    /// A tmpfs of this size, mounted at `at`.
    ///
    /// # Errors
    /// What mounting answers.
    pub fn new_tmpfs(bytes: u64, at: &Path) -> io::Result<Self> {
        fs::create_dir_all(at)?;
        let size = format!("size={bytes}");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at))?;
        Ok(Self { at: at.to_owned() })
    }

    /// What somebody else has mounted at `at`.
    #[must_use]
    pub fn adopted(at: &Path) -> Self {
        Self { at: at.to_owned() }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The test's own result counts; a mount that stays is said and is visible.
        if let Err(cause) = run(Command::new("umount").arg(&self.at)) {
            eprintln!("{} stays mounted: {cause}", self.at.display());
        }
    }
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{command:?}: {}: {said}", output.status)))
}
