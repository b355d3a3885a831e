//! The files of a real disk.

use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{File, FileSystem, Locked, Open};

/// Zeros are written in pieces of this size.
const ZEROS_BYTES: usize = 256 * 1024;

/// Whatever the kernel has mounted. What happened to whose data is nobody else's business, whatever the
/// umask: files and directories are made for their owner alone.
#[derive(Debug)]
pub(super) struct Disk;

impl File for fs::File {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    /// Written, not only allocated: extents that were never written would be converted by the commit.
    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let zeros = vec![0; ZEROS_BYTES];
        let mut done = 0;
        while done < bytes {
            let now = usize::try_from(bytes - done).map_or(ZEROS_BYTES, |n| n.min(ZEROS_BYTES));
            self.write_all_at(zeros.get(..now).unwrap_or_default(), done)?;
            done += now as u64;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }
}

impl FileSystem for Disk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        let anew = how == Open::Anew;
        let mut options = OpenOptions::new();
        options.write(true).create(anew).truncate(anew).mode(0o600);
        // A device that is only written, such as a full one, is no file to read from.
        let opened = options.clone().read(true).open(path).or_else(|_| options.open(path))?;
        Ok(Box::new(opened))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn make_dirs(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir).and_then(|dir| dir.sync_all())
    }

    /// The kernel lets go of it when the process dies.
    fn lock(&self, path: &Path, text: &str) -> io::Result<Locked> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                return Ok(Locked::Theirs(holder));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.write_all(text.as_bytes())?;
        Ok(Locked::Mine(Box::new(file)))
    }
}
