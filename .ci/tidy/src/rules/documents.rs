//! Documents stay tied to the tree: links lead somewhere, named files exist, no document is lost.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::tree::Tree;

const RULE: &str = "documents";
/// Documents tell what is; plans and change notes may name what was or will be.
const EXEMPT: &[&str] = &["CHANGELOG.md", "changelog/"];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut linked = BTreeSet::new();
    let documents = tree
        .files
        .iter()
        .filter(|(path, _)| path.ends_with(".md") && !EXEMPT.iter().any(|at| path.starts_with(at)));
    for (path, text) in documents {
        for (at, line) in prose(text) {
            for target in links(line) {
                let target = resolve(path, target);
                if !exists(tree, &target) {
                    let reason = format!("the link leads to {target}, which is not tracked");
                    found.push(Finding::new(RULE, path, at, &target, reason));
                }
                linked.insert(target);
            }
            for named in line.split('`').skip(1).step_by(2).filter(|word| is_path(tree, word)) {
                if !exists(tree, named) {
                    let reason = format!("names {named}, which is not in the tree");
                    found.push(Finding::new(RULE, path, at, named, reason));
                }
            }
        }
    }
    for path in tree.files.keys() {
        if path.starts_with("docs/") && path.ends_with(".md") && !linked.contains(path) {
            found.push(Finding::new(RULE, path, 1, "unlinked", "no other document links to it"));
        }
    }
    found
}

/// Lines outside fenced blocks, counted from one.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((at + 1, line))
    })
}

/// Targets of relative links, without their anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
        let outside = target.contains("://") || target.starts_with("mailto:");
        (!target.is_empty() && !outside).then_some(target)
    })
}

fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether a word in backticks claims to be a path of ours: it begins with a folder of ours.
fn is_path(tree: &Tree, word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let folder = word.split('/').next().unwrap_or_default();
    word.contains('/')
        && word.chars().all(plain)
        && (folder == "docs" || tree.manifests.iter().any(|manifest| manifest.folder == folder))
}

fn exists(tree: &Tree, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let below = format!("{path}/");
    tree.files.contains_key(path)
        || tree.files.range(below.clone()..).next().is_some_and(|(at, _)| at.starts_with(&below))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(readme: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("README.md", readme),
            ("docs/a.md", "[up](../README.md#x) [web](https://example.org)"),
            ("engine/Cargo.toml", "[package]\nname = \"e\""),
            ("engine/src/lib.rs", ""),
        ]);
        check(&tree).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn links_and_paths_that_exist_pass() {
        assert_eq!(found("[a](docs/a.md) `engine/src/` `engine/src/lib.rs` `text/html`"), [""; 0]);
    }

    #[test]
    fn a_dead_link_and_a_dead_path_are_found() {
        assert_eq!(found("[a](docs/a.md) [b](docs/b.md)"), ["docs/b.md"]);
        assert_eq!(found("[a](docs/a.md) `engine/src/x.rs`"), ["engine/src/x.rs"]);
        assert_eq!(found("[a](docs/a.md)\n```text\n`engine/src/x.rs`\n```"), [""; 0]);
    }

    #[test]
    fn a_document_that_nobody_links_to_is_found() {
        assert_eq!(found("nothing"), ["unlinked"]);
    }
}
