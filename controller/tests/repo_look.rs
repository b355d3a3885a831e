//! Verbs of `holdfast repo` that only look, as their users see them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod shelf;

use std::fs;

use shelf::Shelf;

#[test]
fn find_names_each_snapshot_once_and_each_place() {
    let shelf = Shelf::new();
    shelf.file("a/report.txt", "one");
    shelf.file("b/Report.TXT", "two");
    let one = shelf.backup(&["--tag", "first,full"]);
    fs::remove_file(shelf.path("source/a/report.txt")).unwrap();
    let two = shelf.backup(&[]);
    let text = shelf.ok(&["find", "report.txt"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with(&format!("snapshot {} of 20", &one[..16])), "{text}");
    assert_eq!(lines[1], shelf.arg("source/a/report.txt"));
    let rows = shelf.json(&["find", "--ignore-case", "**/source/*/report.txt"]);
    let places: Vec<_> = rows
        .iter()
        .map(|row| (row["snapshot"].as_str().unwrap(), row["type"].as_str().unwrap()))
        .collect();
    assert_eq!(places, [(&*one, "file"), (&*one, "file"), (&*two, "file")]);
    assert_eq!(shelf.json(&["find", "*", "--tag", "full", "--newest", "1971-01-01"]).len(), 0);
    assert_eq!(shelf.json(&["find", "*.TXT", "-s", "latest"]).len(), 1);
    let error = shelf.fails(&["find", "[a"], 2);
    assert!(error.contains("unclosed") && error.contains("[a"), "{error}");
    let error = shelf.fails(&["find", "x", "--snapshot", "feed"], 28);
    assert!(error.contains("no snapshot named \"feed\""), "{error}");
    let error = shelf.fails(&["find", "x", "--oldest", "soon"], 2);
    assert!(error.contains("2026-11-21"), "{error}");
}

#[test]
fn diff_says_what_changed_and_sums_it_up() {
    let shelf = Shelf::new();
    shelf.file("gone", "gone");
    shelf.file("d/changed", "before");
    shelf.file("d/kept", "kept");
    let one = shelf.backup(&[]);
    fs::remove_file(shelf.path("source/gone")).unwrap();
    shelf.file("d/changed", "after that");
    shelf.file("e/new", "new one");
    let two = shelf.backup(&[]);
    let side = |id: &str| format!("{id}:{}", shelf.arg("source"));
    let text = shelf.ok(&["diff", &side(&one), &side(&two)]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("from {} to {}", &one[..16], &two[..16]));
    assert_eq!(lines[1..5], ["M    /d/changed", "+    /e/", "+    /e/new", "-    /gone"]);
    assert!(lines[6].starts_with("Files:") && lines[6].contains("1 new"), "{text}");
    let with_metadata = shelf.ok(&["diff", &side(&one), &side(&two), "--metadata"]);
    assert!(with_metadata.contains("U    /\n"), "{with_metadata}");
    let rows = shelf.json(&["diff", &one, &two]);
    let summary = rows.last().unwrap();
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[0]["change"], "content");
    assert_eq!(rows[0]["path"], shelf.arg("source/d/changed"));
    assert_eq!(summary["files"]["added"], 1);
    assert_eq!(summary["added"]["fileBytes"], 7);
    assert_eq!(summary["added"]["chunkBytes"], 17);
    assert_eq!(summary["removed"]["chunkBytes"], 10);
    assert_eq!(shelf.ok(&["diff", &one, &one, "--quiet"]), "");
    shelf.fails(&["diff", &one, "nothing"], 28);
    shelf.fails(&["diff", &one, &format!("{two}:/nowhere")], 28);
}

#[test]
fn stats_tells_what_would_come_back_and_what_is_stored() {
    let shelf = Shelf::new();
    let content = |seed: u64| -> Vec<u8> {
        let mut out = vec![0; 300_000];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
        out
    };
    shelf.file("both", content(1));
    shelf.file("first", content(2));
    let one = shelf.backup(&[]);
    fs::remove_file(shelf.path("source/first")).unwrap();
    let two = shelf.backup(&["--host", "other"]);
    let stats = &shelf.json(&["stats"])[0];
    assert_eq!(stats["restoreBytes"], 900_000);
    assert_eq!(stats["snapshots"][0]["id"], one);
    let only = |row: usize| stats["snapshots"][row]["onlyHere"]["plainBytes"].as_u64().unwrap();
    assert!((300_000..320_000).contains(&only(0)), "{stats}");
    assert!(only(1) < 20_000, "{stats}");
    let together = stats["together"]["plainBytes"].as_u64().unwrap();
    assert!((600_000..640_000).contains(&together), "{stats}");
    assert_eq!(stats["together"], stats["repository"]["content"], "all snapshots were chosen");
    let stats = &shelf.json(&["stats", "--host", "other"])[0];
    assert_eq!(stats["snapshots"][0]["id"], two);
    assert_eq!(stats["restoreBytes"], 300_000);
    let text = shelf.ok(&["stats", "latest"]);
    assert!(text.contains("restore size") && text.contains("1 snapshot, 1 file\n"), "{text}");
}

#[test]
fn snapshots_are_chosen_by_host_tag_and_path() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let one = shelf.backup(&["--tag", "a,b", "--host", "web"]);
    let two = shelf.backup(&["--tag", "a", "--host", "db"]);
    assert_eq!(shelf.ids(&[]), [&*one, &two]);
    assert_eq!(shelf.ids(&["--tag", "a"]), [&*one, &two]);
    assert_eq!(shelf.ids(&["--tag", "a,b"]), [&*one]);
    assert_eq!(shelf.ids(&["--tag", "b", "--tag", "a"]), [&*one, &two]);
    assert_eq!(shelf.ids(&["--host", "db"]), [&*two]);
    assert_eq!(shelf.ids(&["--path", "/elsewhere"]), [""; 0]);
    let three = shelf.backup(&["--host", "db"]);
    assert_eq!(shelf.ids(&["--latest", "1"]), [&*one, &three]);
    assert_eq!(shelf.ids(&["--latest", "1", "--group-by", ""]), [&*three]);
    shelf.ok(&["forget", &three]);
    assert_eq!(shelf.ids(&["latest", "--host", "web"]), [&*one]);
    let text = shelf.ok(&["snapshots"]);
    assert!(text.ends_with("2 snapshots; times are UTC\n"), "{text}");
    assert!(!shelf.ok(&["snapshots", "--quiet"]).contains("UTC"));
}

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

#[test]
fn latest_is_chosen_by_host_tag_and_path_wherever_one_snapshot_is_meant() {
    let shelf = Shelf::new();
    let file = shelf.arg("source/x");
    for (host, tag) in [("web", "a"), ("db", "b")] {
        shelf.file("x", host);
        shelf.backup(&["--host", host, "--tag", tag]);
    }
    shelf.file("x", "newest");
    shelf.backup(&["--host", "other"]);
    let source = shelf.arg("source");
    for (condition, content) in [
        (["--host", "web"], "web"),
        (["--tag", "b"], "db"),
        (["--tag", ""], "newest"),
        (["--path", &source], "newest"),
    ] {
        assert_eq!(shelf.ok(&with(&["dump", "latest", &file], &condition)), content);
        let out = shelf.arg(&format!("out-{content}-{}", condition[0]));
        shelf.ok(&with(&["restore", &format!("latest:{source}"), "--target", &out], &condition));
        assert_eq!(fs::read_to_string(format!("{out}/x")).unwrap(), content);
        let rehearsed = shelf.ok(&with(
            &["restore", &format!("latest:{source}"), "--target", &out, "-n"],
            &condition,
        ));
        assert!(rehearsed.contains("(1 are in place)"), "{rehearsed}");
        let rows = shelf.json(&with(&["ls", "latest", &file], &condition));
        assert_eq!((rows.len(), &rows[0]["size"]), (1, &content.len().into()));
        let found = shelf.json(&with(&["find", "x", "--snapshot", "latest"], &condition));
        assert_eq!((found.len(), &found[0]["size"]), (1, &content.len().into()));
    }
    let same = shelf.json(&["diff", "latest", "latest", "--host", "web"]);
    assert_eq!(same.len(), 1, "{same:?}");
    for verb in [&["ls", "latest"][..], &["dump", "latest"], &["restore", "latest", "-t", "x"]] {
        let said = shelf.fails(&[verb, &["--tag", "none"]].concat(), 28);
        assert!(said.contains("latest that fits"), "{said}");
        let by_id = [&[verb[0], "feed"], &verb[2..], &["--tag", "a"]].concat();
        let said = shelf.fails(&by_id, 2);
        assert!(said.contains("choose what `latest` is"), "{said}");
    }
}

#[test]
fn a_snapshot_that_cannot_be_read_is_passed_over_aloud() {
    let shelf = Shelf::new();
    shelf.file("x", "older");
    let one = shelf.backup(&[]);
    shelf.file("x", "newer");
    let two = shelf.backup(&[]);
    for folder in ["", "mirror/"] {
        shelf.flip(&format!("{folder}meta/snapshots/{two}"), 100);
    }
    for args in [
        &["ls", "latest"][..],
        &["restore", "latest", "--target", &shelf.arg("out")],
        &["restore", "latest", "--target", &shelf.arg("out"), "--dry-run"],
    ] {
        let said = shelf.fails(args, 0);
        assert!(said.contains(&format!("warning: snapshot {two} cannot be read")), "{said}");
    }
    let output = shelf.run(&["snapshots"], 22);
    let (listed, said) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    assert!(String::from_utf8(listed).unwrap().contains(&one[..16]));
    assert!(said.contains("hint: `holdfast repo check`"), "{said}");
}

#[test]
fn whoever_reads_only_the_beginning_breaks_nothing() {
    let shelf = Shelf::new();
    for number in 0..3 {
        shelf.file(&format!("{number}"), "x");
    }
    shelf.backup(&[]);
    for verb in
        ["snapshots", "stats", "ls latest", "find *", "check", "key list", "snapshots --json"]
    {
        let binary = assert_cmd::cargo::cargo_bin("holdfast");
        let mut command = std::process::Command::new(binary);
        command.arg("repo").args(verb.split(' ')).env("HOLDFAST_REPOSITORY", shelf.url());
        command.env("HOLDFAST_PASSWORD", shelf::PASSWORD);
        let (read, write) = std::io::pipe().unwrap();
        let child = command.stdout(write).stderr(std::process::Stdio::piped()).spawn().unwrap();
        // Nobody will ever read.
        drop((read, command));
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{verb}: {output:?}");
    }
}

#[test]
fn a_listing_is_grouped_by_what_was_asked_for() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let one = shelf.backup(&["--host", "b"]);
    let two = shelf.backup(&["--host", "a"]);
    let three = shelf.backup(&["--host", ""]);
    let said = shelf.ok(&["snapshots", "--group-by", "host"]);
    assert!(
        said.contains("host a") && said.contains("host b") && !said.contains("host ,"),
        "{said}"
    );
    assert!(said.contains(&one[..8]) && said.contains(&three[..8]), "{said}");
    assert_eq!(said.matches("1 snapshot\n").count(), 3, "{said}");
    let rows = shelf.json(&["snapshots", "--group-by", "host"]);
    let rows = rows[0].as_array().unwrap();
    let ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    let at = |id: &str| ids.iter().position(|found| *found == id).unwrap();
    assert!(at(&two) < at(&one), "{ids:?}");
    assert!(rows.iter().all(|row| row["host"] != ""), "an empty host is this machine");
}

#[test]
fn a_quiet_run_still_names_what_it_lost() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let (source, missing) = (shelf.arg("source"), shelf.arg("missing"));
    let said = shelf.fails(&["backup", "--quiet", &source, &missing], 3);
    assert!(said.contains(&missing) && said.contains("partial"), "{said}");
}

#[test]
fn whoever_reads_only_the_beginning_of_a_dump_is_no_error() {
    let shelf = Shelf::new();
    shelf.file("large", vec![7; 4 << 20]);
    shelf.backup(&[]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.args(["repo", "--url", &shelf.url(), "dump", "latest"]);
    command.env("HOLDFAST_PASSWORD", shelf::PASSWORD);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
