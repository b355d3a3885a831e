//! As much of a `Cargo.toml` as the rules need.

/// A dependency as its manifest names it.
pub struct Dependency {
    /// Name of the package.
    pub name: String,
    /// Line in the manifest.
    pub line: usize,
    /// Whether only tests see it.
    pub dev: bool,
}

/// One package's manifest.
pub struct Manifest {
    /// Path of the manifest.
    pub path: String,
    /// Folder of the package.
    pub folder: String,
    /// Name of the package.
    pub name: String,
    /// All dependencies, of every kind and target.
    pub dependencies: Vec<Dependency>,
    /// Whether `[lints] workspace = true` stands in it.
    pub inherits_lints: bool,
    /// Target files named with `path = "…"`, relative to the folder.
    pub targets: Vec<String>,
}

impl Manifest {
    /// Reads a manifest written in the plain style of this workspace: one key a line.
    pub fn parse(path: &str, text: &str) -> Self {
        let folder = path.trim_end_matches("/Cargo.toml").to_owned();
        let mut manifest = Self {
            path: path.to_owned(),
            folder,
            name: String::new(),
            dependencies: Vec::new(),
            inherits_lints: false,
            targets: Vec::new(),
        };
        let mut section = String::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_matches(['[', ']']).to_owned();
                if let Some((kind, name)) = section.rsplit_once("dependencies.") {
                    manifest.depend(name, at + 1, kind);
                }
            } else if let Some((key, value)) = line.split_once('=') {
                manifest.key(&section, key.trim(), value.trim(), at + 1);
            }
        }
        manifest
    }

    fn key(&mut self, section: &str, key: &str, value: &str, line: usize) {
        let string = value.trim_matches('"');
        match (section, key) {
            ("package", "name") => string.clone_into(&mut self.name),
            ("lints", "workspace") => self.inherits_lints = value == "true",
            ("bin" | "test" | "bench" | "example" | "lib", "path") => {
                self.targets.push(string.to_owned());
            }
            _ => {
                if let Some(kind) = section.strip_suffix("dependencies") {
                    let name = key.split('.').next().unwrap_or(key);
                    self.depend(name, line, kind);
                }
            }
        }
    }

    fn depend(&mut self, name: &str, line: usize, kind: &str) {
        let dev = kind.ends_with("dev-");
        self.dependencies.push(Dependency { name: name.to_owned(), line, dev });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_is_read() {
        let manifest = Manifest::parse(
            "a/Cargo.toml",
            "[package]\nname = \"a\"\n[lints]\nworkspace = true\n[dependencies]\nb.workspace = true\n\
             c = { version = \"1\" } # why\n[dependencies.d]\nversion = \"1\"\n[dev-dependencies]\ne = \"1\"\n\
             [target.'cfg(unix)'.dependencies]\nf = \"1\"\n[[bin]]\npath = \"src/x.rs\"\n",
        );
        let read: Vec<_> =
            manifest.dependencies.iter().map(|d| (d.name.as_str(), d.line, d.dev)).collect();
        let expected =
            [("b", 6, false), ("c", 7, false), ("d", 8, false), ("e", 11, true), ("f", 13, false)];
        assert_eq!(read, expected);
        assert_eq!((manifest.name.as_str(), manifest.folder.as_str()), ("a", "a"));
        assert!(manifest.inherits_lints);
        assert_eq!(manifest.targets, ["src/x.rs"]);
    }
}
