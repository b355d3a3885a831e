//! A directory of manifests, a state directory and volumes, and the binary that works on them.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Replicas of the sample.
const REPLICAS: usize = 3;

pub struct World {
    root: TempDir,
    pub manifests: PathBuf,
    pub state: PathBuf,
}

impl World {
    /// A world with these of the examples, whose directories are its own.
    pub fn with(examples: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let manifests = root.path().join("manifests");
        let state = root.path().join("state");
        fs::create_dir(&manifests).unwrap();
        let world = Self { root, manifests, state };
        for n in 0..REPLICAS {
            fs::create_dir_all(world.data(n).join("sub")).unwrap();
            fs::write(world.data(n).join("name"), format!("replica {n}")).unwrap();
            fs::write(world.data(n).join("sub/more"), vec![u8::try_from(n).unwrap(); 100_000])
                .unwrap();
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
        for example in examples {
            let text = fs::read_to_string(source.join(format!("{example}.yaml"))).unwrap();
            let text = text
                .replace("/var/lib/holdfast/backups", world.storage().to_str().unwrap())
                .replace(
                    "/var/lib/holdfast/sample",
                    world.root.path().join("data").to_str().unwrap(),
                )
                // A slot of the sample comes every five minutes, also in the middle of a test.
                .replace("*/5 * * * *", "0 0 1 1 *");
            fs::write(world.manifest(example), text).unwrap();
        }
        world
    }

    pub fn manifest(&self, example: &str) -> PathBuf {
        self.manifests.join(format!("{example}.yaml"))
    }

    pub fn storage(&self) -> PathBuf {
        self.root.path().join("backups")
    }

    pub fn data(&self, replica: usize) -> PathBuf {
        self.root.path().join("data").join(replica.to_string())
    }

    /// Replaces a text in an example; it has to be there.
    pub fn edit(&self, example: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.manifest(example)).unwrap();
        assert!(text.contains(from), "{from:?} is not in {example}");
        fs::write(self.manifest(example), text.replace(from, to)).unwrap();
    }

    /// Declares a run of the sample's session.
    pub fn session(&self, name: &str) {
        let text = format!(
            "apiVersion: core.kubestash.com/v1alpha1\nkind: BackupSession\nmetadata: {{name: {name}, namespace: demo}}\n\
             spec:\n  invoker: {{apiGroup: core.kubestash.com, kind: BackupConfiguration, name: sample-backup-sts}}\n  session: demo-session\n"
        );
        fs::write(self.manifests.join(format!("session-{name}.yaml")), text).unwrap();
    }

    /// Declares hooks before and after: the first writes a file with a parameter and ends with `verdict`, the
    /// second writes what the session came to.
    pub fn hooks(&self, verdict: &str) {
        let template = |name: &str, script: &str| {
            format!(
                "apiVersion: core.kubestash.com/v1alpha1\nkind: HookTemplate\nmetadata: {{name: {name}, namespace: demo}}\n\
                 spec:\n  params: [{{name: table, default: all}}]\n  action:\n    exec:\n      command: [sh, -c, '{script}']\n\
                 \x20 executor: {{type: Pod, pod: {{selector: app=sample-sts}}}}\n"
            )
        };
        let freeze = template("freeze", &format!("echo ${{table}} > frozen; {verdict}"));
        let thaw = template("thaw", "echo {{ .Namespace }} {{ .Status.Phase }} > phase");
        fs::write(self.manifests.join("hooks.yaml"), format!("{freeze}---\n{thaw}")).unwrap();
        let hook = |name: &str, rest: &str| {
            format!("[{{name: {name}, hookTemplate: {{name: {name}, namespace: demo}}{rest}}}]")
        };
        self.edit(
            "backup",
            "      name: demo-session\n",
            &format!(
                "      name: demo-session\n      hooks:\n        preBackup: {}\n        postBackup: {}\n",
                hook("freeze", ", params: {table: users}"),
                hook("thaw", "")
            ),
        );
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("holdfast"));
        command.arg("local").arg("-f").arg(&self.manifests).arg("--state").arg(&self.state);
        command
    }

    pub fn once(&self) -> Output {
        self.command().arg("--once").output().unwrap()
    }

    fn folder(&self, kind: &str) -> PathBuf {
        self.state.join("status/demo").join(format!("{kind}.kubestash.com"))
    }

    /// Names of the published objects of a kind, such as `backupsessions.core`.
    pub fn names(&self, kind: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder(kind))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            // A name with a dot in front is a file that is being written.
            .filter(|name| !name.starts_with('.'))
            .map(|name| name.trim_end_matches(".yaml").to_owned())
            .collect();
        names.sort();
        names
    }

    pub fn object(&self, kind: &str, name: &str) -> Value {
        let path = self.folder(kind).join(format!("{name}.yaml"));
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_saphyr::from_str(&text).unwrap()
    }

    pub fn only(&self, kind: &str) -> Value {
        let names = self.names(kind);
        assert_eq!(names.len(), 1, "{kind}: {names:?}");
        self.object(kind, &names[0])
    }

    pub fn objects(&self) -> Vec<Value> {
        let all = tree(&self.state.join("status"));
        all.values()
            .map(|text| serde_saphyr::from_str(std::str::from_utf8(text).unwrap()).unwrap())
            .collect()
    }
}

/// All files below a directory with their content. What is removed while it is read, as a running
/// operator does, was not there.
pub fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, at: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(at).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
                continue;
            }
            match fs::read(&path) {
                Ok(content) => {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, content);
                }
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => panic!("{}: {e}", path.display()),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

pub fn copy(from: &Path, to: &Path) {
    for (name, content) in tree(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// What a process said, on both channels.
pub fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
