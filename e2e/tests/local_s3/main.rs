//! The operator without a cluster with its storages in buckets: keys, authorities and troubles of each are its own.
#![allow(clippy::unwrap_used)] // functions of a test file that are no tests themselves

mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use holdfast_e2e::gateway::{self, Gateway};
use holdfast_e2e::proxy::{Proxy, Weather};
use holdfast_e2e::tree::noise;
use world::{Bucket, CONFIGURATIONS, REPOSITORIES, SESSIONS, SNAPSHOTS, STORAGES, World};

/// A secret that only one of two servers knows.
const OTHER_SECRET: &str = "the-secret-of-the-other";

/// Held by those who share the machine, and alone by the test of a bound of one second.
static MACHINE: RwLock<()> = RwLock::new(());

const SOON: Duration = Duration::from_secs(60);

/// A server of its own for each name, below a directory.
fn served(dir: &Path, name: &str) -> Gateway {
    Gateway::start(&dir.join(name)).unwrap()
}

fn restore(world: &World, repository: &str) {
    let snapshot = world.names(SNAPSHOTS).into_iter().find(|name| name.starts_with(repository));
    let snapshot = snapshot.unwrap();
    world.put(
        &format!("restore-{repository}.yaml"),
        &format!(
            "apiVersion: core.kubestash.com/v1alpha1\nkind: RestoreSession\n\
             metadata: {{name: from-{repository}, namespace: demo}}\nspec:\n  \
             target: {{apiGroup: apps, kind: Deployment, name: other, namespace: demo}}\n  \
             dataSource: {{snapshot: {snapshot}, encryptionSecret: {{name: passphrase, namespace: demo}}}}\n  \
             addon: {{name: workload-addon, tasks: [{{name: logical-backup-restore}}]}}\n"
        ),
    );
}

fn assert_restored(world: &World, content: &[u8]) {
    let target = world.path("target/file");
    assert!(fs::read(&target).unwrap() == content, "what was restored is what was there");
    fs::remove_file(target).unwrap();
}

#[test]
fn one_session_writes_to_two_buckets_with_keys_and_authorities_of_their_own() {
    if !gateway::is_here() {
        return;
    }
    let _turn = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let mut plain = served(dir.path(), "plain");
    let (certificate, key) = certificate(dir.path());
    let mut private = Gateway::start_tls(&dir.path().join("private"), &certificate, &key).unwrap();
    private.change_secret(OTHER_SECRET).unwrap();
    let world = World::new();
    let content = noise(3 << 20, 1);
    fs::write(world.path("source/file"), &content).unwrap();
    world.storage(&Bucket::at("plain", plain.address(), gateway::SECRET));
    world.storage(&Bucket {
        endpoint: format!("https://localhost:{}", private.address().port()),
        authority: Some(fs::read_to_string(&certificate).unwrap()),
        ..Bucket::at("private", private.address(), OTHER_SECRET)
    });
    world.configuration("app", &["plain", "private"]);
    let (fine, said) = world.once();
    assert!(fine, "{said}");
    assert!(!said.contains(gateway::SECRET) && !said.contains(OTHER_SECRET));
    for name in ["plain", "private"] {
        let bucket = dir.path().join(name).join(gateway::BUCKET).join(name);
        assert!(bucket.join("metadata.yaml").exists());
        assert!(bucket.join("demo/app/repository.yaml").exists());
        assert!(bucket.join("demo/app/holdfast/v1/config").exists());
        assert_eq!(fs::read_dir(bucket.join("demo/app/snapshots")).unwrap().count(), 1);
        restore(&world, &format!("app-{name}"));
        let (fine, said) = world.once();
        assert!(fine, "{said}");
        assert_restored(&world, &content);
    }
    // One of them is down: what the other one gets is whole, and the session says which one it is.
    private.stop().unwrap();
    world.session("by-hand", "app");
    let (fine, said) = world.once();
    assert!(!fine, "{said}");
    assert_eq!(world.phase(SESSIONS, "by-hand"), "Failed", "{said}");
    let phases: Vec<String> = ["plain", "private"]
        .map(|name| world.phase(SNAPSHOTS, &format!("app-{name}-by-hand")))
        .into();
    assert_eq!(phases, ["Succeeded", "Failed"], "{said}");
    plain.stop().unwrap();
}

#[test]
fn keys_that_are_rotated_while_the_operator_runs_are_used_from_then_on() {
    if !gateway::is_here() {
        return;
    }
    let _turn = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = served(dir.path(), "store");
    let world = World::new();
    fs::write(world.path("source/file"), noise(1 << 20, 2)).unwrap();
    world.storage(&Bucket::at("store", gateway.address(), gateway::SECRET));
    world.configuration("app", &["store"]);
    let _operator = world.follow();
    let snapshots = |world: &World| {
        let names = world.names(SNAPSHOTS);
        names.iter().filter(|name| world.phase(SNAPSHOTS, name) == "Succeeded").count()
    };
    world.until("the first backup", SOON, |world| snapshots(world) == 1);
    gateway.change_secret(OTHER_SECRET).unwrap();
    world.session("with-old-keys", "app");
    world.until("a session that fails", SOON, |world| {
        world.phase(SESSIONS, "with-old-keys") == "Failed"
    });
    world.storage(&Bucket::at("store", gateway.address(), OTHER_SECRET));
    world.until("a storage with new keys", SOON, |world| {
        world.phase(STORAGES, "store") == "Ready"
            && world.phase(REPOSITORIES, "app-store") == "Ready"
    });
    world.session("with-new-keys", "app");
    world.until("a session with new keys", SOON, |world| {
        world.phase(SESSIONS, "with-new-keys") == "Succeeded"
    });
}

#[test]
fn a_storage_without_a_secret_borrows_nothing_from_the_operator() {
    if !gateway::is_here() {
        return;
    }
    let _turn = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let gateway = served(dir.path(), "store");
    let own = [
        ("AWS_ACCESS_KEY_ID", gateway::KEY),
        ("AWS_SECRET_ACCESS_KEY", gateway::SECRET),
        ("AWS_REGION", "us-east-1"),
    ];
    let world = World::new().with_environment(&own);
    fs::write(world.path("source/file"), b"content").unwrap();
    world.storage(&Bucket {
        secret: None,
        ..Bucket::at("store", gateway.address(), gateway::SECRET)
    });
    world.storage(&Bucket::at("wrong", gateway.address(), "not-the-secret"));
    world.configuration("app", &["store"]);
    let (fine, said) = world.once();
    assert!(!fine, "{said}");
    assert_eq!(world.phase(STORAGES, "store"), "NotReady");
    let status = world.status(STORAGES, "store");
    assert!(status.contains("secretName"), "{status}");
    assert_eq!(world.phase(STORAGES, "wrong"), "NotReady");
    let bucket = dir.path().join("store").join(gateway::BUCKET);
    assert_eq!(fs::read_dir(bucket).unwrap().count(), 0, "nothing was written");
}

/// Of 24 storages 20 answer nothing; their connections stay open.
#[test]
fn storages_that_hang_do_not_keep_the_others_waiting() {
    if !gateway::is_here() {
        return;
    }
    let _turn = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let gateway = served(dir.path(), "store");
    let silent = Proxy::start(gateway.address()).unwrap();
    silent.set(Weather::Stalled);
    let world = World::new();
    fs::write(world.path("source/file"), noise(1 << 20, 3)).unwrap();
    let hanging: Vec<String> = (0..20).map(|number| format!("hang{number:02}")).collect();
    for name in &hanging {
        world.storage(&Bucket::at(name, silent.address(), gateway::SECRET));
        world.configuration(&format!("on-{name}"), &[name]);
    }
    let fine = ["alpha", "middle", "omega", "zeta"];
    for name in fine {
        world.storage(&Bucket::at(name, gateway.address(), gateway::SECRET));
        world.configuration(&format!("on-{name}"), &[name]);
    }
    let _operator = world.follow();
    let began = world.until("the four begin", Duration::from_secs(90), |world| {
        let names = world.names(SNAPSHOTS);
        fine.iter()
            .all(|name| names.iter().any(|known| known.starts_with(&format!("on-{name}-{name}-"))))
    });
    println!("the four began within {began:?} of the start");
    for round in 0..2 {
        for name in fine {
            let session = format!("again-{name}-{round}");
            world.session(&session, &format!("on-{name}"));
            world.until("it begins", Duration::from_secs(10), |world| {
                !matches!(world.phase(SESSIONS, &session).as_str(), "" | "Pending")
            });
        }
        std::thread::sleep(Duration::from_secs(5));
    }
    for name in &hanging {
        assert_ne!(world.phase(STORAGES, name), "Ready");
    }
}

/// Opening a repository never ends: its session fails by its own, and those of others go on.
#[test]
fn a_repository_whose_opening_hangs_hurts_nobody_else() {
    if !gateway::is_here() {
        return;
    }
    let _turn = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let gateway = served(dir.path(), "store");
    let proxy = Proxy::start(gateway.address()).unwrap();
    let world = World::new();
    fs::write(world.path("source/file"), noise(1 << 20, 4)).unwrap();
    world.storage(&Bucket::at("slow", proxy.address(), gateway::SECRET));
    world.storage(&Bucket::at("fine", gateway.address(), gateway::SECRET));
    world.configuration("on-slow", &["slow"]);
    world.configuration("on-fine", &["fine"]);
    let _operator = world.follow();
    let done = |world: &World, configuration: &str| {
        let names = world.names(SNAPSHOTS);
        let own = names.iter().filter(|name| name.starts_with(configuration));
        own.filter(|name| world.phase(SNAPSHOTS, name) == "Succeeded").count()
    };
    world.until("first backups", SOON, |w| done(w, "on-slow") == 1 && done(w, "on-fine") == 1);
    proxy.set(Weather::Stalled);
    world.session("hangs", "on-slow");
    world.session("goes-on", "on-fine");
    world.until("the other session", Duration::from_secs(30), |world| {
        world.phase(SESSIONS, "goes-on") == "Succeeded"
    });
    assert_eq!(world.phase(CONFIGURATIONS, "on-fine"), "Ready");
    proxy.set(Weather::Fair);
    world.until("the session that hung", Duration::from_secs(180), |world| {
        matches!(world.phase(SESSIONS, "hangs").as_str(), "Succeeded" | "Failed")
    });
}

/// Children of an operator that are at a task of a storage.
fn children(of: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        if parent == Some(&of.to_string()) && String::from_utf8_lossy(&line).contains("--task") {
            found.push(pid);
        }
    }
    found
}

/// A process that has ended and that nobody has taken note of yet is still listed.
fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    matches!(state, None | Some("Z" | "X"))
}

#[test]
fn a_child_does_not_outlive_its_operator() {
    if !gateway::is_here() {
        return;
    }
    let _turn = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let gateway = served(dir.path(), "store");
    let proxy = Proxy::start(gateway.address()).unwrap();
    let world = World::new();
    fs::write(world.path("source/file"), noise(1 << 20, 5)).unwrap();
    world.storage(&Bucket::at("store", proxy.address(), gateway::SECRET));
    world.configuration("app", &["store"]);
    let (fine, said) = world.once();
    assert!(fine, "{said}");
    let mut operator = world.follow();
    world.until("it runs", SOON, |world| world.phase(CONFIGURATIONS, "app") == "Ready");
    std::thread::sleep(Duration::from_secs(2));
    // The wipe of its repository gets no answer.
    proxy.set(Weather::Stalled);
    fs::remove_file(world.path("manifests/configuration-app.yaml")).unwrap();
    world.until("a child wipes", SOON, |_| !children(operator.id()).is_empty());
    let wiping = children(operator.id());
    operator.kill();
    world.until("the child is gone", Duration::from_secs(1), |_| {
        wiping.iter().all(|pid| has_ended(*pid))
    });
    // The next operator goes on with it.
    proxy.set(Weather::Fair);
    let _operator = world.follow();
    let data = dir.path().join("store").join(gateway::BUCKET).join("store/demo/app");
    world.until("the wipe ends", SOON, |_| !data.join("holdfast/v1/config").exists());
}

/// A certificate for `localhost` that is its own authority, and its key.
fn certificate(dir: &Path) -> (PathBuf, PathBuf) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let file = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    (file("certificate.pem", certificate.pem()), file("key.pem", key.serialize_pem()))
}
