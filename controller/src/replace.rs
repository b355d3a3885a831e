//! Files that are replaced whole: a reader sees the old content or the new one, never a part.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Readable by everybody who may read the directory.
pub const OPEN: u32 = 0o644;

/// Readable by its owner only.
pub const PRIVATE: u32 = 0o600;

/// Writes a file under a temporary name, syncs it, gives it its name, and syncs the directory that has the name now.
///
/// # Errors
/// What the file system says; the file of that name is then as it was, but for an error of the last sync: then it may
/// be the old one again after a power cut.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    write(path, bytes, mode, true)
}

/// The same without a sync: for what is written anew at every start anyway.
///
/// # Errors
/// What the file system says; the file of that name is then as it was.
pub fn replace_for_now(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    write(path, bytes, mode, false)
}

fn write(path: &Path, bytes: &[u8], mode: u32, sync: bool) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("a file needs a name and a directory"));
    };
    // Not the name itself with something added: it may be as long as a name can be.
    let digest = blake3::hash(name.as_encoded_bytes()).to_hex();
    let temporary = parent.join(format!(".{}.{}", &digest[..16], std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(bytes)?;
        if sync {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)?;
        // A name alone is `x`, which lies in `.`.
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        if sync { fs::File::open(parent)?.sync_all() } else { Ok(()) }
    })();
    if written.is_err() {
        // A leftover would only be noise; the error that matters is the one above.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_name_may_be_as_long_as_names_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("n".repeat(255));
        replace(&path, b"one", OPEN).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn nothing_but_the_file_is_left_and_its_mode_is_kept_tight() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.json");
        replace(&path, b"one", PRIVATE).unwrap();
        replace(&path, b"two", PRIVATE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("target");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"x", OPEN).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
