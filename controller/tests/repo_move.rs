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
    fs::write(shelf.path("globs"), "!\n").unwrap();
    for (args, code, words) in [
        (&["--exclude-file", &shelf.arg("globs")][..], 2, "line 1: it names nothing"),
        (&["--exclude-file", "/nowhere"], 2, "--exclude-file /nowhere"),
        (&["--exclude-larger-than", "much"], 2, "such as 100M"),
        (&["--exclude-if-present", "a/b"], 2, "a/b"),
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
    let said = shelf.fails(&["backup", "--files-from", &shelf.arg("list")], 2);
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
    // Its place in the target: the source has a file of that name, which nobody touches.
    let target = shelf.arg("target");
    let wanted = format!("M    {target}/d/changed\n+    {target}/gone\n-    {target}/extra\n");
    assert!(said.starts_with(&wanted), "{said}");
    assert!(
        said.contains("would restore 3 files (1 are in place)") && said.contains("remove 1"),
        "{said}"
    );
    assert!(shelf.path("target/extra").exists() && !shelf.path("target/gone").exists());
    let rows = shelf.json(&[&restore[..], &["--dry-run"]].concat());
    assert_eq!(rows.len(), 4);
    let (source, target) = (shelf.arg("source/extra"), shelf.arg("target/extra"));
    assert_eq!((&rows[2]["path"], &rows[2]["target"]), (&source.into(), &target.into()));
    assert_eq!(rows[3]["figures"]["deleted"], 1);
    shelf.ok(&restore);
    assert_eq!(shelf.ok(&[&restore[..], &["--dry-run", "--verify"]].concat()).lines().count(), 1);
    assert!(!shelf.path("target/extra").exists());
    assert_eq!(fs::read(shelf.path("target/d/changed")).unwrap(), b"as it was");
    assert_eq!(shelf.ok(&[&restore[..], &["--dry-run", "--quiet"]].concat()), "");
}

/// All files of the repository with their content.
fn all(shelf: &Shelf) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut folders = vec![shelf.path("repository")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
    }
    found
}

#[test]
fn a_backup_is_rehearsed_by_the_same_walk_and_writes_nothing() {
    let shelf = Shelf::bare();
    shelf.file("new", vec![7; 40_000]);
    shelf.file("large", noise(9 << 20));
    let source = shelf.arg("source");
    shelf.fails(&["backup", &source, "--dry-run"], 10);
    let first = &shelf.json(&["backup", &source, "--dry-run", "--init"])[0];
    assert!(!shelf.path("repository").exists());
    let real =
        &shelf.json(&["backup", &source, "--init"])[0]["repositories"][0]["figures"]["backup"];
    let same = [
        "filesNew",
        "filesChanged",
        "filesUnmodified",
        "bytesProcessed",
        "bytesNew",
        "bytesAdded",
        "dataBlobsNew",
    ];
    assert_eq!(first["dryRun"], true);
    // The ids, and with them the cuts, belong to the repository: one in memory has others.
    for name in &same[..4] {
        assert_eq!(first["figures"][name], real[name], "{name}");
    }
    shelf.file("new", vec![8; 50_000]);
    shelf.file("newer", noise(70_000));
    let before = all(&shelf);
    let rehearsed = &shelf.json(&["backup", &source, "--dry-run"])[0];
    let text = shelf.ok(&["backup", &source, "--dry-run", "--verbose"]);
    assert!(text.starts_with(&format!("M    {source}/new\n+    {source}/newer\n")), "{text}");
    assert!(text.contains("would store") && text.ends_with("nothing was written\n"), "{text}");
    assert!(all(&shelf) == before, "a rehearsal has changed the repository");
    let output = shelf.json(&["backup", &source, "--verbose"]);
    assert_eq!((&output[0]["change"], &output[1]["change"]), (&"content".into(), &"added".into()));
    let real = &output[2]["repositories"][0]["figures"]["backup"];
    for name in same {
        assert_eq!(rehearsed["figures"][name], real[name], "{name}");
    }
    assert_eq!(shelf.ok(&["backup", &source, "--dry-run", "--verbose", "--quiet"]), "");
}

/// Content that does not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(b"noise").finalize_xof().fill(&mut out);
    out
}

#[test]
fn k01_a_parent_that_is_named_must_be_there() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let source = shelf.arg("source");
    let said = shelf.fails(&["backup", &source, "--parent", "feed"], 28);
    assert!(said.contains("feed"), "{said}");
    shelf.backup(&[]);
    let one = shelf.ids(&[]).remove(0);
    let text = shelf.ok(&["backup", &source, "--parent", &one[..8], "--host", "another"]);
    assert!(text.contains(&format!("compared with {}", &one[..16])), "{text}");
}

#[test]
fn k01_a_machine_that_has_another_name_now_is_told_so() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    shelf.file("y.tmp", "y");
    let source = shelf.arg("source");
    let named = |verb: &[&str]| {
        let done = shelf.command(verb).env("HOLDFAST_HOST", "web-0").assert().success();
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    };
    let first = named(&["backup", &source]);
    assert!(!first.contains("web-0"), "{first}");
    let told = shelf.ok(&["backup", &source]);
    assert!(told.contains("Host web-0 has") && told.contains("--host web-0"), "{told}");
    let again = named(&["backup", &source]);
    assert!(again.contains("compared with") && !again.contains("web-0"), "{again}");
    let apart = shelf.ok(&["backup", &source, "--host", "db-0", "--exclude", "*.tmp"]);
    assert!(!apart.contains("Host "), "other rules: {apart}");
}

#[test]
fn k19_lists_of_paths_have_two_more_forms() {
    let shelf = Shelf::new();
    shelf.file("#x", "x");
    shelf.file("a\nb", "y");
    let source = shelf.arg("source");
    fs::write(shelf.path("lines"), format!("{source}/#x\n")).unwrap();
    fs::write(shelf.path("records"), format!("{source}/a\nb\0")).unwrap();
    let (lines, records) = (shelf.arg("lines"), shelf.arg("records"));
    shelf.ok(&["backup", "--files-from-verbatim", &lines, "--files-from-raw", &records]);
    assert_eq!(stored(&shelf).len(), 2);
    fs::write(shelf.path("records"), "/x").unwrap();
    shelf.fails(&["backup", "--files-from-raw", &records], 2);
}

#[test]
fn k19_a_glob_that_fits_nothing_is_warned_of_unless_it_is_quiet() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    let source = shelf.arg("source");
    let said = shelf.fails(&["backup", &source, "--exclude", "no/such", "--iexclude", "X"], 0);
    assert!(said.contains("warning: exclude no/such: fits nothing"), "{said}");
    assert!(!said.contains("exclude X"), "{said}");
    let said = shelf.fails(&["backup", &source, "--quiet", "--exclude", "no/such"], 0);
    assert_eq!(said, "");
}

#[test]
fn k11_streams_are_named_as_with_restic_and_nothing_is_a_failure() {
    let shelf = Shelf::bare();
    shelf.ok(&["init"]);
    let command = ["backup", "--stdin-from-command", "--stdin-filename", "d.sql", "--"];
    shelf.ok(&[&command[..], &["sh", "-c", "echo x"]].concat());
    assert_eq!(shelf.ok(&["dump", "latest:/d.sql"]), "x\n");
    shelf.fails(&[&command[..], &["sh", "-c", "echo x; exit 3"]].concat(), 26);
    shelf.fails(&["backup", "--stdin", "d.sql"], 26);
    shelf.fails(&["backup", "--stdin", "--stdin-filename", "d.sql"], 26);
    assert_eq!(shelf.ids(&[]).len(), 1);
    shelf.ok(&["backup", "--stdin", "--allow-empty"]);
    shelf.fails(&["backup", "--stdin-filename", "x", "/etc"], 2);
    shelf.fails(&["backup", "--stdin-from-command"], 2);
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

/// The first block of shell in a document after a line that holds these words.
fn block(document: &str, after: &str) -> String {
    let path = format!("{}/../{document}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    let rest = &text[text.find(after).unwrap()..];
    let begin = rest.find("```sh\n").unwrap() + "```sh\n".len();
    rest[begin..].split("```").next().unwrap().to_owned()
}

#[test]
fn what_the_documents_show_runs_as_it_stands() {
    for (document, after) in
        [("README.md", "A backup by hand"), ("docs/repository.md", "# A repository by hand")]
    {
        let shelf = Shelf::bare();
        let dir = shelf.arg("");
        let dir = dir.trim_end_matches('/');
        let files = ["etc/ssh_config", "etc/x.bak", "home/y", "password"];
        for (file, content) in files.into_iter().zip(["x", "", "y", "one two\n"]) {
            fs::create_dir_all(shelf.path(file).parent().unwrap()).unwrap();
            fs::write(shelf.path(file), content).unwrap();
        }
        let mut script = format!("set -eu\n{}", block(document, after));
        let target = script.split("--target ").nth(1).unwrap().split_whitespace().next().unwrap();
        script = script.replace(&target.to_owned(), &format!("{dir}/restored"));
        for (from, to) in [("/srv/backup", "/backup"), ("/etc/backup.password", "/password")] {
            script = script.replace(from, &format!("{dir}{to}"));
        }
        for (from, to) in [(" /etc", "etc"), (":/etc", "etc"), (" /home", "home")] {
            script = script.replace(from, &format!("{}{dir}/{to}", &from[..1]));
        }
        let binary = assert_cmd::cargo::cargo_bin("holdfast");
        let path =
            format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut run = std::process::Command::new("sh");
        run.args(["-c", &script]).env("PATH", path).env_remove("HOLDFAST_PASSWORD");
        let output = run.output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{script}\n{output:?}");
        assert!(shelf.path("backup/config").exists(), "{document}");
    }
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
        (&["snapshots", "--url", "s4://x"], 2, "s4"),
    ];
    for (args, code, words) in cases {
        let said = shelf.fails(args, code);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let mut command = shelf.command(&["snapshots"]);
    let output = command.env_remove("HOLDFAST_REPOSITORY").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("which repository?"));
}

#[test]
fn k19_a_restore_that_fits_nothing_is_no_success() {
    let shelf = Shelf::new();
    shelf.file("etc/passwd", "x");
    shelf.file("etc/Hosts", "x");
    shelf.backup(&[]);
    let to = shelf.arg("to");
    let restore = ["restore", "latest", "--target", &to];
    for more in [&["--include", "/etc/passwd"][..], &["--iinclude", "/none", "--dry-run"]] {
        let said = shelf.fails(&[&restore[..], more].concat(), 28);
        assert!(said.contains(more[1]) && said.contains("nothing was restored"), "{said}");
    }
    fs::write(shelf.path("globs"), "HOSTS\nnobody\n").unwrap();
    let globs = shelf.arg("globs");
    let done = shelf.run(&[&restore[..], &["--iinclude-file", &globs]].concat(), 0);
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("--iinclude nobody fits nothing"), "{said}");
    let there = shelf.path("to").join(shelf.arg("source").trim_start_matches('/'));
    assert!(there.join("etc/Hosts").exists() && !there.join("etc/passwd").exists());
}

/// Changes something in every large object.
fn damage(dir: &std::path::Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
        } else if fs::metadata(&path).unwrap().len() > 100_000 {
            let mut bytes = fs::read(&path).unwrap();
            bytes[70_000] ^= 1;
            fs::write(path, bytes).unwrap();
        }
    }
}

#[test]
fn k20_a_dump_into_a_file_replaces_it_only_when_it_is_whole() {
    let shelf = Shelf::new();
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    shelf.file("f", (0..3_000_000).map(|_| noise()).collect::<Vec<u8>>());
    shelf.file("small", "whole");
    shelf.backup(&[]);
    let (source, to) = (shelf.arg("source"), shelf.arg("out"));
    fs::write(&to, "precious").unwrap();
    shelf.ok(&["dump", &format!("latest:{source}/small"), "--target", &to]);
    assert_eq!(fs::read(&to).unwrap(), b"whole");
    shelf.ok(&["dump", "latest", "--target", &to]);
    assert!(fs::metadata(&to).unwrap().len() > 3_000_000, "an archive into a file");
    fs::write(&to, "precious").unwrap();
    damage(&shelf.path("repository"));
    shelf.fails(&["dump", &format!("latest:{source}/f"), "--target", &to], 22);
    assert_eq!(fs::read(&to).unwrap(), b"precious");
    let left = fs::read_dir(shelf.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().starts_with(".holdfast-")).count(), 0);
}

#[test]
fn k04_deletion_by_a_partial_snapshot_needs_a_word() {
    let shelf = Shelf::new();
    let said = shelf.fails(
        &["restore", "latest", "--target", &shelf.arg("to"), "--delete-although-partial"],
        2,
    );
    assert!(said.contains("--delete"), "{said}");
}
