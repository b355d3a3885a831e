//! What networks and servers do while an upload runs.

use std::time::Duration;

use holdfast_e2e::gateway;
use holdfast_e2e::proxy::Weather;
use holdfast_executor::repo;

use crate::bench::{Bench, environment, is_clean};

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
        (Weather::Distant(Duration::from_millis(200)), 2),
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
    let (job, proxy) = (bench.job("s-1"), &bench.proxy);
    let gateway = &mut bench.gateway;
    let done = std::thread::scope(|scope| {
        let running = scope.spawn(|| repo::backup(&repo, &job, &environment()));
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

/// A connection over which nothing comes is given up after half a minute, and what was on it is sent again.
#[test]
fn an_upload_outlives_a_silence_that_is_longer_than_a_connection_may_keep() {
    if !gateway::is_here() {
        return;
    }
    let bench = Bench::new();
    bench.source(64);
    let (repo, _) = bench.repo();
    let done = std::thread::scope(|scope| {
        let running = scope.spawn(|| bench.backup(&repo, "s-1"));
        while bench.proxy.bytes_up() < 20 << 20 {
            std::thread::sleep(Duration::from_millis(5));
        }
        bench.proxy.set(Weather::Stalled);
        std::thread::sleep(Duration::from_secs(40));
        bench.proxy.set(Weather::Fair);
        running.join().unwrap()
    });
    bench.is_whole(&repo, &done.unwrap());
}

/// The server is away for longer than an address may be wrong, from the first request on that each verb makes.
#[test]
fn every_verb_waits_for_a_server_that_has_answered_once() {
    if !gateway::is_here() {
        return;
    }
    type Verb = fn(&Bench, &repo::Repo<repo::Open>, &repo::Backed);
    let verbs: [Verb; 3] = [
        |bench, repo, _| drop(bench.backup(repo, "s-2").unwrap()),
        |bench, repo, done| bench.comes_back(repo, done),
        |_, repo, _| is_clean(repo),
    ];
    std::thread::scope(|scope| {
        for weather in [Weather::Cut, Weather::Busy] {
            for verb in verbs {
                scope.spawn(move || {
                    let bench = Bench::new();
                    bench.source(4);
                    let done = bench.backup(&bench.repo().0, "s-1").unwrap();
                    let (repo, _) = bench.repo();
                    bench.proxy.set(weather);
                    std::thread::scope(|scope| {
                        scope.spawn(|| {
                            std::thread::sleep(Duration::from_secs(20));
                            bench.proxy.set(Weather::Fair);
                        });
                        verb(&bench, &repo, &done);
                    });
                });
            }
        }
    });
}
