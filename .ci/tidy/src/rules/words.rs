//! Product code promises nothing for another day, and names no machine.

use crate::finding::Finding;
use crate::source::words;
use crate::tree::Tree;

const RULE: &str = "words";
/// In code, comments and strings of the product, whole words, in any case.
const UNFINISHED: &[&str] = &[
    "stub",
    "stubbed",
    "placeholder",
    "for now",
    "todo",
    "fixme",
    "xxx",
    "not implemented",
    "hack",
];
/// Beginnings of paths that exist on somebody's machine only.
const MACHINE: &[&str] = &["/home/", "/root/", "/Users/", "/work/"];
/// Code has directories of its own for what passes; a reader of a document may well use this one.
const MACHINE_IN_CODE: &str = "/tmp/";

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, source) in tree.product() {
        let text = source.text.to_lowercase();
        for word in UNFINISHED {
            for at in words(&text, word) {
                let line = crate::source::line_at(&text, at);
                if !source.tested(line) {
                    let reason = format!("\"{word}\": finish it, or leave it out");
                    found.push(Finding::new(RULE, path, line, &word.replace(' ', "-"), reason));
                }
            }
        }
    }
    // The rule names what it forbids, and its tests break it.
    for (path, text) in tree.files.iter().filter(|(path, _)| !path.starts_with(".ci/tidy/")) {
        for (at, line) in text.lines().enumerate() {
            let in_code = path.ends_with(".rs").then_some(&MACHINE_IN_CODE);
            let starts = MACHINE.iter().chain(in_code);
            for start in starts.filter(|start| begins_path(line, start)) {
                let reason = format!("a path below {start} exists on one machine only");
                found.push(Finding::new(RULE, path, at + 1, start, reason));
            }
        }
    }
    found
}

/// Whether `start` begins an absolute path in the line, and is not the inside of a longer one.
fn begins_path(line: &str, start: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-/~})*>".contains(c);
    line.match_indices(start).any(|(at, _)| !line[..at].ends_with(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn unfinished_words_are_found_in_product_code() {
        assert_eq!(found("p/src/a.rs", "// For now only one\nfn stub() {}"), ["stub", "for-now"]);
        assert_eq!(found("e2e/src/a.rs", "fn stub() {}"), [""; 0]);
        assert_eq!(found("p/src/a.rs", "#[cfg(test)]\nmod t { fn stub() {} }"), [""; 0]);
        assert_eq!(found("p/src/a.rs", "// stubborn, before nowhere"), [""; 0]);
    }

    #[test]
    fn paths_of_one_machine_are_found_everywhere() {
        assert_eq!(found("docs/a.md", "see /home/me/x"), ["/home/"]);
        assert_eq!(found("e2e/a.rs", "f(\"/tmp/x\")"), ["/tmp/"]);
        assert_eq!(found("docs/a.md", "`/tmp/x`"), [""; 0]);
        assert_eq!(found("docs/a.md", "src/home/x and $HOME/tmp/x and /var/tmp/x"), [""; 0]);
    }
}
