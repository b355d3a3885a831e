//! Temporary names, and what a run that was killed has left under them.
//!
//! A file has such a name while it is written into a directory that existed, and its writer holds a lock on it:
//! whoever comes next removes those that nobody holds. The lock goes with the process, however it ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, flock, openat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::beneath::Root;
use crate::error::{Error, Result};
use crate::source::Names;

/// What every temporary name begins with.
const PREFIX: &[u8] = b".holdfast-";

/// Digits of the mark that a name ends with.
const MARK_DIGITS: usize = 8;

/// Where others may be at work, something without a lock is taken for theirs for so long: between making a
/// file and locking it, or giving a link its name, lie moments.
const FRESH_SECONDS: i64 = 60;

/// Names that nobody can foresee.
pub(crate) struct TemporaryNames {
    run: u64,
    next: AtomicU64,
}

impl TemporaryNames {
    /// Those of a new run.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(crate) fn new() -> Result<Self> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
        Ok(Self { run: u64::from_le_bytes(bytes), next: AtomicU64::new(0) })
    }

    /// The next one.
    pub(crate) fn name(&self) -> Vec<u8> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!(".holdfast-{:016x}-{number:x}-", self.run);
        (name.clone() + &mark(name.as_bytes())).into_bytes()
    }
}

/// Whether a name is one that only this program gives, and only for a while: it is no data of anybody. What merely
/// looks like one has another mark.
pub(crate) fn is_leftover(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
        && name
            .split_last_chunk::<MARK_DIGITS>()
            .is_some_and(|(before, last)| before.ends_with(b"-") && mark(before).as_bytes() == last)
}

/// What follows from the rest of a name, as text.
fn mark(before: &[u8]) -> String {
    blake3::hash(before).to_hex()[..MARK_DIGITS].to_owned()
}

/// Says to others that this file is being written. Where the file system has no locks its age has to do.
pub(crate) fn hold(file: BorrowedFd<'_>) {
    let _ = flock(file, FlockOperation::NonBlockingLockExclusive);
}

/// Whether others write beneath the same root at this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Company {
    alone: bool,
    /// When this run began, in seconds since 1970.
    now: i64,
}

impl Company {
    /// Asks, and lets others see from now on that somebody is here: as long as the root is open.
    pub(crate) fn of(root: &Root, at_nanos: i64) -> Self {
        let alone = flock(root.fd(), FlockOperation::NonBlockingLockExclusive).is_ok();
        let _ = flock(root.fd(), FlockOperation::NonBlockingLockShared);
        Self { alone, now: at_nanos / 1_000_000_000 }
    }

    /// Removes from a directory what dead runs have left.
    pub(crate) fn clear(self, dir: BorrowedFd<'_>, names: &Names) {
        for name in names.iter().filter(|name| is_leftover(name)) {
            // What cannot be removed is in nobody's way, and no backup takes it for data.
            let _ = self.clear_one(dir, name);
        }
    }

    fn clear_one(self, dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !self.alone && self.now.saturating_sub(stat.st_ctime) < FRESH_SECONDS {
            return Ok(());
        }
        let removed = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => unlinkat(dir, name, AtFlags::REMOVEDIR),
            FileType::RegularFile if is_held(dir, name) => Ok(()),
            _ => unlinkat(dir, name, AtFlags::empty()),
        };
        Ok(removed?)
    }
}

fn is_held(dir: BorrowedFd<'_>, name: &[u8]) -> bool {
    let open = |access| {
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(dir, name, flags, Mode::empty())
    };
    // Over a network only who may write may lock.
    let held = open(OFlags::RDWR)
        .or_else(|_| open(OFlags::RDONLY))
        .and_then(|file| flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive));
    held == Err(Errno::WOULDBLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn k20_temporary_names_are_known_by_their_form() {
        let names = TemporaryNames::new().unwrap();
        assert!((0..20).all(|_| is_leftover(&names.name())));
        let whole = names.name();
        let (mut other, mut cut) = (whole.clone(), whole.clone());
        other[12] ^= 1;
        cut.pop();
        let longer = [&whole[..], b"0"].concat();
        let before = [b"x", &whole[..]].concat();
        let table: [&[u8]; 7] = [
            b".holdfast",
            b".holdfast-",
            b".holdfast-0123456789abcdef-0",
            &other,
            &cut,
            &longer,
            &before,
        ];
        for name in table {
            assert!(!is_leftover(name), "{}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn k20_what_nobody_holds_goes_and_what_somebody_writes_stays() {
        let dir = tempfile::tempdir().unwrap();
        let names = TemporaryNames::new().unwrap();
        let next = || {
            let name = String::from_utf8(names.name()).unwrap();
            dir.path().join(name)
        };
        let (dead, live, link, other) = (next(), next(), next(), dir.path().join(".holdfast-mine"));
        fs::write(&dead, b"half").unwrap();
        fs::write(&other, b"of somebody").unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        let writer = File::create(&live).unwrap();
        hold(writer.as_fd());
        let clear = |at| {
            let root = Root::open(dir.path()).unwrap();
            let company = Company::of(&root, at);
            company.clear(root.fd(), &Names::list(root.fd()).unwrap());
        };
        // Somebody else is at work in the same root: only what is old is taken for dead.
        let others = Root::open(dir.path()).unwrap();
        let _ = Company::of(&others, 0);
        clear(0);
        assert!(dead.exists() && link.is_symlink());
        drop(others);
        clear(0);
        assert!(!dead.exists() && !link.is_symlink());
        assert!(live.exists() && other.exists());
        drop(writer);
        clear(0);
        assert!(!live.exists() && other.exists());
    }

    #[test]
    fn k20_what_is_old_goes_although_others_are_at_work() {
        let dir = tempfile::tempdir().unwrap();
        let name = String::from_utf8(TemporaryNames::new().unwrap().name()).unwrap();
        fs::write(dir.path().join(&name), b"half").unwrap();
        let others = Root::open(dir.path()).unwrap();
        let _ = Company::of(&others, 0);
        let root = Root::open(dir.path()).unwrap();
        let far_later = Company::of(&root, i64::MAX);
        far_later.clear(root.fd(), &Names::list(root.fd()).unwrap());
        assert!(!dir.path().join(&name).exists());
    }
}
