//! A namespace of a real cluster for one test, and the ways to ask for things in it.
//!
//! The cluster is the one of `e2e/run`, which says by variables where it is. Everything goes through kubectl,
//! as a user's would; what a test has made goes with its namespace.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything in a cluster may take that takes seconds.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How often it is looked whether something has come about.
const LOOK: Duration = Duration::from_millis(300);

/// Most bytes of a pod's log that a failure shows.
const SHOWN_BYTES: usize = 4_000;

/// A namespace.
pub struct Namespace {
    name: String,
}

/// What a variable of `e2e/run` says.
///
/// # Panics
/// Without it: there is no cluster.
#[must_use]
pub fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `e2e/run`, or `e2e/run test NAME`"))
}

/// The reference of an image that the cluster has.
///
/// # Panics
/// If it has none of that name.
#[must_use]
pub fn image(name: &str) -> String {
    let all = variable("HOLDFAST_E2E_REGISTRYLESS");
    let found = all.split_whitespace().find_map(|one| one.strip_prefix(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("the cluster has no image {name}: {all}")).to_owned()
}

/// Kills or starts a component of the cluster again: `act("kill", "kubelet")`.
///
/// # Errors
/// What the program answers.
pub fn act(verb: &str, component: &str) -> io::Result<()> {
    let mut command = Command::new(variable("HOLDFAST_E2E_CLUSTER"));
    command.args([verb, "--state", &variable("HOLDFAST_E2E_STATE"), component]);
    succeeded(&command.output()?).map(drop)
}

fn succeeded(output: &Output) -> io::Result<String> {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{}: {said}{why}", output.status)))
}

/// Calls kubectl with something on its standard input.
///
/// # Errors
/// What it answers.
pub fn kubectl(args: &[&str], input: &str) -> io::Result<String> {
    let mut command = Command::new(variable("HOLDFAST_E2E_KUBECTL"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut to) = child.stdin.take() {
        to.write_all(input.as_bytes())?;
    }
    succeeded(&child.wait_with_output()?)
}

/// Asks until there is an answer; what was seen last is said when there never is one.
///
/// # Panics
/// When it does not come in time.
pub fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> io::Result<Result<T, String>>,
) -> T {
    let began = Instant::now();
    loop {
        let seen = match look() {
            Ok(Ok(found)) => return found,
            Ok(Err(seen)) => seen,
            Err(error) => error.to_string(),
        };
        assert!(
            began.elapsed() < patience,
            "{what} did not come in {patience:?}; last seen: {seen}"
        );
        std::thread::sleep(LOOK);
    }
}

impl Namespace {
    /// Makes one for a test, and waits until pods can be made in it.
    ///
    /// # Panics
    /// Without a cluster.
    #[must_use]
    pub fn new(test: &str) -> Self {
        let name = format!("{test}-{}", std::process::id());
        let made = Self { name };
        let labels = json!({ "holdfast.dev/test": test });
        made.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": made.name, "labels": labels },
        }));
        wait_for("the account of the namespace", PATIENCE, || {
            Ok(made
                .get(&["serviceaccount", "default"])
                .map(drop)
                .map_err(|error| error.to_string()))
        });
        made
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Applies an object; one without a namespace gets this one.
    ///
    /// # Panics
    /// When the cluster refuses it.
    pub fn apply(&self, object: &Value) {
        let mut object = object.clone();
        if object["kind"] != "Namespace" {
            object["metadata"]["namespace"] = json!(self.name);
        }
        let text = object.to_string();
        kubectl(&["apply", "-f", "-"], &text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    /// An object, or a list of them.
    ///
    /// # Errors
    /// What kubectl answers; an answer that is no JSON.
    pub fn get(&self, what: &[&str]) -> io::Result<Value> {
        let args = [&["get", "--namespace", &self.name, "-o", "json"], what].concat();
        Ok(serde_json::from_str(&kubectl(&args, "")?)?)
    }

    /// Deletes, and waits until it is gone.
    ///
    /// # Panics
    /// When it stays.
    pub fn delete(&self, what: &[&str]) {
        let args = [&["delete", "--namespace", &self.name, "--wait=true", "--timeout=120s"], what]
            .concat();
        kubectl(&args, "").unwrap_or_else(|error| panic!("delete {what:?}: {error}"));
    }

    /// Runs a script in a pod.
    ///
    /// # Errors
    /// What it answers.
    pub fn in_pod(&self, pod: &str, script: &str) -> io::Result<String> {
        kubectl(&["exec", "--namespace", &self.name, pod, "--", "sh", "-ec", script], "")
    }

    /// What the pods of a job have said.
    ///
    /// # Errors
    /// What kubectl answers.
    pub fn log(&self, job: &str) -> io::Result<String> {
        let selector = format!("job-name={job}");
        kubectl(&["logs", "--namespace", &self.name, "--tail=-1", "--selector", &selector], "")
    }

    /// Waits until a job has ended and says how: `true` for success.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn ended(&self, job: &str) -> bool {
        wait_for(&format!("the end of job {job}"), PATIENCE, || {
            let status = self.get(&["job", job])?["status"].clone();
            let is = |kind: &str| {
                let conditions = status["conditions"].as_array();
                conditions.is_some_and(|all| {
                    all.iter().any(|one| one["type"] == kind && one["status"] == "True")
                })
            };
            Ok(match (is("Complete"), is("Failed")) {
                (true, _) => Ok(true),
                (_, true) => Ok(false),
                _ => Err(status.to_string()),
            })
        })
    }

    /// Pods, events, and what pods have said.
    fn picture(&self) -> String {
        let mut text = String::new();
        for what in [
            &["get", "pods,jobs,pvc", "-o", "wide"][..],
            &["get", "events", "--sort-by=.lastTimestamp"],
        ] {
            let said = kubectl(&[what, &["--namespace", &self.name]].concat(), "");
            let _ = writeln!(text, "{}", said.unwrap_or_else(|error| error.to_string()));
        }
        let pods = self.get(&["pods"]).unwrap_or_default();
        for pod in pods["items"].as_array().into_iter().flatten() {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            let said = kubectl(&["logs", "--namespace", &self.name, name], "").unwrap_or_default();
            let from = said.floor_char_boundary(said.len().saturating_sub(SHOWN_BYTES));
            let _ = writeln!(text, "--- {name}\n{}", &said[from..]);
        }
        text
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what namespace {} looked like:\n{}", self.name, self.picture());
        }
        // Whoever runs the next test does not wait for it.
        let _ = kubectl(&["delete", "namespace", &self.name, "--wait=false"], "");
    }
}
