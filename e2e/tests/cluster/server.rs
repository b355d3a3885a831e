//! An S3 server that goes away, is busy, refuses, is not there, or is full.

use std::time::Duration;

use holdfast_e2e::cluster::{Disk, Namespace, Product, Server, variable, writer};
use holdfast_e2e::proxy::{Proxy, Weather};

/// How long the server is away.
const AWAY: Duration = Duration::from_secs(60);
/// How long it is busy.
const BUSY: Duration = Duration::from_secs(30);

/// A pod with a volume of so many files of 1,500,000 bytes that do not compress.
fn source(space: &Namespace, files: usize) {
    let write = format!("for n in $(seq {files}); do head -c 1500000 /dev/urandom >$n; done");
    space.apply(&writer(1, "256Mi", &write));
    space.ready(&["statefulset", "web"]);
}

/// A backup that takes most of a minute by itself. Returns when the first of its packs has arrived.
fn begin(space: &Namespace, server: &Server, url: &str) -> Product {
    let slow = Product::at(&format!("{url}&upload-rate=2MiB")).volume("data-web-0", true);
    slow.run(space, "init", &["init"]);
    space.apply(&slow.job("backup", &["backup", "/data"]));
    server.gets_one("packs");
    slow
}

fn still_runs(space: &Namespace) {
    let pod = space.pod_of("backup").unwrap().unwrap_or_default();
    let state = &pod["status"]["containerStatuses"][0]["state"];
    assert!(state.get("running").is_some(), "it should wait: {pod}");
}

fn ends_whole(space: &Namespace, product: &Product) {
    let ended = space.ended("backup");
    assert_eq!(ended.code, 0, "{ended:?}");
    let report = product.run(space, "check", &["check", "--read-data"]);
    assert_eq!(report["clean"], true, "{report}");
}

#[test]
fn an_upload_waits_for_a_server_that_is_away() {
    let space = Namespace::new("away");
    let server = Server::start(&space, Disk::Volume("512Mi"));
    source(&space, 60);
    let product = begin(&space, &server, &server.url("p"));
    server.goes_away();
    still_runs(&space);
    std::thread::sleep(AWAY);
    still_runs(&space);
    server.comes_back();
    ends_whole(&space, &product);
}

#[test]
fn an_upload_waits_for_a_server_that_is_busy() {
    let space = Namespace::new("busy");
    let server = Server::start(&space, Disk::Volume("512Mi"));
    source(&space, 60);
    let node = variable("HOLDFAST_E2E_NODE_ADDRESS").parse().unwrap();
    let proxy = Proxy::start_at(node, server.address()).unwrap();
    let url = server.url_at(&proxy.address().to_string(), "p");
    let product = begin(&space, &server, &url);
    proxy.set(Weather::Busy);
    std::thread::sleep(BUSY);
    still_runs(&space);
    proxy.set(Weather::Fair);
    ends_whole(&space, &product);
}

/// Each way in which a server can be of no use has an exit code and a message of its own, and nothing is lost.
#[test]
fn what_is_wrong_with_a_server_is_told_by_exit_codes() {
    let space = Namespace::new("wrong");
    let server = Server::start(&space, Disk::Memory("48Mi"));
    source(&space, 4);
    server.grant_wrong("wrong");
    let good = Product::at(&server.url("p")).volume("data-web-0", true);
    let nowhere = Product::at(&server.url("p").replace("s3://bucket", "s3://nowhere"));
    let silent = Product::at(&server.url_at("s3.invalid:7070", "p"));
    let backup = ["backup", "/data"];
    let first = good.run(&space, "first", &["backup", "/data", "--init"]);
    let ends = |name: &str, product: &Product, code: i64, words: &[&str]| {
        space.apply(&product.clone().volume("data-web-0", true).job(name, &backup));
        let ended = space.ended(name);
        assert_eq!(ended.code, code, "{name}: {ended:?}");
        assert!(words.iter().all(|word| ended.log.contains(word)), "{name}: {ended:?}");
        assert!(!ended.log.contains("another secret"), "{ended:?}");
    };
    ends("secret", &good.clone().secret("wrong"), 24, &["SignatureDoesNotMatch (403)"]);
    ends("bucket", &nowhere, 29, &["nowhere"]);
    ends("silent", &silent, 25, &["s3.invalid"]);
    space
        .in_pod("web-0", "for n in $(seq 60); do head -c 1000000 /dev/urandom >/data/more-$n; done")
        .unwrap();
    ends("full", &good, 23, &["full"]);
    let clean = good.run(&space, "check", &["check", "--read-data"]);
    assert_eq!(clean["clean"], true, "{clean}");
    let kept = good.run(&space, "snapshots", &["snapshots"]);
    assert_eq!(kept.as_array().unwrap().len(), 1, "{kept} after {first}");
}
