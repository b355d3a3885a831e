//! The binary as an operator without a cluster, on manifests of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The samples that make one whole story: a backup of three replicas and a restore of two.
const SAMPLES: [&str; 4] = ["storage", "workload", "backup", "restore"];
/// Replicas of the sample.
const REPLICAS: usize = 3;
/// Bytes of each replica: enough for a worker to be at it for a moment.
const REPLICA_BYTES: usize = 8 << 20;
/// Digits of a unix time in the name of an object.
const TIME_DIGITS: usize = 10;
/// Fields of a status that say when something was, how long it took or what it weighed.
const MEASURED: [&str; 13] = [
    "lastTransitionTime",
    "nextSchedule",
    "duration",
    "snapshotTime",
    "lastUpdateTime",
    "lastBackupTime",
    "size",
    "startTime",
    "endTime",
    "uploaded",
    "id",
    "totalSize",
    "message",
];

/// Names a binary that is there already.
const BINARY: &str = "HOLDFAST_BINARY";

/// Builds the binary where this test was built, unless `HOLDFAST_BINARY` names one, and says where it lies.
///
/// # Errors
/// What cargo answers.
pub fn binary(cargo: &str) -> io::Result<PathBuf> {
    if let Some(given) = std::env::var_os(BINARY) {
        return Ok(given.into());
    }
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--package", "holdfast", "--bin", "holdfast"]);
    let status = command.current_dir(repository()).status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{command:?}: {status}")));
    }
    // Tests lie in a folder beside it.
    let own = std::env::current_exe()?;
    let folder =
        own.ancestors().nth(2).ok_or_else(|| io::Error::other("this test lies nowhere"))?;
    Ok(folder.join("holdfast"))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Manifests, volumes with something in them, and a state.
#[derive(Debug)]
pub struct World {
    root: PathBuf,
}

impl World {
    /// The samples, on directories below `root`.
    ///
    /// # Errors
    /// What the file system answers.
    pub fn new(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join("manifests"))?;
        for replica in 0..REPLICAS {
            let data = root.join(format!("data/{replica}/sub"));
            fs::create_dir_all(&data)?;
            fs::write(data.join("file"), crate::tree::noise(REPLICA_BYTES, replica as u64))?;
        }
        let shown = root.display().to_string();
        for sample in SAMPLES {
            let text =
                fs::read_to_string(repository().join(format!("docs/examples/{sample}.yaml")))?;
            let text = text
                .replace("/var/lib/holdfast/backups", &format!("{shown}/backups"))
                .replace("/var/lib/holdfast/sample", &format!("{shown}/data"))
                // A slot of the sample comes every five minutes, also in the middle of a test.
                .replace("*/5 * * * *", "0 0 1 1 *");
            fs::write(root.join(format!("manifests/{sample}.yaml")), text)?;
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Starts the operator; it ends by itself when nothing is left to do.
    ///
    /// # Errors
    /// What starting it answers.
    pub fn start(&self, binary: &Path) -> io::Result<Child> {
        let mut command = Command::new(binary);
        command.args(["local", "--once", "--quiet", "-f"]).arg(self.root.join("manifests"));
        command.arg("--state").arg(self.root.join("state"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()
    }

    /// The directory of its log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("state/log")
    }

    /// All published objects by path, without what was measured and without times in names.
    ///
    /// # Errors
    /// What reading them answers.
    pub fn statuses(&self) -> io::Result<BTreeMap<String, String>> {
        let root = self.root.join("state/status");
        let (mut all, mut ahead) = (BTreeMap::new(), vec![root.clone()]);
        while let Some(dir) = ahead.pop() {
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                if path.is_dir() {
                    ahead.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
                let text = fs::read_to_string(&path)?;
                let text: Vec<String> = status_of(&text).map(redacted).collect();
                all.insert(redacted(&name), text.join("\n"));
            }
        }
        Ok(all)
    }

    /// Content of what was restored, by path.
    ///
    /// # Errors
    /// What reading it answers.
    pub fn restored(&self) -> io::Result<BTreeMap<PathBuf, u64>> {
        let facts = crate::facts::of(&self.root.join("state/volumes"))?;
        let content = |(path, fact): (PathBuf, crate::facts::Fact)| match fact.kind {
            crate::facts::Kind::File { content, .. } => Some((path, content)),
            _ => None,
        };
        Ok(facts.into_iter().filter_map(content).collect())
    }
}

/// The lines of the status: what is above it names uids and times of its own.
fn status_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().skip_while(|line| *line != "status:")
}

/// A line without what was measured and without times in names.
fn redacted(line: &str) -> String {
    let field = line.trim_start().trim_start_matches("- ").split(':').next().unwrap_or_default();
    if MEASURED.contains(&field) {
        return line.split_inclusive(':').next().unwrap_or_default().to_owned();
    }
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('-') {
        let (head, tail) = rest.split_at(at + 1);
        out.push_str(head);
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let skipped = if digits == TIME_DIGITS { digits } else { 0 };
        if skipped > 0 {
            out.push('T');
        }
        rest = &tail[skipped..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_taken_out() {
        assert_eq!(redacted("  duration: 3s"), "  duration:");
        assert_eq!(redacted("- name: repo-app-nightly-1700000000"), "- name: repo-app-nightly-T");
        assert_eq!(redacted("a-1700000000.yaml"), "a-T.yaml");
        assert_eq!(redacted("  phase: Succeeded"), "  phase: Succeeded");
        assert_eq!(redacted("  name: pod-0"), "  name: pod-0");
    }
}
