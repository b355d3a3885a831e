//! A package that names a dependency uses it: a crate that nobody needs is compiled, audited and trusted for nothing.

use crate::finding::Finding;
use crate::manifest::{Dependency, Manifest};
use crate::tree::Tree;

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for manifest in &tree.manifests {
        for dependency in &manifest.dependencies {
            if !is_used(tree, manifest, dependency) {
                let reason = format!("nothing in {} names it: leave it out", manifest.folder);
                let (path, line) = (&manifest.path, dependency.line);
                found.push(Finding::new("unused", path, line, &dependency.name, reason));
            }
        }
    }
    found
}

/// Whether a file of the package names the crate; what only tests name does not need it in the product.
fn is_used(tree: &Tree, manifest: &Manifest, dependency: &Dependency) -> bool {
    let name = dependency.name.replace('-', "_");
    let below = format!("{}/", manifest.folder);
    let of_tests = ["tests/", "examples/"].map(|folder| format!("{below}{folder}"));
    let inner = tree.manifests.iter().filter(|other| other.folder.starts_with(&below));
    let inner: Vec<_> = inner.map(|other| format!("{}/", other.folder)).collect();
    tree.sources.iter().any(|(path, source)| {
        let ours = path.starts_with(&below) && !inner.iter().any(|at| path.starts_with(at));
        let is_product = !of_tests.iter().any(|folder| path.starts_with(folder));
        ours && source
            .words(&name)
            .any(|at| dependency.dev || (is_product && !source.tested(source.line(at))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(manifest: &str, files: &[(&str, &str)]) -> Vec<String> {
        let all: Vec<_> = [("p/Cargo.toml", manifest)].iter().chain(files).copied().collect();
        check(&Tree::of(&all)).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn what_nobody_names_is_found() {
        let manifest = "[package]\nname = \"p\"\n[dependencies]\na-b = \"1\"\nc = \"1\"\n";
        assert_eq!(found(manifest, &[("p/src/lib.rs", "use a_b::X;")]), ["c"]);
        assert!(found(manifest, &[("p/src/lib.rs", "use a_b::X;\nfn f(x: c::Y) {}")]).is_empty());
        assert_eq!(found(manifest, &[("p/src/lib.rs", "// a_b\nuse c;")]), ["a-b"]);
    }

    #[test]
    fn a_test_alone_needs_no_dependency_of_the_product() {
        let manifest =
            "[package]\nname = \"p\"\n[dependencies]\na = \"1\"\n[dev-dependencies]\nb = \"1\"\n";
        assert_eq!(found(manifest, &[("p/tests/x.rs", "use a::X;\nuse b::Y;")]), ["a"]);
        let tested = "#[cfg(test)]\nmod tests {\n    use a::X;\n    use b::Y;\n}\n";
        assert_eq!(found(manifest, &[("p/src/lib.rs", tested)]), ["a"]);
    }
}
