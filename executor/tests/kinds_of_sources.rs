//! What reports of other tools say goes wrong when sources are read; each test is named after its kind, which
//! `docs/testing.md` lists.

#![allow(clippy::unwrap_used)] // functions of a test file that are no tests themselves

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use holdfast_executor::job::{Reading, RestoreOptions, Selection, Source};
use holdfast_executor::report::{FailureKind, Listed};
use support::{Bench, Ran, facts, settle};

fn at(path: &Path, stored_as: &str) -> Source {
    Source::Directory { path: path.to_owned(), stored_as: stored_as.to_owned() }
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// What a restore of the whole snapshot gives, by paths from its root.
fn restored(bench: &Bench, ran: &Ran) -> std::collections::BTreeMap<String, String> {
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("out");
    bench.restore(&ran.info().id, "/", &target, RestoreOptions::default());
    facts(&target)
}

fn content(bench: &Bench, ran: &Ran, path: &str) -> Option<String> {
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("out");
    bench.restore(&ran.info().id, "/", &target, RestoreOptions::default());
    fs::read_to_string(target.join(path.trim_start_matches('/'))).ok()
}

fn paths(listed: &Listed) -> Vec<&str> {
    listed.first.iter().map(|one| one.path.as_str()).collect()
}

#[test]
fn k01_a_parent_is_of_the_same_host_component_labels_sources_and_selection() {
    let bench = Bench::new();
    write(&bench.source().join("f"), "x");
    settle();
    let first = bench.backup();
    first.succeeded();
    let fits = |bench: &Bench| bench.backup().info().parent == Some(first.info().id);
    assert!(fits(&bench), "the same again");
    let first = bench.backup();
    let parent_of = |bench: &Bench| bench.backup().info().parent;
    assert_eq!(parent_of(&bench.with_host("another")), None);
    assert_eq!(parent_of(&bench.with_component("another")), None);
    assert_eq!(parent_of(&bench.with_label("configuration", "a/b")), None);
    let selection = Selection { exclude: vec!["*.tmp".to_owned()], ..Selection::default() };
    assert_eq!(parent_of(&bench.with_selection(selection)), None);
    assert_eq!(parent_of(&bench.with_sources(vec![at(&bench.source(), "/other")])), None);
    assert_eq!(parent_of(&bench), Some(first.info().id));
}

#[test]
fn k01_a_parent_is_found_however_many_others_are_newer_and_in_whatever_order_sources_are_named() {
    let bench = Bench::new();
    write(&bench.source().join("f"), "x");
    write(&bench.dir("second/g"), "y");
    settle();
    let sources = vec![at(&bench.source(), "/a"), at(&bench.dir("second"), "/b")];
    let first = bench.with_sources(sources.clone()).backup();
    for number in 0..70 {
        bench.with_host(&format!("host-{number}")).backup().succeeded();
    }
    let turned: Vec<_> = sources.into_iter().rev().collect();
    let again = bench.with_sources(turned).backup();
    assert_eq!(again.info().parent, Some(first.info().id));
    assert_eq!(again.succeeded().files_opened, 0);
}

#[test]
fn k01_a_parent_that_is_named_is_taken_or_missing() {
    let bench = Bench::new();
    write(&bench.source().join("f"), "x");
    settle();
    let one = bench.with_host("another").backup().info().id;
    let named = |name: &str| bench.with_parent(name).backup();
    let taken = named(&one[..12]);
    assert_eq!((taken.info().parent, taken.figures().files_unmodified), (Some(one), 1));
    assert_eq!(named("0000").failed(), FailureKind::SnapshotNotFound);
    assert!(named("latest").info().parent.is_some(), "the newest that fits");
    let forced = bench.reading(Reading { force: true, ..Reading::default() }).backup();
    assert_eq!((forced.info().parent.clone(), forced.succeeded().files_opened), (None, 1));
}

#[test]
fn k01_ctime_and_inode_are_ignored_only_where_that_is_asked() {
    let bench = Bench::new();
    let file = bench.source().join("f");
    write(&file, "x");
    support::set_attribute(&file, "user.a", b"1");
    settle();
    bench.backup().succeeded();
    let opened = |reading: Reading| bench.reading(reading).backup().succeeded().files_opened;
    let ignore_ctime = Reading { ignore_ctime: true, ..Reading::default() };
    let ignore_inode = Reading { ignore_inode: true, ..Reading::default() };
    // Metadata that changes with the ctime is that of now, whatever is believed of the content.
    support::set_attribute(&file, "user.a", b"2");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    settle();
    let ran = bench.reading(ignore_ctime).backup();
    assert_eq!(ran.succeeded().files_opened, 0);
    let out = bench.dir("out");
    bench.restore(&ran.info().id, "/data", &out, RestoreOptions::default());
    assert_eq!(facts(&bench.source())["f"], facts(&out)["f"]);
    // Another inode with the same times.
    let copy = bench.dir("copy");
    fs::copy(&file, &copy).unwrap();
    let (seconds, nanos) =
        (fs::metadata(&file).unwrap().mtime(), fs::metadata(&file).unwrap().mtime_nsec());
    support::set_mtime(&copy, seconds, nanos);
    fs::rename(&copy, &file).unwrap();
    settle();
    assert_eq!(opened(ignore_inode), 0);
    fs::copy(&file, &copy).unwrap();
    support::set_mtime(&copy, seconds, nanos);
    fs::rename(&copy, &file).unwrap();
    settle();
    assert_eq!(opened(ignore_ctime), 1, "the inode counts");
}

#[test]
fn k09_a_backup_moves_no_time_of_access() {
    let bench = Bench::new();
    write(&bench.source().join("d/f"), "x");
    let long_ago = |path: &Path| {
        let at = |tv_sec| rustix::fs::Timespec { tv_sec, tv_nsec: 0 };
        let times =
            rustix::fs::Timestamps { last_access: at(1_000_000), last_modification: at(2_000_000) };
        rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::empty()).unwrap();
    };
    let all = ["", "d", "d/f"].map(|name| bench.source().join(name));
    for path in all.iter().rev() {
        long_ago(path);
    }
    settle();
    bench.backup().succeeded();
    for path in &all {
        assert_eq!(fs::metadata(path).unwrap().atime(), 1_000_000, "{path:?}");
    }
}

#[test]
fn k10_what_a_file_gives_counts_and_not_what_its_size_says() {
    let bench = Bench::new();
    let bench = bench.with_sources(vec![at(Path::new("/proc/version"), "/version")]);
    let ran = bench.backup();
    let figures = ran.succeeded();
    let version = fs::read_to_string("/proc/version").unwrap();
    assert_eq!(content(&bench, &ran, "/version").as_deref(), Some(&version[..]));
    assert_eq!(paths(&figures.changed_while_read), ["/version"]);
    assert_eq!(bench.backup().succeeded().files_opened, 1, "it is never believed to be unmodified");
}

#[test]
fn k10_what_the_kernel_makes_up_is_read_in_pieces_that_it_has_memory_for() {
    let bench = Bench::new();
    let path = "/proc/sys/kernel/hostname";
    let bench = bench.with_sources(vec![at(Path::new(path), "/hostname")]);
    let ran = bench.backup();
    ran.succeeded();
    let hostname = fs::read_to_string(path).unwrap();
    assert_eq!(content(&bench, &ran, "/hostname").as_deref(), Some(&hostname[..]));
}

#[test]
fn k11_each_source_that_is_missing_or_emptied_is_named_and_the_others_are_backed_up() {
    let bench = Bench::new();
    for name in ["a", "b", "c"] {
        write(&bench.dir(name).join("f"), name);
    }
    let sources = ["a", "b", "c"].map(|name| at(&bench.dir(name), &format!("/{name}")));
    let bench = bench.with_sources(sources.to_vec());
    settle();
    bench.backup().succeeded();
    fs::remove_dir_all(bench.dir("b")).unwrap();
    fs::remove_file(bench.dir("c").join("f")).unwrap();
    for _ in 0..2 {
        // As often as it takes somebody to look: the last complete snapshot stays what it is compared with.
        let ran = bench.backup();
        let figures = ran.partial();
        assert_eq!(paths(&figures.unreadable), ["/b", "/c"]);
        assert!(ran.info().partial);
        assert_eq!(content(&bench, &ran, "/a/f").as_deref(), Some("a"));
    }
    let allowed = bench.reading(Reading { allow_empty: true, ..Reading::default() });
    assert_eq!(paths(&allowed.backup().partial().unreadable), ["/b"]);
    fs::remove_file(bench.dir("a").join("f")).unwrap();
    assert_eq!(bench.backup().failed(), FailureKind::EmptySource);
    for name in ["a", "c"] {
        fs::remove_dir_all(bench.dir(name)).unwrap();
    }
    let ran = bench.backup();
    assert_eq!(ran.failed(), FailureKind::SourceMissing);
    for name in ["/a", "/b", "/c"] {
        assert!(format!("{:?}", ran.report.outcome).contains(name), "{name}");
    }
}

/// A worker that cannot read everything never makes a complete snapshot.
#[test]
fn k11_an_emptied_source_is_noticed_where_all_snapshots_are_partial() {
    let bench = Bench::new();
    let second = bench.dir("second");
    write(&bench.source().join("f"), "x");
    write(&second.join("g"), "y");
    let gone = at(&bench.dir("gone"), "/gone");
    let sources = vec![at(&bench.source(), "/a"), at(&second, "/b"), gone];
    let bench = bench.with_sources(sources);
    for _ in 0..2 {
        assert_eq!(paths(&bench.backup().partial().unreadable), ["/gone"]);
    }
    fs::remove_file(bench.source().join("f")).unwrap();
    assert_eq!(paths(&bench.backup().partial().unreadable), ["/a", "/gone"]);
    fs::remove_file(second.join("g")).unwrap();
    assert_eq!(bench.backup().failed(), FailureKind::EmptySource);
}

#[test]
fn k11_an_emptied_source_is_noticed_whatever_else_changed_and_a_nested_one_is_its_own() {
    let bench = Bench::new();
    write(&bench.source().join("nested/f"), "x");
    write(&bench.source().join("g"), "x");
    let sources =
        vec![at(&bench.source(), "/data"), at(&bench.source().join("nested"), "/data/nested")];
    let bench = bench.with_sources(sources);
    settle();
    bench.backup().succeeded();
    fs::remove_file(bench.source().join("nested/f")).unwrap();
    // Another rule makes another selection: the sources are the same.
    let selection = Selection { exclude: vec!["*.none".to_owned()], ..Selection::default() };
    let ran = bench.with_selection(selection).backup();
    assert_eq!(paths(&ran.partial().unreadable), ["/data/nested"]);
    write(&bench.source().join("nested/f"), "x");
    fs::remove_file(bench.source().join("g")).unwrap();
    assert_eq!(paths(&bench.backup().partial().unreadable), ["/data"]);
}

#[test]
fn k11_a_pod_of_another_name_with_an_empty_volume_is_noticed() {
    let bench = Bench::new().with_label("configuration", "ns/name");
    write(&bench.source().join("f"), "x");
    settle();
    bench.with_host("web-1").backup().succeeded();
    fs::remove_file(bench.source().join("f")).unwrap();
    assert_eq!(bench.with_host("web-2").backup().failed(), FailureKind::EmptySource);
    // Another configuration's volume says nothing about this one.
    bench.with_label("configuration", "ns/other").backup().succeeded();
}

#[test]
fn k11_a_command_counts_by_how_it_ends_and_by_what_it_gives() {
    let bench = Bench::new();
    let run = |command: &[&str], reading: Reading| {
        let command = command.iter().map(|&text| text.to_owned()).collect();
        let source = Source::Command { command, stored_as: "/dump.sql".to_owned() };
        let bench = bench.with_sources(vec![source]).reading(reading);
        (bench.backup(), bench)
    };
    let strict = Reading::default();
    let (ran, bench) = run(&["sh", "-c", "echo all"], strict);
    ran.succeeded();
    assert_eq!(content(&bench, &ran, "/dump.sql").as_deref(), Some("all\n"));
    let cases: [(&[&str], FailureKind); 5] = [
        (&["sh", "-c", "echo half; exit 3"], FailureKind::SourceUnreadable),
        (&["sh", "-c", "echo half; kill -9 $$"], FailureKind::SourceUnreadable),
        (&["sh", "-c", "echo half; exec >&-; exit 1"], FailureKind::SourceUnreadable),
        (&["true"], FailureKind::EmptySource),
        (&["/nowhere/at/all"], FailureKind::SourceUnreadable),
    ];
    for (command, kind) in cases {
        assert_eq!(run(command, strict).0.failed(), kind, "{command:?}");
    }
    assert_eq!(bench.snapshots().len(), 1, "nothing came of any of them");
    run(&["true"], Reading { allow_empty: true, ..strict }).0.succeeded();
    // It is given no input, and so cannot wait for one.
    assert_eq!(run(&["cat"], strict).0.failed(), FailureKind::EmptySource);
}

#[test]
fn k11_a_pipe_is_read_only_where_that_is_asked() {
    let bench = Bench::new();
    let pipe = bench.dir("pipe");
    support::fifo(&pipe);
    let bench = bench.with_sources(vec![at(&pipe, "/pipe")]);
    let ran = bench.backup();
    assert_eq!(ran.failed(), FailureKind::SourceUnreadable);
    assert!(format!("{:?}", ran.report.outcome).contains("is a pipe"));
    let read = bench.reading(Reading { read_special: true, ..Reading::default() });
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut to = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
            to.write_all(b"content").unwrap();
        });
        read.backup()
    });
    ran.succeeded();
    assert_eq!(content(&bench, &ran, "/pipe").as_deref(), Some("content"));
}

#[test]
fn k16_sources_overlap_nest_and_are_links_in_one_snapshot() {
    let bench = Bench::new();
    let base = bench.source();
    write(&base.join("etc/e"), "e");
    write(&base.join("home/h"), "h");
    write(&base.join("left/out"), "no");
    write(&base.join("left/in/i"), "i");
    write(&bench.dir("elsewhere/UTC"), "zone");
    symlink("../elsewhere/UTC", base.join("localtime")).unwrap();
    symlink("../elsewhere", base.join("linked")).unwrap();
    let source = |name: &str| at(&base.join(name), &format!("/data/{name}"));
    let sources = vec![
        source("home"),
        at(&base, "/data"),
        source("left/in"),
        source("localtime"),
        source("linked"),
        source("home"),
        source("linked/UTC"),
    ];
    let selection = Selection { exclude: vec!["/data/left".to_owned()], ..Selection::default() };
    let bench = bench.with_sources(sources).with_selection(selection);
    settle();
    let ran = bench.backup();
    let figures = ran.succeeded();
    for (path, expected) in [
        ("/data/etc/e", Some("e")),
        ("/data/home/h", Some("h")),
        ("/data/left/in/i", Some("i")),
        ("/data/left/out", None),
        ("/data/localtime", Some("zone")),
        ("/data/linked/UTC", Some("zone")),
    ] {
        assert_eq!(content(&bench, &ran, path).as_deref(), expected, "{path}");
    }
    let files: Vec<_> = figures.sources.iter().map(|source| source.entries.files).collect();
    assert_eq!(files, [1, 1, 1, 1, 0, 0, 1], "each file belongs to the innermost source");
    // Directories on the way keep what they are.
    let all = restored(&bench, &ran);
    assert_eq!(all["data/left"], facts(&base)["left"]);
    let again = bench.backup();
    assert!(again.succeeded().same_as_parent && again.figures().files_opened == 0);
}

#[test]
fn k16_volumes_of_a_pod_nest_whatever_the_outer_one_has_in_that_place() {
    let bench = Bench::new();
    write(&bench.dir("outer/db/old"), "hidden by the mount");
    write(&bench.dir("outer/x"), "x");
    write(&bench.dir("inner/new"), "n");
    let sources = vec![at(&bench.dir("outer"), "/data"), at(&bench.dir("inner"), "/data/db")];
    let bench = bench.with_sources(sources.clone());
    settle();
    let ran = bench.backup();
    ran.succeeded();
    let names: Vec<_> = restored(&bench, &ran).into_keys().collect();
    assert_eq!(names, ["", "data", "data/db", "data/db/new", "data/x"]);
    // The outer one is missing, and what lies in it is not.
    fs::remove_dir_all(bench.dir("outer")).unwrap();
    let ran = bench.backup();
    assert_eq!(paths(&ran.partial().unreadable), ["/data"]);
    assert_eq!(content(&bench, &ran, "/data/db/new").as_deref(), Some("n"));
}

#[test]
fn k19_globs_that_fit_nothing_are_told_and_those_that_take_back_do() {
    let bench = Bench::new();
    for name in ["a.log", "keep.log", "cache/x", "B.JPG"] {
        write(&bench.source().join(name), name);
    }
    let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let selection = Selection {
        exclude: texts(&["*.log", "!keep.log", "./cache", "none", "data/x"]),
        iexclude: texts(&["*.jpg"]),
        ..Selection::default()
    };
    let bench = bench.with_selection(selection);
    let ran = bench.backup();
    assert_eq!(ran.succeeded().unfit_globs, ["none", "data/x"]);
    let names: Vec<_> = restored(&bench, &ran).into_keys().collect();
    assert_eq!(names, ["", "data", "data/keep.log"]);
}
