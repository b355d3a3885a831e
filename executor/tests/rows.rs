//! The fault table of `docs/testing.md`: each row has a test whose name begins with the row's id, in the file
//! that the table names.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every row that this package answers for.
const ROWS: [&str; 22] = [
    "c1", "c2", "c3", "c4", "c5", "c6", "c7", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "r1", "r5",
    "r6", "r13", "r14", "r15", "r17", "s1",
];

/// Files by the ids with which names of their tests begin.
fn tests() -> BTreeMap<String, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let name = format!("executor/tests/{}", file.file_name().unwrap().to_str().unwrap());
        let text = fs::read_to_string(&file).unwrap();
        // The attribute, then the function: what is behind `#[test]` up to its name.
        for test in text.split("#[test]\n").skip(1) {
            let Some((_, test)) = test.split_once("fn ") else { continue };
            let id = test.split(['_', '(']).next().unwrap();
            let files = found.entry(id.to_owned()).or_default();
            if !files.contains(&name) {
                files.push(name.clone());
            }
        }
    }
    found
}

#[test]
fn every_row_of_the_fault_table_has_a_test_where_the_table_says() {
    let tests = tests();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/testing.md");
    let text = fs::read_to_string(path).unwrap();
    for row in ROWS {
        let files = tests.get(row).unwrap_or_else(|| panic!("no test begins with {row}_"));
        let line = format!("| {} |", row.to_uppercase());
        let line = text.lines().find(|text| text.starts_with(&line));
        let line = line.unwrap_or_else(|| panic!("docs/testing.md has no row {row}"));
        for file in files {
            assert!(line.contains(&format!("`{file}`")), "{row} does not name {file}: {line}");
        }
        let named = line.split('`').filter(|part| part.starts_with("executor/tests/"));
        for file in named.filter(|file| file.ends_with(".rs")) {
            assert!(files.iter().any(|has| has == file), "{file} has no test for {row}");
        }
    }
}
