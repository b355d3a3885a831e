//! Every package inherits the workspace's lints: `unsafe` is forbidden in all of them.

use crate::finding::Finding;
use crate::tree::Tree;

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let missing = tree.manifests.iter().filter(|manifest| !manifest.inherits_lints);
    missing
        .map(|manifest| {
            let reason = "write [lints] workspace = true: no package has rules of its own";
            Finding::new("lints", &manifest.path, 1, "lints", reason)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_with_rules_of_its_own_is_found() {
        let with = |lints| check(&Tree::of(&[("p/Cargo.toml", lints)])).len();
        assert_eq!(with("[package]\nname = \"p\"\n[lints]\nworkspace = true"), 0);
        assert_eq!(with("[package]\nname = \"p\"\n[lints.rust]\nunsafe_code = \"allow\""), 1);
    }
}
