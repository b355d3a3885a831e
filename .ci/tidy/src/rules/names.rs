//! No drawer for odds and ends: a module is named after what it holds.

use crate::finding::Finding;
use crate::tree::Tree;

/// Names that say nothing about what is inside.
const DRAWERS: &[&str] =
    &["common", "util", "utils", "helpers", "misc", "models", "types", "shared"];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, _) in tree.product() {
        for part in path.split('/') {
            let name = part.trim_end_matches(".rs");
            if DRAWERS.contains(&name) {
                let reason = format!("{name} is a drawer: name the module after what it holds");
                found.push(Finding::new("names", path, 1, name, reason));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawers_are_found_as_files_and_as_folders() {
        let found = |path| check(&Tree::of(&[(path, "")])).len();
        assert_eq!(found("p/src/retention.rs"), 0);
        assert_eq!(found("p/src/utils.rs"), 1);
        assert_eq!(found("p/src/types/mod.rs"), 1);
    }
}
