//! One process owns a log directory.

use std::any::Any;

use crate::error::Error;
use crate::files::Locked;
use crate::journal::directory::Directory;

/// Held until dropped.
pub(crate) struct Lock {
    _held: Box<dyn Any + Send>,
}

impl Lock {
    /// Takes the lock, or names the process that holds it.
    pub(crate) fn take(dir: &Directory) -> Result<Self, Error> {
        match dir.files.lock(&dir.lock_path(), &std::process::id().to_string())? {
            Locked::Mine(held) => Ok(Self { _held: held }),
            Locked::Theirs(holder) => Err(Error::Locked { dir: dir.root().to_path_buf(), holder }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_may_have_it_afterwards() {
        let root = tempfile::tempdir().unwrap();
        let dir = Directory::disk(root.path());
        let first = Lock::take(&dir).unwrap();
        match Lock::take(&dir) {
            Err(Error::Locked { holder, .. }) => {
                assert_eq!(holder, std::process::id().to_string());
            }
            _ => panic!("taken twice"),
        }
        drop(first);
        assert!(Lock::take(&dir).is_ok());
    }
}
