//! Libraries read no environment: what a store, a worker or a log needs is given to it by whoever starts the process.
//! Else one tenant's work borrows what another's variables open.

use crate::finding::Finding;
use crate::tree::Tree;

const LIBRARIES: [&str; 5] = [
    "engine/src/",
    "eventlog/src/",
    "executor/src/",
    "controller/api/src/",
    "controller/http/src/",
];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, source) in tree.product() {
        if !LIBRARIES.iter().any(|library| path.starts_with(library)) {
            continue;
        }
        for at in source.words("env") {
            let (before, behind) = source.code.split_at(at);
            let line = source.line(at);
            // Containers have fields of that name, and the compiler a macro.
            let is_module = before.ends_with("std::") || behind.starts_with("env::");
            if is_module && !source.tested(line) {
                let reason = "a library reads no environment: take what is needed as an argument";
                found.push(Finding::new("environment", path, line, "env", reason));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_reads_a_variable_is_found_however_it_is_written() {
        let found = |path, text| check(&Tree::of(&[(path, text)])).len();
        for text in [
            "let x = std::env::var(\"A\");",
            "use std::env;",
            "use std::{env, fs};\nfn f() { env::vars(); }",
        ] {
            assert_eq!(found("executor/src/store/mod.rs", text), 1, "{text}");
            assert_eq!(found("controller/src/ports/environment.rs", text), 0, "{text}");
        }
        let version = "const VERSION: &str = env!(\"CARGO_PKG_VERSION\");";
        assert_eq!(found("executor/src/lib.rs", version), 0);
        let tested = "#[cfg(test)]\nmod tests {\n    use std::env;\n}\n";
        assert_eq!(found("eventlog/src/lib.rs", tested), 0);
    }
}
