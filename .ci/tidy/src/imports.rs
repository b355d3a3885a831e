//! Which product file takes names from which, within a package.
//!
//! A name is followed to the file that defines it: `pub use` hands a name on and is no import of the
//! file where it stands, so a folder's face (`mod.rs`) ties nothing together that it only shows. A name
//! that is taken in tests does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::source::{Source, identifier};
use crate::tree::Tree;

/// For each file the files that it takes names from, and one such name for each.
pub type Imports = BTreeMap<String, BTreeMap<String, String>>;

/// How many hands a name may pass through before we stop following it.
const HANDS: usize = 8;

/// The imports of one package.
pub fn of(tree: &Tree, folder: &str) -> Imports {
    let house = House::new(tree, folder);
    let mut imports = Imports::new();
    for (module, file) in &house.files {
        let Some(source) = tree.sources.get(*file) else { continue };
        let taken = imports.entry((*file).to_owned()).or_default();
        for name in house.names(module, source) {
            match house.file_of(&name, HANDS) {
                Some(other) if other != *file => {
                    taken.entry(other.to_owned()).or_insert_with(|| name.join("::"));
                }
                _ => {}
            }
        }
    }
    imports
}

/// Groups of files that can reach each other, each sorted; files that stand alone are left out.
pub fn rings(imports: &Imports) -> Vec<Vec<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|file| (file.as_str(), reachable(imports, file))).collect();
    let mut rings: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, others) in &reach {
        let ring =
            others.iter().filter(|other| reach.get(*other).is_some_and(|back| back.contains(file)));
        let mut ring: Vec<String> = ring.map(|other| (*other).to_owned()).collect();
        ring.sort();
        if ring.len() > 1 {
            rings.insert(ring);
        }
    }
    rings.into_iter().collect()
}

fn reachable<'a>(imports: &'a Imports, from: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = vec![from];
    while let Some(file) = next.pop() {
        for other in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(other.as_str()) {
                next.push(other);
            }
        }
    }
    seen
}

type Path = Vec<String>;

/// The modules of a package and the names that they hand on.
struct House<'a> {
    files: BTreeMap<Path, &'a str>,
    handed: BTreeMap<(Path, String), Path>,
}

/// A name that a `use` brings in.
struct Use {
    path: Path,
    name: String,
    public: bool,
    /// Where its statement stands in the code.
    at: Range<usize>,
}

impl<'a> House<'a> {
    fn new(tree: &'a Tree, folder: &str) -> Self {
        let below = format!("{folder}/src/");
        let product =
            tree.product().filter_map(|(path, _)| Some((path.strip_prefix(&below)?, path)));
        let files = product.map(|(inside, path)| (module_of(inside), path)).collect();
        let mut house = Self { files, handed: BTreeMap::new() };
        let modules: Vec<_> = house.files.iter().map(|(m, f)| (m.clone(), *f)).collect();
        for (module, file) in modules {
            let Some(source) = tree.sources.get(file) else { continue };
            for used in uses(source) {
                let path = house.absolute(&module, &used.path, &BTreeMap::new());
                if let (true, Some(path)) = (used.public, path) {
                    house.handed.insert((module.clone(), used.name), path);
                }
            }
        }
        house
    }

    /// Every path into this package that product code of a file names, from the package's root.
    fn names(&self, module: &Path, source: &Source) -> Vec<Path> {
        let used = uses(source);
        let mut local: BTreeMap<String, Path> = BTreeMap::new();
        let mut found = Vec::new();
        for one in &used {
            let Some(path) = self.absolute(module, &one.path, &BTreeMap::new()) else { continue };
            if !one.public && !source.tested(source.line(one.at.start)) {
                found.push(path.clone());
            }
            local.insert(one.name.clone(), path);
        }
        let inside = |at: usize| used.iter().any(|one| one.at.contains(&at));
        for (at, path) in paths(&source.code) {
            if !inside(at) && !source.tested(source.line(at)) {
                found.extend(self.absolute(module, &path, &local));
            }
        }
        found
    }

    /// A path as seen from the root of the package, unless it leads out of it.
    fn absolute(
        &self,
        module: &Path,
        path: &[String],
        local: &BTreeMap<String, Path>,
    ) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Path::new(),
            "self" => module.clone(),
            "super" => {
                let mut above = module.clone();
                above.pop()?;
                above
            }
            name => match local.get(name) {
                Some(known) => known.clone(),
                None => {
                    let child: Path = module.iter().cloned().chain([name.to_owned()]).collect();
                    self.files.contains_key(&child).then_some(child)?
                }
            },
        };
        for segment in rest {
            if segment == "super" {
                base.pop()?;
            } else {
                base.push(segment.clone());
            }
        }
        Some(base)
    }

    /// The file that defines what a path leads to.
    fn file_of(&self, path: &Path, hands: usize) -> Option<&'a str> {
        let length = (0..=path.len()).rev().find(|n| self.files.contains_key(&path[..*n]))?;
        let (module, rest) = (path[..length].to_vec(), &path[length..]);
        let file = self.files.get(&module).copied();
        let (Some(name), true) = (rest.first(), hands > 0) else { return file };
        if let Some(handed) = self.handed.get(&(module.clone(), name.clone())) {
            let onward: Path = handed.iter().chain(&rest[1..]).cloned().collect();
            return self.file_of(&onward, hands - 1).or(file);
        }
        file
    }
}

/// `backup/decide/open.rs` is `backup::decide::open`.
fn module_of(inside: &str) -> Path {
    let stem = inside.trim_end_matches(".rs");
    let mut parts: Path = stem.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod")) || stem == "lib" || stem == "main" {
        parts.pop();
    }
    parts
}

/// Every `use` of a file, one entry a name.
fn uses(source: &Source) -> Vec<Use> {
    let code = &source.code;
    let mut found = Vec::new();
    for at in source.words("use") {
        let Some(length) = code[at..].find(';') else { continue };
        let before = code[..at].trim_end();
        let public = before.ends_with("pub") || (before.ends_with(')') && is_restricted(before));
        let range = at..at + length;
        for (path, name) in branches(code[at + 3..at + length].trim()) {
            found.push(Use { path, name, public, at: range.clone() });
        }
    }
    found
}

/// Whether `pub(crate)` or its like ends here.
fn is_restricted(before: &str) -> bool {
    before.rfind('(').is_some_and(|open| before[..open].ends_with("pub"))
}

/// `a::{b, c::d as e}` is `a::b` named `b` and `a::c::d` named `e`.
fn branches(tree: &str) -> Vec<(Path, String)> {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let stem = segments(tree[..open].trim().trim_end_matches("::"));
        let inner = tree[open + 1..].trim_end().trim_end_matches('}');
        let split = split(inner);
        return split
            .into_iter()
            .flat_map(branches)
            .map(|(path, name)| {
                let bare = path.len() == 1 && path[0] == "self";
                let name = if bare { stem.last().cloned().unwrap_or(name) } else { name };
                let path = if bare { Path::new() } else { path };
                (stem.iter().cloned().chain(path).collect(), name)
            })
            .collect();
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(p, a)| (p, Some(a.trim())));
    let glob = path.trim_end().ends_with('*');
    let path = segments(path.trim().trim_end_matches('*').trim_end_matches("::"));
    let Some(last) = path.last().cloned() else { return Vec::new() };
    let name = alias.map_or(last, str::to_owned);
    vec![(path, if glob { "*".to_owned() } else { name })]
}

/// Splits at commas outside braces.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0usize, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

fn segments(path: &str) -> Path {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Every path of two segments or more, and where it begins.
fn paths(code: &str) -> Vec<(usize, Path)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let first = identifier(rest);
        if first.is_empty() {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let start = at;
        let mut path = vec![first.to_owned()];
        at += first.len();
        while let Some(next) = code[at..].strip_prefix("::") {
            let name = identifier(next);
            if name.is_empty() {
                break;
            }
            path.push(name.to_owned());
            at += 2 + name.len();
        }
        if path.len() > 1 {
            found.push((start, path));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: (&str, &str) = ("p/Cargo.toml", "[package]\nname = \"p\"");

    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let all: Vec<_> = [MANIFEST].iter().chain(files).copied().collect();
        let imports = of(&Tree::of(&all), "p");
        let name =
            |path: &str| path.trim_start_matches("p/src/").trim_end_matches(".rs").to_owned();
        let arrows = imports.iter().flat_map(|(from, to)| to.keys().map(move |to| (from, to)));
        arrows.map(|(from, to)| format!("{} > {}", name(from), name(to))).collect()
    }

    #[test]
    fn every_form_of_a_path_is_followed_to_its_file() {
        for (text, expected) in [
            ("use crate::b::X;", "a > b"),
            ("use crate::{b::{self, X}, c};", "a > b, a > c/mod"),
            ("use crate::c::d as e;", "a > c/d"),
            ("use super::b;", "a > b"),
            ("fn f() { crate::b::g() }", "a > b"),
            ("use crate::c;\nfn f() { c::d::g() }", "a > c/d, a > c/mod"),
            ("use crate::c::Handed;", "a > c/d"),
            ("use crate::c::Twice;", "a > b"),
            ("pub use crate::b::X;", ""),
            ("use std::b::X;", ""),
            ("// use crate::b::X;", ""),
            ("#[cfg(test)]\nmod tests {\n    use crate::b::X;\n}", ""),
        ] {
            let files = [
                ("p/src/lib.rs", "mod a;\nmod b;\nmod c;"),
                ("p/src/a.rs", text),
                ("p/src/b.rs", ""),
                (
                    "p/src/c/mod.rs",
                    "mod d;\npub use d::Handed;\npub(crate) use crate::b::X as Twice;",
                ),
                ("p/src/c/d.rs", ""),
            ];
            assert_eq!(arrows(&files).join(", "), expected, "{text}");
        }
    }

    #[test]
    fn files_that_reach_each_other_are_a_ring() {
        let files = [
            MANIFEST,
            ("p/src/lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
            ("p/src/a.rs", "use crate::b::X;"),
            ("p/src/b.rs", "use crate::c::X;"),
            ("p/src/c.rs", "use crate::a::X;\nuse crate::d::X;"),
            ("p/src/d.rs", ""),
        ];
        let rings = rings(&of(&Tree::of(&files), "p"));
        assert_eq!(rings, [["p/src/a.rs", "p/src/b.rs", "p/src/c.rs"]]);
    }
}
