//! Repositories in a real S3 server: what a store has to do, and what networks and servers do to it.
#![allow(clippy::unwrap_used)] // functions of a test file that are no tests themselves

mod bench;
mod bounds;
mod identity;
mod network;

use std::fs;

use bench::Bench;
use holdfast_e2e::gateway::{self, Gateway};
use holdfast_e2e::mounted::Mounted;
use holdfast_e2e::privilege;
use holdfast_e2e::proxy::Weather;
use holdfast_e2e::tree::noise;
use holdfast_executor::store::{PutOutcome, StoreError, conformance, open_url};

#[test]
fn a_server_is_a_store_like_any() {
    if !gateway::is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path()).unwrap();
    for prefix in ["", "a/prefix"] {
        conformance::check(&*open_url(&gateway.url(prefix), &gateway::access()).unwrap());
        fs::remove_dir_all(dir.path().join(gateway::BUCKET)).unwrap();
        fs::create_dir(dir.path().join(gateway::BUCKET)).unwrap();
    }
    let one = format!("{}&max-connections=1&upload-rate=1GiB", gateway.url("narrow"));
    conformance::check(&*open_url(&one, &gateway::access()).unwrap());
}

#[test]
fn without_conditional_writes_one_of_many_still_wins() {
    if !gateway::is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path()).unwrap();
    let url = format!("{}&conditional=no", gateway.url("p"));
    let store = open_url(&url, &gateway::access()).unwrap();
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
fn what_is_wrong_with_a_server_has_its_own_error() {
    if !gateway::is_here() {
        return;
    }
    let bench = Bench::new();
    let listed = |url: &str, secret: &str| {
        open_url(url, &gateway::access_with(secret)).unwrap().list("").unwrap_err()
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
    let store = open_url(&gateway.url("p"), &gateway::access()).unwrap();
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
        open_url(&url, &gateway::access()).unwrap().list("")
    };
    let strange = list("").unwrap_err();
    assert!(matches!(strange, StoreError::Unavailable { .. }), "{strange:?}");
    assert!(strange.to_string().to_lowercase().contains("certificate"), "{strange}");
    assert_eq!(list(&format!("&ca-file={}", certificate.display())).unwrap(), []);
    assert_eq!(list("&insecure-tls=yes").unwrap(), []);
}
