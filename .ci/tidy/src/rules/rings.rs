//! No import ring of more than three files: what takes names from each other in a circle can only be
//! read, tested and moved as one.

use crate::finding::Finding;
use crate::imports::{self, Imports};
use crate::tree::Tree;

const RULE: &str = "rings";
/// Folders of the packages that it holds.
const HELD: [&str; 5] = ["controller", "controller/api", "controller/http", "engine", "eventlog"];
/// Two or three files that belong together may know each other.
const FILES: usize = 3;

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for folder in HELD {
        let imports = imports::of(tree, folder);
        for ring in imports::rings(&imports) {
            if ring.len() > FILES {
                let mut finding = Finding::new(RULE, &ring[0], 1, "ring", reason(&imports, &ring));
                finding.amount = ring.len();
                found.push(finding);
            }
        }
    }
    found
}

/// Every arrow of the ring: one of them has to go.
fn reason(imports: &Imports, ring: &[String]) -> String {
    let mut text =
        format!("{} files import each other in a ring; take one of these out:", ring.len());
    for from in ring {
        for (to, name) in imports.get(from).into_iter().flatten() {
            if ring.contains(to) {
                text.push_str(&format!("\n    {from} takes {name}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring_of(files: usize) -> Vec<Finding> {
        let names: Vec<_> = (0..files).map(|n| format!("f{n}")).collect();
        let mods: String = names.iter().map(|name| format!("mod {name};\n")).collect();
        let mut all = vec![
            ("eventlog/Cargo.toml".to_owned(), "[package]\nname = \"p\"".to_owned()),
            ("eventlog/src/lib.rs".to_owned(), mods),
        ];
        for (n, name) in names.iter().enumerate() {
            let next = &names[(n + 1) % files];
            all.push((format!("eventlog/src/{name}.rs"), format!("use crate::{next}::X;")));
        }
        let all: Vec<_> = all.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        check(&Tree::of(&all))
    }

    #[test]
    fn three_files_may_know_each_other_and_four_may_not() {
        assert_eq!(ring_of(3), []);
        let found = ring_of(4);
        assert_eq!((found.len(), found[0].amount), (1, 4));
        assert!(found[0].reason.contains("eventlog/src/f3.rs takes f0::X"), "{}", found[0].reason);
    }
}
