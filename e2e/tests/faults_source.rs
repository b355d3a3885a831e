//! The fault table of the source: each call that a backup makes to read, with each errno that its manual page or a
//! file system knows for it. What could be read is in the snapshot, the rest is named with its path, and the next
//! backup without the fault is complete and exact.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use holdfast_e2e::privilege::has_strace;
use holdfast_e2e::site::{PASSPHRASE, Site, done, settle, snapshot};
use holdfast_e2e::tree::noise;
use holdfast_executor::job::Job;
use holdfast_executor::repo::{InitOptions, Repo};
use holdfast_executor::report::{BackupFigures, FailureKind, Figures, Listed, Outcome, Report};
use holdfast_executor::slot::KdfCost;
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, mknodat};

/// What a fault costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    /// The entry, which is listed; the snapshot is partial.
    Entry,
    /// The entry, which has vanished or become something else as far as anybody can tell; that is told.
    Vanished,
    /// Attributes, which are listed; the entry is read again next time.
    Attributes,
    /// Nothing, but the entry is listed, since nobody knows whether there is more; the snapshot is partial.
    Doubt,
    /// Nothing, but the file may have changed while it was read; that is told.
    Changed,
    /// Nothing at all: there is another way.
    Nothing,
    /// The source, and with it the backup.
    Source(FailureKind),
}

/// Calls, what `strace` knows the entry by, which of the calls, their errnos, and what that costs.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str], Cost);

const ALL: &str = "";

struct Stage {
    _dir: tempfile::TempDir,
    site: Site,
    tree: String,
    files: u64,
}

fn attribute(path: &Path, name: &str) {
    lsetxattr(path, name, b"value", XattrFlags::empty()).unwrap();
}

/// One entry of each kind, in a repository that opens fast.
fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::new(dir.path()).unwrap();
    let options = InitOptions { cost: KdfCost::least(), ..Default::default() };
    Repo::at(site.store().unwrap()).init(PASSPHRASE.as_bytes(), options).unwrap();
    let at = |name: &str| site.source().join(name);
    fs::write(at("other"), "other").unwrap();
    fs::write(at("zz-plain"), "plain").unwrap();
    attribute(&at("zz-plain"), "user.a");
    attribute(&at("zz-plain"), "user.b");
    fs::write(at("zz-large"), noise(9 << 20, 1)).unwrap();
    let sparse = File::create(at("zz-sparse")).unwrap();
    sparse.set_len(1 << 20).unwrap();
    sparse.write_all_at(b"end", (1 << 20) - 3).unwrap();
    symlink("zz-plain", at("zz-link")).unwrap();
    mknodat(CWD, at("zz-pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    fs::create_dir(at("zz-dir")).unwrap();
    fs::write(at("zz-dir").join("inner"), "inner").unwrap();
    attribute(&at("zz-dir"), "user.a");
    settle();
    let report = done(&site.backup("reference", 2).unwrap());
    assert!(matches!(report.outcome, Outcome::Succeeded { .. }), "{report:#?}");
    let tree = snapshot(&report).tree.clone();
    Stage { _dir: dir, site, tree, files: figures(&report).entries.files }
}

fn figures(report: &Report) -> &BackupFigures {
    match report.repositories.first().map(|repository| &repository.figures) {
        Some(Figures::Backup(figures)) => figures,
        _ => panic!("no figures of a backup: {report:#?}"),
    }
}

/// Does a job in a process whose calls fail.
fn done_with(fault: &str, calls: &str, entries: &[PathBuf], job: &Job) -> Report {
    let traced = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(traced.path()).args(["-e", &format!("trace={calls}")]);
    for entry in entries {
        command.arg("-P").arg(entry);
    }
    command.args(["-e", &format!("inject={fault}")]).arg(env!("CARGO_BIN_EXE_mover"));
    let mut child =
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(job).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    let seen = fs::read_to_string(traced.path()).unwrap();
    assert!(seen.contains("INJECTED"), "{fault}: nothing was injected\n{seen}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How `strace` knows an entry: by the name in a call that is relative to a directory, by its path where a
/// descriptor of it is passed, and not at all where the path leads through `/proc`.
fn known_by(stage: &Stage, entry: &str) -> Vec<PathBuf> {
    match entry {
        ALL => Vec::new(),
        "." => vec![stage.site.source()],
        entry => vec![entry.into(), stage.site.source().join(entry)],
    }
}

fn names(listed: &Listed, entry: &str) -> bool {
    listed.count == 1 && listed.first[0].path == format!("/data/{entry}")
}

fn check(stage: &Stage, row: Row, errno: &str) {
    let (calls, entry, when, _, cost) = row;
    let case = format!("{calls} {entry} {errno} {when}");
    let when = if when.is_empty() { String::new() } else { format!(":when={when}") };
    let fault = format!("{calls}:error={errno}{when}");
    let job = stage.site.backup(&case.replace(['+', ' '], "-"), 2).unwrap();
    let report = done_with(&fault, calls, &known_by(stage, entry), &job);
    let entry = if entry.is_empty() { "zz-link" } else { entry };
    if let Cost::Source(kind) = cost {
        let failed = matches!(&report.outcome, Outcome::Failed(failure) if failure.kind == kind);
        assert!(failed, "{case}: {report:#?}");
    } else {
        let found = figures(&report);
        let (lost, changed) = (&found.unreadable, &found.changed_while_read);
        let attributes = &found.attributes_unreadable;
        let expected = match cost {
            Cost::Entry | Cost::Doubt => {
                names(lost, entry) && changed.count + attributes.count == 0
            }
            Cost::Vanished | Cost::Changed => {
                names(changed, entry) && lost.count + attributes.count == 0
            }
            Cost::Attributes => names(attributes, entry) && lost.count + changed.count == 0,
            _ => lost.count + changed.count + attributes.count == 0,
        };
        assert!(expected, "{case}: {found:#?}");
        let is_file = !matches!(entry, "zz-link" | "zz-pipe");
        let is_lost = is_file && matches!(cost, Cost::Entry | Cost::Vanished);
        assert_eq!(found.entries.files, stage.files - u64::from(is_lost), "{case}");
        assert_eq!(snapshot(&report).partial, matches!(cost, Cost::Entry | Cost::Doubt), "{case}");
        let is_whole = matches!(report.outcome, Outcome::Succeeded { .. });
        let may_be = matches!(cost, Cost::Vanished | Cost::Changed | Cost::Nothing);
        assert_eq!(is_whole, may_be, "{case}");
    }
    let component = case.replace(['+', ' '], "-");
    let healed = done(&stage.site.backup(&component, 2).unwrap());
    assert!(matches!(healed.outcome, Outcome::Succeeded { .. }), "{case}: {healed:#?}");
    // The id of a tree is that of all that it holds.
    assert_eq!(snapshot(&healed).tree, stage.tree, "{case}: the next backup is exact");
}

fn check_all(rows: &[Row]) {
    if !has_strace("a fault of the source") {
        return;
    }
    let stage = stage();
    for row in rows {
        for errno in row.3 {
            check(&stage, *row, errno);
        }
    }
}

#[test]
fn k02_attributes_that_cannot_be_read() {
    check_all(&[
        (
            "flistxattr",
            "zz-plain",
            "",
            &["EACCES", "EPERM", "EIO", "ENOMEM", "ESTALE", "E2BIG"],
            Cost::Attributes,
        ),
        ("flistxattr", "zz-plain", "2", &["ERANGE"], Cost::Nothing),
        (
            "fgetxattr",
            "zz-plain",
            "1",
            &["EACCES", "EPERM", "EIO", "ERANGE", "E2BIG", "EOPNOTSUPP", "ENOMEM", "ESTALE"],
            Cost::Attributes,
        ),
        ("fgetxattr", "zz-plain", "2", &["EACCES"], Cost::Attributes),
        ("flistxattr", "zz-dir", "", &["EIO"], Cost::Attributes),
        ("fgetxattr", "zz-dir", "", &["EACCES"], Cost::Attributes),
        ("llistxattr", ALL, "1", &["EACCES", "EIO", "ENOMEM"], Cost::Attributes),
    ]);
}

#[test]
fn k02_files_that_cannot_be_opened_or_looked_at() {
    check_all(&[
        (
            "openat",
            "zz-plain",
            "",
            &[
                "EACCES",
                "EPERM",
                "EIO",
                "EMFILE",
                "ENFILE",
                "ENOMEM",
                "ENODEV",
                "ESTALE",
                "EOVERFLOW",
                "EINVAL",
                "ENAMETOOLONG",
                "ETIMEDOUT",
                "ENOKEY",
            ],
            Cost::Entry,
        ),
        // It is still there, whatever is said.
        ("openat", "zz-plain", "", &["ENOENT", "ELOOP", "ENXIO"], Cost::Entry),
        ("openat", "zz-plain", "1", &["ENOENT", "ELOOP", "ENXIO"], Cost::Nothing),
        ("openat", "zz-plain", "1", &["EPERM", "EAGAIN", "EINTR"], Cost::Nothing),
        (
            "newfstatat",
            "zz-plain",
            "",
            &["EACCES", "EIO", "ENOMEM", "ESTALE", "EOVERFLOW", "ELOOP", "ENAMETOOLONG"],
            Cost::Entry,
        ),
        ("newfstatat", "zz-plain", "", &["ENOENT"], Cost::Vanished),
        ("fstat", "zz-plain", "1", &["EIO", "ESTALE", "ENOMEM", "EOVERFLOW"], Cost::Entry),
        ("fstat", "zz-plain", "2", &["EIO"], Cost::Changed),
        ("close", "zz-plain", "", &["EIO", "EINTR", "ENOSPC", "EDQUOT"], Cost::Nothing),
    ]);
}

#[test]
fn k10_bytes_that_cannot_be_read() {
    check_all(&[
        (
            "pread64",
            "zz-plain",
            "1",
            &["EIO", "EISDIR", "ESTALE", "EINVAL", "ENXIO", "ETIMEDOUT", "EAGAIN", "ENOMEM"],
            Cost::Entry,
        ),
        ("pread64", "zz-plain", "1", &["EINTR"], Cost::Nothing),
        ("pread64", "zz-large", "2", &["EIO"], Cost::Entry),
        ("pread64", "zz-sparse", "1", &["EIO"], Cost::Entry),
        ("readlinkat", "zz-link", "", &["EACCES", "EIO", "ENOMEM", "ESTALE", "ELOOP"], Cost::Entry),
        ("readlinkat", "zz-link", "", &["ENOENT", "EINVAL"], Cost::Vanished),
    ]);
}

#[test]
fn k02_directories_that_cannot_be_read() {
    check_all(&[
        (
            "openat2",
            "zz-dir",
            "",
            &["EACCES", "EIO", "EMFILE", "ENFILE", "ENOMEM", "ESTALE", "ELOOP", "EXDEV"],
            Cost::Entry,
        ),
        ("openat2", "zz-dir", "", &["ENOENT"], Cost::Vanished),
        ("openat2", "zz-dir", "", &["ENOSYS", "EPERM"], Cost::Nothing),
        ("fstat", "zz-dir", "1", &["EIO", "ESTALE"], Cost::Entry),
        ("getdents64", "zz-dir", "1", &["EIO", "EINVAL", "ESTALE", "ENOMEM"], Cost::Entry),
        ("getdents64", "zz-dir", "2", &["EIO", "ESTALE"], Cost::Doubt),
    ]);
}

#[test]
fn k11_a_source_that_cannot_be_read_is_no_backup() {
    let unreadable = Cost::Source(FailureKind::SourceUnreadable);
    check_all(&[
        ("statx", ".", "", &["ENOENT", "ENOTDIR"], Cost::Source(FailureKind::SourceMissing)),
        ("statx", ".", "", &["EACCES", "EIO", "ESTALE", "ELOOP"], unreadable),
        ("openat", ".", "1", &["EACCES", "EIO", "EMFILE", "ESTALE"], unreadable),
        ("openat", ".", "1", &["ENOENT"], Cost::Source(FailureKind::SourceMissing)),
        ("getdents64", ".", "1", &["EIO", "ESTALE"], unreadable),
    ]);
}

#[test]
fn k10_holes_that_are_not_told_are_read_as_zeros() {
    if !has_strace("a fault of the source") {
        return;
    }
    let stage = stage();
    let entries = known_by(&stage, "zz-sparse");
    for errno in ["EINVAL", "EOPNOTSUPP", "ENOSYS", "EIO", "EOVERFLOW"] {
        let job = stage.site.backup(errno, 2).unwrap();
        let report = done_with(&format!("lseek:error={errno}"), "lseek", &entries, &job);
        assert!(matches!(report.outcome, Outcome::Succeeded { .. }), "{errno}: {report:#?}");
        let out = tempfile::tempdir().unwrap();
        let id = &snapshot(&report).id;
        let restored = done(&stage.site.restore(id, out.path(), Default::default()).unwrap());
        assert!(!matches!(restored.outcome, Outcome::Failed(_)), "{errno}: {restored:#?}");
        let of = |dir: &Path| fs::read(dir.join("zz-sparse")).unwrap();
        assert_eq!(of(out.path()), of(&stage.site.source()), "{errno}");
    }
}
