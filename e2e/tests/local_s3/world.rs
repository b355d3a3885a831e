//! An operator without a cluster whose storages are buckets.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use holdfast_e2e::gateway;
use holdfast_e2e::operator::binary;

/// What opens every repository here.
pub const PASSPHRASE: &str = "correct horse";

/// A storage in a bucket, as its manifests say it.
pub struct Bucket<'a> {
    pub name: &'a str,
    pub endpoint: String,
    pub prefix: &'a str,
    /// The secret half of its keys; without one it names no Secret.
    pub secret: Option<&'a str>,
    /// Certificates of the authority that its server's one is from.
    pub authority: Option<String>,
}

impl<'a> Bucket<'a> {
    /// At a server without TLS.
    pub fn at(name: &'a str, address: SocketAddr, secret: &'a str) -> Self {
        let endpoint = format!("http://{address}");
        Self { name, endpoint, prefix: name, secret: Some(secret), authority: None }
    }
}

/// Manifests, a source and a state.
pub struct World {
    dir: tempfile::TempDir,
    program: PathBuf,
    /// What the operator's process has in its environment.
    environment: Vec<(String, String)>,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = Self { dir, program: binary(env!("CARGO")).unwrap(), environment: Vec::new() };
        for folder in ["manifests", "source", "target"] {
            fs::create_dir(world.path(folder)).unwrap();
        }
        world.put("base.yaml", &base(&world.path("source"), &world.path("target")));
        world
    }

    /// The same whose operator has variables.
    pub fn with_environment(mut self, variables: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.environment = variables.iter().map(own).collect();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a manifest.
    pub fn put(&self, name: &str, text: &str) {
        let path = self.path("manifests").join(name);
        let aside = self.path("aside");
        fs::write(&aside, text).unwrap();
        fs::rename(aside, path).unwrap();
    }

    /// Declares a storage with its Secret.
    pub fn storage(&self, bucket: &Bucket<'_>) {
        self.put(&format!("storage-{}.yaml", bucket.name), &storage(bucket));
    }

    /// Declares what is backed up to these storages, in one session named `nightly`.
    pub fn configuration(&self, name: &str, storages: &[&str]) {
        self.put(&format!("configuration-{name}.yaml"), &configuration(name, storages));
    }

    /// Asks for a session.
    pub fn session(&self, name: &str, configuration: &str) {
        let text = format!(
            "apiVersion: core.kubestash.com/v1alpha1\nkind: BackupSession\n\
             metadata: {{name: {name}, namespace: demo}}\n\
             spec: {{invoker: {{apiGroup: core.kubestash.com, kind: BackupConfiguration, \
             name: {configuration}}}, session: nightly}}\n"
        );
        self.put(&format!("session-{name}.yaml"), &text);
    }

    fn operator(&self, once: bool) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("local").args(once.then_some("--once")).arg("-f").arg(self.path("manifests"));
        command.arg("--state").arg(self.path("state")).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null());
        command
    }

    /// Runs the operator until nothing is left to do; what it said, and whether all went well.
    pub fn once(&self) -> (bool, String) {
        let done = self.operator(true).output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Starts an operator that follows its manifests.
    pub fn follow(&self) -> Operator {
        let log = fs::File::create(self.path("said")).unwrap();
        let mut command = self.operator(false);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Operator(command.spawn().unwrap())
    }

    /// The published status of an object of `demo`, or nothing.
    pub fn status(&self, plural: &str, name: &str) -> String {
        let path = format!("state/status/demo/{plural}/{name}.yaml");
        let text = fs::read_to_string(self.path(&path)).unwrap_or_default();
        text.split_once("\nstatus:").map(|(_, status)| status.to_owned()).unwrap_or_default()
    }

    pub fn phase(&self, plural: &str, name: &str) -> String {
        let status = self.status(plural, name);
        let phase = status.lines().find_map(|line| line.strip_prefix("  phase: "));
        phase.unwrap_or_default().trim_matches('\'').to_owned()
    }

    /// Waits until something holds.
    pub fn until(&self, what: &str, limit: Duration, holds: impl Fn(&Self) -> bool) -> Duration {
        let began = Instant::now();
        while !holds(self) {
            let said = fs::read_to_string(self.path("said")).unwrap_or_default();
            assert!(began.elapsed() < limit, "{what}: not within {limit:?}\n{said}");
            std::thread::sleep(Duration::from_millis(50));
        }
        began.elapsed()
    }

    /// Names of all published objects of a kind.
    pub fn names(&self, plural: &str) -> Vec<String> {
        let folder = self.path(&format!("state/status/demo/{plural}"));
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().ok();
        let mut names: Vec<String> = entries.filter_map(name).collect();
        names.sort();
        names.iter().map(|name| name.trim_end_matches(".yaml").to_owned()).collect()
    }
}

/// An operator that is killed with its scope.
pub struct Operator(Child);

impl Operator {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It has ended already, or does now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub const STORAGES: &str = "backupstorages.storage.kubestash.com";
pub const REPOSITORIES: &str = "repositories.storage.kubestash.com";
pub const SNAPSHOTS: &str = "snapshots.storage.kubestash.com";
pub const CONFIGURATIONS: &str = "backupconfigurations.core.kubestash.com";
pub const SESSIONS: &str = "backupsessions.core.kubestash.com";

fn storage(bucket: &Bucket<'_>) -> String {
    let Bucket { name, endpoint, prefix, secret, authority } = bucket;
    let mut text = format!(
        "apiVersion: storage.kubestash.com/v1alpha1\nkind: BackupStorage\n\
         metadata: {{name: {name}, namespace: demo}}\nspec:\n  deletionPolicy: WipeOut\n  storage:\n    \
         provider: s3\n    s3:\n      bucket: {}\n      endpoint: {endpoint}\n      prefix: {prefix}\n",
        gateway::BUCKET
    );
    let Some(secret) = secret else { return text };
    text.push_str(&format!(
        "      secretName: {name}-keys\n---\napiVersion: v1\nkind: Secret\n\
         metadata: {{name: {name}-keys, namespace: demo}}\nstringData:\n  \
         AWS_ACCESS_KEY_ID: {}\n  AWS_SECRET_ACCESS_KEY: {secret}\n",
        gateway::KEY
    ));
    if let Some(authority) = authority {
        text.push_str("  CA_CERT_DATA: |\n");
        authority.lines().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    text
}

fn configuration(name: &str, storages: &[&str]) -> String {
    let backends: String = storages
        .iter()
        .map(|storage| {
            format!(
                "    - name: {storage}\n      storageRef: {{name: {storage}, namespace: demo}}\n      \
                 retentionPolicy: {{name: keep, namespace: demo}}\n"
            )
        })
        .collect();
    let repositories: String = storages
        .iter()
        .map(|storage| {
            format!(
                "        - name: {name}-{storage}\n          backend: {storage}\n          \
                 directory: /demo/{name}\n          deletionPolicy: WipeOut\n          \
                 encryptionSecret: {{name: passphrase, namespace: demo}}\n"
            )
        })
        .collect();
    format!(
        "apiVersion: core.kubestash.com/v1alpha1\nkind: BackupConfiguration\n\
         metadata: {{name: {name}, namespace: demo}}\nspec:\n  target: {{apiGroup: apps, kind: Deployment, \
         name: app, namespace: demo}}\n  backends:\n{backends}  sessions:\n    - name: nightly\n      \
         sessionHistoryLimit: 9\n      addon:\n        name: workload-addon\n        tasks: [{{name: logical-backup}}]\n      \
         scheduler: {{schedule: '0 0 1 1 *', jobTemplate: {{backoffLimit: 1}}}}\n      repositories:\n{repositories}"
    )
}

fn base(source: &Path, target: &Path) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: passphrase, namespace: demo}}\n\
         stringData: {{RESTIC_PASSWORD: {PASSPHRASE}}}\n---\n\
         apiVersion: storage.kubestash.com/v1alpha1\nkind: RetentionPolicy\n\
         metadata: {{name: keep, namespace: demo}}\nspec: {{successfulSnapshots: {{last: 9}}, \
         failedSnapshots: {{last: 9}}}}\n{}{}",
        workload("app", source),
        workload("other", target)
    )
}

fn workload(name: &str, directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: demo}}\nspec:\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
         spec:\n      containers:\n        - name: main\n          image: busybox\n          volumeMounts: \
         [{{name: data, mountPath: /data}}]\n      volumes:\n        - name: data\n          \
         persistentVolumeClaim: {{claimName: {name}-data}}\n---\napiVersion: v1\nkind: PersistentVolumeClaim\n\
         metadata: {{name: {name}-data, namespace: demo}}\nspec: {{accessModes: [ReadWriteOnce], volumeName: {name}, \
         resources: {{requests: {{storage: 1Gi}}}}}}\n---\napiVersion: v1\nkind: PersistentVolume\n\
         metadata: {{name: {name}}}\nspec: {{capacity: {{storage: 1Gi}}, accessModes: [ReadWriteOnce], claimRef: \
         {{namespace: demo, name: {name}-data}}, hostPath: {{path: {directory}}}}}\n"
    )
}
