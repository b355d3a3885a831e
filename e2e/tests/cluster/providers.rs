//! API servers alone, for tests that need no node: several at once beside the cluster, and nothing left of any.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use holdfast_e2e::cluster::{kubectl, variable};

/// etcd and an API server, in a folder of their own.
struct Api {
    state: tempfile::TempDir,
}

impl Api {
    fn new() -> Self {
        Self { state: tempfile::Builder::new().prefix("api").tempdir_in("/tmp").unwrap() }
    }

    fn call(&self, verb: &str) -> Command {
        let mut command = Command::new(variable("HOLDFAST_E2E_CLUSTER"));
        command.args([verb, "--provider", "apiserver", "--state"]).arg(self.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn path(&self) -> std::path::PathBuf {
        self.state.path().join("one")
    }

    /// Starts it, and gives the path of its kubeconfig.
    fn up(&self) -> String {
        let output = self.call("up").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn down(&self) {
        let output = self.call("down").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        // It is down already, unless the test has failed.
        let _ = self.call("down").status();
    }
}

/// Processes that were started with a path below this one.
fn processes(below: &Path) -> Vec<String> {
    let mark = below.to_str().unwrap();
    let commands = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&command).replace('\0', " "))
    });
    commands.filter(|command| command.contains(mark)).collect()
}

#[test]
fn api_servers_run_beside_each_other() {
    let (first, second) = (Api::new(), Api::new());
    let (one, other) = (first.up(), second.up());
    let ask = |kubeconfig: &str, args: &[&str]| {
        kubectl(&[&["--kubeconfig", kubeconfig], args].concat(), "").unwrap()
    };
    ask(&one, &["create", "namespace", "here"]);
    assert!(ask(&one, &["get", "namespaces"]).contains("here"));
    assert!(!ask(&other, &["get", "namespaces"]).contains("here"));
    let definitions = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/crds");
    assert!(ask(&other, &["apply", "-f", definitions]).contains("created"));
    for api in [&first, &second] {
        api.down();
        assert_eq!(processes(&api.path()), Vec::<String>::new());
        assert!(!api.path().exists());
    }
}

/// Whoever starts one is killed half way. The next one cleans up and starts, and nothing stays.
#[test]
fn what_a_killed_start_has_left_is_taken_over() {
    let api = Api::new();
    for patience in [150, 900] {
        let mut starting: Child = api.call("up").spawn().unwrap();
        std::thread::sleep(Duration::from_millis(patience));
        starting.kill().unwrap();
        starting.wait().unwrap();
    }
    let kubeconfig = api.up();
    let args = ["--kubeconfig", &kubeconfig, "get", "namespace", "default"];
    kubectl(&args, "").unwrap();
    api.down();
    assert_eq!(processes(&api.path()), Vec::<String>::new());
    assert!(!api.path().exists());
}
