//! Who may do what with a file that takes the place of another: the same, and never anybody more.

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

use rustix::fs::{XattrFlags, fgetxattr, fgetxattr_query, fremovexattr, fsetxattr};
use rustix::io::Errno;

use crate::sink::ACCESS_LIST;
use crate::source::sized;

/// What is left of a mode where it is not certain whom it would be for.
const OWNER_ALONE: u32 = 0o700;

const MODE: u32 = 0o7777;

/// Owner, mode and access list of a file.
#[derive(Debug)]
pub(super) struct Rights {
    uid: u32,
    gid: u32,
    mode: u32,
    /// Nothing where there is none. A list that cannot be read is an error: nobody knows whom it keeps out.
    list: Result<Option<Vec<u8>>, Errno>,
}

impl Rights {
    pub(super) fn of(file: &File, meta: &Metadata) -> Self {
        Self { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & MODE, list: list_of(file) }
    }

    /// Gives them to a new file that is its owner's alone until then. What could not be given is named: the content
    /// counts more, and what is missing makes nothing wider.
    pub(super) fn give_to(&self, file: &File) -> Vec<String> {
        let mut lost = Vec::new();
        let mut mode = self.mode;
        let is_owned =
            file.metadata().is_ok_and(|own| (own.uid(), own.gid()) == (self.uid, self.gid));
        let owned = if is_owned { Ok(()) } else { fchown(file, Some(self.uid), Some(self.gid)) };
        if let Err(error) = owned {
            // Who may not give files away leaves it his own.
            mode &= OWNER_ALONE;
            lost.push(format!("its owner {}:{} could not be set: {error}", self.uid, self.gid));
        }
        // A list names others: it is for nobody when the owner is another one.
        if let Err(error) = self.give_list(file, lost.is_empty()) {
            mode &= OWNER_ALONE;
            lost.push(format!("its access list could not be set: {error}"));
        }
        if let Err(error) = set_mode(file, mode) {
            lost.push(format!("its mode {mode:o} could not be set: {error}"));
        }
        lost
    }

    /// The directory may have handed a list on, which goes too.
    fn give_list(&self, file: &File, is_owned: bool) -> rustix::io::Result<()> {
        match self.list.as_ref().map_err(|error| *error)? {
            Some(list) if is_owned => fsetxattr(file, ACCESS_LIST, list, XattrFlags::empty()),
            _ => match fremovexattr(file, ACCESS_LIST) {
                Err(error) if list_of(file) != Ok(None) => Err(error),
                _ => Ok(()),
            },
        }
    }
}

fn list_of(file: &File) -> Result<Option<Vec<u8>>, Errno> {
    let query = || fgetxattr_query(file, ACCESS_LIST);
    match sized(query, |buffer| fgetxattr(file, ACCESS_LIST, buffer)) {
        Ok(list) => Ok(Some(list)),
        // Nor is there any where the file system knows of none.
        Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Some file systems refuse every mode, also the one that all of their files have.
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    let set = file.set_permissions(Permissions::from_mode(mode));
    match set {
        Err(_) if file.metadata().is_ok_and(|own| own.mode() & MODE == mode) => Ok(()),
        set => set,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::setxattr;
    use std::fs;
    use std::path::Path;

    /// Entries of a list as the kernel writes them: tag, rights, id.
    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = 2_u32.to_le_bytes().to_vec();
        for (tag, rights, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(rights.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    fn named(user: u16, group: u16, mask: u16, other: u16) -> Vec<u8> {
        let none = u32::MAX;
        list(&[
            (0x01, 6, none),
            (0x02, user, 65_534),
            (0x04, group, none),
            (0x10, mask, none),
            (0x20, other, none),
        ])
    }

    /// A new file that takes the place of `old`, in a directory that hands a list on. Nothing without lists here.
    fn in_place_of(dir: &Path, mode: u32, old_list: Option<&[u8]>) -> Option<File> {
        let old = File::create(dir.join("old")).unwrap();
        let _ = fremovexattr(&old, ACCESS_LIST);
        old.set_permissions(Permissions::from_mode(mode)).unwrap();
        if let Some(list) = old_list {
            fsetxattr(&old, ACCESS_LIST, list, XattrFlags::empty()).ok()?;
        }
        let handed_on = named(7, 5, 7, 5);
        setxattr(dir, "system.posix_acl_default", &handed_on, XattrFlags::empty()).ok()?;
        let new = dir.join("new");
        let _ = fs::remove_file(&new);
        let mut options = File::options();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let new = options.write(true).create_new(true).open(new).unwrap();
        assert!(list_of(&new).unwrap().is_some(), "handed on");
        let lost = Rights::of(&old, &old.metadata().unwrap()).give_to(&new);
        assert_eq!(lost, Vec::<String>::new());
        Some(new)
    }

    #[test]
    fn k06_a_file_takes_the_access_list_of_the_one_before_and_none_of_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let Some(new) = in_place_of(dir.path(), 0o640, None) else { return };
        assert_eq!(list_of(&new), Ok(None));
        assert_eq!(new.metadata().unwrap().mode() & MODE, 0o640);
        let denying = named(0, 4, 4, 4);
        let new = in_place_of(dir.path(), 0o644, Some(&denying)).unwrap();
        assert_eq!(list_of(&new), Ok(Some(denying)));
        assert_eq!(new.metadata().unwrap().mode() & MODE, 0o644);
    }

    #[test]
    fn k06_what_cannot_be_known_or_given_leaves_a_file_to_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let new = File::create(dir.path().join("new")).unwrap();
        let (meta, list) = (new.metadata().unwrap(), Err(Errno::IO));
        let (uid, gid) = (meta.uid(), meta.gid());
        let lost = Rights { uid, gid, mode: 0o664, list }.give_to(&new);
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert_eq!(new.metadata().unwrap().mode() & MODE, 0o600);
        let nonsense = Ok(Some(b"no list".to_vec()));
        let lost = Rights { uid, gid, mode: 0o754, list: nonsense }.give_to(&new);
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert_eq!(new.metadata().unwrap().mode() & MODE, 0o700);
    }

    #[test]
    fn k05_a_mode_that_is_refused_is_named_and_one_that_is_there_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("f")).unwrap();
        file.set_permissions(Permissions::from_mode(0o600)).unwrap();
        // By a descriptor that only names a file nothing is set.
        let flags = rustix::fs::OFlags::PATH;
        let none = rustix::fs::Mode::empty();
        let named = File::from(rustix::fs::open(dir.path().join("f"), flags, none).unwrap());
        assert!(set_mode(&named, 0o600).is_ok());
        let meta = named.metadata().unwrap();
        let (uid, gid) = (meta.uid(), meta.gid());
        let lost = |mode| Rights { uid, gid, mode, list: Ok(None) }.give_to(&named).join("; ");
        assert!(!lost(0o600).contains("mode") && lost(0o755).contains("its mode 700 could"));
        let lost = Rights { uid: uid + 1, gid, mode: 0o600, list: Ok(None) }.give_to(&named);
        assert!(lost[0].contains("its owner"), "{lost:?}");
        assert_eq!(file.metadata().unwrap().mode() & MODE, 0o600);
    }
}
