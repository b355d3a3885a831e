//! Rooms stay small: a file fits in a sitting, a function on a screen.

use crate::finding::Finding;
use crate::tree::Tree;

const RULE: &str = "length";
/// A file that is longer holds more than one idea.
pub(super) const FILE_LINES: usize = 800;
/// What fits on one screen; counted as clippy does, without blanks and comments.
pub(super) const FUNCTION_LINES: usize = 70;

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, source) in &tree.sources {
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            let reason = format!("{lines} lines, {FILE_LINES} are allowed: one idea a file");
            let amount = lines;
            found.push(Finding { amount, ..Finding::new(RULE, path, 1, "file", reason) });
        }
        for function in source.functions() {
            if function.length > FUNCTION_LINES {
                let amount = function.length;
                let name = &function.name;
                let reason = format!("fn {name} has {amount} lines, {FUNCTION_LINES} are allowed");
                found.push(Finding {
                    amount,
                    ..Finding::new(RULE, path, function.line, name, reason)
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, usize)> {
        let tree = Tree::of(&[("p/src/lib.rs", text)]);
        check(&tree).into_iter().map(|f| (f.what, f.amount)).collect()
    }

    #[test]
    fn a_file_may_have_eight_hundred_lines() {
        assert_eq!(found(&"// x\n".repeat(800)), []);
        assert_eq!(found(&"// x\n".repeat(801)), [("file".into(), 801)]);
    }

    #[test]
    fn a_function_may_have_seventy() {
        let function = |lines| format!("fn long() {{\n{}}}\n", "x();\n// why\n\n".repeat(lines));
        assert_eq!(found(&function(70)), []);
        assert_eq!(found(&function(71)), [("long".into(), 71)]);
    }
}
