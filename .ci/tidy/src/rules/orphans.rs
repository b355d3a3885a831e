//! No Rust file is forgotten: what no target includes compiles nowhere, and its tests never run.

use crate::finding::Finding;
use crate::tree::Tree;

const RULE: &str = "orphans";

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for path in tree.sources.keys().filter(|path| !tree.modules.reaches(path)) {
        let reason = "no target includes this file: declare it with mod, or remove it";
        found.push(Finding::new(RULE, path, 1, "orphan", reason));
    }
    for (path, line, name) in &tree.modules.dangling {
        let reason = format!("mod {name} has no tracked file: git add it");
        found.push(Finding::new(RULE, path, *line, name, reason));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_mod_and_a_mod_without_file_are_found() {
        let tree = Tree::of(&[
            ("p/Cargo.toml", "[package]\nname = \"p\""),
            ("p/src/lib.rs", "mod a;\nmod new;\n"),
            ("p/src/a.rs", ""),
            ("p/src/b.rs", ""),
            ("p/tests/it/help.rs", ""),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|f| (f.path, f.line, f.what)).collect();
        let expected = [
            ("p/src/b.rs".into(), 1, "orphan".into()),
            ("p/tests/it/help.rs".into(), 1, "orphan".into()),
            ("p/src/lib.rs".into(), 2, "new".into()),
        ];
        assert_eq!(found, expected);
    }
}
