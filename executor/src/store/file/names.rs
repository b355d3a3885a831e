//! How a temporary file gets the name of an object without replacing one. Not every file system has a call for
//! that: exFAT has neither, NFS only the second, and a network share that somebody else serves may have none.
//!
//! | Way | Call | Where |
//! |---|---|---|
//! | no-replace | `renameat2(NOREPLACE)` | nearly everywhere |
//! | links | `linkat`, which refuses a name that is taken, then removal of the first name | NFS |
//! | claims | a claim file made with `O_EXCL`, a look, a plain rename | exFAT, NTFS and SSH by FUSE, shares |
//!
//! A claim is held for a look and a rename. One that nobody gives back within half a minute is of a writer that
//! died: it is taken away, and its maker, should it live after all, looks once more before it renames. What readers
//! see is a rename with every way: the whole object or none.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, RenameFlags};
use rustix::io::Errno;

use super::super::PutOutcome;

/// A claim that stays the same for so long is of a dead writer: living ones need two calls.
const CLAIM_LAPSE: Duration = Duration::from_secs(30);

/// How often somebody looks who waits for a claim.
const CLAIM_PAUSE: Duration = Duration::from_millis(20);

/// What the names of claims begin with.
pub(super) const CLAIM_PREFIX: &str = "claim.";

/// How names are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Way {
    /// One call.
    NoReplace,
    /// A second name, and the first one goes.
    Links,
    /// Writers agree by claims.
    Claims,
}

/// Gives names, in the first way that the file system has.
pub(super) struct Names {
    way: AtomicU8,
    lapse: Duration,
}

impl Names {
    pub(super) const fn beginning_with(way: Way) -> Self {
        Self { way: AtomicU8::new(way as u8), lapse: CLAIM_LAPSE }
    }

    pub(super) fn way(&self) -> Way {
        match self.way.load(Ordering::Relaxed) {
            0 => Way::NoReplace,
            1 => Way::Links,
            _ => Way::Claims,
        }
    }

    /// Gives `from` the name `to`, if nothing has it. `claim` is where the claim of that name would lie, and `mark`
    /// what tells this one from others.
    pub(super) fn give(
        &self,
        from: &Path,
        to: &Path,
        claim: &Path,
        mark: &str,
    ) -> io::Result<PutOutcome> {
        loop {
            let way = self.way();
            let given = match way {
                Way::NoReplace => without_replacing(from, to),
                Way::Links => by_link(from, to),
                Way::Claims => return self.by_claim(from, to, claim, mark),
            };
            match given {
                Err(error) if is_absent(way, error) => {
                    self.way.fetch_max(way as u8 + 1, Ordering::Relaxed);
                }
                Err(Errno::EXIST) => return Ok(PutOutcome::Exists),
                given => return Ok(given.map(|()| PutOutcome::Created)?),
            }
        }
    }

    fn by_claim(&self, from: &Path, to: &Path, at: &Path, mark: &str) -> io::Result<PutOutcome> {
        loop {
            let claim = self.claim(at, mark)?;
            if exists(to)? {
                return Ok(PutOutcome::Exists);
            }
            // Whoever was stopped here for half a minute may hold it no more.
            if claim.is_held() {
                fs::rename(from, to)?;
                return Ok(PutOutcome::Created);
            }
        }
    }

    /// Waits until the claim is ours.
    fn claim(&self, at: &Path, mark: &str) -> io::Result<Claim> {
        let mut seen: Option<(Vec<u8>, Instant)> = None;
        loop {
            match File::options().write(true).create_new(true).open(at) {
                Ok(mut file) => {
                    let claim = Claim { at: at.to_owned(), mark: mark.to_owned() };
                    file.write_all(mark.as_bytes())?;
                    return Ok(claim);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let Some(now) = read(at)? else { continue };
            match &seen {
                Some((before, since)) if *before == now => {
                    if since.elapsed() >= self.lapse {
                        take_away(at, mark)?;
                        seen = None;
                    }
                }
                _ => seen = Some((now, Instant::now())),
            }
            std::thread::sleep(CLAIM_PAUSE.min(self.lapse));
        }
    }
}

/// The right to give one name.
struct Claim {
    at: PathBuf,
    mark: String,
}

impl Claim {
    fn is_held(&self) -> bool {
        read(&self.at).is_ok_and(|found| found.is_some_and(|found| found == self.mark.as_bytes()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_held() {
            // One that stays lapses.
            let _ = fs::remove_file(&self.at);
        }
    }
}

fn without_replacing(from: &Path, to: &Path) -> Result<(), Errno> {
    rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)
}

fn by_link(from: &Path, to: &Path) -> Result<(), Errno> {
    rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
    rustix::fs::unlinkat(CWD, from, AtFlags::empty())
}

/// Whether an error says that the file system, or whoever guards system calls, has no such call. `EPERM` is what
/// `linkat` says where there are no hard links; where it is about rights the next way meets it as well.
const fn is_absent(way: Way, error: Errno) -> bool {
    match error {
        Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM => true,
        Errno::MLINK | Errno::XDEV => matches!(way, Way::Links),
        _ => false,
    }
}

fn exists(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn read(claim: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut found = Vec::new();
    match File::open(claim).and_then(|file| file.take(256).read_to_end(&mut found)) {
        Ok(_) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes a lapsed claim away. Of several that try, the rename of one succeeds; if it has caught the claim of
/// somebody who came after it, that one finds it gone when it looks, and waits again.
fn take_away(at: &Path, mark: &str) -> io::Result<()> {
    let mut aside = at.as_os_str().to_owned();
    aside.push(format!(".{mark}"));
    let aside = PathBuf::from(aside);
    match fs::rename(at, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    fs::remove_file(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k15_what_says_that_there_is_no_such_call_is_told_from_what_says_no() {
        for way in [Way::NoReplace, Way::Links] {
            for error in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::PERM] {
                assert!(is_absent(way, error), "{way:?} {error:?}");
            }
            for error in [
                Errno::EXIST,
                Errno::NOENT,
                Errno::NOSPC,
                Errno::DQUOT,
                Errno::IO,
                Errno::STALE,
                Errno::ROFS,
                Errno::ACCESS,
                Errno::NAMETOOLONG,
                Errno::MFILE,
                Errno::INTR,
            ] {
                assert!(!is_absent(way, error), "{way:?} {error:?}");
            }
        }
        assert!(is_absent(Way::Links, Errno::MLINK));
    }

    #[test]
    fn k15_a_claim_of_a_dead_writer_lapses_and_its_maker_notices() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to, at) =
            (dir.path().join("from"), dir.path().join("to"), dir.path().join("claim"));
        fs::write(&from, "content").unwrap();
        fs::write(&at, "of a dead writer").unwrap();
        let dead = Claim { at: at.clone(), mark: "of a dead writer".to_owned() };
        assert!(dead.is_held());
        let names = Names { lapse: Duration::from_millis(1), ..Names::beginning_with(Way::Claims) };
        assert_eq!(names.give(&from, &to, &at, "ours").unwrap(), PutOutcome::Created);
        assert!(!dead.is_held() && !at.exists());
        assert_eq!(fs::read(&to).unwrap(), b"content");
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 1, "the object and nothing else");
    }
}
