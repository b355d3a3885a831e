//! A crate that we may have to leave one day, or that carries a danger, is named in one place.

use crate::finding::Finding;
use crate::source::{identifier, words};
use crate::tree::Tree;

const RULE: &str = "places";

/// A crate, where it may be named, and why only there. A place is a module: a file or a folder.
struct Place {
    name: &'static str,
    only: &'static [&'static str],
    reason: &'static str,
}

const PLACES: &[Place] = &[
    Place {
        name: "sled",
        only: &["eventlog/src/index"],
        reason: "sled holds what can be rebuilt, behind the index; nothing else may rely on it",
    },
    Place {
        name: "bincode",
        only: &["eventlog/src/codec"],
        reason: "bincode is unmaintained: one file is all that its successor will have to replace",
    },
    Place {
        name: "zstd",
        only: &["executor/src/compress"],
        reason: "limits on hostile frames are kept in one file",
    },
    Place {
        name: "aes_gcm",
        only: &["executor/src/seal"],
        reason: "one key seals one message: only the sealer may hold a cipher",
    },
    Place {
        name: "aws_lc_rs",
        only: &["executor/src/seal"],
        reason: "one key seals one message: only the sealer may hold a cipher",
    },
    Place {
        name: "argon2",
        only: &["executor/src/slot"],
        reason: "passphrases become keys in one file, with its bounds on cost",
    },
    Place {
        name: "x25519_dalek",
        only: &["executor/src/slot"],
        reason: "key slots are opened and made in one file",
    },
    Place {
        name: "fastcdc",
        only: &["executor/src/chunk"],
        reason: "cut points belong to a major version and to golden tests beside them",
    },
    Place {
        name: "object_store",
        only: &["executor/src/store"],
        reason: "a store is seen through our own trait, with its rules on writing once",
    },
    Place {
        name: "tokio",
        only: &["controller", "e2e", "executor/src/store/object"],
        reason: "engine, log and executor are synchronous: the only runtime below the controller drives the sockets of object stores",
    },
    Place {
        name: "kube",
        only: &[
            "controller/api",
            "controller/src/place/kube",
            "controller/src/worker/manifest",
            "controller/src/cli/trigger",
            "e2e",
        ],
        reason: "the API server is spoken to where a place ends; all else is values",
    },
    Place {
        name: "croner",
        only: &["controller"],
        reason: "the engine gets instants: cron and time zones are evaluated outside",
    },
];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, source) in &tree.sources {
        let elsewhere = PLACES.iter().filter(|place| {
            !place.only.iter().any(|at| within(path, at)) && !is_module(&source.code, place.name)
        });
        for place in elsewhere {
            for at in
                source.words(place.name).filter(|at| names_crate(&source.code, *at, place.name))
            {
                found.push(Finding::new(RULE, path, source.line(at), place.name, place.reason));
            }
        }
    }
    found
}

fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// Whether the file declares or imports a module of ours by this name, which then hides the crate.
fn is_module(code: &str, name: &str) -> bool {
    let declared = words(code, "mod").any(|at| {
        let rest = code[at + 3..].trim_start();
        identifier(rest) == name
    });
    let imported = words(code, "use").any(|at| {
        let statement = code[at + 3..].split(';').next().unwrap_or_default().trim_start();
        let ours =
            ["crate::", "super::", "self::"].iter().any(|start| statement.starts_with(start));
        ours && words(statement, name).any(|at| !statement[at + name.len()..].starts_with("::"))
    });
    declared || imported
}

/// Whether the word is the name of a crate here, and not a module or a variable of that name.
fn names_crate(code: &str, at: usize, word: &str) -> bool {
    let before = code[..at].trim_end();
    let behind = code[at + word.len()..].trim_start();
    let below = before
        .strip_suffix("::")
        .is_some_and(|path| path.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>'));
    !below
        && (behind.starts_with("::")
            || words(before, "use").any(|use_at| use_at + 3 == before.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn a_crate_in_its_place_passes() {
        assert_eq!(found("eventlog/src/index/sled.rs", "use sled::Db;"), 0);
        assert_eq!(found("executor/src/seal.rs", "let x = aes_gcm::Key::new();"), 0);
    }

    #[test]
    fn a_crate_elsewhere_is_found_however_it_is_written() {
        for text in [
            "use sled::Db;",
            "let x = ::sled::open();",
            "fn f(x: sled::Db) {}",
            "use x;\nuse sled;",
        ] {
            assert_eq!(found("eventlog/src/ledger.rs", text), 1, "{text}");
        }
        assert_eq!(found("eventlog/src/index_of.rs", "use sled::Db;"), 1);
        assert_eq!(found("executor/src/pipeline/mod.rs", "use tokio::task;"), 1);
    }

    #[test]
    fn words_that_name_no_crate_pass() {
        for text in
            ["// sled", "\"sled::x\";", "mod sled;", "crate::index::sled::Index", "let zstd = 3;"]
        {
            assert_eq!(found("eventlog/src/ledger.rs", text), 0, "{text}");
        }
    }

    #[test]
    fn a_module_of_ours_hides_the_crate_of_its_name() {
        for text in [
            "use crate::index::{Index, sled};\nfn f() { sled::open() }",
            "mod kube;\nfn f() { kube::act() }",
        ] {
            assert_eq!(found("controller/src/operator/mod.rs", text), 0, "{text}");
        }
        assert_eq!(found("p/src/a.rs", "use crate::index::Index;\nuse sled::Db;"), 1);
    }

    #[test]
    fn every_place_has_a_reason() {
        assert!(PLACES.iter().all(|place| place.reason.len() > 20 && !place.only.is_empty()));
    }
}
