//! What is mounted beneath a target, and targets that cannot tell names apart.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use holdfast_e2e::mounted::Mounted;
use holdfast_e2e::privilege::is_root;
use holdfast_e2e::site::{Site, backed_up, done, settle};
use holdfast_executor::job::RestoreOptions;
use holdfast_executor::report::{Figures, Report, RestoreFigures};

const DISK_BYTES: u64 = 64 << 20;

fn figures(report: &Report) -> &RestoreFigures {
    match &report.repositories[0].figures {
        Figures::Restore(figures) => figures,
        _ => panic!("{report:#?}"),
    }
}

fn failed(report: &Report) -> Vec<&str> {
    figures(report).failed.first.iter().map(|item| &item.path[..]).collect()
}

fn put(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn site(dir: &Path, files: &[&str]) -> Site {
    let site = Site::new(&dir.join("site")).unwrap();
    for path in files {
        put(&site.source().join(path), path);
    }
    settle();
    backed_up(&done(&site.backup("dump", 2).unwrap()));
    site
}

/// A mount that goes with its scope.
struct Bound(PathBuf);

impl Bound {
    fn new(options: &[&str], at: &Path) -> Self {
        let done = Command::new("mount").args(options).arg(at).status().unwrap();
        assert!(done.success(), "{options:?}");
        Self(at.to_owned())
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn k14_mounts_beneath_a_target_are_neither_written_nor_emptied() {
    if !is_root("mounts in a target") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let site = site(dir.path(), &["a", "vol/v", "bound/b", "conf", "z/f"]);
    fs::create_dir(site.source().join("empty")).unwrap();
    settle();
    backed_up(&done(&site.backup("dump", 2).unwrap()));
    let (to, aside) = (dir.path().join("to"), dir.path().join("aside"));
    for path in ["vol", "bound", "extra", "empty"] {
        fs::create_dir_all(to.join(path)).unwrap();
    }
    put(&aside.join("foreign"), "foreign");
    put(&dir.path().join("file"), "mounted");
    put(&to.join("conf"), "beneath");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut mounts = vec![
        Bound::new(&["-t", "tmpfs", "tmpfs"], &to.join("vol")),
        // The same file system a second time: its device says nothing.
        Bound::new(&["--bind", &text(&aside)], &to.join("bound")),
        Bound::new(&["--bind", &text(&aside)], &to.join("extra")),
        Bound::new(&["--bind", &text(&aside)], &to.join("empty")),
        Bound::new(&["--bind", &text(&dir.path().join("file"))], &to.join("conf")),
    ];
    put(&to.join("vol/foreign"), "foreign");
    let deleting = RestoreOptions { delete_extra: true, ..RestoreOptions::default() };
    for options in [RestoreOptions::default(), deleting.clone()] {
        let report = done(&site.restore("latest", &to, options.clone()).unwrap());
        // What is mounted keeps content away: nothing is removed, and that is said of the whole.
        let mut expected = vec!["/data/bound", "/data/conf", "/data/vol"];
        if options.delete_extra {
            expected.insert(0, "/data");
        }
        assert_eq!(failed(&report), expected);
        assert_eq!(fs::read_to_string(to.join("z/f")).unwrap(), "z/f");
        assert_eq!(fs::read_dir(to.join("vol")).unwrap().count(), 1);
        assert_eq!(fs::read_dir(&aside).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "mounted");
    }
    // Where that is allowed what belongs there is written; what is mounted on what goes stays.
    drop(mounts.pop());
    let across = RestoreOptions { across_mounts: true, ..deleting };
    let report = done(&site.restore("latest", &to, across).unwrap());
    assert_eq!(failed(&report), ["/data/extra"]);
    assert_eq!(fs::read_to_string(to.join("vol/v")).unwrap(), "vol/v");
    assert!(!to.join("vol/foreign").exists());
    drop(mounts);
}

#[test]
fn k07_a_read_only_or_full_place_costs_only_itself() {
    if !is_root("mounts in a target") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let site = site(dir.path(), &["a", "b/r", "z/f"]);
    fs::create_dir(site.source().join("c")).unwrap();
    fs::write(site.source().join("c/large"), holdfast_e2e::tree::noise(4 << 20, 1)).unwrap();
    settle();
    backed_up(&done(&site.backup("dump", 2).unwrap()));
    let to = dir.path().join("to");
    for path in ["b", "c"] {
        fs::create_dir_all(to.join(path)).unwrap();
    }
    let _read_only = Bound::new(&["-t", "tmpfs", "-o", "ro", "tmpfs"], &to.join("b"));
    let _small = Bound::new(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], &to.join("c"));
    let across = RestoreOptions { across_mounts: true, ..RestoreOptions::default() };
    for workers in 0..2 {
        let report = done(&site.restore("latest", &to, across.clone()).unwrap());
        let lost = failed(&report);
        assert!(lost.contains(&"/data/b/r") && lost.contains(&"/data/c/large"), "{lost:?}");
        for path in ["a", "z/f"] {
            assert_eq!(fs::read_to_string(to.join(path)).unwrap(), path, "round {workers}");
        }
    }
}

/// A file system of another kind, if this machine can make one.
fn foreign(name: &str, make: &[&str], mount: &[&str], dir: &Path) -> Option<Mounted> {
    let (image, at) = (dir.join(format!("{name}.image")), dir.join(name));
    fs::File::create(&image).unwrap().set_len(DISK_BYTES).unwrap();
    fs::create_dir(&at).unwrap();
    let run = |command: &[&str], last: &[&Path]| {
        let (program, arguments) = command.split_first().unwrap();
        let output = Command::new(program).args(arguments).args(last).output();
        output.is_ok_and(|output| output.status.success())
    };
    let made = run(make, &[&image]);
    // Not every program mounts a file.
    let device = Command::new("losetup").args(["-f", "--show"]).arg(&image).output().unwrap();
    let device = PathBuf::from(String::from_utf8_lossy(&device.stdout).trim());
    let mounted = made && run(mount, &[&device, &at]);
    // It goes when it is no longer used.
    run(&["losetup", "-d"], &[&device]);
    if mounted {
        return Some(Mounted::adopted(&at));
    }
    println!("SKIPPED: no {name} here");
    None
}

#[test]
fn k12_names_that_a_target_cannot_tell_apart_are_told_and_never_replaced() {
    if !is_root("file systems of other kinds") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let files = ["README", "readme", "Dir/one", "dir/two", "dot", "plain", "sub/a", "sub/b"];
    let site = site(dir.path(), &files);
    let casefold = ["mkfs.ext4", "-q", "-O", "casefold", "-E", "encoding=utf8"];
    let table: [(&str, &[&str], &[&str]); 4] = [
        ("exfat", &["mkfs.exfat"], &["mount.exfat-fuse"]),
        ("vfat", &["mkfs.vfat"], &["mount", "-t", "vfat"]),
        ("ntfs", &["mkfs.ntfs", "-q", "-F"], &["mount", "-o", "ignore_case", "-t", "lowntfs-3g"]),
        ("casefold", &casefold, &["mount"]),
    ];
    for (name, make, mount) in table {
        let Some(disk) = foreign(name, make, mount, dir.path()) else { continue };
        for (place, existed) in [("new", false), ("old", true)] {
            let to = disk.path().join(place);
            if existed {
                fs::create_dir(&to).unwrap();
            }
            if name == "casefold" {
                fs::create_dir_all(&to).unwrap();
                let done = Command::new("chattr").arg("+F").arg(&to).status();
                if !done.is_ok_and(|status| status.success()) {
                    println!("SKIPPED: no casefold here");
                    continue;
                }
            }
            // Twice: what is there then is not another's.
            for round in 0..2 {
                let report = done(&site.restore("latest", &to, RestoreOptions::default()).unwrap());
                let lost = &figures(&report).failed;
                let text = |path: &str| fs::read_to_string(to.join(path)).unwrap_or_default();
                let what = format!("{name} {place} {round}: {lost:?}");
                let names: Vec<_> =
                    fs::read_dir(&to).unwrap().map(|e| e.unwrap().file_name()).collect();
                assert!(
                    names.iter().all(|name| !name.to_string_lossy().starts_with(".holdfast-")),
                    "{what}"
                );
                let kept = text("README");
                let both = kept == "README" && text("readme") == "readme";
                if both {
                    assert_eq!(lost.count, 0, "{what}");
                    continue;
                }
                let paths: Vec<_> = lost.first.iter().map(|item| &item.path[..]).collect();
                let told = |a: &str, b: &str| paths.contains(&a) != paths.contains(&b);
                assert!(told("/data/README", "/data/readme"), "{what}");
                assert!(told("/data/Dir", "/data/dir"), "{what}");
                // What is there is the one that was not told.
                let lost_upper = paths.contains(&"/data/README");
                assert_eq!(kept, if lost_upper { "readme" } else { "README" }, "{what}");
                for path in ["dot", "plain", "sub/a", "sub/b"] {
                    assert_eq!(text(path), path, "{what}");
                }
                if round == 0 {
                    assert_eq!(fs::read_dir(to.join("dir")).unwrap().count(), 1, "{what}");
                }
            }
        }
    }
}

/// Names that a file system does not take at all cost themselves.
#[test]
fn k12_names_that_a_target_does_not_take_are_told() {
    if !is_root("file systems of other kinds") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(250);
    let files = ["a:b", "what?", "plain", "d*r/f", &long[..]];
    let site = site(dir.path(), &files);
    let mount = ["mount", "-t", "vfat"];
    let Some(disk) = foreign("vfat", &["mkfs.vfat"], &mount, dir.path()) else { return };
    for place in ["new", "old"] {
        let to = disk.path().join(place);
        if place == "old" {
            fs::create_dir(&to).unwrap();
        }
        let report = done(&site.restore("latest", &to, RestoreOptions::default()).unwrap());
        let lost = failed(&report);
        for path in ["/data/a:b", "/data/what?", "/data/d*r"] {
            assert!(lost.contains(&path), "{place}: {lost:?}");
        }
        assert_eq!(fs::read_to_string(to.join("plain")).unwrap(), "plain");
        assert_eq!(fs::read_to_string(to.join(&long)).unwrap(), long);
    }
}
