//! One table of file systems, each in three roles: a repository lies on it, a backup reads from it, a restore writes
//! to it. What a machine does not have is said aloud.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use holdfast_e2e::mounted::{Kind, Mounted};
use holdfast_e2e::privilege::{has_strace, is_root};
use holdfast_e2e::site::{
    Site, backed_up, done, done_under, restore_figures, restored, settle, snapshot,
};
use holdfast_e2e::tree;
use holdfast_executor::digest::SnapshotName;
use holdfast_executor::job::{Job, RestoreOptions};
use holdfast_executor::repo::{CheckOptions, Trees};
use holdfast_executor::report::{Figures, Outcome, Report};
use rustix::fs::{CWD, FileType, Mode};

/// What a file system is expected to do.
struct Row {
    kind: Kind,
    /// A restore keeps all metadata of what is restored here. Elsewhere some is refused, and that is told.
    keeps_metadata: bool,
    /// A repository here does everything as it does elsewhere. Otherwise that is told, once.
    is_usual_store: bool,
}

const TABLE: [Row; 8] = [
    Row { kind: Kind::Ext4, keeps_metadata: true, is_usual_store: true },
    Row { kind: Kind::Xfs, keeps_metadata: true, is_usual_store: true },
    Row { kind: Kind::Btrfs, keeps_metadata: true, is_usual_store: true },
    Row { kind: Kind::Tmpfs, keeps_metadata: true, is_usual_store: true },
    Row { kind: Kind::Overlay, keeps_metadata: true, is_usual_store: true },
    Row { kind: Kind::Ntfs, keeps_metadata: false, is_usual_store: true },
    Row { kind: Kind::Exfat, keeps_metadata: false, is_usual_store: false },
    Row { kind: Kind::Vfat, keeps_metadata: false, is_usual_store: true },
];

/// Runs a role on every row that this machine has.
fn on_each(role: &str, run: impl Fn(&Row, &Path, &Path)) {
    if !is_root(role) {
        return;
    }
    let mut ran = 0;
    for row in &TABLE {
        let dir = tempfile::tempdir().unwrap();
        match Mounted::of_kind(row.kind, dir.path()) {
            Ok(mounted) => {
                eprintln!("{role}: {:?}", row.kind);
                run(row, mounted.path(), &dir.path().join("site"));
                ran += 1;
            }
            Err(error) => eprintln!("SKIPPED: {role} on {:?}: {error}", row.kind),
        }
    }
    assert!(ran >= 2, "{role}: not even tmpfs and ext4 are here");
}

/// Names that every file system takes, and content of all sizes.
fn write_tree(at: &Path) {
    fs::create_dir_all(at.join("sub/deeper")).unwrap();
    fs::write(at.join("empty"), "").unwrap();
    fs::write(at.join("sub/small"), "small").unwrap();
    fs::write(at.join("sub/deeper/large"), tree::noise(3 << 20, 1)).unwrap();
    settle();
}

/// Files by their paths.
fn content(at: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![at.to_owned()];
    while let Some(dir) = ahead.pop() {
        for entry in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap()) {
            let path = entry.path();
            if path.is_dir() {
                ahead.push(path);
            } else {
                let name = path.strip_prefix(at).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn k15_a_repository_on_each_file_system() {
    on_each("a repository", |row, at, beside| {
        let repository = at.join("repository");
        let site = Site::new(beside).unwrap().with_repository(&repository);
        write_tree(&site.source());
        let first = done(&site.backup("c", 2).unwrap());
        backed_up(&first);
        fs::write(site.source().join("more"), "more").unwrap();
        settle();
        backed_up(&done(&site.backup("c", 2).unwrap()));
        let repo = site.open().unwrap();
        let options = CheckOptions { read_data: true, now_ms: 0 };
        let report = repo.check(options, Some(&Trees)).unwrap();
        assert!(report.is_clean(), "{:?}: {report:#?}", row.kind);
        assert_eq!((report.snapshots, report.reclaimable.temporary_files), (2, 0));
        let to = site.beside("to");
        restored(&done(&site.restore("latest", &to, RestoreOptions::default()).unwrap()));
        assert_eq!(content(&to), content(&site.source()), "{:?}", row.kind);
        repo.forget(&SnapshotName::from_hex(&snapshot(&first).id).unwrap()).unwrap();
        assert_eq!(repo.snapshot_names().unwrap().len(), 1);
        repo.rotate(&[]).unwrap();
        assert!(site.open().is_ok());
        assert_eq!(repo.store().notices().is_empty(), row.is_usual_store, "{:?}", row.kind);
    });
}

#[test]
fn k15_a_backup_from_each_file_system() {
    on_each("a backup", |row, at, beside| {
        let site = Site::new(beside).unwrap();
        fs::remove_dir(site.source()).unwrap();
        std::os::unix::fs::symlink(at.join("source"), site.source()).unwrap();
        write_tree(&at.join("source"));
        backed_up(&done(&site.backup("c", 2).unwrap()));
        fs::write(at.join("source/sub/small"), "Small").unwrap();
        settle();
        backed_up(&done(&site.backup("c", 2).unwrap()));
        let to = site.beside("to");
        restored(&done(&site.restore("latest", &to, RestoreOptions::default()).unwrap()));
        assert_eq!(content(&to), content(&at.join("source")), "{:?}", row.kind);
    });
}

#[test]
fn k15_a_restore_to_each_file_system() {
    on_each("a restore", |row, at, beside| {
        let site = Site::new(beside).unwrap();
        write_tree(&site.source());
        fs::create_dir(site.source().join("private")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        fs::set_permissions(site.source().join("sub/small"), mode).unwrap();
        settle();
        backed_up(&done(&site.backup("c", 2).unwrap()));
        let to = at.join("to");
        for time in ["first", "second"] {
            let report = done(&site.restore("latest", &to, RestoreOptions::default()).unwrap());
            assert_eq!(content(&to), content(&site.source()), "{:?}, {time}", row.kind);
            assert!(is_as_expected(row, &report), "{:?}, {time}: {report:#?}", row.kind);
        }
    });
}

fn is_as_expected(row: &Row, report: &Report) -> bool {
    let is_complete = matches!(report.outcome, Outcome::Succeeded { .. });
    let is_there = matches!(report.repositories[0].figures, Figures::Restore(_));
    is_there && (is_complete || !row.keeps_metadata)
}

/// Rules of file systems that few machines have at hand, as answers to calls.
struct Rules {
    name: &'static str,
    /// What each of these calls is answered.
    answers: &'static [&'static str],
    /// Whether metadata, links and special files are taken.
    keeps: bool,
}

const RULES: [Rules; 2] = [
    // Owners and modes are the mount's; there are neither links nor special files nor attributes.
    Rules {
        name: "vfat",
        answers: &[
            "chown,lchown,fchown,fchownat:error=EPERM",
            "chmod,fchmod,fchmodat:error=EPERM",
            "setxattr,lsetxattr,fsetxattr:error=EOPNOTSUPP",
            "listxattr,llistxattr,flistxattr:error=EOPNOTSUPP",
            "symlinkat,linkat,mknodat:error=EPERM",
        ],
        keeps: false,
    },
    // No rename that replaces nothing, no locks, no attributes of users.
    Rules {
        name: "NFS",
        answers: &[
            "renameat2:error=EINVAL",
            "flock:error=ENOLCK",
            "setxattr,lsetxattr,fsetxattr:error=EOPNOTSUPP",
            "listxattr,llistxattr,flistxattr:error=EOPNOTSUPP",
        ],
        keeps: true,
    },
];

impl Rules {
    /// Does a job under these rules.
    fn apply(&self, job: &Job) -> Report {
        let mut command = vec!["strace".to_owned(), "-f".into(), "-qq".into()];
        command.extend(["-o".into(), "/dev/null".into()]);
        command.extend(self.answers.iter().map(|answer| format!("--inject={answer}")));
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        done_under(&command, Path::new(env!("CARGO_BIN_EXE_mover")), job).unwrap()
    }
}

#[test]
fn k15_the_rules_of_file_systems_that_are_not_at_hand() {
    if !is_root("the rules of vfat and NFS") || !has_strace("the rules of vfat and NFS") {
        return;
    }
    for rules in &RULES {
        let dir = tempfile::tempdir().unwrap();
        let site = Site::new(&dir.path().join("site")).unwrap();
        write_tree(&site.source());
        // From there and to there.
        backed_up(&rules.apply(&site.backup("plain", 2).unwrap()));
        let to = site.beside("plain");
        for time in ["first", "second"] {
            let report =
                rules.apply(&site.restore("latest", &to, RestoreOptions::default()).unwrap());
            assert_eq!(
                content(&to),
                content(&site.source()),
                "{}, {time}: {report:#?}",
                rules.name
            );
            restored_or_told(rules, &report, &[]);
        }
        // What such file systems do not hold.
        let source = site.source();
        std::os::unix::fs::symlink("empty", source.join("link")).unwrap();
        fs::hard_link(source.join("sub/small"), source.join("second name")).unwrap();
        rustix::fs::mknodat(CWD, source.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        settle();
        backed_up(&done(&site.backup("rich", 2).unwrap()));
        let to = site.beside("rich");
        let report = rules.apply(&site.restore("latest", &to, RestoreOptions::default()).unwrap());
        restored_or_told(rules, &report, &["/data/link", "/data/pipe", "/data/second name"]);
        assert_eq!(fs::read(to.join("second name")).unwrap(), b"small", "{}", rules.name);
        let repo = site.open().unwrap();
        let options = CheckOptions { read_data: true, now_ms: 0 };
        assert!(repo.check(options, Some(&Trees)).unwrap().is_clean(), "{}", rules.name);
    }
}

/// Nothing failed, or each path is listed that such a file system cannot have.
fn restored_or_told(rules: &Rules, report: &Report, cannot: &[&str]) {
    let figures = restore_figures(report);
    if rules.keeps {
        restored(report);
        return;
    }
    let listed: Vec<&str> = [&figures.failed, &figures.unset]
        .into_iter()
        .flat_map(|list| &list.first)
        .map(|one| one.path.as_str())
        .collect();
    for path in cannot {
        assert!(listed.contains(path), "{}: {path} is not among {listed:?}", rules.name);
    }
}
