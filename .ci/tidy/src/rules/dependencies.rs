//! Every outside dependency says in the root manifest why it is there.

use crate::finding::Finding;
use crate::tree::Tree;

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let text = tree.files.get("Cargo.toml").map_or("", String::as_str);
    let mut inside = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| inside) else { continue };
        let reason = value.rsplit_once(" # ").map_or("", |(_, reason)| reason.trim());
        if !line.starts_with('#') && !value.contains("path =") && reason.is_empty() {
            let name = name.trim();
            let why = format!("say behind a # why {name} is here");
            found.push(Finding::new("dependencies", "Cargo.toml", at + 1, name, why));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_without_reason_is_found() {
        let manifest = "[workspace.dependencies]\n# --- x\nours = { path = \"ours\" }\n\
            a = \"1\" # does a\nb = { version = \"2\" }\nc = \"3\" #\n[profile.dev]\ndebug = 1\n";
        let found = check(&Tree::of(&[("Cargo.toml", manifest)]));
        let names: Vec<_> = found.iter().map(|f| (f.what.as_str(), f.line)).collect();
        assert_eq!(names, [("b", 5), ("c", 6)]);
    }
}
