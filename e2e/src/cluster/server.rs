//! An S3 server inside the cluster, a test's own: a Deployment, a Service with a name, and a disk.

use serde_json::{Value, json};

use super::{Namespace, Product, container, image, with};

/// Its name: of the Deployment and of the Service.
pub const SERVER: &str = "s3";
/// Where it listens.
pub const PORT: u16 = 7070;

const BUCKET: &str = "bucket";
const KEY: &str = "key-of-a-test";
const SECRET: &str = "secret-of-a-test";

/// What the server keeps its objects on.
#[derive(Clone, Copy)]
pub enum Disk {
    /// A volume that outlives the server's pod.
    Volume(&'static str),
    /// Memory, and so much of it: a small disk that is soon full.
    Memory(&'static str),
}

/// A server that runs.
pub struct Server<'a> {
    space: &'a Namespace,
}

impl<'a> Server<'a> {
    /// Starts one, with a bucket, and gives the namespace's jobs what opens it.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(space: &'a Namespace, disk: Disk) -> Self {
        let data = match disk {
            Disk::Volume(size) => {
                space.apply(&super::claim(SERVER, size));
                json!({ "persistentVolumeClaim": { "claimName": SERVER } })
            }
            Disk::Memory(size) => json!({ "emptyDir": { "medium": "Memory", "sizeLimit": size } }),
        };
        space.apply(&deployment(&data));
        space.apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": SERVER },
            "spec": { "selector": { "app": SERVER }, "ports": [{ "port": PORT }] },
        }));
        Product::grant_all(space, KEY, SECRET);
        let started = Self { space };
        started.space.ready(&["deployment", SERVER]);
        started
    }

    /// What opens it, with another secret.
    pub fn grant_wrong(&self, name: &str) {
        Product::grant(self.space, name, KEY, "another secret");
    }

    /// A prefix of the bucket, as pods find it by the name of the Service.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        self.url_at(&format!("{SERVER}.{}.svc:{PORT}", self.space.name()), prefix)
    }

    /// The same behind another address.
    #[must_use]
    pub fn url_at(&self, address: &str, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}?endpoint=http://{address}")
    }

    /// The address of the Service, which the node reaches as its pods do.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        let service = self.space.get(&["service", SERVER]).unwrap_or_default();
        let address = service["spec"]["clusterIP"].as_str().unwrap_or_default();
        std::net::SocketAddr::new(address.parse().unwrap_or_else(|_| panic!("{service}")), PORT)
    }

    /// Waits until an object below a folder of the repository has arrived, such as `packs` or `meta/index`.
    ///
    /// # Panics
    /// When none does.
    pub fn gets_one(&self, folder: &str) {
        super::wait_for(&format!("an object in {folder}"), super::PATIENCE, || {
            Ok(if self.count(folder) > 0 { Ok(()) } else { Err("none has arrived".to_owned()) })
        });
    }

    fn count(&self, folder: &str) -> usize {
        let look = format!("find /data/{BUCKET} -path '*/{folder}/*' -type f | wc -l");
        let said = self.space.call(&["exec", "deploy/s3", "-c", "main", "--", "sh", "-ec", &look]);
        let said = said.unwrap_or_else(|error| panic!("{error}"));
        said.trim().parse().unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// Takes it away: no pod, nobody who answers. Its disk stays.
    ///
    /// # Panics
    /// When it does not go.
    pub fn goes_away(&self) {
        self.scale(0);
        super::wait_for("the end of the server", super::PATIENCE, || {
            let pods = self.space.get(&["pods", "--selector", "app=s3"])?;
            let left = pods["items"].as_array().map_or(0, Vec::len);
            Ok(if left == 0 { Ok(()) } else { Err(format!("{left} pods")) })
        });
    }

    /// Starts it again over the same disk.
    ///
    /// # Panics
    /// When it does not come.
    pub fn comes_back(&self) {
        self.scale(1);
        self.space.ready(&["deployment", SERVER]);
    }

    fn scale(&self, replicas: usize) {
        let replicas = format!("--replicas={replicas}");
        self.space
            .call(&["scale", "deployment", SERVER, &replicas])
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The server, and beside it a shell that looks at its disk.
fn deployment(data: &Value) -> Value {
    let mounted = json!([{ "name": "data", "mountPath": "/data" }]);
    let look = with(container("sleep 86400"), "/volumeMounts", mounted.clone());
    let make = container(&format!("mkdir -p /data/{BUCKET}"));
    let make = with(with(make, "/name", json!("make")), "/volumeMounts", mounted.clone());
    let server = json!({
        "name": "server", "image": image("versitygw"),
        "args": ["--port", format!(":{PORT}"), "posix", "/data"],
        "env": [{ "name": "ROOT_ACCESS_KEY", "value": KEY }, { "name": "ROOT_SECRET_KEY", "value": SECRET }],
        "volumeMounts": mounted,
        "readinessProbe": { "tcpSocket": { "port": PORT }, "periodSeconds": 1 },
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": SERVER },
        "spec": {
            "replicas": 1, "strategy": { "type": "Recreate" },
            "selector": { "matchLabels": { "app": SERVER } },
            "template": {
                "metadata": { "labels": { "app": SERVER } },
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "initContainers": [make], "containers": [server, look],
                    "volumes": [with(data.clone(), "/name", json!("data"))],
                },
            },
        },
    })
}
