//! A restore into what the same restore has left: nothing fails that did not fail the first time, and nothing
//! changes. As root, as an ordinary user, in a user namespace, and on a volume that only its group may write.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use holdfast_e2e::facts::{self, Fact, Facts, Kind, assert_same};
use holdfast_e2e::mounted::Mounted;
use holdfast_e2e::privilege::is_root;
use holdfast_e2e::site::{
    ORDINARY_USER, Site, backed_up, done, done_under, open_to_all, restore_figures, settle,
};
use holdfast_e2e::tree;
use holdfast_executor::job::RestoreOptions;
use holdfast_executor::report::RestoreFigures;
use rustix::fs::{XattrFlags, lsetxattr};

/// Sparse: little of it is ever written.
const DISK_BYTES: u64 = 2 << 30;
/// The group of the volume.
const VOLUME_GROUP: u32 = 64_100;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What an owner cannot read or write, with attributes that only who can may see or set.
fn make_closed(root: &Path) {
    for mode in [0o444, 0o000, 0o200, 0o4555] {
        let file = root.join(format!("closed {mode:o}"));
        fs::write(&file, b"content").unwrap();
        lsetxattr(&file, "user.of a closed file", b"x", XattrFlags::empty()).unwrap();
        set_mode(&file, mode);
    }
    for mode in [0o555, 0o311, 0o000] {
        let dir = root.join(format!("closed directory {mode:o}"));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("within"), b"x").unwrap();
        fs::write(dir.join("removed"), b"comes back").unwrap();
        lsetxattr(&dir, "user.of a directory", b"x", XattrFlags::empty()).unwrap();
        set_mode(&dir, mode);
    }
    fs::hard_link(root.join("closed 444"), root.join("closed too")).unwrap();
}

struct Twice {
    _dir: tempfile::TempDir,
    _disk: Mounted,
    site: Site,
    before: Facts,
}

impl Twice {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o755);
        let image = dir.path().join("image");
        let disk = Mounted::new_ext4(&image, DISK_BYTES, &dir.path().join("disk")).unwrap();
        let site = Site::new(&disk.path().join("site")).unwrap();
        tree::make_ordinary(&site.source()).unwrap();
        tree::make_privileged(&site.source()).unwrap();
        make_closed(&site.source());
        set_mode(&site.source(), 0o555);
        settle();
        let before = facts::of(&site.source()).unwrap();
        backed_up(&done(&site.backup("dump", 2).unwrap()));
        open_to_all(&site.beside("repository")).unwrap();
        Self { _dir: dir, _disk: disk, site, before }
    }

    /// Restores twice; `command` is whose process does it. In between some files go away.
    fn twice(&self, command: &[&str], to: &Path, options: &RestoreOptions) -> [RestoreFigures; 2] {
        let mover = Path::new(env!("CARGO_BIN_EXE_mover"));
        let restore = || {
            let job = self.site.restore("latest", to, options.clone()).unwrap();
            restore_figures(&done_under(command, mover, &job).unwrap()).clone()
        };
        let first = restore();
        let after_first = facts::of(to).unwrap();
        for directory in ["closed directory 555", "closed directory 311", "closed directory 0"] {
            // The facts say when a directory was changed: it is put back by the restore.
            fs::remove_file(to.join(directory).join("removed")).unwrap();
        }
        let second = restore();
        let (mut one, mut other) = (after_first, facts::of(to).unwrap());
        if figures_of_another(&second) {
            // Whoever may write into a directory of another may not say when it was changed.
            one.remove(Path::new(""));
            other.remove(Path::new(""));
        }
        assert_same(&one, &other);
        let paths = |figures: &RestoreFigures| -> Vec<(String, String)> {
            let listed = figures.failed.first.iter().chain(&figures.unset.first);
            listed.map(|item| (item.path.clone(), item.message.clone())).collect()
        };
        let known = paths(&first);
        for failure in paths(&second) {
            assert!(known.contains(&failure), "{failure:?} did not fail the first time");
        }
        assert!(second.failed.count <= first.failed.count, "{:?}", second.failed);
        assert!(second.unset.count <= first.unset.count, "{:?}", second.unset);
        assert!(second.files_unchanged > 10_000, "{second:?}");
        [first, second]
    }

    fn target(&self, name: &str) -> PathBuf {
        let parent = self.site.beside(&format!("of {name}"));
        fs::create_dir(&parent).unwrap();
        parent.join("to")
    }
}

fn figures_of_another(figures: &RestoreFigures) -> bool {
    figures.skipped.belongs_to_another > 0
}

fn content(facts: &Facts) -> Vec<(&PathBuf, &Kind)> {
    facts.iter().filter(|(_, fact)| fact.is_file()).map(|(path, fact)| (path, &fact.kind)).collect()
}

fn without(facts: &Facts, left_out: impl Fn(&Fact) -> bool) -> Facts {
    facts.clone().into_iter().filter(|(_, fact)| !left_out(fact)).collect()
}

#[test]
fn k17_a_second_restore_changes_nothing_whoever_does_it() {
    if !is_root("acting as others") {
        return;
    }
    let twice = Twice::new();
    let privileged = RestoreOptions { privileged: true, ..RestoreOptions::default() };
    let plain = RestoreOptions::default();

    let to = twice.target("root");
    for figures in twice.twice(&["env"], &to, &privileged) {
        assert_eq!((figures.failed.count, figures.unset.count), (0, 0), "{figures:?}");
    }
    let expected = without(&twice.before, |fact| fact.kind == Kind::Socket);
    assert_same(&expected, &facts::of(&to).unwrap());

    let to = twice.target("root without privileges");
    for figures in twice.twice(&["env"], &to, &plain) {
        assert_eq!((figures.failed.count, figures.unset.count), (0, 0), "{figures:?}");
    }

    let to = twice.target("a user");
    chown(to.parent().unwrap(), Some(ORDINARY_USER), Some(ORDINARY_USER)).unwrap();
    let id = ORDINARY_USER.to_string();
    let user = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
    for figures in twice.twice(&user, &to, &plain) {
        assert_eq!((figures.failed.count, figures.unset.count), (0, 0), "{figures:?}");
    }
    let found = facts::of(&to).unwrap();
    assert_eq!(content(&found), content(&expected));
}

#[test]
fn k05_a_user_namespace_costs_owners_and_nothing_else() {
    if !is_root("acting as others") {
        return;
    }
    let twice = Twice::new();
    let privileged = RestoreOptions { privileged: true, ..RestoreOptions::default() };
    let to = twice.target("a namespace");
    let namespace = ["unshare", "--user", "--map-root-user"];
    if !std::process::Command::new(namespace[0])
        .args(&namespace[1..])
        .arg("true")
        .status()
        .is_ok_and(|done| done.success())
    {
        assert!(std::env::var_os("CI").is_none(), "no user namespaces, and this is CI");
        eprintln!("SKIPPED: no user namespaces here");
        return;
    }
    let [first, _] = twice.twice(&namespace, &to, &privileged);
    // Strangers are not mapped, and devices are made by nobody there.
    assert!(first.unset.count > 0 && first.skipped.owners > 0, "{first:?}");
    let found = facts::of(&to).unwrap();
    assert_eq!(content(&found), content(&twice.before));
    assert_no_wider(&twice.before, &found);
}

#[test]
fn k08_a_volume_that_only_its_group_may_write_takes_everything() {
    if !is_root("acting as others") {
        return;
    }
    let twice = Twice::new();
    let volume = twice.site.beside("volume");
    fs::create_dir(&volume).unwrap();
    chown(&volume, None, Some(VOLUME_GROUP)).unwrap();
    set_mode(&volume, 0o2775);
    let (id, group) = (ORDINARY_USER.to_string(), VOLUME_GROUP.to_string());
    let worker = ["setpriv", "--reuid", &id, "--regid", &id, "--groups", &group];
    for figures in twice.twice(&worker, &volume, &RestoreOptions::default()) {
        assert_eq!((figures.failed.count, figures.unset.count), (0, 0), "{figures:?}");
        assert_eq!(figures.skipped.belongs_to_another, 1, "the root of the volume");
    }
    let found = facts::of(&volume).unwrap();
    assert_eq!(content(&found), content(&twice.before));
    for (path, fact) in &found {
        assert_eq!(fact.owner.1, VOLUME_GROUP, "{path:?}: what the group of the volume works with");
    }
    let root = &found[Path::new("")];
    assert_eq!((root.mode, root.owner), (0o2775, (0, VOLUME_GROUP)));
}

/// Nobody but the owner has rights that the snapshot does not give.
fn assert_no_wider(before: &Facts, found: &Facts) {
    for (path, fact) in found {
        let wider = fact.mode & !before[path].mode & 0o6077;
        assert_eq!(wider, 0, "{path:?}: {:o}, it was {:o}", fact.mode, before[path].mode);
    }
}
