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
    assert!(said.contains("wrong password"), "{said}");
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
        (["snapshots", "--password-command", "false"], "failed: exit status: 1"),
        (["snapshots", "--password-command", "echo"], "the password is empty"),
        (
            ["snapshots", "--password-command", "no-such-program-anywhere"],
            "does its first word name a program",
        ),
        (["snapshots", "--password-file", &shelf.arg("")], "directory"),
    ] {
        let said = shelf.fails(&args, 1);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    for (args, words) in [
        (["snapshots", "--password-file", "/nowhere"], "/nowhere"),
        (["snapshots", "--password-command", "'open"], "a quote is not closed"),
        (["snapshots", "--password-command", ""], "is empty"),
    ] {
        let said = shelf.fails(&args, 2);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    // A password may be all that somebody wrote there.
    for command in ["marker", "'marker"] {
        let said = String::from_utf8(none(&["snapshots", "--password-command", command]).stderr);
        assert!(!said.unwrap().contains("marker"));
    }
    let bare = Shelf::bare();
    let said = bare.fails(&["snapshots"], 10);
    assert!(said.contains("no repository"), "{said}");
}

#[test]
fn a_password_file_is_what_an_editor_leaves() {
    let shelf = Shelf::new();
    let with = |bytes: &[u8]| {
        fs::write(shelf.path("file"), bytes).unwrap();
        let output = shelf.command(&["snapshots", "--password-file", &shelf.arg("file")]);
        let output = { output }.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let password = PASSWORD.as_bytes();
    for (before, after) in
        [("", ""), ("", "\n"), ("", "\r\n"), ("", "\n\n"), ("", "\nnotes"), ("\u{feff}", "\r\n")]
    {
        let bytes = [before.as_bytes(), password, after.as_bytes()].concat();
        assert_eq!(with(&bytes).0, 0, "{before:?} {after:?}");
    }
    assert_eq!(with(&[password, b" "].concat()).0, 12, "a space belongs to a password");
    let wide: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, words) in [
        (&b""[..], "it must stand in the first line"),
        (b"\n", "it must stand in the first line"),
        (b"\xff\xfe", "no UTF-8"),
        (b"caf\xe9\n", "no UTF-8"),
    ] {
        let (code, said) = with(bytes);
        assert!(code == 1 && said.contains(words) && said.contains(&shelf.arg("file")), "{said}");
    }
    assert_eq!(with(&wide).0, 12, "UTF-16 is another password, and no panic");
}

#[test]
fn the_command_line_wins_over_the_environment_and_one_way_excludes_the_other() {
    let shelf = Shelf::new();
    let right = write(&shelf, "right", PASSWORD);
    let wrong = write(&shelf, "wrong", "wrong");
    let code = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = shelf.command(&[&["snapshots"], args].concat());
        command.env_remove("HOLDFAST_PASSWORD");
        command.envs(variables.iter().copied());
        command.output().unwrap().status.code().unwrap()
    };
    let (file, command) = ("HOLDFAST_PASSWORD_FILE", "HOLDFAST_PASSWORD_COMMAND");
    let (cat_right, cat_wrong) = (format!("cat {right}"), format!("cat {wrong}"));
    assert_eq!(code(&[(file, &right)], &[]), 0);
    assert_eq!(code(&[(command, &cat_right)], &[]), 0);
    assert_eq!(code(&[(file, &wrong)], &["--password-command", &cat_right]), 0);
    assert_eq!(code(&[(command, &cat_wrong)], &["--password-file", &right]), 0);
    assert_eq!(code(&[(file, &right), (command, &cat_wrong), ("HOLDFAST_PASSWORD", "x")], &[]), 0);
    assert_eq!(code(&[(file, ""), ("HOLDFAST_PASSWORD", PASSWORD)], &[]), 0);
    assert_eq!(code(&[], &["-p", &right, "--password-command", &cat_right]), 2);
    let both = ["key", "add", "--new-password-file", &right, "--new-password-command", &cat_right];
    shelf.fails(&both, 2);
}

#[test]
fn a_new_password_is_asked_for_twice_at_a_terminal() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::io::{Read as _, Write as _};
    let shelf = Shelf::new();
    let add = |first: &str, second: &str| {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let side = || fs::File::options().read(true).write(true).open(&name).unwrap();
        let program = assert_cmd::cargo::cargo_bin("holdfast");
        let mut command = std::process::Command::new("setsid");
        command
            .args(["--ctty", "--wait"])
            .arg(program)
            .args(["repo", "key", "add", "--label", "typed"]);
        command.env("HOLDFAST_REPOSITORY", shelf.url()).env("HOLDFAST_PASSWORD", PASSWORD);
        command.env_remove("HOLDFAST_NEW_PASSWORD").env("TERM", "dumb");
        let mut child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        drop(command);
        let mut terminal = fs::File::from(terminal);
        let (mut shown, mut answers) = (String::new(), [first, second].into_iter());
        let mut buffer = [0; 4096];
        // The other side has gone away when reading fails.
        while let Ok(count @ 1..) = terminal.read(&mut buffer) {
            shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
            if shown.ends_with(": ")
                && let Some(answer) = answers.next()
            {
                writeln!(terminal, "{answer}").unwrap();
            }
        }
        (child.wait().unwrap().code().unwrap(), shown)
    };
    let (code, shown) = add("typed one", "typed another");
    assert!(code == 1 && shown.contains("the two passwords differ"), "{code}: {shown}");
    assert_eq!(slots(&shelf).len(), 1);
    let (code, shown) = add("typed one", "typed one");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("new password: ") && shown.contains("the same again: "), "{shown}");
    assert!(!shown.contains("typed one"), "a password was shown: {shown}");
    let typed = write(&shelf, "typed", "typed one");
    shelf.ok(&["key", "list", "--password-file", &typed]);
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
