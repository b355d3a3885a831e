//! `holdfast repo ls`.

use std::io::{BufWriter, Write as _};

use clap::Args;
use holdfast_engine::Timestamp;
use holdfast_executor::repo;
use holdfast_executor::report::printable;
use holdfast_executor::tree::{Node, NodeKind};

use super::location::Location;
use super::restore::split;
use crate::exit::Exit;

/// Arguments of `holdfast repo ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// An id, a unique prefix of one, or `latest`; with `:/sub/dir` only what lies there.
    snapshot: String,
    /// Mode, owner, size and time too.
    #[arg(long, short = 'l')]
    long: bool,
}

impl Ls {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let repository = location.open()?;
        let (name, path) = split(&self.snapshot);
        let (_, snapshot) = repository.find_snapshot(name, None)?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut broken = None;
        repo::ls(&repository, &snapshot, path, |path, node| {
            let line = if json { json_line(path, node) } else { text_line(path, node, self.long) };
            if let Err(error) = writeln!(out, "{line}") {
                broken = Some(error);
            }
            // Whoever reads only the first lines has closed the pipe: nothing more is looked up for them.
            Ok(broken.is_none())
        })?;
        match broken.or_else(|| out.flush().err()) {
            Some(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(Exit::Done),
        }
    }
}

fn text_line(path: &[u8], node: &Node, long: bool) -> String {
    let path = printable(path);
    if !long {
        return path;
    }
    let link = match &node.kind {
        NodeKind::Symlink { target } => format!(" -> {}", printable(target)),
        _ => String::new(),
    };
    format!(
        "{}{:04o} {:>5} {:>5} {:>12} {} {path}{link}",
        letter(&node.kind),
        node.mode,
        node.uid,
        node.gid,
        size(&node.kind),
        Timestamp(node.mtime.seconds.saturating_mul(1000)),
    )
}

/// One document a line, so that a listing of a million entries can be read as it comes.
fn json_line(path: &[u8], node: &Node) -> String {
    serde_json::json!({
        "path": printable(path),
        "type": word(&node.kind),
        "mode": node.mode,
        "uid": node.uid,
        "gid": node.gid,
        "size": size(&node.kind),
        "mtime": node.mtime.seconds,
        "mtimeNanos": node.mtime.nanos,
    })
    .to_string()
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

fn word(kind: &NodeKind) -> &'static str {
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
