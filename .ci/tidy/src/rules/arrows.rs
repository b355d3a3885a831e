//! Manifests hold to the table of arrows in `docs/architecture.md`, and the table to the manifests.
//!
//! The engine has a list of its own, here, so that it takes more than a change of the document to
//! give the pure core a dependency.

use crate::finding::Finding;
use crate::manifest::Manifest;
use crate::source::line_at;
use crate::tree::Tree;

const RULE: &str = "arrows";
const TABLE: &str = "docs/architecture.md";
const HEADING: &str = "## Arrows";
const ENGINE: &str = "engine";
/// Everything that the engine may name: derives, and errors without std.
const ENGINE_USES: &[&str] = &["serde", "thiserror"];
/// What its tests may name besides: the engine itself, with what it offers to tests.
const ENGINE_TESTS_USE: &[&str] = &["holdfast-engine", "proptest"];

/// A row: `folder`, `package`, what it depends on, what it must never depend on.
struct Row<'a> {
    line: usize,
    folder: &'a str,
    package: &'a str,
    uses: Vec<&'a str>,
    never: Vec<&'a str>,
}

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let text = tree.files.get(TABLE).map_or("", String::as_str);
    let rows = rows(text);
    let mut found = Vec::new();
    for manifest in &tree.manifests {
        match rows.iter().find(|row| row.folder == manifest.folder) {
            Some(row) => compare(tree, manifest, row, &mut found),
            None => {
                let reason = format!("{} has no row under \"{HEADING}\" in {TABLE}", manifest.name);
                found.push(Finding::new(RULE, &manifest.path, 1, "row", reason));
            }
        }
    }
    for row in &rows {
        if !tree.manifests.iter().any(|m| m.folder == row.folder && m.name == row.package) {
            let reason = format!("no package {} lies in {}", row.package, row.folder);
            found.push(Finding::new(RULE, TABLE, row.line, row.folder, reason));
        }
    }
    found.extend(engine(tree));
    found
}

fn compare(tree: &Tree, manifest: &Manifest, row: &Row<'_>, found: &mut Vec<Finding>) {
    for dependency in &manifest.dependencies {
        let name = dependency.name.as_str();
        // A package's own tests may use it with a feature of theirs.
        if name == manifest.name && dependency.dev {
            continue;
        }
        let ours = tree.manifests.iter().any(|other| other.name == name);
        if row.never.contains(&name) || (ours && !row.uses.contains(&name)) {
            let reason = format!("{} must not depend on {name}, says {TABLE}", manifest.name);
            found.push(Finding::new(RULE, &manifest.path, dependency.line, name, reason));
        }
    }
    for name in &row.uses {
        if !manifest.dependencies.iter().any(|dependency| dependency.name == *name) {
            let reason = format!("{} no longer depends on {name}: correct the row", manifest.name);
            found.push(Finding::new(RULE, TABLE, row.line, name, reason));
        }
    }
}

fn engine(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for manifest in tree.manifests.iter().filter(|manifest| manifest.folder == ENGINE) {
        for dependency in &manifest.dependencies {
            let name = dependency.name.as_str();
            let test_only = dependency.dev && ENGINE_TESTS_USE.contains(&name);
            if !ENGINE_USES.contains(&name) && !test_only {
                let reason = format!("the engine is pure: {name} is not on its list in tidy");
                found.push(Finding::new(RULE, &manifest.path, dependency.line, name, reason));
            }
        }
    }
    let root = format!("{ENGINE}/src/lib.rs");
    if tree.sources.get(&root).is_some_and(|source| !source.code.contains("#![no_std]")) {
        found.push(Finding::new(RULE, &root, 1, "no_std", "the engine is `#![no_std]`"));
    }
    found
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let Some(start) = text.find(HEADING) else { return Vec::new() };
    let first = line_at(text, start);
    let lines = text[start..].lines().enumerate().skip(1);
    lines
        .take_while(|(_, line)| !line.starts_with("## "))
        .filter_map(|(at, line)| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, folder, package, uses, never, ..] = cells.as_slice() else { return None };
            Some(Row {
                line: first + at,
                folder: quoted(folder).first().copied()?,
                package: quoted(package).first().copied()?,
                uses: quoted(uses),
                never: quoted(never),
            })
        })
        .collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# Map\n## Arrows\n| Folder | Package | Depends on | Never |\n|---|---|---|---|\n\
        | `engine` | `e` | nothing | `tokio` |\n| `log` | `l` | `e` | `tokio`, `kube` |\n## Next\n| `x` | `y` | `z` | |\n";

    fn found(engine: &str, log: &str) -> Vec<String> {
        let tree = Tree::of(&[
            (TABLE, DOCUMENT),
            ("engine/Cargo.toml", &format!("[package]\nname = \"e\"\n[dependencies]\n{engine}")),
            ("engine/src/lib.rs", "#![no_std]"),
            ("log/Cargo.toml", &format!("[package]\nname = \"l\"\n[dependencies]\n{log}")),
        ]);
        check(&tree).into_iter().map(|f| format!("{}:{} {}", f.path, f.line, f.what)).collect()
    }

    #[test]
    fn manifests_that_agree_with_the_table_pass() {
        assert_eq!(found("serde.workspace = true", "e.workspace = true\nsled = \"1\""), [""; 0]);
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_found() {
        let backwards = found("l.workspace = true", "e.workspace = true");
        assert_eq!(backwards, ["engine/Cargo.toml:4 l", "engine/Cargo.toml:4 l"]);
    }

    #[test]
    fn what_must_never_be_is_found() {
        assert_eq!(
            found("", "e.workspace = true\nkube.workspace = true"),
            ["log/Cargo.toml:5 kube"]
        );
    }

    #[test]
    fn a_row_that_is_no_longer_true_is_found() {
        assert_eq!(found("", ""), ["docs/architecture.md:6 e"]);
    }

    #[test]
    fn the_engine_keeps_to_its_list_and_to_no_std() {
        assert_eq!(found("rand = \"1\"", "e.workspace = true"), ["engine/Cargo.toml:4 rand"]);
        let tree = Tree::of(&[("engine/src/lib.rs", "//! #![no_std]\n")]);
        assert_eq!(check(&tree).len(), 1);
    }

    #[test]
    fn a_package_without_a_row_is_found() {
        let tree = Tree::of(&[("new/Cargo.toml", "[package]\nname = \"new\"")]);
        assert_eq!(check(&tree).len(), 1);
    }
}
