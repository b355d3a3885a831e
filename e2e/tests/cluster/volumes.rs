//! Volumes of pods, backed up by jobs into an S3 server of the cluster.

use holdfast_e2e::cluster::{Disk, Namespace, Product, Server, claim, headless, writer};
use serde_json::Value;

const REPLICAS: usize = 3;
const SIZE: &str = "64Mi";

/// What each pod writes: owners, modes, links, an empty directory, and a file that does not compress.
const WRITE: &str = "mkdir -p d/empty d/e; echo $HOSTNAME >d/name; head -c 3000000 /dev/urandom >d/e/noise; \
                     chown 1000:2000 d/name; chmod 640 d/name; chmod 2750 d/e; ln -s ../name d/e/link; \
                     ln d/name d/hard";

/// All that can be seen of a volume, but for what its file system puts at its top.
const LOOK: &str = "cd /data; find . -path ./lost+found -prune -o -exec stat -c '%n %u %g %a %h %F' {} + | sort; \
                    find . -type f -exec sha256sum {} + | sort; readlink d/e/link";

/// What is done to all pods' volumes: a job for each, on the node of its pod.
struct Fleet<'a> {
    space: &'a Namespace,
    server: &'a Server<'a>,
    node: String,
}

impl Fleet<'_> {
    /// Runs a verb for each pod at once, and gives what each reported.
    fn each(&self, what: &str, read_only: bool, verb: &[&str]) -> Vec<Value> {
        let name = |pod: usize| format!("{what}-{pod}");
        for pod in 0..REPLICAS {
            let product = Product::at(&self.server.url(&pod.to_string()));
            let product = product.volume(&format!("data-web-{pod}"), read_only).node(&self.node);
            self.space.apply(&product.job(&name(pod), verb));
        }
        let done = |pod: usize| {
            let ended = self.space.ended(&name(pod));
            assert_eq!(ended.code, 0, "{ended:?}");
            ended.report()
        };
        (0..REPLICAS).map(done).collect()
    }
}

fn looks(space: &Namespace) -> Vec<String> {
    (0..REPLICAS).map(|pod| space.in_pod(&format!("web-{pod}"), LOOK).unwrap()).collect()
}

#[test]
fn volumes_of_a_stateful_set_are_destroyed_and_come_back() {
    let space = Namespace::new("volumes");
    let server = Server::start(&space, Disk::Volume("256Mi"));
    space.apply(&headless("web"));
    space.apply(&writer(REPLICAS, SIZE, WRITE));
    space.ready(&["statefulset", "web"]);
    let node =
        space.get(&["pod", "web-0"]).unwrap()["spec"]["nodeName"].as_str().unwrap().to_owned();
    let fleet = Fleet { space: &space, server: &server, node };
    let before = looks(&space);
    fleet.each("first", true, &["backup", "/data", "--init"]);
    for report in fleet.each("second", true, &["backup", "/data"]) {
        let figures = &report["repositories"][0]["figures"]["backup"];
        assert_eq!(figures["filesOpened"], 0, "{report}");
    }
    space.delete(&["statefulset", "web", "--cascade=foreground"]);
    space.delete(&["jobs", "--all"]);
    for pod in 0..REPLICAS {
        let name = format!("data-web-{pod}");
        space.delete(&["pvc", &name]);
        space.apply(&claim(&name, SIZE));
    }
    let restore = ["restore", "latest:/data", "--target", "/data", "--privileged"];
    fleet.each("restore", false, &restore);
    fleet.each("check", true, &["check", "--read-data"]);
    space.apply(&writer(REPLICAS, SIZE, WRITE));
    space.ready(&["statefulset", "web"]);
    assert_eq!(looks(&space), before);
}
