//! A server, something to back up, and what is done with both.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use holdfast_e2e::facts;
use holdfast_e2e::gateway::{self, Gateway};
use holdfast_e2e::proxy::Proxy;
use holdfast_e2e::tree::noise;
use holdfast_executor::error::Error;
use holdfast_executor::job::{Backup, RestoreOptions, Selection, Source, Target};
use holdfast_executor::repo::{
    self, Backed, CheckOptions, Environment, InitOptions, Open, Repo, Trees, Unlock,
};
use holdfast_executor::report::Quiet;
use holdfast_executor::slot::KdfCost;
use holdfast_executor::store::{Record, Retry, SharedStore, open_url};

const PASSPHRASE: &[u8] = b"the password of a test";

/// A server, a proxy before it, and something to back up.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub gateway: Gateway,
    pub proxy: Proxy,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(&dir.path().join("served")).unwrap();
        let proxy = Proxy::start(gateway.address()).unwrap();
        Self { dir, gateway, proxy }
    }

    /// Where the store is through the proxy.
    pub fn url(&self) -> String {
        gateway::url("http", self.proxy.address(), "some/where")
    }

    /// The store through the proxy.
    pub fn store(&self) -> SharedStore {
        open_url(&self.url(), &gateway::access()).unwrap()
    }

    /// The repository there, which is made if it is not there.
    pub fn repo(&self) -> (Repo<Open>, Arc<Record>) {
        self.repo_in(self.store())
    }

    /// The same with a store that was opened otherwise, as patient as it is for everybody.
    pub fn repo_in(&self, store: SharedStore) -> (Repo<Open>, Arc<Record>) {
        let record = Arc::new(Record::new(store));
        let at = Repo::at(Arc::new(Retry::patient(record.clone())));
        let options = InitOptions { label: "first", now_ms: 1, cost: KdfCost::least() };
        let repo = match at.open(PASSPHRASE, Unlock { expected: None, write: true }) {
            Err(Error::NoRepository) => at.init(PASSPHRASE, options).unwrap(),
            opened => opened.unwrap(),
        };
        (repo, record)
    }

    /// A source of so many files of 1 MiB that do not compress, and as many small ones.
    pub fn source(&self, files: usize) {
        let path = self.dir.path().join("source");
        fs::create_dir_all(path.join("small")).unwrap();
        for number in 0..files {
            fs::write(path.join(format!("{number}")), noise(1 << 20, number as u64)).unwrap();
            fs::write(path.join(format!("small/{number}")), format!("{number}")).unwrap();
        }
    }

    /// What backs up the source.
    pub fn job(&self, session: &str) -> Backup {
        job(&self.dir.path().join("source"), session)
    }

    pub fn backup(&self, repo: &Repo<Open>, session: &str) -> Result<Backed, Error> {
        repo::backup(repo, &self.job(session), &environment())
    }

    /// Everything comes back.
    pub fn comes_back(&self, repo: &Repo<Open>, done: &Backed) {
        let to = self.dir.path().join(format!("restored {}", done.committed.name));
        let target = [Target { from: "/data".to_owned(), to: to.clone() }];
        let options = RestoreOptions::default();
        let figures =
            repo::restore(repo, &done.committed.snapshot, &target, &options, &environment())
                .unwrap();
        assert_eq!(figures.failed.count, 0, "{:?}", figures.failed);
        let expected = facts::of(&self.dir.path().join("source")).unwrap();
        facts::assert_same(&expected, &facts::of(&to).unwrap());
    }

    /// Everything comes back, and nothing is wrong with the repository.
    pub fn is_whole(&self, repo: &Repo<Open>, done: &Backed) {
        self.comes_back(repo, done);
        is_clean(repo);
    }
}

/// Every byte is what it should be.
pub fn is_clean(repo: &Repo<Open>) {
    let options = CheckOptions { read_data: true, now_ms: 0 };
    let report = repo.check(options, Some(&Trees)).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

/// A job that begins when no file of a test is young any more.
pub fn environment() -> Environment<'static> {
    Environment {
        at: 4_000_000_000_000_000_000,
        workers: 2,
        memory_bytes: 0,
        progress: &Quiet,
        repository: "r",
    }
}

fn job(path: &Path, session: &str) -> Backup {
    Backup {
        repositories: Vec::new(),
        sources: vec![Source::Directory { path: path.to_owned(), stored_as: "/data".to_owned() }],
        selection: Selection::default(),
        tags: BTreeSet::new(),
        host: "host".to_owned(),
        session: session.to_owned(),
        component: "dump".to_owned(),
        attempt_number: 1,
        parent: None,
        allow_partial: false,
        had_files_before: None,
        labels: Default::default(),
        reading: Default::default(),
    }
}
