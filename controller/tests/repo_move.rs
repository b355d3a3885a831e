//! Options of `holdfast repo backup` and `restore`, as their users see them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod shelf;

use std::fs;

use shelf::Shelf;

/// Paths of the newest snapshot beneath the source.
fn stored(shelf: &Shelf) -> Vec<String> {
    let source = shelf.arg("source");
    let rows = shelf.json(&["ls", &format!("latest:{source}")]);
    let paths = rows.iter().map(|row| row["path"].as_str().unwrap().to_owned());
    let below =
        paths.filter_map(|path| path.strip_prefix(&format!("{source}/")).map(str::to_owned));
    let mut below: Vec<String> = below.collect();
    below.sort();
    below
}

#[test]
fn what_is_left_out_of_a_backup() {
    let shelf = Shelf::new();
    shelf.file("cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
    shelf.file("cache/x", "x");
    shelf.file("skip/.skip", "");
    shelf.file("skip/x", "x");
    shelf.file("a.tmp", "x");
    shelf.file("b.log", "x");
    shelf.file("large", vec![0; 2049]);
    shelf.file("kept", vec![1; 2048]);
    fs::write(shelf.path("globs"), "# a comment\n\n*.tmp\n  *.log  \n").unwrap();
    shelf.backup(&[
        "--exclude-file",
        &shelf.arg("globs"),
        "--exclude-caches",
        "--exclude-if-present",
        ".skip",
        "--exclude-larger-than",
        "2k",
    ]);
    assert_eq!(stored(&shelf), ["cache", "cache/CACHEDIR.TAG", "kept", "skip", "skip/.skip"]);
    let source = shelf.arg("source");
    fs::write(shelf.path("globs"), "!back\n").unwrap();
    for (args, code, words) in [
        (&["--exclude-file", &shelf.arg("globs")][..], 1, "not supported"),
        (&["--exclude-file", "/nowhere"], 1, "--exclude-file /nowhere"),
        (&["--exclude-larger-than", "much"], 2, "such as 100M"),
        (&["--exclude-if-present", "a/b"], 1, "excludeIfPresent"),
    ] {
        let said = shelf.fails(&[&["backup", &source], args].concat(), code);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert_eq!(shelf.ids(&[]).len(), 1, "nothing came of any of them");
}

#[test]
fn paths_can_come_from_a_file() {
    let shelf = Shelf::new();
    shelf.file("a/x", "x");
    shelf.file("b/y", "y");
    fs::write(shelf.path("list"), format!("# these\n{}\n", shelf.arg("source/b"))).unwrap();
    shelf.ok(&["backup", "--quiet", "--files-from", &shelf.arg("list"), &shelf.arg("source/a")]);
    assert_eq!(stored(&shelf), ["a", "a/x", "b", "b/y"]);
    fs::write(shelf.path("list"), "\n").unwrap();
    let said = shelf.fails(&["backup", "--files-from", &shelf.arg("list")], 1);
    assert!(said.contains("no path was given"), "{said}");
    shelf.fails(&["backup"], 2);
}

#[test]
fn a_restore_is_rehearsed_and_then_does_that() {
    let shelf = Shelf::new();
    shelf.file("d/same", "same");
    shelf.file("d/changed", "as it was");
    shelf.file("gone", "gone");
    shelf.backup(&[]);
    let (from, target) = (format!("latest:{}", shelf.arg("source")), shelf.arg("target"));
    let restore = ["restore", &from, "--target", &target, "--delete"];
    shelf.ok(&restore);
    fs::write(shelf.path("target/d/changed"), "changed since").unwrap();
    fs::write(shelf.path("target/extra"), "extra").unwrap();
    fs::remove_file(shelf.path("target/gone")).unwrap();
    let said = shelf.ok(&[&restore[..], &["--dry-run"]].concat());
    let source = shelf.arg("source");
    let wanted = format!("-    {source}/extra\nM    {source}/d/changed\n+    {source}/gone\n");
    assert!(said.starts_with(&wanted), "{said}");
    assert!(
        said.contains("would restore 3 files (1 are in place)") && said.contains("remove 1"),
        "{said}"
    );
    assert!(shelf.path("target/extra").exists() && !shelf.path("target/gone").exists());
    let rows = shelf.json(&[&restore[..], &["--dry-run"]].concat());
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[3]["figures"]["deleted"], 1);
    shelf.ok(&restore);
    assert_eq!(shelf.ok(&[&restore[..], &["--dry-run", "--verify"]].concat()).lines().count(), 1);
    assert!(!shelf.path("target/extra").exists());
    assert_eq!(fs::read(shelf.path("target/d/changed")).unwrap(), b"as it was");
    assert_eq!(shelf.ok(&[&restore[..], &["--dry-run", "--quiet"]].concat()), "");
}

#[test]
fn the_nightly_example_runs_as_it_stands() {
    let shelf = Shelf::bare();
    shelf.file("x", "x");
    shelf.file(".cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    shelf.file(".cache/y", "y");
    let binary = assert_cmd::cargo::cargo_bin("holdfast");
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/nightly.sh");
    for _ in 0..2 {
        let mut run = std::process::Command::new("sh");
        run.arg(script).arg(shelf.path("source")).env("PATH", &path);
        let run =
            run.env("HOLDFAST_REPOSITORY", shelf.url()).env("HOLDFAST_PASSWORD", shelf::PASSWORD);
        let output = run.output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    }
    assert_eq!(shelf.ids(&["--tag", "nightly"]).len(), 2, "the newest of its day, and the oldest");
    assert_eq!(stored(&shelf), [".cache", ".cache/CACHEDIR.TAG", "x"]);
}

#[test]
fn quiet_says_nothing_and_wrong_use_says_what_would_be_right() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let source = shelf.arg("source");
    assert_eq!(shelf.ok(&["backup", &source, "--quiet"]), "");
    let cases: [(&[&str], i32, &str); 6] = [
        (&["restore", "latest"], 2, "--target"),
        (&["restore", "feed", "--target", "x"], 28, "no snapshot named"),
        (&["backup", "/nowhere/at/all"], 26, "does not exist"),
        (&["ls", "latest:/nowhere"], 28, "path in the snapshot"),
        (&["init"], 1, "a repository is here already"),
        (&["snapshots", "--url", "s4://x"], 1, "s4"),
    ];
    for (args, code, words) in cases {
        let said = shelf.fails(args, code);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let mut command = shelf.command(&["snapshots"]);
    let output = command.env_remove("HOLDFAST_REPOSITORY").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("which repository?"));
}
