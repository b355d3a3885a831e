//! Wrong uses of `holdfast repo`, verb by verb: how it ends, and what it says would be right.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod shelf;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::Value;
use shelf::Shelf;

/// A line, its exit code, and words of what it says.
type Case<'a> = (&'a [&'a str], i32, &'a str);

fn check(shelf: &Shelf, cases: &[Case<'_>]) {
    for (args, code, words) in cases {
        let output = shelf.run(args, *code);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(words), "{args:?}: {words:?} is not in: {said}");
        assert!(said.starts_with("error: "), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?} printed something");
        // The same for programs.
        let said = shelf.fails(&[*args, &["--json"]].concat(), *code);
        let line: Value = serde_json::from_str(said.trim_end()).unwrap();
        assert_eq!((&line["message"], &line["code"]), (&"error".into(), &(*code).into()), "{line}");
    }
}

#[test]
fn what_every_verb_refuses() {
    let shelf = Shelf::new();
    let missing = shelf.arg("missing");
    check(
        &shelf,
        &[
            (&["snapshot"], 2, "a similar subcommand exists: 'snapshots'"),
            (&["snapshots", "--jsn"], 2, "'--json'"),
            (&["forget", "--keep-last", "1", "--prune"], 2, "what would be reclaimable"),
            (&["mount", "/mnt"], 2, "look with `ls` and `find`"),
            (&["snapshots", "--url", "backup"], 2, "file:///absolute/path"),
            (&["snapshots", "--url", "gs://bucket/x"], 2, "no store of that kind"),
            (&["snapshots", "--url", "file://srv"], 2, "three slashes"),
            (&["snapshots", "--url", "file:///srv?upload-rate=1MiB"], 2, "%3F"),
            (&["snapshots", "--url", ""], 2, "which repository?"),
            (&["snapshots", "--password-file", &missing], 2, &missing),
            (
                &["snapshots", "--password-file", "x", "--password-command", "y"],
                2,
                "cannot be used with",
            ),
            (&["snapshots", "--expect-repository", "x"], 2, "32 hexadecimal digits"),
            (&["snapshots", "--password-file"], 2, "a value is required"),
        ],
    );
}

#[test]
fn what_backup_refuses() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let (source, missing) = (shelf.arg("source"), shelf.arg("missing"));
    let long = "x".repeat(300);
    check(
        &shelf,
        &[
            (&["backup"], 2, "<PATHS>"),
            (&["backup", ""], 2, "a value is required for '[PATHS]...'"),
            (&["backup", &missing], 26, "does not exist"),
            (&["backup", &source, "--exclude", "[a"], 2, "unclosed character class"),
            (&["backup", &source, "--exclude", ""], 2, "names nothing"),
            (&["backup", &source, "--exclude-file", &missing], 2, &missing),
            (&["backup", &source, "--exclude-larger-than", "1.5M"], 2, "such as 100M"),
            (&["backup", &source, "--exclude-if-present", ".."], 2, ".."),
            (&["backup", &source, "--files-from", &missing], 2, &missing),
            (&["backup", &source, "--tag", ""], 2, "a tag is empty"),
            (&["backup", &source, "--tag", "a,,b"], 2, "a tag is empty"),
            (&["backup", &source, "--stdin", "x"], 2, "cannot be used with"),
            (&["backup", "--stdin", "../x"], 2, "such as dump.sql"),
            (&["backup", "--stdin", &long], 2, "such as dump.sql"),
            (&["backup", &source, "--workers", "many"], 2, "invalid digit"),
            (&["backup", &source, "--workers", "4294967295"], 2, "0..=256"),
            (&["backup", &source, "--skip-if-unchanged"], 2, "every run makes a snapshot"),
        ],
    );
    assert_eq!(shelf.ids(&[]), [""; 0], "nothing came of any of them");
    // A name of any bytes is one of them.
    let name = shelf.path("source").join(OsStr::from_bytes(b"caf\xe9"));
    fs::write(&name, "x").unwrap();
    let output = shelf.command(&["backup", "--quiet"]).arg(&name).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    shelf.ok(&["backup", &source, "--quiet"]);
    // A path that is no text is one like others; a command is text.
    let name = shelf.path("source").join(OsStr::from_bytes(b"caf\xe9"));
    fs::write(&name, "x").unwrap();
    let backup = |options: &[&str]| shelf.command(options).arg(&name).output().unwrap();
    assert_eq!(backup(&["backup"]).status.code(), Some(0));
    let output = backup(&["backup", "--stdin-from-command", "--"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("must be UTF-8"));
}

#[test]
fn what_restore_and_dump_refuse() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    shelf.backup(&[]);
    let out = shelf.arg("out");
    check(
        &shelf,
        &[
            (&["restore"], 2, "<SNAPSHOT[:PATH]>"),
            (&["restore", "latest"], 2, "--target <DIR>"),
            (&["restore", "", "--target", &out], 28, "no snapshot named"),
            (&["restore", "feed", "--target", &out], 28, "`holdfast repo snapshots` lists them"),
            (&["restore", "latest:/nowhere", "--target", &out], 28, "path in the snapshot"),
            (&["restore", "latest", "--target", &out, "--include", "[a"], 2, "unclosed"),
            (&["restore", "latest", "--target", &out, "--exclude", ""], 2, "names nothing"),
            (&["restore", "latest", "--target", &out, "--tag", "a,"], 2, "a tag is empty"),
            (&["restore", "feed", "--target", &out, "--host", "x"], 2, "choose what `latest` is"),
            (&["restore", "latest", "--target", "/proc/holdfast"], 1, "cannot be written"),
            (&["dump"], 2, "<SNAPSHOT[:PATH]>"),
            (&["dump", "latest:/a", "/b"], 2, "give the path once"),
            (&["dump", "latest", "/nowhere"], 28, "path in the snapshot"),
            (&["restore", "latest:nope", "--target", &out], 2, "begins with /"),
            (&["dump", "latest", "--target", "/proc/holdfast"], 1, "/proc/holdfast"),
        ],
    );
    assert!(!shelf.path("out").exists(), "a restore that was refused has made its target");
}

#[test]
fn what_verbs_that_look_refuse() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let one = shelf.backup(&[]);
    check(
        &shelf,
        &[
            (&["snapshots", "feed"], 28, "no snapshot named \"feed\""),
            (&["snapshots", "--latest", "0"], 2, "not in 1.."),
            (&["snapshots", "--group-by", "owner"], 2, "host"),
            (&["snapshots", "--latest", "1", "--group-by", "hots"], 2, "host"),
            (&["ls"], 2, "<SNAPSHOT[:PATH]>"),
            (&["ls", "latest:/nowhere"], 28, "`holdfast repo ls SNAPSHOT`"),
            (&["ls", "latest:/a", "/b"], 2, "give the path once"),
            (&["ls", "latest", "nope"], 2, "begins with /"),
            (&["diff", "latest:nope", "latest"], 2, "begins with /"),
            (&["find"], 2, "<GLOB>"),
            (&["find", "{a"], 2, "unclosed"),
            (&["find", "x", "--oldest", "yesterday"], 2, "such as 2026-11-21"),
            (&["find", "x", "--newest", "2026-13-45"], 2, "such as 2026-11-21"),
            (&["diff", "latest"], 2, "<AFTER[:PATH]>"),
            (&["diff", &one, &one, "--tag", "a"], 2, "choose what `latest` is"),
            (&["stats", "feed"], 28, "no snapshot named"),
            (&["check", "everything"], 2, "unexpected argument"),
        ],
    );
    let (two, mut prefix) = (shelf.backup(&[]), 0);
    while one[..=prefix] == two[..=prefix] {
        prefix += 1;
    }
    if prefix > 0 {
        check(&shelf, &[(&["ls", &one[..prefix]], 28, "give more of the id")]);
    }
}

#[test]
fn what_forget_refuses() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let one = shelf.backup(&[]);
    check(
        &shelf,
        &[
            (&["forget"], 2, "give a --keep-"),
            (&["forget", "--prune"], 2, "unexpected argument '--prune'"),
            (&["forget", "--keep-lst", "1"], 2, "'--keep-last'"),
            (&["forget", "--keep-daily", "-2"], 2, "unlimited"),
            (&["forget", "--keep-daily", "a"], 2, "unlimited"),
            (&["forget", "--keep-within", "7"], 2, "y, m, d and h"),
            (&["forget", "--keep-last", "1", "--time-zone", "Mars"], 2, "Europe/Berlin"),
            (&["forget", "--keep-last", "1", "--group-by", "owner"], 2, "host"),
            (&["forget", "--keep-tag", "a,"], 2, "a tag is empty"),
            (&["forget", "latest"], 2, "by their ids"),
            (&["forget", &one, "--keep-last", "1"], 2, "not both"),
            (&["forget", &one, "--host", "x"], 2, "not both"),
            (&["forget", &one, "feed"], 28, "no snapshot named \"feed\""),
            (&["forget", "--unsafe-allow-remove-all"], 2, "everything would go"),
        ],
    );
    assert_eq!(shelf.ids(&[]), [one]);
}

#[test]
fn what_key_repair_and_init_refuse() {
    let shelf = Shelf::new();
    let long = "x".repeat(256);
    check(
        &shelf,
        &[
            (&["init"], 1, "a repository is here already"),
            (&["init", "--label", ""], 2, "at least one character"),
            (&["key"], 2, "Usage"),
            (&["key", "ad"], 2, "a similar subcommand exists: 'add'"),
            (&["key", "add"], 2, "HOLDFAST_NEW_PASSWORD"),
            (&["key", "add", "--label", &long], 2, "256 bytes"),
            (&["key", "remove"], 2, "<SLOT>"),
            (&["key", "remove", "nobody"], 28, "`holdfast repo key list` lists them"),
            (&["key", "remove", ""], 28, "no key slot named \"\""),
            (&["key", "remove", "first"], 1, "key change"),
            (&["key", "rotate", "--drop", "nobody"], 28, "no key slot named"),
            (&["repair"], 2, "Usage"),
            (&["repair", "snapshots"], 2, "unrecognized subcommand"),
        ],
    );
}
