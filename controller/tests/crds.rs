//! `holdfast crds`: the definitions as `kubectl apply` takes them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_holdfast");

fn crds(kinds: &[&str]) -> Output {
    Command::new(BINARY).arg("crds").args(kinds).output().unwrap()
}

/// The documents of a stream, each as its text.
fn documents(output: &Output) -> BTreeSet<String> {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let text = text.strip_prefix("---\n").unwrap();
    text.split("\n---\n").map(|document| document.trim_end().to_owned()).collect()
}

#[test]
fn crds_prints_what_the_folder_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let kept: BTreeSet<String> =
        files.map(|file| std::fs::read_to_string(file).unwrap().trim_end().to_owned()).collect();
    assert!(documents(&crds(&[])) == kept, "the stream differs from deploy/crds");
}

#[test]
fn crds_takes_kinds_and_plurals() {
    let found =
        documents(&crds(&["backupVerifier", "backupbatches.core.kubestash.com", "BackupBatch"]));
    let names: Vec<String> = found
        .iter()
        .map(|text| {
            let value: serde_json::Value = serde_saphyr::from_str(text).unwrap();
            value["metadata"]["name"].as_str().unwrap().to_owned()
        })
        .collect();
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let expected = ["backupbatches.core.kubestash.com", "backupverifier.core.kubestash.com"];
    assert_eq!(names, BTreeSet::from(expected));
}

#[test]
fn crds_lists_the_names_when_one_is_unknown() {
    let output = crds(&["Backup"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    for word in ["'Backup'", "BackupBlueprint", "Snapshot"] {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

#[test]
fn crds_ends_well_when_nobody_reads_on() {
    let mut child = Command::new(BINARY)
        .arg("crds")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The stream is longer than a pipe holds: the rest meets a closed one.
    let mut first = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
