//! The pod of a backup is killed, by whoever and by its memory limit.

use std::time::Duration;

use holdfast_e2e::cluster::{Disk, Namespace, Product, Server, kill, writer};
use serde_json::Value;

/// So many files of 1,500,000 bytes that do not compress.
const FILES: usize = 110;
const SOURCE_BYTES: u64 = 1_500_000 * FILES as u64;

/// How an end by the kernel looks.
const KILLED: i64 = 137;

/// A pod with a volume full of noise, and a repository in the cluster.
fn ground<'a>(space: &'a Namespace) -> (Server<'a>, Product) {
    let server = Server::start(space, Disk::Volume("1Gi"));
    let write = format!("for n in $(seq {FILES}); do head -c 1500000 /dev/urandom >$n; done");
    space.apply(&writer(1, "256Mi", &write));
    space.ready(&["statefulset", "web"]);
    let pod = space.get(&["pod", "web-0"]).unwrap();
    let node = pod["spec"]["nodeName"].as_str().unwrap();
    let product = Product::at(&server.url("p")).volume("data-web-0", true).node(node);
    product.run(space, "init", &["init"]);
    (server, product)
}

fn is_clean(space: &Namespace, product: &Product, name: &str) {
    let report = product.run(space, name, &["check", "--read-data"]);
    assert_eq!(report["clean"], true, "{report}");
}

/// Backs up to the end. What came of it has to be all that was there.
fn ends_whole(space: &Namespace, product: &Product) -> Value {
    let report = product.run(space, "last", &["backup", "/data"]);
    is_clean(space, product, "check-last");
    let again = product.run(space, "again", &["backup", "/data"]);
    let figures = &again["repositories"][0]["figures"]["backup"];
    assert_eq!(figures["dataBlobsNew"], 0, "{again}");
    report
}

/// A backup that is so slow that it can be killed wherever one likes.
struct Slow<'a> {
    space: &'a Namespace,
    product: &'a Product,
    slow: Product,
}

impl<'a> Slow<'a> {
    fn new(space: &'a Namespace, server: &Server, product: &'a Product) -> Self {
        let slow = Product::at(&format!("{}&upload-rate=1MiB", server.url("p")));
        Self { space, product, slow: slow.volume("data-web-0", true) }
    }

    /// It is killed at this moment. Whatever it has left is clean.
    fn dies(&self, name: &str, moment: impl FnOnce()) {
        self.space.apply(&self.slow.job(name, &["backup", "/data"]));
        let pod = self.space.running(name);
        moment();
        assert!(kill(&pod).unwrap(), "it had ended by itself: {:?}", self.space.ended(name));
        let ended = self.space.ended(name);
        assert_eq!(ended.code, KILLED, "{ended:?}");
        is_clean(self.space, self.product, &format!("check-{name}"));
    }
}

/// SIGKILL again and again, before anything names what has arrived.
#[test]
fn a_backup_that_is_killed_again_and_again_ends_whole() {
    let space = Namespace::new("killed");
    let (server, product) = ground(&space);
    let slow = Slow::new(&space, &server, &product);
    slow.dies("at-once", || ());
    slow.dies("opening", || std::thread::sleep(Duration::from_millis(300)));
    slow.dies("reading", || std::thread::sleep(Duration::from_secs(3)));
    slow.dies("first-packs", || server.gets_one("packs"));
    ends_whole(&space, &product);
}

/// SIGKILL once an index has arrived. The packs that it names are not sent again.
#[test]
fn what_an_index_names_is_not_sent_again() {
    let space = Namespace::new("indexed");
    let (server, product) = ground(&space);
    // An index is written once a minute: by then so many packs have arrived, and more than that have not.
    Slow::new(&space, &server, &product).dies("first-index", || server.gets_one("meta/index"));
    let report = ends_whole(&space, &product);
    let sent = report["repositories"][0]["figures"]["backup"]["bytesAdded"].as_u64().unwrap();
    assert!(sent < SOURCE_BYTES - (32 << 20), "{sent} bytes were sent again: {report}");
}

/// How many processes the kernel has killed for want of memory since the machine started. The pod's reason
/// cannot be asked: the runtime writes `Error` where the container's end overtakes the kernel's word (containerd
/// issue 8180).
fn killed_for_memory() -> u64 {
    let counters = std::fs::read_to_string("/proc/vmstat").unwrap();
    let count = counters.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.parse().ok()).expect("the kernel counts such ends")
}

/// The memory limit does it: below what opening takes, and at several places above.
#[test]
fn a_backup_that_runs_out_of_memory_leaves_nothing_behind() {
    let space = Namespace::new("memory");
    let (_server, product) = ground(&space);
    for limit in ["12Mi", "40Mi", "70Mi", "76Mi", "84Mi"] {
        let name = format!("memory-{}", limit.to_lowercase());
        let before = killed_for_memory();
        space.apply(
            &product.clone().memory(limit).job(&name, &["backup", "/data", "--workers", "8"]),
        );
        let ended = space.ended(&name);
        assert_eq!(ended.code, KILLED, "{limit} is enough for it: {ended:?}");
        assert!(killed_for_memory() > before, "it was not the limit of {limit}: {ended:?}");
        is_clean(&space, &product, &format!("check-{name}"));
    }
    ends_whole(&space, &product);
}
