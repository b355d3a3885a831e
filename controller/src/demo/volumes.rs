//! The volumes of the story: real files of this machine, and the kinds of entries that backups lose.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Files taken from this machine for one volume: enough for a session to be interrupted in.
const FILES: usize = 3_000;
/// Bytes taken from this machine for one volume.
const BYTES: u64 = 64 << 20;
/// Where real files are found on any Linux system.
const SOURCES: [&str; 3] = ["/usr/share", "/usr/lib", "/etc"];
/// Length of the file with a hole; it occupies 8 KiB.
const SPARSE_BYTES: u64 = 64 << 20;

/// Fills the volume of replica `ordinal`; each replica takes other files.
pub fn fill(volume: &Path, ordinal: usize) -> io::Result<Filled> {
    fs::create_dir_all(volume)?;
    let mut filled = Filled::default();
    let mut pool = Vec::new();
    for source in SOURCES {
        collect(Path::new(source), &mut pool, FILES * 4)?;
    }
    for (n, file) in pool.iter().skip(ordinal * FILES / 2).enumerate() {
        if filled.files >= FILES || filled.bytes >= BYTES {
            break;
        }
        let name = file.strip_prefix("/").unwrap_or(file);
        let target = volume.join(format!("shelf-{}", n % 7)).join(name);
        // A file that may not be read is somebody's secret and no part of this story.
        let Ok(content) = fs::read(file) else { continue };
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&target, &content)?;
        filled.files += 1;
        filled.bytes += content.len() as u64;
    }
    peculiar(volume)?;
    Ok(filled)
}

/// What went into a volume.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filled {
    /// Regular files copied from this machine.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// The entries that naive copies lose.
fn peculiar(volume: &Path) -> io::Result<()> {
    let odd = volume.join("peculiar");
    fs::create_dir_all(odd.join("empty directory"))?;
    fs::write(odd.join(OsStr::from_bytes(b"not utf-8 \xff\xfe")), b"named in bytes")?;
    fs::write(odd.join("ledger.db"), b"two names, one file")?;
    fs::hard_link(odd.join("ledger.db"), odd.join("ledger.db.link"))?;
    symlink("../nowhere/at/all", odd.join("dangling"))?;
    let sparse = File::create(odd.join("sparse.img"))?;
    sparse.set_len(SPARSE_BYTES)?;
    sparse.write_all_at(b"head", 0)?;
    sparse.write_all_at(b"tail", SPARSE_BYTES - 4096)?;
    let script = odd.join("run.sh");
    File::create(&script)?.write_all(b"#!/bin/sh\necho kept\n")?;
    fs::set_permissions(script, fs::Permissions::from_mode(0o750))
}

/// Regular files below `dir`, in order of their names, at most `most` in all.
fn collect(dir: &Path, found: &mut Vec<PathBuf>, most: usize) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    let mut entries: Vec<fs::DirEntry> = entries.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if found.len() >= most {
            break;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), found, most)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// A day later: some files changed, one new, one gone.
pub fn live_on(volume: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    collect(volume, &mut files, FILES)?;
    for file in files.iter().filter(|file| !file.starts_with(volume.join("peculiar"))).step_by(100)
    {
        fs::OpenOptions::new().append(true).open(file)?.write_all(b"\none more line\n")?;
    }
    fs::write(volume.join("new.txt"), b"written after the first backup\n")
}

/// What a user calls a lost volume.
pub fn destroy(volume: &Path) -> io::Result<()> {
    for entry in fs::read_dir(volume)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
