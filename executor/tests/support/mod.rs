//! A directory with a source and a repository, and jobs upon them.

#![allow(dead_code)] // each test file uses its own part
#![allow(clippy::unwrap_used)] // this is test code, though it bears no attribute that says so

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use holdfast_executor::job::{
    Backup, Document, Job, Passphrase, Reading, Repository, Resources, Restore, RestoreOptions,
    Selection, Source, Target, Work,
};
use holdfast_executor::report::{
    BackupFigures, FailureKind, Figures, Outcome, Quiet, Report, SnapshotInfo,
};
use holdfast_executor::run;
use holdfast_executor::store::{Access, open_url};

/// Requests of a backup besides one for each tree block of the parent and each index object.
pub const FIXED_REQUESTS: u64 = 12;

/// A moment in 2026, in nanoseconds; added to real elapsed time so that files are older than the racy window.
pub fn now() -> i64 {
    // The clock of the file system: no other may be asked.
    let file = tempfile::tempfile().unwrap();
    let meta = file.metadata().unwrap();
    meta.ctime() * 1_000_000_000 + meta.ctime_nsec()
}

/// Lets files grow older than the racy window.
pub fn settle() {
    std::thread::sleep(Duration::from_millis(45));
}

/// A source, a repository and the job that brings one to the other.
#[derive(Clone)]
pub struct Bench {
    dir: Arc<tempfile::TempDir>,
    repository: PathBuf,
    sources: Vec<Source>,
    selection: Selection,
    workers: u32,
    component: String,
    session: Option<String>,
    passphrase: String,
    expected: Option<String>,
    create: bool,
    pub allow_partial: bool,
    had_files_before: Option<bool>,
    host: String,
    parent: Option<String>,
    labels: BTreeMap<String, String>,
    reading: Reading,
    next: Arc<AtomicU32>,
}

/// A backup that ended.
pub struct Ran {
    pub report: Report,
    pub session: String,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::create_dir(&source).unwrap();
        Self {
            repository: dir.path().join("repository"),
            sources: vec![Source::Directory { path: source, stored_as: "/data".to_owned() }],
            dir: Arc::new(dir),
            selection: Selection::default(),
            workers: 2,
            component: "dump".to_owned(),
            session: None,
            passphrase: "a passphrase".to_owned(),
            expected: None,
            create: true,
            allow_partial: false,
            had_files_before: None,
            host: "host".to_owned(),
            parent: None,
            labels: BTreeMap::new(),
            reading: Reading::default(),
            next: Arc::default(),
        }
    }

    pub fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }
    pub fn dir(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn repository(&self) -> &Path {
        &self.repository
    }

    pub fn another_repository(&self) -> Self {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Self { repository: self.dir.path().join(format!("repository {number}")), ..self.clone() }
    }
    pub fn with_repository(&self, repository: &Path) -> Self {
        Self { repository: repository.to_owned(), ..self.clone() }
    }
    pub fn with_workers(&self, workers: u32) -> Self {
        Self { workers, ..self.clone() }
    }
    pub fn with_component(&self, component: &str) -> Self {
        Self { component: component.to_owned(), ..self.clone() }
    }
    pub fn with_session(&self, session: &str) -> Self {
        Self { session: Some(session.to_owned()), ..self.clone() }
    }
    pub fn with_passphrase(&self, passphrase: &str) -> Self {
        Self { passphrase: passphrase.to_owned(), ..self.clone() }
    }
    pub fn with_expected(&self, id: &str) -> Self {
        Self { expected: Some(id.to_owned()), ..self.clone() }
    }
    pub fn without_create(&self) -> Self {
        Self { create: false, ..self.clone() }
    }
    pub fn with_selection(&self, selection: Selection) -> Self {
        Self { selection, ..self.clone() }
    }
    pub fn with_files_before(&self, had: bool) -> Self {
        Self { had_files_before: Some(had), ..self.clone() }
    }
    pub fn with_host(&self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self.clone() }
    }
    pub fn with_parent(&self, parent: &str) -> Self {
        Self { parent: Some(parent.to_owned()), ..self.clone() }
    }
    pub fn with_label(&self, key: &str, value: &str) -> Self {
        Self { labels: [(key.to_owned(), value.to_owned())].into(), ..self.clone() }
    }
    pub fn reading(&self, reading: Reading) -> Self {
        Self { reading, ..self.clone() }
    }
    pub fn with_sources(&self, sources: Vec<Source>) -> Self {
        Self { sources, ..self.clone() }
    }
    pub fn with_documents(&self, documents: &[(&str, &str)]) -> Self {
        let document = |(path, content): &(&str, &str)| Document {
            stored_as: (*path).to_owned(),
            content: (*content).to_owned(),
        };
        let documents = documents.iter().map(document).collect();
        Self { sources: vec![Source::Documents { documents }], ..self.clone() }
    }

    fn target(&self) -> Repository {
        Repository {
            name: "main".to_owned(),
            url: format!("file://{}", self.repository.display()),
            access: Default::default(),
            passphrase: Passphrase::new(self.passphrase.clone()),
            expected_id: self.expected.clone(),
            create_if_missing: self.create,
        }
    }

    fn job(&self, work: Work) -> Job {
        let resources = Resources { workers: self.workers, memory_bytes: 0 };
        Job { attempt: "attempt".to_owned(), at: now(), work, resources }
    }

    pub fn backup(&self) -> Ran {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let session = self.session.clone().unwrap_or_else(|| format!("session-{number}"));
        let backup = Backup {
            repositories: vec![self.target()],
            sources: self.sources.clone(),
            selection: self.selection.clone(),
            tags: ["test".to_owned()].into(),
            host: self.host.clone(),
            session: session.clone(),
            component: self.component.clone(),
            attempt_number: 0,
            parent: self.parent.clone(),
            allow_partial: self.allow_partial,
            had_files_before: self.had_files_before,
            labels: self.labels.clone(),
            reading: self.reading,
        };
        let report = run(&self.job(Work::Backup(backup)), &Quiet);
        Ran { report, session }
    }

    /// Takes a snapshot of the source under another path; returns its id.
    pub fn backup_as(&self, stored_as: &str) -> String {
        let source = Source::Directory { path: self.source(), stored_as: stored_as.to_owned() };
        let ran = self.with_sources(vec![source]).backup();
        ran.succeeded();
        ran.info().id.clone()
    }

    pub fn restore(
        &self,
        snapshot: &str,
        from: &str,
        to: &Path,
        options: RestoreOptions,
    ) -> Report {
        let target = Target { from: from.to_owned(), to: to.to_owned() };
        let work = Work::Restore(Restore {
            repository: self.target(),
            snapshot: snapshot.to_owned(),
            component: None,
            targets: vec![target],
            options,
        });
        run(&self.job(work), &Quiet)
    }

    pub fn open(&self) -> holdfast_executor::repo::Repo<holdfast_executor::repo::Open> {
        let store =
            open_url(&format!("file://{}", self.repository.display()), &Access::default()).unwrap();
        let closed = holdfast_executor::repo::Repo::at(store);
        closed.open(self.passphrase.as_bytes(), Default::default()).unwrap()
    }

    pub fn snapshots(&self) -> Vec<SnapshotInfo> {
        let found = self.open().snapshots().unwrap();
        assert!(found.damaged.is_empty());
        found.found.iter().map(|(n, s)| holdfast_executor::repo::describe(n, s)).collect()
    }

    /// Blocks of trees and lists in the repository.
    pub fn tree_blocks(&self) -> u64 {
        let indexed = self.open().index_for_reading().unwrap();
        let index = indexed.index();
        let packs = index.packs().iter().enumerate().filter(|(_, pack)| pack.kind.is_mirrored());
        packs.map(|(number, _)| index.blocks_of(number as u32).count() as u64).sum()
    }

    pub fn index_objects(&self) -> u64 {
        self.open().store().list("meta/index/").unwrap().len() as u64
    }
}

impl Ran {
    /// What a backup came to that could not read everything.
    pub fn partial(&self) -> BackupFigures {
        assert!(matches!(self.report.outcome, Outcome::Partial { .. }), "{:#?}", self.report);
        self.figures()
    }

    pub fn succeeded(&self) -> BackupFigures {
        assert!(matches!(self.report.outcome, Outcome::Succeeded { .. }), "{:#?}", self.report);
        self.figures()
    }

    pub fn figures(&self) -> BackupFigures {
        match &self.report.repositories[0].figures {
            Figures::Backup(figures) => (**figures).clone(),
            _ => panic!("no figures: {:#?}", self.report),
        }
    }

    pub fn info(&self) -> SnapshotInfo {
        let info = self.report.repositories[0].snapshot.clone();
        info.unwrap_or_else(|| panic!("no snapshot: {:#?}", self.report))
    }

    pub fn failed(&self) -> FailureKind {
        failure(&self.report)
    }
}

pub fn failure(report: &Report) -> FailureKind {
    match &report.outcome {
        Outcome::Failed(failure) => failure.kind,
        outcome => panic!("not failed: {outcome:?}"),
    }
}

/// What can be seen of every entry, by relative path. Bytes that are no text are escaped.
pub fn facts(dir: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    collect(dir, dir, &mut all);
    all
}

fn collect(root: &Path, path: &Path, all: &mut BTreeMap<String, String>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().escape_ascii().to_string();
    let kind = meta.file_type();
    let what = if kind.is_symlink() {
        format!("link {:?}", fs::read_link(path).unwrap())
    } else if kind.is_file() {
        format!("file {} {}", meta.len(), blake(&fs::read(path).unwrap()))
    } else if kind.is_dir() {
        "directory".to_owned()
    } else if kind.is_fifo() {
        "fifo".to_owned()
    } else {
        format!("other {kind:?} {}", meta.rdev())
    };
    let attributes = if kind.is_symlink() { Vec::new() } else { attributes(path) };
    let attributes: Vec<_> = attributes.iter().map(|(n, value)| (n, blake(value))).collect();
    let (mode, time) = (meta.mode() & 0o7777, (meta.mtime(), meta.mtime_nsec()));
    let (owner, links) = ((meta.uid(), meta.gid()), if kind.is_dir() { 0 } else { meta.nlink() });
    let fact = format!("{what} {mode:o} {time:?} {owner:?} {links} {attributes:?}");
    all.insert(name, fact);
    if kind.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(root, &entry.unwrap().path(), all);
        }
    }
}

fn blake(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

pub fn attributes(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut list: Vec<_> = xattr::list(path)
        .unwrap()
        .map(|name| {
            let value = xattr::get(path, &name).unwrap().unwrap_or_default();
            (name.to_string_lossy().into_owned(), value)
        })
        .collect();
    list.sort();
    list
}

pub fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    xattr::set(path, name, value).unwrap();
}

pub fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o640);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

/// Sets the time of an entry itself.
pub fn set_mtime(path: &Path, seconds: i64, nanos: i64) {
    let at = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanos };
    let times = rustix::fs::Timestamps { last_access: at, last_modification: at };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, flags).unwrap();
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// A character device; needs root.
pub fn device(path: &Path, major: u32, minor: u32) {
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    let device = rustix::fs::makedev(major, minor);
    let kind = rustix::fs::FileType::CharacterDevice;
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, device).unwrap();
}
