//! `holdfast repo key`, `repair` and the ways to give a password, as their users see them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod shelf;

use std::fs;

use serde_json::Value;
use shelf::{PASSWORD, Shelf};

fn slots(shelf: &Shelf) -> Vec<Value> {
    shelf.json(&["key", "list"])[0]["slots"].as_array().unwrap().clone()
}

fn write(shelf: &Shelf, name: &str, text: &str) -> String {
    fs::write(shelf.path(name), text).unwrap();
    shelf.arg(name)
}

#[test]
fn passwords_come_and_go_and_one_always_stays() {
    let shelf = Shelf::new();
    let second = write(&shelf, "second", "the second one\n");
    let said = shelf.ok(&["key", "add", "--label", "escrow", "--new-password-file", &second]);
    assert!(said.contains("called \"escrow\""), "{said}");
    let labels: Vec<_> = slots(&shelf).iter().map(|slot| slot["label"].clone()).collect();
    assert_eq!(labels, ["first", "escrow"]);
    let current: Vec<_> = slots(&shelf).iter().map(|slot| slot["current"].clone()).collect();
    assert_eq!(current, [true, false]);
    let table = shelf.ok(&["key", "list"]);
    assert!(
        table.lines().nth(1).unwrap().starts_with('*') && table.contains("64.000 MiB"),
        "{table}"
    );
    let said = shelf.fails(&["key", "remove", "first"], 1);
    assert!(said.contains("key change"), "{said}");
    shelf.fails(&["key", "remove", "nobody"], 28);
    shelf.ok(&["key", "remove", "first", "--password-file", &second]);
    let said = shelf.fails(&["key", "list"], 12);
    assert!(said.contains("wrong passphrase"), "{said}");
    let only = ["key", "remove", "escrow", "--password-file", &second];
    shelf.fails(&only, 1);
    let third = write(&shelf, "third", "the third one");
    shelf.ok(&["key", "change", "--password-file", &second, "--new-password-file", &third]);
    shelf.fails(&["key", "list", "--password-file", &second], 12);
    shelf.ok(&["key", "list", "--password-file", &third]);
}

#[test]
fn a_rotation_leaves_passwords_behind_and_data_readable() {
    let shelf = Shelf::new();
    shelf.file("x", "before");
    let one = shelf.backup(&[]);
    let leaked = write(&shelf, "leaked", "leaked");
    shelf.ok(&["key", "add", "--label", "leaked", "--new-password-file", &leaked]);
    let said = shelf.ok(&["key", "rotate", "--drop", "leaked"]);
    assert!(
        said.contains("epoch 2 begins: 1 key slots have its secrets, 1 were left behind"),
        "{said}"
    );
    shelf.fails(&["snapshots", "--password-file", &leaked], 12);
    let said = shelf.fails(&["key", "rotate", "--drop", "first"], 1);
    assert!(said.contains("with another one"), "{said}");
    shelf.file("x", "after");
    let two = shelf.backup(&[]);
    let x = shelf.arg("source/x");
    assert_eq!(shelf.ok(&["dump", &one, &x]), "before");
    assert_eq!(shelf.ok(&["dump", &two, &x]), "after");
    shelf.ok(&["check", "--read-data"]);
    assert_eq!(shelf.json(&["key", "list"])[0]["epochs"], 2);
}

#[test]
fn every_way_to_give_a_password_and_every_wrong_one() {
    let shelf = Shelf::new();
    let right = write(&shelf, "right", &format!("{PASSWORD}\nanother line"));
    let none = |args: &[&str]| {
        let mut command = shelf.command(args);
        command.env_remove("HOLDFAST_PASSWORD");
        command.output().unwrap()
    };
    let command = format!("cat '{right}'");
    for args in
        [["snapshots", "--password-file", &right], ["snapshots", "--password-command", &command]]
    {
        assert_eq!(none(&args).status.code(), Some(0), "{args:?}");
    }
    let said = String::from_utf8(none(&["snapshots"]).stderr).unwrap();
    assert!(said.contains("HOLDFAST_PASSWORD") && said.contains("--password-command"), "{said}");
    let empty = write(&shelf, "empty", "\n");
    for (args, words) in [
        (["snapshots", "--password-file", &empty], "the password is empty"),
        (["snapshots", "--password-file", "/nowhere"], "/nowhere"),
        (["snapshots", "--password-command", "false"], "failed: exit status: 1"),
        (["snapshots", "--password-command", "'open"], "a quote is not closed"),
        (["snapshots", "--password-command", ""], "is empty"),
    ] {
        let said = shelf.fails(&args, 1);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let bare = Shelf::bare();
    let said = bare.fails(&["snapshots"], 10);
    assert!(said.contains("no repository"), "{said}");
}

#[test]
fn a_lost_index_is_rebuilt() {
    let shelf = Shelf::new();
    shelf.file("x", "x".repeat(100_000));
    shelf.backup(&[]);
    assert!(shelf.ok(&["repair", "index"]).contains("nothing to do"));
    let index = shelf.path("repository/meta/index");
    for entry in fs::read_dir(&index).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    shelf.run(&["check"], 22);
    let rehearsal = &shelf.json(&["repair", "index", "--dry-run"])[0];
    assert_eq!((&rehearsal["packsAdded"], &rehearsal["objectsWritten"]), (&2.into(), &0.into()));
    let said = shelf.ok(&["repair", "index"]);
    assert!(said.contains("2 packs named again, 1 index objects replaced"), "{said}");
    shelf.ok(&["check"]);
}
