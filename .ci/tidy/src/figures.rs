//! Figures that are printed and not enforced: they are aims, and a number is easily gamed.

use std::fmt::Write as _;

use crate::tree::Tree;

/// Median length of product files, and lines of tests for each line of code, by package.
pub fn report(tree: &Tree) -> String {
    let mut lengths: Vec<_> = tree.product().map(|(_, s)| s.text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let mut out = format!("tidy: {} product files, median {median} lines\n", lengths.len());
    for manifest in &tree.manifests {
        let (code, tests) = lines(tree, &manifest.folder);
        let hundredths = tests * 100 / code.max(1);
        let (whole, part) = (hundredths / 100, hundredths % 100);
        let name = &manifest.name;
        // Writing to a string cannot fail.
        let _ = writeln!(out, "tidy: {name:20} {code:6} code {tests:6} test  {whole}.{part:02}");
    }
    out
}

/// Lines of code and of tests below a folder: blank lines and comments count as neither.
fn lines(tree: &Tree, folder: &str) -> (usize, usize) {
    let inner = |path: &str| {
        let nested = tree.manifests.iter().filter(|m| m.folder.len() > folder.len());
        path.starts_with(&format!("{folder}/"))
            && !nested.into_iter().any(|m| path.starts_with(&format!("{}/", m.folder)))
    };
    let (mut code, mut tests) = (0, 0);
    for (path, source) in tree.sources.iter().filter(|(path, _)| inner(path)) {
        for (at, line) in source.code.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            if tree.modules.only_in_tests(path) || source.tested(at + 1) {
                tests += 1;
            } else {
                code += 1;
            }
        }
    }
    (code, tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_beside_code() {
        let tree = Tree::of(&[
            ("p/Cargo.toml", "[package]\nname = \"p\""),
            ("p/src/lib.rs", "//! x\nfn a() {}\n\n#[test]\nfn t() {}\n"),
            ("p/tests/it.rs", "fn b() {}\n"),
            ("p/q/Cargo.toml", "[package]\nname = \"q\""),
            ("p/q/src/lib.rs", "fn c() {}\n"),
        ]);
        assert_eq!(lines(&tree, "p"), (1, 3));
        assert_eq!(lines(&tree, "p/q"), (1, 0));
        assert!(report(&tree).contains("3.00"));
    }
}
