//! Decisions look at no prose: a reason that the engine compares is a variant, never a string.

use crate::finding::Finding;
use crate::tree::Tree;

const RULE: &str = "prose";
const REASON: &str = "give the reason a variant in engine/src/outcome.rs and compare that";

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, source) in tree.product().filter(|(path, _)| path.starts_with("engine/")) {
        for (at, word) in source.code.match_indices("reason") {
            let rest = source.code.get(at + word.len()..).unwrap_or_default();
            let line = source.line(at);
            if compares_a_string(rest) && !source.tested(line) {
                found.push(Finding::new(
                    RULE,
                    path,
                    line,
                    "a reason compared with a string",
                    REASON,
                ));
            }
        }
    }
    found
}

/// Whether what follows a reason compares it with a literal, or with a constant in capitals.
fn compares_a_string(rest: &str) -> bool {
    let rest = rest.strip_prefix(".as_str()").unwrap_or(rest);
    let Some(with) = rest.strip_prefix(" == ").or_else(|| rest.strip_prefix(" != ")) else {
        return false;
    };
    let capitals = with.chars().take(2).filter(char::is_ascii_uppercase).count();
    with.starts_with('"') || capitals == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        let tree = Tree::of(&[("engine/Cargo.toml", "[package]\nname = \"e\""), (path, text)]);
        check(&tree).len()
    }

    #[test]
    fn strings_and_constants_are_found_and_variants_are_not() {
        for (text, expected) in [
            ("fn f() -> bool { failure.reason == \"Gone\" }", 1),
            ("fn f() -> bool { failure.reason.as_str() != \"Gone\" }", 1),
            ("fn f() -> bool { failure.reason == SECRET_GONE }", 1),
            ("fn f() -> bool { failure.reason == Reason::Gone }", 0),
            ("fn f() -> bool { found.reason == problem.reason }", 0),
            ("#[cfg(test)]\nmod tests {\n    fn f() -> bool { reason == \"Gone\" }\n}", 0),
        ] {
            assert_eq!(count("engine/src/a.rs", text), expected, "{text}");
        }
        assert_eq!(count("controller/src/a.rs", "fn f() -> bool { reason == \"Gone\" }"), 0);
    }
}
