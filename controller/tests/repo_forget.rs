//! `holdfast repo forget` and `dump`, as their users see them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod shelf;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use shelf::Shelf;

fn ids(group: &Value, what: &str) -> Vec<String> {
    let list = group[what].as_array().unwrap().iter();
    list.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn rules_are_rehearsed_and_then_obeyed() {
    let shelf = Shelf::new();
    let taken: Vec<String> = (0..4)
        .map(|number| {
            shelf.file("x", format!("{number}").repeat(50_000));
            shelf.backup(if number == 1 { &["--tag", "keep,me"] } else { &[] })
        })
        .collect();
    let other = shelf.backup(&["--host", "another"]);
    let rules = ["forget", "--keep-last", "1", "--keep-tag", "me"];
    let rehearsal = &shelf.json(&[&rules[..], &["--dry-run"]].concat())[0];
    assert_eq!(shelf.ids(&[]).len(), 5, "a rehearsal removes nothing");
    let groups = rehearsal["groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["host"] != "another").unwrap();
    assert_eq!(ids(group, "keep"), [&*taken[3], &*taken[1]]);
    assert_eq!(ids(group, "remove"), [&*taken[0], &*taken[2]]);
    assert_eq!(group["keep"][1]["reasons"][0], "has tags me");
    assert!(
        group["remove"][0]["onlyHere"]["plainBytes"].as_u64().unwrap() >= 50_000,
        "{rehearsal}"
    );
    assert!(rehearsal["reclaimable"]["plainBytes"].as_u64().unwrap() >= 100_000, "{rehearsal}");
    let text = shelf.ok(&[&rules[..], &["--dry-run"]].concat());
    assert!(text.contains("would remove 2 snapshots") && text.contains("last snapshot"), "{text}");
    let text = shelf.ok(&rules);
    assert!(
        text.contains("rules: 1 latest, tagged me") && text.contains("forgot 2 snapshots"),
        "{text}"
    );
    assert_eq!(shelf.ids(&[]), [&*taken[1], &taken[3], &other]);
    shelf.ok(&["check"]);
}

#[test]
fn what_is_in_doubt_removes_nothing_and_says_why() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let one = shelf.backup(&["--tag", "a"]);
    let cases: [(&[&str], i32, &str); 9] = [
        (&["forget"], 2, "no rule was given"),
        (&["forget", "--tag", "a"], 2, "no rule was given"),
        (&["forget", "--unsafe-allow-remove-all"], 2, "everything would go"),
        (&["forget", "--keep-tag", "none"], 1, "--unsafe-allow-remove-all"),
        (&["forget", "latest"], 2, "by their ids"),
        (&["forget", &one, "--keep-last", "1"], 2, "not both"),
        (&["forget", "--keep-last", "many"], 2, "unlimited"),
        (&["forget", "--keep-within", "1w"], 2, "units y, m, d and h"),
        (&["forget", &one, "feed"], 28, "no snapshot named \"feed\""),
    ];
    for (args, code, words) in cases {
        let said = shelf.fails(args, code);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    shelf.fails(&["forget", "--keep-last", "1", "--group-by", "hots"], 2);
    shelf.fails(&["forget", "--keep-last", "1", "--time-zone", "Mars"], 2);
    assert_eq!(shelf.ids(&[]), [one]);
    shelf.ok(&["forget", "--unsafe-allow-remove-all", "--tag", "a"]);
    assert_eq!(shelf.ids(&[]), [""; 0]);
}

#[test]
fn a_named_snapshot_goes_and_no_other() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let (one, two) = (shelf.backup(&[]), shelf.backup(&[]));
    let report = &shelf.json(&["forget", &one[..20]])[0];
    assert_eq!(ids(&report["groups"][0], "remove"), [&*one]);
    assert_eq!(shelf.ids(&[]), [two]);
}

#[test]
fn a_snapshot_that_is_damaged_goes_when_it_is_named() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let (one, two) = (shelf.backup(&[]), shelf.backup(&[]));
    for folder in ["meta/snapshots", "mirror/meta/snapshots"] {
        let name = shelf.objects(folder).into_iter().find(|name| name.starts_with(&one)).unwrap();
        shelf.flip(&format!("{folder}/{name}"), 100);
    }
    shelf.run(&["check"], 22);
    let said = shelf.run(&["forget", &one[..20], "--dry-run"], 0);
    assert!(String::from_utf8_lossy(&said.stderr).contains("would be removed"), "{said:?}");
    let said = shelf.run(&["forget", &one], 0);
    assert!(String::from_utf8_lossy(&said.stderr).contains(&one), "{said:?}");
    assert_eq!(shelf.ids(&[]), [two]);
    shelf.ok(&["check"]);
}

#[test]
fn dump_writes_a_file_or_an_archive() {
    let shelf = Shelf::new();
    shelf.file("d/x", "content of x\n");
    shelf.file("y", "y");
    shelf.backup(&[]);
    let (source, file) = (shelf.arg("source"), shelf.arg("source/d/x"));
    assert_eq!(shelf.ok(&["dump", "latest", &file]), "content of x\n");
    assert_eq!(shelf.ok(&["dump", &format!("latest:{file}")]), "content of x\n");
    let archive = shelf.run(&["dump", &format!("latest:{source}")], 0).stdout;
    fs::write(shelf.path("archive.tar"), archive).unwrap();
    shelf.ok(&["dump", "latest", &source, "--target", &shelf.arg("full.tar")]);
    for (archive, inside) in [("archive.tar", "d/x"), ("full.tar", file.trim_start_matches('/'))] {
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--to-stdout", "--file"]).arg(shelf.path(archive)).arg(inside);
        let output = tar.stderr(Stdio::inherit()).output().unwrap();
        assert_eq!(output.stdout, b"content of x\n", "{archive}");
    }
    shelf.fails(&["dump", "latest:/nowhere"], 28);
    let said = shelf.fails(&["dump", &format!("latest:{source}"), &file], 2);
    assert!(said.contains("give the path once"), "{said}");
}
