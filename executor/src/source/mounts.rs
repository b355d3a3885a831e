//! Whether something is mounted at a name that does not answer: a server that is gone, or a mount of a user that
//! even root may not look at. Only the mount table tells then that it is another file system.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use crate::beneath::join;

/// Whether the mount table has a mount at a name of an open directory. Without a table, or without `/proc`, none is
/// known.
pub(crate) fn is_mounted(dir: BorrowedFd<'_>, name: &[u8]) -> bool {
    let above = std::fs::read_link(format!("/proc/self/fd/{}", dir.as_raw_fd()));
    let table = std::fs::read("/proc/self/mountinfo");
    match (above, table) {
        (Ok(above), Ok(table)) => has_mount(&table, &join(above.as_os_str().as_bytes(), name)),
        _ => false,
    }
}

fn has_mount(table: &[u8], path: &[u8]) -> bool {
    let places = table.split(|byte| *byte == b'\n').filter_map(|line| {
        let place = line.split(|byte| *byte == b' ').nth(4)?;
        Some(unescaped(place))
    });
    places.into_iter().any(|place| place == path)
}

/// Blanks, tabs, line ends and backslashes are written as three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let digits = text.get(at + 1..at + 4).filter(|_| *byte == b'\\');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        out.push(code.unwrap_or(*byte));
        at += if code.is_some() { 4 } else { 1 };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn k11_a_mount_is_found_by_its_place() {
        let table = b"22 1 0:21 / /proc rw - proc proc rw\n31 1 0:30 / /a\\040b/c rw shared:1 - fuse x rw\n";
        assert!(has_mount(table, b"/a b/c") && has_mount(table, b"/proc"));
        assert!(!has_mount(table, b"/a b") && !has_mount(table, b"/a b/c/d"));
        let root = File::open("/").unwrap();
        assert!(is_mounted(root.as_fd(), b"proc") && !is_mounted(root.as_fd(), b"etc/hosts"));
    }
}
