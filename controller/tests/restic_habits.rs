//! What restic's users type: each of its words is taken, or answered with what to do instead.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod shelf;

use std::fs;

use clap::{Arg, Command};
use shelf::{PASSWORD, Shelf};

/// Verbs and options of restic, recorded from its help.
const WORDS: &str = include_str!("golden/restic-options.txt");

/// How an option is called, without its dashes.
fn names(option: &Arg) -> Vec<&str> {
    let own = option.get_long_and_visible_aliases().unwrap_or_default();
    own.into_iter().chain(option.get_all_aliases().unwrap_or_default()).collect()
}

fn takes(command: &Command, option: &str) -> bool {
    let wanted = option.trim_start_matches('-');
    command.get_arguments().any(|own| names(own).contains(&wanted))
}

#[test]
fn every_word_of_restics_is_taken_or_answered() {
    let mut command = holdfast::command();
    command.build();
    let repo = command.find_subcommand("repo").unwrap();
    let (mut seen, mut unanswered) = (0, Vec::new());
    for line in WORDS.lines().filter(|line| !line.starts_with('#')) {
        let (verb, option) = line.split_once(':').unwrap();
        let (mut at, mut lost) = (repo, None);
        for word in verb.split_whitespace() {
            match at.find_subcommand(word) {
                Some(command) if lost.is_none() => at = command,
                _ => lost = lost.or(Some(word)),
            }
        }
        seen += 1;
        let first = verb.split_whitespace().next();
        let word = lost.or(option.split_whitespace().last());
        let is_taken = lost.is_none() && word.is_none_or(|option| takes(at, option));
        if let [short, long] = option.split_whitespace().collect::<Vec<_>>()[..]
            && lost.is_none()
        {
            let ours = at.get_arguments().find(|own| own.get_short() == short.chars().nth(1));
            let is_other =
                ours.is_some_and(|own| !names(own).iter().any(|name| name == &&long[2..]));
            assert!(!is_other, "{verb} {short} is not {long} here");
        }
        if !is_taken && word.is_none_or(|word| holdfast::habit(first, word).is_none()) {
            unanswered.push(line);
        }
    }
    assert!(unanswered.is_empty(), "{}", unanswered.join("\n"));
    assert!(seen > 200);
}

#[test]
fn the_documents_have_the_same_answers() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/repository.md");
    let page = fs::read_to_string(page).unwrap();
    for (words, answer) in holdfast::habits() {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        let row = format!("| {} | {answer} |", words.join(", "));
        assert!(page.contains(&row), "docs/repository.md lacks the row\n{row}");
    }
}

/// A line as restic's users type it, but for the name of the program; how it ends; what it says somewhere.
type Line<'a> = (&'a str, i32, &'a str);

fn try_lines(shelf: &Shelf, lines: &[Line<'_>]) {
    for (line, code, words) in lines {
        let line = line.replace("WORK", &shelf.arg("source")).replace("TMP", &shelf.arg("tmp"));
        let args: Vec<&str> = line.split(' ').collect();
        let output = shelf
            .command(&args)
            .env("HOLDFAST_NEW_PASSWORD", PASSWORD)
            .write_stdin("from a pipe")
            .output()
            .unwrap();
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(*code), "{line}: {said}");
        assert!(said.contains(words), "{line}: {words:?} is not in {said}");
    }
}

#[test]
fn the_commonest_lines_of_restics_users_do_what_they_say() {
    let shelf = Shelf::bare();
    for name in ["report.txt", "notes.c", "deep/er/x.log"] {
        shelf.file(name, name);
    }
    fs::create_dir(shelf.path("tmp")).unwrap();
    fs::write(shelf.path("tmp/excludes"), "# comment\n*.log\n").unwrap();
    fs::write(shelf.path("tmp/list"), format!("{}\n", shelf.arg("source"))).unwrap();
    let repository = shelf.arg("repository");
    let plain = format!("-r {repository} init");
    try_lines(&shelf, &[(&plain, 0, ""), ("init", 1, "")]);
    try_lines(
        &shelf,
        &[
            ("--verbose backup WORK", 0, "snapshot"),
            ("backup -v WORK", 0, "snapshot"),
            ("backup --exclude-file=TMP/excludes --exclude *.c WORK", 0, "snapshot"),
            ("backup --tag projectX --tag foo,bar WORK", 0, "snapshot"),
            ("backup --files-from TMP/list", 0, "snapshot"),
            ("backup --one-file-system WORK", 0, "snapshot"),
            ("backup --dry-run -vv WORK", 0, "would"),
            ("backup --force WORK", 0, "snapshot"),
            ("backup --no-scan --quiet WORK", 0, ""),
            ("backup --stdin --stdin-filename dump.sql", 0, "snapshot"),
            ("backup --stdin-from-command --stdin-filename list.txt -- ls WORK", 0, "snapshot"),
            ("snapshots", 0, "source"),
            ("snapshots --compact", 0, "source"),
            ("snapshots --latest 1", 0, "source"),
            ("snapshots --tag projectX --json", 0, "projectX"),
            ("ls latest --path WORK", 0, "report.txt"),
            ("ls -l latest --path WORK", 0, "notes.c"),
            ("find *.txt", 0, "report.txt"),
            ("dump latest --path WORK WORK/report.txt", 0, "report.txt"),
            ("restore latest --path WORK --target TMP/out", 0, ""),
            ("restore latest --path WORK -t TMP/some --include *.txt", 0, ""),
            ("diff latest latest", 0, ""),
            ("stats", 0, ""),
            ("check", 0, ""),
            ("check --read-data", 0, ""),
            ("check --read-data-subset=10%", 0, ""),
            ("check --read-data-subset 1/5", 0, ""),
            ("key list", 0, ""),
            ("key add", 0, ""),
            ("key passwd", 0, ""),
            ("forget --keep-last 3 --dry-run", 0, "would"),
            ("forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12", 0, "forgot"),
            ("--no-lock snapshots", 0, ""),
            ("unlock", 0, "no locks"),
            ("repair index", 0, ""),
        ],
    );
    assert!(
        shelf
            .path("tmp/some")
            .join(shelf.arg("source").trim_start_matches('/'))
            .join("report.txt")
            .exists()
    );
}

#[test]
fn lines_that_do_something_else_here_say_what() {
    let shelf = Shelf::new();
    try_lines(
        &shelf,
        &[
            ("forget --keep-last 1 --prune", 2, "reclaimable"),
            ("prune", 2, "reclaimable"),
            ("mount TMP", 2, "`dump` and `restore`"),
            ("tag --set nightly latest", 2, "backup --tag"),
            ("copy --from-repo TMP", 2, "rsync"),
            ("rewrite --exclude x", 2, "written once"),
            ("cat config", 2, "--json"),
            ("list snapshots", 2, "--json"),
            ("cache --cleanup", 2, "no cache"),
            ("backup WORK --limit-upload 100", 2, "upload-rate"),
            ("-r s3:https://server/bucket snapshots", 2, "endpoint=https://server"),
            ("-r sftp:host:/x snapshots", 2, "file:///"),
            ("self-update", 2, "new binary"),
        ],
    );
}
