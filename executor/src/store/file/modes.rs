//! Who may read a repository: its owner, whatever the umask. What lies in it is sealed, but its key slots are what a
//! password is guessed from. A directory that its owner lets a group write is one that a group shares: what is made
//! in it is for that group too, and never for others.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Gid, Mode, fchmod, fchown};

const PRIVATE: (u32, u32) = (0o600, 0o700);
const SHARED: (u32, u32) = (0o660, 0o770);
const GROUP_WRITES: u32 = 0o020;
const SETGID: u32 = 0o2000;

/// The modes of what is made in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Modes {
    file: u32,
    dir: u32,
    group: Option<u32>,
}

impl Modes {
    /// What the directory of the repository asks for. One that is not there yet is going to be private.
    pub(super) fn of(root: &Path) -> Self {
        let shared = fs::metadata(root).ok().filter(|meta| meta.mode() & GROUP_WRITES != 0);
        match shared {
            None => Self { file: PRIVATE.0, dir: PRIVATE.1, group: None },
            Some(meta) => {
                let dir = SHARED.1 | (meta.mode() & SETGID);
                Self { file: SHARED.0, dir, group: Some(meta.gid()) }
            }
        }
    }

    /// Makes a file that was not there.
    pub(super) fn create(self, path: &Path) -> io::Result<File> {
        let file = File::options().write(true).create_new(true).mode(PRIVATE.0).open(path)?;
        self.set(&file, self.file);
        Ok(file)
    }

    /// Makes a directory that was not there, in one that is.
    pub(super) fn create_dir(self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(PRIVATE.1).create(path)?;
        if let Ok(dir) = File::open(path) {
            self.set(&dir, self.dir);
        }
        Ok(())
    }

    /// A file system without modes refuses, and shows what it was mounted with: that is for its owner to decide. A
    /// group that we do not belong to gets nothing, and no other gets it in its place.
    fn set(self, of: &File, mode: u32) {
        let Ok(meta) = of.metadata() else { return };
        if let Some(group) = self.group.filter(|group| *group != meta.gid())
            && fchown(of, None, Some(Gid::from_raw(group))).is_err()
        {
            return;
        }
        if meta.mode() & 0o7777 != mode {
            let _ = fchmod(of, Mode::from_raw_mode(mode));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn k15_what_is_made_is_private_or_for_the_group_that_shares_the_directory() {
        for (root, file, dir) in [
            (0o700, 0o600, 0o700),
            (0o755, 0o600, 0o700),
            (0o750, 0o600, 0o700),
            (0o777, 0o660, 0o770),
            (0o2770, 0o660, 0o2770),
            (0o2775, 0o660, 0o2770),
        ] {
            let at = tempfile::tempdir().unwrap();
            fs::set_permissions(at.path(), fs::Permissions::from_mode(root)).unwrap();
            let modes = Modes::of(at.path());
            modes.create(&at.path().join("f")).unwrap();
            modes.create_dir(&at.path().join("d")).unwrap();
            let mode = |name: &str| fs::metadata(at.path().join(name)).unwrap().mode() & 0o7777;
            assert_eq!((mode("f"), mode("d")), (file, dir), "in {root:o}");
        }
    }

    #[test]
    fn k15_a_directory_that_is_not_there_yet_is_private() {
        let at = tempfile::tempdir().unwrap();
        assert_eq!(Modes::of(&at.path().join("none")).dir, PRIVATE.1);
    }
}
