//! One entry of a snapshot.

use holdfast_engine::Timestamp;
use holdfast_executor::report::printable;
use holdfast_executor::tree::{Node, NodeKind};
use serde_json::{Value, json};

/// The path, and with `long` mode, owner, size and time, as `ls -l` has them.
#[must_use]
pub fn text(path: &[u8], node: &Node, long: bool) -> String {
    let path = printable(path);
    if !long {
        return path;
    }
    let link = match &node.kind {
        NodeKind::Symlink { target } => format!(" -> {}", printable(target)),
        _ => String::new(),
    };
    format!(
        "{}{} {:>5} {:>5} {:>12} {} {path}{link}",
        letter(&node.kind),
        permissions(node.mode),
        node.uid,
        node.gid,
        size(&node.kind),
        Timestamp(node.mtime.seconds.saturating_mul(1000)),
    )
}

/// One document a line, so that a listing of a million entries can be read as it comes.
#[must_use]
pub fn json(path: &[u8], node: &Node) -> Value {
    json!({
        "path": printable(path),
        "type": word(&node.kind),
        "mode": node.mode,
        "uid": node.uid,
        "gid": node.gid,
        "size": size(&node.kind),
        "mtime": node.mtime.seconds,
        "mtimeNanos": node.mtime.nanos,
    })
}

/// `rwxr-xr-x`, with `s`, `S`, `t` and `T` where a special bit stands.
fn permissions(mode: u32) -> String {
    let mut text = String::with_capacity(9);
    for (shift, special, set, unset) in
        [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        let bits = mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => set,
            (false, true) => unset,
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

fn size(kind: &NodeKind) -> u64 {
    match kind {
        NodeKind::File { size, .. } => *size,
        _ => 0,
    }
}

fn letter(kind: &NodeKind) -> char {
    match kind {
        NodeKind::File { .. } => '-',
        NodeKind::Directory { .. } | NodeKind::Passage { .. } => 'd',
        NodeKind::Symlink { .. } => 'l',
        NodeKind::Fifo => 'p',
        NodeKind::Socket => 's',
        NodeKind::CharDevice(_) => 'c',
        NodeKind::BlockDevice(_) => 'b',
    }
}

/// The type as a word.
#[must_use]
pub fn word(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::File { .. } => "file",
        NodeKind::Directory { .. } | NodeKind::Passage { .. } => "directory",
        NodeKind::Symlink { .. } => "symlink",
        NodeKind::Fifo => "fifo",
        NodeKind::Socket => "socket",
        NodeKind::CharDevice(_) => "charDevice",
        NodeKind::BlockDevice(_) => "blockDevice",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_executor::tree::Time;

    #[test]
    fn modes_read_as_ls_writes_them() {
        let table = [
            (0o755, "rwxr-xr-x"),
            (0o640, "rw-r-----"),
            (0o4755, "rwsr-xr-x"),
            (0o2644, "rw-r-Sr--"),
            (0o1777, "rwxrwxrwt"),
            (0o1000, "--------T"),
        ];
        for (mode, text) in table {
            assert_eq!(permissions(mode), text);
        }
    }

    #[test]
    fn a_long_line_has_the_target_of_a_link() {
        let kind = NodeKind::Symlink { target: b"to\n".to_vec() };
        let node = Node::bare(b"l", kind, 0o777, Time { seconds: 0, nanos: 0 });
        assert_eq!(text(b"/l", &node, false), "/l");
        assert_eq!(
            text(b"/l", &node, true),
            "lrwxrwxrwx     0     0            0 1970-01-01T00:00:00Z /l -> to\\n"
        );
    }
}
