//! What changed between two snapshots.

use holdfast_engine::units::format_size;
use holdfast_executor::repo::{Change, Chunks, Counts, DiffSummary};
use holdfast_executor::report::printable;
use holdfast_executor::tree::Node;
use serde_json::{Value, json};

use super::node;
use crate::show::style::{Style, Tone};

/// One line an entry: a letter, then the path; directories end with a slash.
#[must_use]
pub fn line(path: &[u8], change: Change, node: &Node, style: Style) -> String {
    let (letter, tone) = match change {
        Change::Added => ("+", Tone::Good),
        Change::Removed => ("-", Tone::Bad),
        Change::Type => ("T", Tone::Warn),
        Change::Content => ("M", Tone::Warn),
        Change::Silent => ("?", Tone::Bad),
        Change::Metadata => ("U", Tone::Dim),
    };
    let slash = if node.kind.tree().is_some() && path != b"/" { "/" } else { "" };
    style.paint(tone, &format!("{letter}    {}{slash}", printable(path)))
}

/// The same for programs.
#[must_use]
pub fn json(path: &[u8], change: Change, entry: &Node) -> Value {
    let word = match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Type => "type",
        Change::Content => "content",
        Change::Silent => "silent",
        Change::Metadata => "metadata",
    };
    let kind = node::word(&entry.kind);
    json!({ "message": "change", "change": word, "path": printable(path), "type": kind })
}

/// The end of a comparison.
#[must_use]
pub fn summary(summary: &DiffSummary) -> String {
    let counts = |name: &str, counts: &Counts| {
        format!(
            "{name:<12} {:>7} new, {:>7} removed, {:>7} changed, {:>7} with other metadata only\n",
            counts.added, counts.removed, counts.changed, counts.metadata
        )
    };
    let chunks = |sign: &str, bytes: u64, chunks: &Chunks| {
        format!(
            "{sign:<12} {:>12} of files; {} of content that the other side's changes lack, in {} chunks\n",
            format_size(bytes),
            format_size(chunks.bytes),
            chunks.count
        )
    };
    [
        counts("Files:", &summary.files),
        counts("Directories:", &summary.directories),
        counts("Others:", &summary.others),
        chunks("Added:", summary.bytes_added, &summary.chunks_new),
        chunks("Removed:", summary.bytes_removed, &summary.chunks_gone),
    ]
    .concat()
}

/// The same for programs.
#[must_use]
pub fn summary_json(before: &str, after: &str, summary: &DiffSummary) -> Value {
    let counts = |counts: &Counts| {
        json!({
            "added": counts.added,
            "removed": counts.removed,
            "changed": counts.changed,
            "metadata": counts.metadata,
        })
    };
    let side = |bytes: u64, chunks: &Chunks| json!({ "fileBytes": bytes, "chunks": chunks.count, "chunkBytes": chunks.bytes });
    json!({
        "message": "summary",
        "before": before,
        "after": after,
        "files": counts(&summary.files),
        "directories": counts(&summary.directories),
        "others": counts(&summary.others),
        "added": side(summary.bytes_added, &summary.chunks_new),
        "removed": side(summary.bytes_removed, &summary.chunks_gone),
    })
}
