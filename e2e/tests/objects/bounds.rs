//! What a repository costs a server: requests, connections, sizes of objects.

use std::fs;

use holdfast_e2e::gateway::{self, Gateway};
use holdfast_e2e::proxy::Proxy;
use holdfast_e2e::tree::noise;
use holdfast_executor::store::{Tally, open_url};

use crate::bench::Bench;

/// The largest object that is ever put; `docs/adr/0009-objects-are-put-whole.md` rests on it.
const OBJECT_BYTES: u64 = 20 << 20;

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

/// What does not compress, in one file and in many, and many names.
#[test]
fn no_object_is_larger_than_one_put_should_be() {
    if !gateway::is_here() {
        return;
    }
    let bench = Bench::new();
    bench.source(60);
    let source = bench.dir.path().join("source");
    fs::write(source.join("large"), noise(150 << 20, 1_000)).unwrap();
    fs::create_dir(source.join("names")).unwrap();
    for number in 0..20_000 {
        let name = source.join(format!("names/one of many files of few bytes, {number}"));
        fs::write(name, format!("{number}")).unwrap();
    }
    let (repo, _) = bench.repo();
    let done = bench.backup(&repo, "s-1").unwrap();
    let sizes: Vec<_> = bench.store().list("").unwrap().iter().map(|row| row.size).collect();
    let largest = sizes.iter().max().copied().unwrap();
    assert!(largest <= OBJECT_BYTES, "{largest}");
    let stored: u64 = sizes.iter().sum();
    assert!(stored > 210 << 20 && done.committed.written.packs.len() < 20, "{sizes:?}");
}

/// The server refuses what is more than it takes at once. Whoever is told how much that is never hears of it, and
/// whoever is not gets through all the same.
#[test]
fn a_narrow_server_is_asked_no_more_at_once_than_the_url_allows() {
    if !gateway::is_here() {
        return;
    }
    for (most, is_told) in [(1, true), (3, true), (3, false)] {
        let mut bench = Bench::new();
        bench.gateway = Gateway::start_narrow(&bench.dir.path().join("served"), most).unwrap();
        bench.proxy = Proxy::start(bench.gateway.address()).unwrap();
        bench.source(64);
        let told = if is_told { format!("&max-connections={most}") } else { String::new() };
        let store = open_url(&format!("{}{told}", bench.url()), &gateway::access()).unwrap();
        let (repo, record) = bench.repo_in(store);
        let done = bench.backup(&repo, "s-1").unwrap();
        bench.is_whole(&repo, &done);
        // What is not there is an error as well, and is asked for when a repository is made.
        let puts = |((verb, _), tally): (&(&str, String), &Tally)| match *verb {
            "put" | "list" => tally.errors,
            _ => 0,
        };
        let errors: u64 = record.tallies().iter().map(puts).sum();
        assert!(!is_told || errors == 0, "{:?}", record.tallies());
    }
}
