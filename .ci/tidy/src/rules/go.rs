//! What holds for Rust's files holds for those of the cluster that the end-to-end tests run on: they stay
//! small, and none of their tests is switched off. Formatting and vetting are Go's own tools' work.

use super::length::{FILE_LINES, FUNCTION_LINES};
use crate::finding::Finding;
use crate::tree::Tree;

const RULE: &str = "go";
/// Calls that end a test without a result.
const SKIPS: &[&str] = &["t.Skip(", "t.Skipf(", "t.SkipNow(", "b.Skip(", "b.Skipf(", "b.SkipNow("];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.files.iter().filter(|(path, _)| path.ends_with(".go")) {
        let lines = text.lines().count();
        if lines > FILE_LINES {
            let reason = format!("{lines} lines, {FILE_LINES} are allowed: one idea a file");
            found.push(Finding { amount: lines, ..Finding::new(RULE, path, 1, "file", reason) });
        }
        for (name, line, amount) in functions(text) {
            if amount > FUNCTION_LINES {
                let reason =
                    format!("func {name} has {amount} lines, {FUNCTION_LINES} are allowed");
                found.push(Finding { amount, ..Finding::new(RULE, path, line, name, reason) });
            }
        }
        for (at, line) in text.lines().enumerate() {
            if let Some(skip) = SKIPS.iter().find(|skip| line.trim_start().starts_with(*skip)) {
                let reason = "a test that does not run shows nothing: make it run, or take it out";
                found.push(Finding::new(RULE, path, at + 1, skip, reason));
            }
        }
    }
    found
}

/// Name, first line and length of each function of a file as gofmt writes it: it begins at the left edge,
/// and so does the brace that ends it. Blank lines and comments are not counted.
fn functions(text: &str) -> Vec<(&str, usize, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize, usize)> = None;
    for (at, line) in text.lines().enumerate() {
        let code = line.trim();
        if let Some(head) = line.strip_prefix("func ").filter(|_| line.ends_with('{')) {
            // A method's receiver stands before its name.
            let name = head
                .strip_prefix('(')
                .and_then(|rest| rest.split_once(") "))
                .map_or(head, |(_, name)| name);
            open = Some((name.split(['(', '[']).next().unwrap_or_default(), at + 1, 0));
        } else if line == "}" {
            found.extend(open.take());
        } else if let Some((_, _, length)) = open.as_mut() {
            *length += usize::from(!code.is_empty() && !code.starts_with("//"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, usize, usize)> {
        let tree = Tree::of(&[("e2e/x/a.go", text), ("e2e/x/a.txt", text)]);
        check(&tree).into_iter().map(|f| (f.what, f.line, f.amount)).collect()
    }

    #[test]
    fn a_file_may_have_eight_hundred_lines() {
        assert_eq!(found(&"// x\n".repeat(800)), []);
        assert_eq!(found(&"// x\n".repeat(801)), [("file".into(), 1, 801)]);
    }

    #[test]
    fn a_function_or_a_method_may_have_seventy() {
        let function = |head: &str, lines| {
            format!("package a\n\nfunc {head} {{\n{}}}\n", "\tx()\n\n\t// why\n".repeat(lines))
        };
        assert_eq!(found(&function("long()", 70)), []);
        assert_eq!(found(&function("long()", 71)), [("long".into(), 3, 71)]);
        assert_eq!(found(&function("(r *T) Long(x int) error", 71)), [("Long".into(), 3, 71)]);
        let two = function("a()", 40) + &function("b[T any](t T)", 40);
        assert_eq!(found(&two), []);
    }

    #[test]
    fn a_test_that_is_skipped_is_found() {
        assert_eq!(
            found("func TestX(t *testing.T) {\n\tt.Skip(\"no\")\n}\n"),
            [("t.Skip(".into(), 2, 1)]
        );
        assert_eq!(found("// t.Skip( is not for us\nvar x = list.Skip()\n"), []);
    }
}
