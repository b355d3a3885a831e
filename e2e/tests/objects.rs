//! Repositories in a real S3 server: what a store has to do, and what networks and servers do to it.
#![allow(clippy::unwrap_used)] // functions of a test file that are no tests themselves

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holdfast_e2e::facts;
use holdfast_e2e::gateway::{self, Gateway};
use holdfast_e2e::mounted::Mounted;
use holdfast_e2e::privilege;
use holdfast_e2e::proxy::{Proxy, Weather};
use holdfast_e2e::tree::noise;
use holdfast_executor::error::Error;
use holdfast_executor::job::{Backup, RestoreOptions, Selection, Source, Target};
use holdfast_executor::repo::{
    self, Backed, CheckOptions, Environment, InitOptions, Open, Repo, Trees, Unlock,
};
use holdfast_executor::report::Quiet;
use holdfast_executor::slot::KdfCost;
use holdfast_executor::store::{
    PutOutcome, Record, Retry, SharedStore, StoreError, conformance, open_url_with,
};

const PASSPHRASE: &[u8] = b"the password of a test";

/// A server, a proxy before it, and something to back up.
struct Bench {
    dir: tempfile::TempDir,
    gateway: Gateway,
    proxy: Proxy,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(&dir.path().join("served")).unwrap();
        let proxy = Proxy::start(gateway.address()).unwrap();
        Self { dir, gateway, proxy }
    }

    /// The store through the proxy, as patient as it is for everybody.
    fn store(&self) -> SharedStore {
        let url = gateway::url("http", self.proxy.address(), "some/where");
        open_url_with(&url, &gateway::access()).unwrap()
    }

    fn repo(&self) -> (Repo<Open>, Arc<Record>) {
        let record = Arc::new(Record::new(self.store()));
        let at = Repo::at(Arc::new(Retry::patient(record.clone())));
        let options = InitOptions { label: "first", now_ms: 1, cost: KdfCost::least() };
        let repo = match at.open(PASSPHRASE, Unlock { expected: None, write: true }) {
            Err(Error::NoRepository) => at.init(PASSPHRASE, options).unwrap(),
            opened => opened.unwrap(),
        };
        (repo, record)
    }

    /// A source of so many files of 1 MiB that do not compress, and as many small ones.
    fn source(&self, files: usize) {
        let path = self.dir.path().join("source");
        fs::create_dir_all(path.join("small")).unwrap();
        for number in 0..files {
            fs::write(path.join(format!("{number}")), noise(1 << 20, number as u64)).unwrap();
            fs::write(path.join(format!("small/{number}")), format!("{number}")).unwrap();
        }
    }

    fn backup(&self, repo: &Repo<Open>, session: &str) -> Result<Backed, Error> {
        repo::backup(repo, &job(&self.dir.path().join("source"), session), &environment())
    }

    /// Everything comes back, and nothing is wrong with the repository.
    fn is_whole(&self, repo: &Repo<Open>, done: &Backed) {
        let to = self.dir.path().join(format!("restored {}", done.committed.name));
        let target = [Target { from: "/data".to_owned(), to: to.clone() }];
        let options = RestoreOptions::default();
        let figures =
            repo::restore(repo, &done.committed.snapshot, &target, &options, &environment())
                .unwrap();
        assert_eq!(figures.failed.count, 0, "{:?}", figures.failed);
        let expected = facts::of(&self.dir.path().join("source")).unwrap();
        facts::assert_same(&expected, &facts::of(&to).unwrap());
        let options = CheckOptions { read_data: true, now_ms: 0 };
        let report = repo.check(options, Some(&Trees)).unwrap();
        assert!(report.is_clean(), "{report:?}");
    }
}

/// A job that begins when no file of a test is young any more.
fn environment() -> Environment<'static> {
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
    }
}

#[test]
fn a_server_is_a_store_like_any() {
    if !gateway::is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path()).unwrap();
    for prefix in ["", "a/prefix"] {
        conformance::check(&*open_url_with(&gateway.url(prefix), &gateway::access()).unwrap());
        fs::remove_dir_all(dir.path().join(gateway::BUCKET)).unwrap();
        fs::create_dir(dir.path().join(gateway::BUCKET)).unwrap();
    }
    let one = format!("{}&max-connections=1&upload-rate=1GiB", gateway.url("narrow"));
    conformance::check(&*open_url_with(&one, &gateway::access()).unwrap());
}

#[test]
fn without_conditional_writes_one_of_many_still_wins() {
    if !gateway::is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path()).unwrap();
    let url = format!("{}&conditional=no", gateway.url("p"));
    let store = open_url_with(&url, &gateway::access()).unwrap();
    let put = |content: u8| (content, store.put_new("config", &[content; 64]).unwrap());
    let puts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|content| scope.spawn(move || put(content))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let created: Vec<_> =
        puts.iter().filter(|(_, outcome)| *outcome == PutOutcome::Created).collect();
    assert_eq!(created.len(), 1, "{puts:?}");
    assert_eq!(store.get("config", 64).unwrap(), [created[0].0; 64]);
    let keys: Vec<_> = store.list("").unwrap().into_iter().map(|row| row.key).collect();
    assert_eq!(keys, ["config"], "bids are no objects");
}

#[test]
fn a_backup_comes_back_and_an_unchanged_one_asks_little() {
    if !gateway::is_here() {
        return;
    }
    let bench = Bench::new();
    bench.source(40);
    let (repo, _) = bench.repo();
    let first = bench.backup(&repo, "s-1").unwrap();
    bench.is_whole(&repo, &first);
    let (repo, record) = bench.repo();
    let before: u64 = record.tallies().values().map(|tally| tally.calls).sum();
    let second = bench.backup(&repo, "s-2").unwrap();
    let asked: u64 = record.tallies().values().map(|tally| tally.calls).sum::<u64>() - before;
    assert_eq!(second.figures.files_opened, 0);
    assert_eq!(second.committed.written.blobs_added, 0);
    assert!(asked <= 15, "{asked} requests: {:?}", record.tallies());
    bench.is_whole(&repo, &second);
}

/// The network goes in the middle of an upload, in each way that networks go.
#[test]
fn an_upload_outlives_the_network() {
    if !gateway::is_here() {
        return;
    }
    for (weather, seconds) in [
        (Weather::Cut, 8),
        (Weather::Stalled, 3),
        (Weather::HalfClosed, 3),
        (Weather::Busy, 5),
        (Weather::Throttled(4 << 20), 2),
    ] {
        let bench = Bench::new();
        bench.source(96);
        let (repo, _) = bench.repo();
        let done = std::thread::scope(|scope| {
            let running = scope.spawn(|| bench.backup(&repo, "s-1"));
            while bench.proxy.bytes_up() < 24 << 20 {
                std::thread::sleep(Duration::from_millis(5));
            }
            bench.proxy.set(weather);
            std::thread::sleep(Duration::from_secs(seconds));
            bench.proxy.set(Weather::Fair);
            running.join().unwrap()
        });
        let done = done.unwrap_or_else(|error| panic!("{weather:?}: {error}"));
        bench.is_whole(&repo, &done);
        let stored = done.committed.written.bytes_stored;
        let packs = done.committed.written.packs.len() as u64;
        assert!(packs > 4 && stored > 90 << 20, "{packs} packs of {stored} bytes");
        // Four packs were on their way, and each of them may have been almost there.
        assert!(
            bench.proxy.bytes_up() < stored + (6 << 24),
            "{weather:?}: {} bytes were sent",
            bench.proxy.bytes_up()
        );
    }
}

/// A server that is ended and started again while a backup runs.
#[test]
fn an_upload_outlives_the_server() {
    if !gateway::is_here() {
        return;
    }
    let mut bench = Bench::new();
    bench.source(64);
    let (repo, _) = bench.repo();
    let (source, proxy) = (bench.dir.path().join("source"), &bench.proxy);
    let gateway = &mut bench.gateway;
    let done = std::thread::scope(|scope| {
        let running = scope.spawn(|| repo::backup(&repo, &job(&source, "s-1"), &environment()));
        while proxy.bytes_up() < 20 << 20 {
            std::thread::sleep(Duration::from_millis(5));
        }
        gateway.stop().unwrap();
        std::thread::sleep(Duration::from_secs(6));
        gateway.start_again().unwrap();
        running.join().unwrap()
    });
    bench.is_whole(&repo, &done.unwrap());
}

#[test]
fn what_is_wrong_with_a_server_has_its_own_error() {
    if !gateway::is_here() {
        return;
    }
    let bench = Bench::new();
    let listed = |url: &str, secret: &str| {
        open_url_with(url, &gateway::access_with(secret)).unwrap().list("").unwrap_err()
    };
    let url = bench.gateway.url("p");
    let denied = listed(&url, "another secret");
    assert!(matches!(denied, StoreError::Denied { .. }), "{denied:?}");
    let elsewhere = url.replace("s3://bucket/", "s3://nowhere/");
    let gone = listed(&elsewhere, gateway::SECRET);
    assert!(matches!(gone, StoreError::NoBucket { .. }), "{gone:?}");
    let silent = gateway::url("http", gateway::free().unwrap(), "p");
    let unreachable = listed(&silent, gateway::SECRET);
    assert!(matches!(unreachable, StoreError::Unavailable { .. }), "{unreachable:?}");
    bench.proxy.set(Weather::Busy);
    let busy = bench.store().list("").unwrap_err();
    assert!(!busy.permanent() && busy.to_string().contains("SlowDown (503)"), "{busy}");
    for error in [denied, gone, unreachable, busy] {
        assert!(!error.to_string().contains(gateway::SECRET));
    }
}

#[test]
fn a_server_whose_disk_is_full_says_so_and_nothing_is_damaged() {
    if !gateway::is_here() || !privilege::is_root("a full disk below the server") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let _mounted = Mounted::new_ext4(&dir.path().join("image"), 48 << 20, &disk).unwrap();
    let gateway = Gateway::start(&disk.join("served")).unwrap();
    let store = open_url_with(&gateway.url("p"), &gateway::access()).unwrap();
    let full = (0..64)
        .find_map(|n| store.put_new(&format!("packs/00/{n}"), &noise(1 << 20, n)).err())
        .unwrap();
    assert!(matches!(full, StoreError::Full { .. }), "{full:?}");
    for row in store.list("").unwrap() {
        let number: u64 = row.key.rsplit('/').next().unwrap().parse().unwrap();
        assert_eq!(store.get(&row.key, 1 << 21).unwrap(), noise(1 << 20, number), "{}", row.key);
    }
}

#[test]
fn a_certificate_is_trusted_by_its_authority_or_not_at_all() {
    if !gateway::is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let (certificate, key) =
        (file("certificate.pem", certificate.pem()), file("key.pem", key.serialize_pem()));
    let gateway = Gateway::start_tls(&dir.path().join("served"), &certificate, &key).unwrap();
    let list = |more: &str| {
        let url = format!("{}{more}", gateway.url("p"));
        open_url_with(&url, &gateway::access()).unwrap().list("")
    };
    let strange = list("").unwrap_err();
    assert!(matches!(strange, StoreError::Unavailable { .. }), "{strange:?}");
    assert!(strange.to_string().to_lowercase().contains("certificate"), "{strange}");
    assert_eq!(list(&format!("&ca-file={}", certificate.display())).unwrap(), []);
    assert_eq!(list("&insecure-tls=yes").unwrap(), []);
}
