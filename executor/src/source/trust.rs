//! How far the times of a file system can be believed. A file counts as unmodified when size, times and inode
//! are what they were; that proves something only where the kernel sets the time of change by itself.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{StatFs, fstatfs, major, minor, statfs};

/// File systems that keep no time of change, or whatever a program or server says, and whose files may get
/// other content under equal times: FUSE, FAT, exFAT, HFS, and those whose files the kernel makes up.
const BELIEVED_NOTHING: [u64; 12] = [
    FUSE,
    0x4d44,      // FAT
    0x2011_bab0, // exFAT
    0x4244,      // HFS
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x0027_e0eb, // control groups
    0x6367_7270, // control groups of version 2
    0x6265_6570, // configfs
    0x7363_6673, // securityfs
];

const FUSE: u64 = 0x6573_5546;

/// Speaks the protocol of FUSE, but with the kernel of the host: its times are that one's.
const HOST_KERNEL: &str = "virtiofs";

/// File systems whose times are a server's, in whole seconds at worst: NFS, SMB, 9p, AFS, Ceph.
const OF_A_SERVER: [u64; 7] =
    [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x5346_414f, 0x00c3_6400];

/// What is known about the times of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trust {
    /// A file whose times, size and inode are the same is the same.
    pub(crate) times: bool,
    /// They are those of another machine's clock.
    pub(crate) server: bool,
}

impl Trust {
    /// Of the file system that an open file or directory lies on, with the number of its device. One that does
    /// not say what it is, is believed as most are.
    pub(crate) fn of(fd: impl AsFd, device: u64) -> Self {
        Self::by(fstatfs(fd), device)
    }

    /// The same of a file that is not opened.
    pub(crate) fn of_path(path: &Path, device: u64) -> Self {
        Self::by(statfs(path), device)
    }

    fn by(stat: rustix::io::Result<StatFs>, device: u64) -> Self {
        let magic = stat.map_or(0, |stat| u64::from(stat.f_type as u32));
        let host = || magic == FUSE && type_of(device).as_deref() == Some(HOST_KERNEL);
        Self {
            times: !BELIEVED_NOTHING.contains(&magic) || host(),
            server: OF_A_SERVER.contains(&magic) || magic == FUSE,
        }
    }
}

/// What the mount table calls the file system of a device.
fn type_of(device: u64) -> Option<String> {
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    type_in(&String::from_utf8_lossy(&table), &format!("{}:{}", major(device), minor(device)))
}

fn type_in(table: &str, device: &str) -> Option<String> {
    table.lines().find_map(|line| {
        let (mount, rest) = line.split_once(" - ")?;
        (mount.split(' ').nth(2)? == device).then(|| rest.split(' ').next().map(str::to_owned))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn k01_files_that_the_kernel_makes_up_are_never_believed_to_be_unmodified() {
        let device = |path: &str| rustix::fs::stat(path).unwrap().st_dev;
        let of = |path: &str| Trust::of(File::open(path).unwrap(), device(path));
        assert!(!of("/proc").times && !of("/sys").times);
        assert!(Trust::of(tempfile::tempfile().unwrap(), 0).times);
    }

    #[test]
    fn a_device_is_found_in_the_mount_table() {
        let table = "22 1 0:21 / /proc rw - proc proc rw\n\
                     31 1 0:30 / /a\\040b rw shared:1 - virtiofs tag rw\nnothing\n";
        assert_eq!(type_in(table, "0:30").as_deref(), Some("virtiofs"));
        assert_eq!(type_in(table, "0:3"), None);
    }
}
