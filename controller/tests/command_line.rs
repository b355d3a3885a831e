//! What the command line says of itself.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn holdfast(args: &[&str]) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("holdfast").unwrap();
    command
        .env("HOLDFAST_REPOSITORY", "file:///a-place-of-this-machine")
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn a_shell_takes_its_completions() {
    for (shell, word) in [("bash", "--keep-daily"), ("zsh", "--keep-daily"), ("fish", "keep-daily")]
    {
        let output = holdfast(&["completions", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains(word) && script.contains("holdfast"), "{shell}");
        if shell == "bash" {
            let mut bash = Command::new("bash");
            let mut child = bash.arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
        }
    }
    assert_eq!(holdfast(&["completions", "dos"]).status.code(), Some(2));
}

#[test]
fn every_verb_has_a_page_that_is_the_same_on_every_machine() {
    let dir = tempfile::tempdir().unwrap();
    let output = holdfast(&["man", dir.path().join("man").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let pages: BTreeSet<String> = fs::read_dir(dir.path().join("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for page in
        ["holdfast.1", "holdfast-repo.1", "holdfast-repo-forget.1", "holdfast-repo-key-rotate.1"]
    {
        assert!(pages.contains(page), "{page} is not among {pages:?}");
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for page in &pages {
        let text = fs::read_to_string(dir.path().join("man").join(page)).unwrap();
        assert!(text.contains(".TH "), "{page}");
        assert!(!text.contains("a-place-of-this-machine"), "{page}");
        let own = format!("[default: {host}]");
        assert!(!text.contains(&own), "{page}");
    }
    let forget = fs::read_to_string(dir.path().join("man/holdfast-repo-forget.1")).unwrap();
    assert!(forget.contains("keep\\-daily") && forget.contains("password\\-file"), "{forget}");
}

#[test]
fn help_names_every_verb_once_and_every_verb_has_help() {
    let help = String::from_utf8(holdfast(&["repo", "--help"]).stdout).unwrap();
    let verbs: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for verb in [
        "init",
        "backup",
        "restore",
        "snapshots",
        "ls",
        "find",
        "diff",
        "dump",
        "stats",
        "check",
        "forget",
        "key",
        "repair",
    ] {
        assert!(verbs.contains(&verb), "{verb} is not in:\n{help}");
        let output = holdfast(&["repo", verb, "--help"]);
        assert_eq!(output.status.code(), Some(0), "{verb}");
    }
}
