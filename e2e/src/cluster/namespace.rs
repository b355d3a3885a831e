//! A namespace for one test, that tells what it looked like when the test fails.

use std::fmt::Write as _;
use std::io;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::{Value, json};

use super::{Ended, PATIENCE, kubectl, wait_for};

/// Most bytes of a pod's log that a failure shows.
const SHOWN_BYTES: usize = 4_000;

/// Held by every test that needs a cluster whose parts are let alone; who breaks them holds it alone.
static PEACE: RwLock<()> = RwLock::new(());

/// How a test has the cluster.
enum Peace {
    Shared { _held: RwLockReadGuard<'static, ()> },
    Alone { _held: RwLockWriteGuard<'static, ()> },
}

/// A namespace.
pub struct Namespace {
    name: String,
    _peace: Peace,
}

impl Namespace {
    /// Makes one for a test, and waits until pods can be made in it. Tests of other namespaces run beside it.
    ///
    /// # Panics
    /// Without a cluster.
    #[must_use]
    pub fn new(test: &str) -> Self {
        // A test that failed has ended, whatever it left: that is no reason for others to fail.
        let held = PEACE.read().unwrap_or_else(PoisonError::into_inner);
        Self::made(test, Peace::Shared { _held: held })
    }

    /// The same for a test that breaks parts of the cluster: nothing else runs meanwhile.
    ///
    /// # Panics
    /// Without a cluster.
    #[must_use]
    pub fn alone(test: &str) -> Self {
        let held = PEACE.write().unwrap_or_else(PoisonError::into_inner);
        Self::made(test, Peace::Alone { _held: held })
    }

    fn made(test: &str, peace: Peace) -> Self {
        let name = format!("{test}-{}", std::process::id());
        let made = Self { name, _peace: peace };
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
        self.try_apply(object).unwrap_or_else(|error| panic!("{object}: {error}"));
    }

    /// The same for an object that may be refused.
    ///
    /// # Errors
    /// What the cluster answers.
    pub fn try_apply(&self, object: &Value) -> io::Result<()> {
        let mut object = object.clone();
        if object["kind"] != "Namespace" {
            object["metadata"]["namespace"] = json!(self.name);
        }
        kubectl(&["apply", "-f", "-"], &object.to_string()).map(drop)
    }

    /// Calls kubectl in this namespace.
    ///
    /// # Errors
    /// What it answers.
    pub fn call(&self, args: &[&str]) -> io::Result<String> {
        kubectl(&[&["--namespace", self.name.as_str()], args].concat(), "")
    }

    /// An object, or a list of them.
    ///
    /// # Errors
    /// What kubectl answers; an answer that is no JSON.
    pub fn get(&self, what: &[&str]) -> io::Result<Value> {
        Ok(serde_json::from_str(&self.call(&[&["get", "-o", "json"], what].concat())?)?)
    }

    /// Deletes, and waits until it is gone.
    ///
    /// # Panics
    /// When it stays.
    pub fn delete(&self, what: &[&str]) {
        let args = [&["delete", "--wait=true", "--timeout=120s"], what].concat();
        self.call(&args).unwrap_or_else(|error| panic!("delete {what:?}: {error}"));
    }

    /// Runs a script in a pod.
    ///
    /// # Errors
    /// What it answers.
    pub fn in_pod(&self, pod: &str, script: &str) -> io::Result<String> {
        self.call(&["exec", pod, "--", "sh", "-ec", script])
    }

    /// What the pods of a job have said.
    ///
    /// # Errors
    /// What kubectl answers.
    pub fn log(&self, job: &str) -> io::Result<String> {
        self.call(&["logs", "--tail=-1", "--selector", &format!("job-name={job}")])
    }

    /// Waits until an object's status is as it should be, and gives the object.
    ///
    /// # Panics
    /// When it never is.
    pub fn becomes(&self, what: &[&str], wanted: &str, is: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("{what:?} {wanted}"), PATIENCE, || {
            let object = self.get(what)?;
            let status = &object["status"];
            Ok(if is(status) { Ok(object) } else { Err(status.to_string()) })
        })
    }

    /// Waits until all pods of a StatefulSet or Deployment are ready.
    ///
    /// # Panics
    /// When they never are.
    pub fn ready(&self, what: &[&str]) {
        wait_for(&format!("{what:?} ready"), PATIENCE, || {
            let object = self.get(what)?;
            let (wanted, status) = (&object["spec"]["replicas"], &object["status"]);
            let seen = status["observedGeneration"] == object["metadata"]["generation"];
            let is = seen && status["readyReplicas"] == *wanted && status["replicas"] == *wanted;
            Ok(if is { Ok(()) } else { Err(status.to_string()) })
        });
    }

    /// The only pod of a job; `None` as long as there is none.
    ///
    /// # Errors
    /// What kubectl answers.
    pub fn pod_of(&self, job: &str) -> io::Result<Option<Value>> {
        let pods = self.get(&["pods", "--selector", &format!("job-name={job}")])?;
        Ok(pods["items"].get(0).cloned())
    }

    /// Waits until the container of a job's pod runs, and gives the pod. A container that has ended ran.
    ///
    /// # Panics
    /// When it never does.
    #[must_use]
    pub fn running(&self, job: &str) -> Value {
        wait_for(&format!("a container of job {job}"), PATIENCE, || {
            let pod = self.pod_of(job)?.unwrap_or_default();
            let state = &pod["status"]["containerStatuses"][0]["state"];
            let begun = state.get("running").is_some() || state.get("terminated").is_some();
            Ok(if begun { Ok(pod) } else { Err(pod["status"].to_string()) })
        })
    }

    /// Waits until the container of a job's pod has ended, and says how.
    ///
    /// # Panics
    /// When it never does.
    #[must_use]
    pub fn ended(&self, job: &str) -> Ended {
        let (ended, pod) = wait_for(&format!("the end of job {job}"), PATIENCE, || {
            let pod = self.pod_of(job)?.unwrap_or_default();
            let state = &pod["status"]["containerStatuses"][0]["state"];
            Ok(Ended::of(state).map(|ended| (ended, pod.clone())).ok_or_else(|| state.to_string()))
        });
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        // A pod that was deleted meanwhile says nothing any more.
        Ended { log: self.call(&["logs", name]).unwrap_or_default(), ..ended }
    }

    /// The same for a job that has to succeed; gives what it said.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn succeeded(&self, job: &str) -> String {
        let ended = self.ended(job);
        assert_eq!(ended.code, 0, "{job}: {ended:?}");
        ended.log
    }

    /// Pods, events, and what pods have said.
    fn picture(&self) -> String {
        let mut text = String::new();
        for what in [
            &["get", "pods,jobs,pvc", "-o", "wide"][..],
            &["get", "events", "--sort-by=.lastTimestamp"],
        ] {
            let said = self.call(what);
            let _ = writeln!(text, "{}", said.unwrap_or_else(|error| error.to_string()));
        }
        let pods = self.get(&["pods"]).unwrap_or_default();
        for pod in pods["items"].as_array().into_iter().flatten() {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            let said = self.call(&["logs", "--all-containers", name]).unwrap_or_default();
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
