//! Which Rust files the compiler reaches, by following `mod` from the roots of each package.

use std::collections::{BTreeMap, BTreeSet};

use crate::manifest::Manifest;
use crate::source::{Source, close, identifier, is_test_attribute};

/// The files that are reached, and the declarations that lead nowhere.
#[derive(Default)]
pub struct Modules {
    /// Reached files: whether only tests see them.
    reached: BTreeMap<String, bool>,
    /// `mod` declarations without a tracked file: (path, line, name).
    pub dangling: Vec<(String, usize, String)>,
}

/// A `mod name;` as it stands in a file.
struct Declaration {
    name: String,
    line: usize,
    /// Inline modules around it.
    within: Vec<String>,
    /// `#[path = "…"]`, if any.
    path: Option<String>,
    test: bool,
}

impl Modules {
    /// Follows every `mod` of every package.
    pub fn find(
        files: &BTreeMap<String, String>,
        sources: &BTreeMap<String, Source>,
        manifests: &[Manifest],
    ) -> Self {
        let mut modules = Self::default();
        for manifest in manifests {
            for (root, test) in roots(files, manifest) {
                modules.follow(sources, &root, true, test);
            }
        }
        modules
    }

    /// Whether any target includes this file.
    pub fn reaches(&self, path: &str) -> bool {
        self.reached.contains_key(path)
    }

    /// Whether a file is compiled for tests and for nothing else.
    pub fn only_in_tests(&self, path: &str) -> bool {
        self.reached.get(path).copied().unwrap_or(false)
    }

    fn follow(&mut self, sources: &BTreeMap<String, Source>, path: &str, root: bool, test: bool) {
        let Some(source) = sources.get(path) else { return };
        match self.reached.get(path) {
            // Seen before, and by product code or again by tests: nothing new below it.
            Some(only_tests) if !only_tests || test => return,
            _ => drop(self.reached.insert(path.to_owned(), test)),
        }
        for declared in declarations(source) {
            let places = declared.places(path, root);
            match places.iter().find(|place| sources.contains_key(*place)) {
                Some(place) => self.follow(sources, place, false, test || declared.test),
                None => self.dangling.push((path.to_owned(), declared.line, declared.name)),
            }
        }
    }
}

impl Declaration {
    /// Where the compiler looks for the file.
    fn places(&self, path: &str, root: bool) -> Vec<String> {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(given) = &self.path {
            return vec![normal(&format!("{folder}/{given}"))];
        }
        let stem = file.trim_end_matches(".rs");
        let mut base = folder.to_owned();
        if !root && stem != "mod" {
            base = format!("{base}/{stem}");
        }
        for module in &self.within {
            base = format!("{base}/{module}");
        }
        let name = &self.name;
        vec![format!("{base}/{name}.rs"), format!("{base}/{name}/mod.rs")]
    }
}

fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "" | "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The root file of every target, and whether the target is a test.
fn roots(files: &BTreeMap<String, String>, manifest: &Manifest) -> BTreeSet<(String, bool)> {
    let folder = &manifest.folder;
    let mut roots: BTreeSet<_> =
        manifest.targets.iter().map(|path| (format!("{folder}/{path}"), false)).collect();
    for path in files.keys() {
        let Some(inside) = path.strip_prefix(folder.as_str()).and_then(|p| p.strip_prefix('/'))
        else {
            continue;
        };
        let parts: Vec<_> = inside.split('/').collect();
        let (root, test) = match parts.as_slice() {
            ["src", "lib.rs" | "main.rs"] | ["build.rs"] => (true, false),
            ["src", "bin", file] | ["src", "bin", _, file @ "main.rs"] => {
                (file.ends_with(".rs"), false)
            }
            ["tests" | "benches" | "examples", file] => (file.ends_with(".rs"), true),
            ["tests" | "benches" | "examples", _, "main.rs"] => (true, true),
            _ => (false, false),
        };
        if root {
            roots.insert((path.clone(), test));
        }
    }
    roots
}

fn declarations(source: &Source) -> Vec<Declaration> {
    let code = &source.code;
    let mut found = Vec::new();
    let mut inline: Vec<(usize, &str)> = Vec::new();
    for at in source.words("mod") {
        inline.retain(|(end, _)| at < *end);
        let rest = code[at + 3..].trim_start();
        let name = identifier(rest);
        let behind = rest[name.len()..].trim_start();
        if name.is_empty() {
            continue;
        }
        if behind.starts_with('{') {
            let open = code.len() - behind.len();
            inline.push((close(code, open), name));
        } else if behind.starts_with(';') {
            // Attributes stand between the end of the item before and the word `mod`.
            let before = code[..at].rfind([';', '}', '{']).map_or(0, |end| end + 1);
            let attributes = before..at;
            let path = source.text[attributes.clone()]
                .split_once("#[path")
                .and_then(|(_, rest)| rest.split('"').nth(1))
                .map(str::to_owned);
            let test = code[attributes.clone()]
                .match_indices("#[")
                .any(|(start, _)| is_test_attribute(&code[attributes.start + start..]));
            found.push(Declaration {
                name: name.to_owned(),
                line: source.line(at),
                within: inline.iter().map(|(_, name)| (*name).to_owned()).collect(),
                path,
                test,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::tree::Tree;

    #[test]
    fn modules_are_followed_through_every_form() {
        let tree = Tree::of(&[
            ("p/Cargo.toml", "[package]\nname = \"p\""),
            (
                "p/src/lib.rs",
                "mod a;\nmod b { mod c; }\n#[cfg(test)]\nmod t;\n#[path = \"odd/x.rs\"]\nmod x;\nmod gone;",
            ),
            ("p/src/a/mod.rs", "pub mod d;"),
            ("p/src/a/d.rs", "mod e;"),
            ("p/src/a/d/e.rs", ""),
            ("p/src/b/c.rs", ""),
            ("p/src/t.rs", "mod u;"),
            ("p/src/t/u.rs", ""),
            ("p/src/odd/x.rs", ""),
            ("p/tests/it.rs", "mod help;"),
            ("p/tests/help/mod.rs", ""),
        ]);
        for path in tree.sources.keys() {
            assert!(tree.modules.reaches(path), "{path}");
        }
        assert_eq!(tree.modules.dangling, [("p/src/lib.rs".into(), 7, "gone".into())]);
        let tests: Vec<_> = tree.sources.keys().filter(|p| tree.modules.only_in_tests(p)).collect();
        assert_eq!(tests, ["p/src/t.rs", "p/src/t/u.rs", "p/tests/help/mod.rs", "p/tests/it.rs"]);
    }
}
