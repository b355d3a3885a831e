//! The metadata fault table: each call that a restore makes for metadata or names, with each errno that its manual
//! page or a file system knows for it. The content is there, the path is named, the restore says that it is not
//! complete, and nobody but the owner has rights that the snapshot does not give.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use holdfast_e2e::facts::{self, Fact, Facts};
use holdfast_e2e::privilege::{has_strace, is_root};
use holdfast_e2e::site::{STORED_AS, Site, backed_up, done, done_under, restore_figures, settle};
use holdfast_e2e::tree::noise;
use holdfast_executor::job::RestoreOptions;
use holdfast_executor::report::{Outcome, RestoreFigures};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, makedev, mknodat};

/// What a fault may cost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// Metadata, which is listed.
    Metadata,
    /// Entries that are no files, and that only this call makes; they are listed.
    Entries,
    /// Nothing at all: there is another way.
    Nothing,
}

/// A call, the errnos that it is refused with, and what that may cost.
type Row = (&'static str, &'static [&'static str], Cost);

/// `man 2`, and what vfat, exFAT, NTFS, CIFS, NFS, FUSE and user namespaces answer besides.
const ROWS: [Row; 15] = [
    (
        "fchown",
        &[
            "EPERM",
            "EINVAL",
            "EACCES",
            "EIO",
            "EROFS",
            "ENOSPC",
            "EDQUOT",
            "EOVERFLOW",
            "ENOSYS",
            "EOPNOTSUPP",
        ],
        Cost::Metadata,
    ),
    (
        "fchownat",
        &["EPERM", "EINVAL", "EACCES", "EIO", "EROFS", "EDQUOT", "ENOENT", "EOPNOTSUPP"],
        Cost::Metadata,
    ),
    (
        "fchmod",
        &["EPERM", "EINVAL", "EACCES", "EIO", "EROFS", "ENOSPC", "ENOSYS", "EOPNOTSUPP"],
        Cost::Metadata,
    ),
    (
        "fchmodat,chmod",
        &["EPERM", "EACCES", "EIO", "EROFS", "ENOENT", "EOPNOTSUPP"],
        Cost::Metadata,
    ),
    (
        "fsetxattr",
        &[
            "ENOSPC",
            "EDQUOT",
            "EPERM",
            "EACCES",
            "E2BIG",
            "ERANGE",
            "EOPNOTSUPP",
            "EINVAL",
            "EIO",
            "EROFS",
            "ENOSYS",
        ],
        Cost::Metadata,
    ),
    ("lsetxattr", &["ENOSPC", "EPERM", "EOPNOTSUPP", "EINVAL", "EIO"], Cost::Metadata),
    ("flistxattr", &["EIO", "EPERM", "EACCES", "ERANGE", "E2BIG"], Cost::Metadata),
    ("llistxattr", &["EIO", "EACCES"], Cost::Metadata),
    // The time is set by the same call through a descriptor and through a name.
    (
        "utimensat",
        &["EPERM", "EACCES", "EINVAL", "EROFS", "EOVERFLOW", "ENOENT", "EIO", "ENOSYS", "ESRCH"],
        Cost::Metadata,
    ),
    ("mknodat", &["EPERM", "EACCES", "EINVAL", "EIO", "EOPNOTSUPP"], Cost::Entries),
    ("symlinkat", &["EPERM", "EACCES", "EIO", "EOPNOTSUPP", "ENAMETOOLONG"], Cost::Entries),
    (
        "linkat",
        &["EPERM", "EMLINK", "EXDEV", "EACCES", "EOPNOTSUPP", "ENOSYS", "EINVAL", "EIO"],
        Cost::Metadata,
    ),
    ("ftruncate", &["EPERM", "EINVAL", "EFBIG", "EIO", "EOPNOTSUPP", "ENOSYS"], Cost::Nothing),
    ("syncfs", &["EIO", "ENOSPC", "EDQUOT"], Cost::Metadata),
    ("renameat2", &["EINVAL", "ENOSYS", "EOPNOTSUPP"], Cost::Nothing),
];

fn set(path: &Path, name: &str, value: &[u8]) {
    lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

/// `user::rw- user:1:rw- group::--- mask::rw- other::---`
fn access_list() -> Vec<u8> {
    let entries =
        [(1u16, 6u16, u32::MAX), (2, 6, 1), (4, 0, u32::MAX), (16, 6, u32::MAX), (32, 0, u32::MAX)];
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

/// Small, and with everything that some call is made for.
fn make_source(source: &Path) {
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir(source.join("d")).unwrap();
    fs::write(source.join("plain"), b"precious").unwrap();
    fs::write(source.join("d/large"), noise(3 << 20, 7)).unwrap();
    fs::write(source.join("empty"), b"").unwrap();
    fs::File::create(source.join("hole")).unwrap().set_len(1 << 20).unwrap();
    fs::write(source.join("owned"), b"of another").unwrap();
    chown(source.join("owned"), Some(1_234), Some(4_321)).unwrap();
    mode(&source.join("owned"), 0o6751);
    fs::write(source.join("listed"), b"has a list").unwrap();
    set(&source.join("listed"), "user.small", b"value");
    set(&source.join("listed"), "system.posix_acl_access", &access_list());
    set(&source.join("d"), "user.of a directory", b"x");
    fs::hard_link(source.join("plain"), source.join("d/plain too")).unwrap();
    symlink("plain", source.join("link")).unwrap();
    set(&source.join("link"), "trusted.of a link", b"x");
    mknodat(CWD, source.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    let device = makedev(1, 3);
    mknodat(
        CWD,
        source.join("null"),
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o640),
        device,
    )
    .unwrap();
    for name in ["owned", "link", "null"] {
        std::os::unix::fs::lchown(source.join(name), Some(1_234), Some(4_321)).unwrap();
    }
    mode(&source.join("owned"), 0o6751);
    mode(&source.join("null"), 0o640);
}

struct Table {
    _dir: tempfile::TempDir,
    site: Site,
    before: Facts,
}

impl Table {
    fn new() -> Option<Self> {
        if !is_root("owners and devices") || !has_strace("the fault table") {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let site = Site::new(dir.path()).unwrap();
        make_source(&site.source());
        settle();
        let before = facts::of(&site.source()).unwrap();
        backed_up(&done(&site.backup("dump", 2).unwrap()));
        Some(Self { _dir: dir, site, before })
    }

    /// Restores into a new directory, or into one that is there; `command` is what starts the worker.
    fn restore(&self, command: &[&str], to: &Path) -> (Outcome, RestoreFigures) {
        let options = RestoreOptions { privileged: true, ..RestoreOptions::default() };
        let job = self.site.restore("latest", to, options).unwrap();
        let mover = Path::new(env!("CARGO_BIN_EXE_mover"));
        let report = done_under(command, mover, &job).unwrap();
        (report.outcome.clone(), restore_figures(&report).clone())
    }

    /// Without the fault the same restore completes what is there.
    fn completes(&self, to: &Path) {
        let (outcome, figures) = self.restore(&["env"], to);
        assert!(matches!(outcome, Outcome::Succeeded { .. }), "{figures:?}");
        facts::assert_same(&self.before, &facts::of(to).unwrap());
    }

    /// Whether all that the cost spares is there, and nobody has more rights than before.
    fn check(
        &self,
        case: &str,
        cost: Cost,
        to: &Path,
        outcome: &Outcome,
        figures: &RestoreFigures,
    ) {
        let found = facts::of(to).unwrap();
        for (path, fact) in &self.before {
            let Some(other) = found.get(path) else {
                assert!(cost == Cost::Entries && !fact.is_file(), "{case}: {path:?} is gone");
                assert!(names(figures).contains(&logical(path)), "{case}: {path:?} is not named");
                continue;
            };
            // Where the target makes no holes there are zeros.
            let read = |root: &Path| fact.is_file().then(|| fs::read(root.join(path)).unwrap());
            assert!(read(to) == read(&self.site.source()), "{case}: the content of {path:?}");
            let other = &Fact {
                kind: if fact.is_file() { fact.kind.clone() } else { other.kind.clone() },
                ..other.clone()
            };
            let wider = other.mode & !fact.mode & 0o6077;
            assert_eq!(wider, 0, "{case}: {path:?} has {:o}, and had {:o}", other.mode, fact.mode);
            // All names of one file are told by the first that was restored.
            let file = fact.same_as.as_ref().unwrap_or(path);
            let told = || {
                let names = names(figures);
                let own = |(name, fact): &(&PathBuf, &Fact)| {
                    fact.same_as.as_ref().unwrap_or(name) == file && names.contains(&logical(name))
                };
                self.before.iter().any(|entry| own(&entry))
            };
            assert!(other == fact || told(), "{case}: {path:?} is not named: {fact:?} {other:?}");
        }
        match cost {
            Cost::Nothing => {
                assert!(matches!(outcome, Outcome::Succeeded { .. }), "{case}: {figures:?}");
            }
            _ => assert!(matches!(outcome, Outcome::Partial { .. }), "{case}: {outcome:?}"),
        }
        for name in found.keys() {
            let left =
                name.file_name().is_some_and(|name| name.to_string_lossy().contains(".holdfast-"));
            assert!(!left, "{case}: {name:?} is left");
        }
    }
}

/// Logical paths that the figures list.
fn names(figures: &RestoreFigures) -> BTreeSet<String> {
    let listed = figures.failed.first.iter().chain(&figures.unset.first);
    listed.map(|item| item.path.clone()).collect()
}

fn logical(path: &Path) -> String {
    let joined: PathBuf = Path::new(STORED_AS).join(path);
    joined.to_string_lossy().trim_end_matches('/').to_owned()
}

/// `strace` that answers a call in the kernel's place, on all files or on one.
fn injecting<'c>(inject: &'c str, trace: &'c str, only: Option<&'c str>) -> Vec<&'c str> {
    let mut command = vec!["strace", "-f", "-qq", "-o", "/dev/null"];
    command.extend(only.iter().flat_map(|path| ["-P", *path]));
    command.extend(["-e", trace, "-e", inject]);
    command
}

#[test]
fn k05_every_call_with_every_errno_costs_what_it_sets_and_no_content() {
    let Some(table) = Table::new() else { return };
    for (calls, errnos, cost) in ROWS {
        for errno in errnos {
            let case = format!("{calls} {errno}");
            let to = table.site.beside("target");
            if calls == "renameat2" {
                // Names are given by it in directories that were there.
                fs::create_dir_all(to.join("d")).unwrap();
            }
            let (trace, inject) =
                (format!("trace={calls}"), format!("inject={calls}:error={errno}"));
            let (outcome, figures) = table.restore(&injecting(&inject, &trace, None), &to);
            table.check(&case, cost, &to, &outcome, &figures);
            if *errno == errnos[0] && cost != Cost::Nothing {
                table.completes(&to);
            }
            fs::remove_dir_all(&to).unwrap();
        }
    }
}

#[test]
fn k13_what_a_close_tells_is_told() {
    let Some(table) = Table::new() else { return };
    for errno in ["EIO", "ENOSPC", "EDQUOT", "EINTR"] {
        for calls in ["close", "close,fsync"] {
            let to = table.site.beside("target");
            let file = to.join("d/large");
            let (trace, inject) =
                (format!("trace={calls}"), format!("inject={calls}:error={errno}"));
            let command = injecting(&inject, &trace, file.to_str());
            let (outcome, figures) = table.restore(&command, &to);
            assert!(matches!(outcome, Outcome::Partial { .. }), "{calls} {errno}: {outcome:?}");
            assert!(names(&figures).contains("/data/d/large"), "{calls} {errno}: {figures:?}");
            // What was proven to be on its disk stays, and nothing else does.
            assert_eq!(file.exists(), calls == "close", "{calls} {errno}");
            table.completes(&to);
            fs::remove_dir_all(&to).unwrap();
        }
    }
}

#[test]
fn k05_a_right_that_is_missing_costs_what_it_is_for() {
    let Some(table) = Table::new() else { return };
    // What each right is for, beside what its absence leaves whole.
    let rights: [(&str, &[&str]); 5] = [
        ("-chown", &["/data/owned", "/data/link", "/data/null"]),
        ("-mknod", &["/data/null"]),
        ("-fsetid", &["/data/owned"]),
        ("-setfcap", &["/data/capable"]),
        ("-sys_admin", &["/data/link"]),
    ];
    let capable = table.site.source().join("capable");
    fs::write(&capable, b"#!").unwrap();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    set(&capable, "security.capability", &capability);
    settle();
    let before = facts::of(&table.site.source()).unwrap();
    backed_up(&done(&table.site.backup("dump", 2).unwrap()));
    let table = Table { before, ..table };
    for (right, named) in rights {
        let to = table.site.beside("target");
        let (outcome, figures) = table.restore(&["setpriv", "--bounding-set", right], &to);
        let cost = if right == "-mknod" { Cost::Entries } else { Cost::Metadata };
        table.check(right, cost, &to, &outcome, &figures);
        let found = names(&figures);
        for name in named {
            assert!(found.contains(*name), "{right}: {name} is not named: {figures:?}");
        }
        fs::remove_dir_all(&to).unwrap();
    }
}
