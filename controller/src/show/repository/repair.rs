//! What a repair did, or would do.

use holdfast_executor::repo::{IndexRepair, MendedCopies};
use serde_json::{Value, json};

use super::failure;
use crate::cli::Output;

/// For people.
pub fn say(done: &IndexRepair, dry_run: bool, output: Output) {
    let would = if dry_run { "would be " } else { "" };
    for name in &done.packs_unreadable {
        let text = format!("pack {name}: its footer cannot be read, so nobody knows what it holds");
        failure::warn(&text, output.json);
    }
    for name in &done.packs_dropped {
        output.say(format_args!("pack {name} is not there: {would}named no more; the next backup stores again what it can"));
    }
    if done.is_clean() {
        return output.say("every pack that is there is named, and no other: nothing to do");
    }
    output.say(format_args!(
        "{} packs {would}named again, {} index objects {would}replaced",
        done.packs_added,
        done.objects_replaced.len()
    ));
    if done.objects_kept > 0 {
        output.say(format_args!(
            "{} of them the store did not let go: they still mislead writers",
            done.objects_kept
        ));
    }
}

/// The same for programs.
#[must_use]
pub fn json(done: &IndexRepair, dry_run: bool) -> serde_json::Value {
    let texts = |names: &[holdfast_executor::digest::PackName]| -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    };
    serde_json::json!({
        "dryRun": dry_run,
        "packsAdded": done.packs_added,
        "packsDropped": texts(&done.packs_dropped),
        "packsUnreadable": texts(&done.packs_unreadable),
        "objectsReplaced": done.objects_replaced.len(),
        "objectsWritten": done.objects_written,
        "objectsKept": done.objects_kept,
    })
}

/// Copies that were put back, for people.
pub fn say_copies(done: &MendedCopies, dry_run: bool, output: Output) {
    let would = if dry_run { "would be " } else { "" };
    for key in &done.put {
        output.say(format_args!("{key}: was missing, {would}put back from its other copy"));
    }
    for key in &done.replaced {
        output.say(format_args!("{key}: was damaged, {would}replaced by its other copy"));
    }
    for key in &done.left {
        failure::warn(&format!("{key} has no intact copy: it stays as it is"), output.json);
    }
    if done.put.is_empty() && done.replaced.is_empty() {
        output.say("every copy that can be put back is there: nothing to do");
    }
}

/// The same for programs.
#[must_use]
pub fn copies_json(done: &MendedCopies, dry_run: bool) -> Value {
    json!({ "dryRun": dry_run, "put": done.put, "replaced": done.replaced, "left": done.left })
}
