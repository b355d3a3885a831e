//! No test is switched off, no error is skipped, nothing is left unwritten.

use crate::finding::Finding;
use crate::tree::Tree;

const RULE: &str = "honesty";
/// Nowhere, tests included. Written in halves, so that the file may check itself.
const NOWHERE: &[(&str, &str)] = &[
    (
        concat!("#[ign", "ore"),
        "a test that does not run shows nothing: make it quick, or take it out",
    ),
    (concat!("to", "do!("), "write it, or leave it out"),
    (concat!("unimple", "mented!("), "write it, or leave it out"),
    (concat!("db", "g!("), "take it out"),
];
/// Only in tests.
const IN_TESTS: &[(&str, &str)] = &[
    (".unwrap()", "return a typed error; only tests may unwrap"),
    (".unwrap_err()", "return a typed error; only tests may unwrap"),
    // With a literal behind it: methods of our own may be called `expect`.
    (".expect(\"", "return a typed error; only tests may expect"),
];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, source) in &tree.sources {
        for (pattern, reason) in NOWHERE {
            for (at, _) in source.code.match_indices(pattern) {
                found.push(Finding::new(RULE, path, source.line(at), pattern, *reason));
            }
        }
    }
    for (path, source) in tree.product() {
        for (pattern, reason) in IN_TESTS {
            for (at, _) in source.code.match_indices(pattern) {
                let line = source.line(at);
                if !source.tested(line) {
                    found.push(Finding::new(RULE, path, line, pattern, *reason));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let tree = Tree::of(&[("p/Cargo.toml", "[package]\nname = \"p\""), (path, text)]);
        check(&tree).into_iter().map(|f| f.line).collect()
    }

    #[test]
    fn what_is_allowed_nowhere_is_found_in_tests_too() {
        let text = format!("#[test]\n{}]\nfn t() {{ {}); }}", NOWHERE[0].0, NOWHERE[1].0);
        assert_eq!(lines("p/tests/t.rs", &text), [2, 3]);
    }

    #[test]
    fn unwrap_is_for_tests() {
        let text = "fn f() { g().unwrap(); h().expect(\"x\") }\n#[cfg(test)]\nmod tests {\n fn t() { f().unwrap() }\n}\n// .unwrap()\n";
        assert_eq!(lines("p/src/lib.rs", text), [1, 1]);
        assert_eq!(lines("p/tests/t.rs", text), [0; 0]);
    }

    #[test]
    fn a_parser_may_expect_a_token() {
        assert_eq!(
            lines("p/src/lib.rs", "fn f() { self.expect(Token::Dot)?; x.unwrap_or(1); }"),
            [0; 0]
        );
    }
}
