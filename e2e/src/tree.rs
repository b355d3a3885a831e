//! Trees with everything that a file system can hold.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat,
    utimensat,
};

use crate::chance::Chance;

/// Levels of the deep directory.
const DEPTH: usize = 200;
/// Names in the wide directory: enough for several levels of tree pages.
const WIDTH: usize = 10_000;
/// Holes begin and end at blocks.
const BLOCK_BYTES: u64 = 4096;
/// A user and a group that nobody has.
const STRANGER: u32 = 54_321;

/// Everything that an ordinary user can make, made by whoever calls this.
///
/// # Errors
/// What the file system answers.
pub fn make_ordinary(root: &Path) -> io::Result<()> {
    make_files(&root.join("files"))?;
    make_sparse(&root.join("sparse"))?;
    make_links(&root.join("links"))?;
    make_names(&root.join("names"))?;
    make_modes(&root.join("modes"))?;
    make_deep(&root.join("deep"))?;
    make_wide(&root.join("wide"))?;
    make_attributes(&root.join("attributes"))?;
    node(&root.join("fifo"), FileType::Fifo, 0o640, 0)?;
    node(&root.join("socket"), FileType::Socket, 0o755, 0)?;
    make_times(&root.join("times"))?;
    set_modified(root, 1_234_567_890, 987_654_321)
}

/// What only root can make, beside the above.
///
/// # Errors
/// What the file system answers.
pub fn make_privileged(root: &Path) -> io::Result<()> {
    let dir = root.join("privileged");
    fs::create_dir(&dir)?;
    node(&dir.join("null"), FileType::CharacterDevice, 0o666, makedev(1, 3))?;
    node(&dir.join("large numbers"), FileType::CharacterDevice, 0o600, makedev(300, 70_000))?;
    node(&dir.join("disk"), FileType::BlockDevice, 0o660, makedev(7, 255))?;
    for name in ["null", "disk"] {
        set_attribute(&dir.join(name), "trusted.of a device", b"1")?;
    }
    // Changing the owner drops setuid bits and capabilities: the order matters here and in a restore.
    let owned = [("owned", 0o644), ("setuid", 0o4755), ("setgid", 0o2755), ("both", 0o6711)];
    for (name, mode) in owned {
        fs::write(dir.join(name), name)?;
        chown(dir.join(name), Some(STRANGER), Some(STRANGER + 1))?;
        set_mode(&dir.join(name), mode)?;
    }
    let capable = dir.join("capable");
    fs::write(&capable, b"#!")?;
    chown(&capable, Some(STRANGER), None)?;
    // cap_net_bind_service, effective and permitted, revision 2.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    set_attribute(&capable, "security.capability", &capability)?;
    set_attribute(&capable, "trusted.small", b"\0\xff")?;
    set_attribute(&dir, "trusted.of a directory", b"yes")?;
    symlink("owned", dir.join("link"))?;
    set_attribute(&dir.join("link"), "trusted.of a link", b"even that")?;
    lchown(dir.join("link"), Some(STRANGER), Some(STRANGER))?;
    set_modified(&dir.join("link"), 1_111_111_111, 1)?;
    fs::create_dir(dir.join("shared"))?;
    chown(dir.join("shared"), None, Some(STRANGER))?;
    set_mode(&dir.join("shared"), 0o3775)?;
    set_modified(&dir, 1_000_000_000, 0)?;
    set_modified(root, 1_234_567_890, 987_654_321)
}

/// Hands everything at and beneath `root` to a user, links themselves included.
///
/// # Errors
/// What the file system answers.
pub fn give(root: &Path, user: u32) -> io::Result<()> {
    let mode = fs::symlink_metadata(root)?;
    if mode.is_dir() {
        for entry in fs::read_dir(root)? {
            give(&entry?.path(), user)?;
        }
    }
    lchown(root, Some(user), Some(user))?;
    if !mode.is_symlink() {
        // Changing the owner has cleared what does not survive it.
        fs::set_permissions(root, mode.permissions())?;
    }
    Ok(())
}

/// Small files of up to 8 KiB that do not compress, one hundred in each directory.
///
/// # Errors
/// What the file system answers.
pub fn make_small(root: &Path, count: usize) -> io::Result<()> {
    for number in 0..count {
        let dir = root.join(format!("d{:04}", number / 100));
        if number % 100 == 0 {
            fs::create_dir_all(&dir)?;
        }
        fs::write(dir.join(format!("f{number:06}")), noise(small_bytes(number), number as u64))?;
    }
    Ok(())
}

/// The size of a small file: spread, with an average of 4 KiB.
fn small_bytes(number: usize) -> usize {
    1 + number.wrapping_mul(2_654_435_761) % 8192
}

/// Bytes that do not compress, the same for the same seed.
#[must_use]
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut chance = Chance::of(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut out = Vec::with_capacity(bytes + 4);
    while out.len() < bytes {
        out.extend_from_slice(&chance.below(1 << 32).to_le_bytes()[..4]);
    }
    out.truncate(bytes);
    out
}

fn make_files(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir.join("empty directory"))?;
    fs::write(dir.join("empty"), b"")?;
    fs::write(dir.join("one byte"), b"1")?;
    fs::write(dir.join("text"), "all work and no play ".repeat(20_000))?;
    fs::write(dir.join("written zeros"), vec![0; 1 << 20])?;
    // Around the bounds of the data path: smallest chunk, blob alone, block, largest chunk, one cutter.
    for power in [17, 19, 20, 21, 23] {
        for (name, bytes) in [("less", (1 << power) - 1), ("equal", 1 << power)] {
            let path = dir.join(format!("two to the {power}, {name}"));
            fs::write(path, noise(bytes, power * 2 + bytes as u64))?;
        }
    }
    fs::write(dir.join("large"), noise(20 << 20, 7))?;
    Ok(())
}

fn make_sparse(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)?;
    let megabyte = 1 << 20;
    let files: [(&str, u64, &[u64]); 7] = [
        ("nothing but a hole", 8 * megabyte, &[]),
        ("hole first", 4 * megabyte, &[4 * megabyte - BLOCK_BYTES]),
        ("hole last", 64 * megabyte, &[0]),
        ("hole in the middle", 3 * megabyte, &[0, 3 * megabyte - BLOCK_BYTES]),
        ("short holes", 5 * BLOCK_BYTES, &[BLOCK_BYTES, 3 * BLOCK_BYTES]),
        ("shortest hole", 10 * BLOCK_BYTES, &[0, 9 * BLOCK_BYTES]),
        ("huge", 1 << 40, &[1 << 39]),
    ];
    for (name, bytes, islands) in files {
        let file = File::create(dir.join(name))?;
        file.set_len(bytes)?;
        for island in islands {
            file.write_all_at(&noise(BLOCK_BYTES as usize, *island + 1), *island)?;
        }
        file.sync_all()?;
    }
    let comb = File::create(dir.join("comb"))?;
    for tooth in 0..300 {
        comb.write_all_at(&noise(BLOCK_BYTES as usize, tooth), tooth * 16 * BLOCK_BYTES)?;
    }
    // Ends within a block.
    comb.set_len(4_800 * BLOCK_BYTES + 17)?;
    comb.sync_all()
}

fn make_links(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir.join("z/last"))?;
    fs::write(dir.join("m"), b"has three names")?;
    fs::hard_link(dir.join("m"), dir.join("a first"))?;
    fs::hard_link(dir.join("m"), dir.join("z/last/m"))?;
    fs::write(dir.join("z/pair"), noise(9 << 20, 3))?;
    fs::hard_link(dir.join("z/pair"), dir.join("z/pair too"))?;
    // Same content, same time, and yet not the same file.
    fs::write(dir.join("not m"), b"has three names")?;
    symlink("m", dir.join("to a file"))?;
    symlink("z/last", dir.join("to a directory"))?;
    symlink("../../elsewhere/..//x", dir.join("dangling"))?;
    symlink("/etc/hostname", dir.join("absolute"))?;
    symlink("circle", dir.join("circle"))?;
    symlink(OsStr::from_bytes(b"\xff\n"), dir.join("no text"))?;
    symlink("x/".repeat(2_000), dir.join("long"))?;
    set_modified(&dir.join("dangling"), -77, 123_456_789)
}

fn make_names(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)?;
    let names: [&[u8]; 16] = [
        b"\xff\xfe",
        b"\x01",
        b"new\nline",
        b"back\\slash",
        b"\"quote'",
        b"-rf",
        b"~",
        b" ",
        b"...",
        b"*?[x]",
        b"trailing ",
        b"\x7f",
        "é".as_bytes(),
        "e\u{301}".as_bytes(),
        "\u{202e}txt".as_bytes(),
        b".holdfast-0000000000000000-0",
    ];
    let longest = [vec![b'x'; 255], vec![0xfe; 255]];
    for name in names.into_iter().chain(longest.iter().map(Vec::as_slice)) {
        fs::write(dir.join(OsStr::from_bytes(name)), name)?;
        let mut directory = OsString::from("d");
        directory.push(OsStr::from_bytes(&name[..name.len().min(254)]));
        fs::create_dir(dir.join(directory))?;
    }
    Ok(())
}

fn make_modes(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)?;
    for mode in [0o400, 0o222, 0o751, 0o1644, 0o7777] {
        let file = dir.join(format!("file {mode:o}"));
        fs::write(&file, b"x")?;
        set_mode(&file, mode)?;
        let directory = dir.join(format!("directory {mode:o}"));
        fs::create_dir(&directory)?;
        fs::write(directory.join("within"), b"y")?;
        set_mode(&directory, mode | 0o500)?;
    }
    Ok(())
}

fn make_deep(dir: &Path) -> io::Result<()> {
    let mut at = dir.to_owned();
    for level in 0..DEPTH {
        at.push(format!("level {level}"));
    }
    fs::create_dir_all(&at)?;
    fs::write(at.join("bottom"), b"you made it")
}

fn make_wide(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)?;
    for number in 0..WIDTH {
        File::create(dir.join(format!("name number {number}")))?;
    }
    Ok(())
}

fn make_attributes(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)?;
    let file = dir.join("file");
    fs::write(&file, b"x")?;
    set_attribute(&file, "user.small", b"value")?;
    set_attribute(&file, "user.empty", b"")?;
    set_attribute(&file, "user.not text \u{fc}", b"\0\xff\n")?;
    let large = dir.join("large");
    fs::write(&large, b"x")?;
    set_attribute(&large, "user.large", &noise(3_000, 5))?;
    let listed = dir.join("access list");
    fs::write(&listed, b"x")?;
    set_mode(&listed, 0o640)?;
    set_attribute(&listed, "system.posix_acl_access", &access_list())?;
    let inherited = dir.join("default access list");
    fs::create_dir(&inherited)?;
    fs::write(inherited.join("older than the list"), b"x")?;
    set_attribute(&inherited, "system.posix_acl_default", &access_list())?;
    set_attribute(dir, "user.of a directory", b"x")
}

/// The kernel's form of `user::rw-,user:STRANGER:r--,group::r--,mask::r--,other::---`.
fn access_list() -> Vec<u8> {
    let nobody = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, nobody),
        (0x02, 4, STRANGER),
        (0x04, 4, nobody),
        (0x10, 4, nobody),
        (0x20, 0, nobody),
    ];
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

fn make_times(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)?;
    // The bounds are those of ext4.
    let times = [
        (0, 0),
        (-1, 999_999_999),
        (-2, 1),
        (i64::from(i32::MIN), 0),
        (i64::from(i32::MAX), 999_999_999),
        (1 << 31, 1),
        (1 << 32, 2),
        (15_032_385_535, 999_999_999),
    ];
    for (seconds, nanos) in times {
        let file = dir.join(format!("{seconds}.{nanos}"));
        fs::write(&file, b"x")?;
        set_modified(&file, seconds, nanos)?;
        let directory = dir.join(format!("directory {seconds}.{nanos}"));
        fs::create_dir(&directory)?;
        fs::write(directory.join("within"), b"x")?;
        set_modified(&directory, seconds, nanos)?;
    }
    Ok(())
}

fn node(path: &Path, kind: FileType, mode: u32, device: u64) -> io::Result<()> {
    mknodat(CWD, path, kind, Mode::from_raw_mode(mode), device)?;
    set_mode(path, mode)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn set_attribute(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    Ok(lsetxattr(path, name, value, XattrFlags::empty())?)
}

/// Sets when the content of an entry was changed; of a link its own.
///
/// # Errors
/// What the file system answers.
pub fn set_modified(path: &Path, seconds: i64, nanos: i64) -> io::Result<()> {
    let at = Timespec { tv_sec: seconds, tv_nsec: nanos };
    let times = Timestamps { last_access: at, last_modification: at };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
