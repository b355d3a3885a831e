//! Hooks: commands, questions over HTTP and connections, from this machine.
//!
//! A pod is a declared workload whose labels fit. Its commands run here, in the directory of its first
//! volume, with the directories of all its volumes in the environment.

mod exec;
mod failure;
mod http;
mod pods;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use holdfast_engine::{Failure, Outcome};

use failure::{failed, timed_out};
pub use pods::Pod;

use crate::place::local::declared::catalog::Catalog;
use crate::translate::hook::{Action, Executor, Order};

/// Limit of a hook that names none: one that hangs must not hold a session for ever.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// Runs one try of a hook; commands run under a guard (`worker::guard`), which is the beginning of a command line.
pub async fn run(
    order: &Order,
    namespace: &str,
    timeout: Option<Duration>,
    catalog: &Catalog,
    volumes: &Path,
    guard: &[OsString],
) -> Outcome {
    let limit = timeout.unwrap_or(TIMEOUT);
    let pods = match pods_of(order, namespace, catalog, volumes) {
        Ok(pods) => pods,
        Err(failure) => return Outcome::Failed(failure),
    };
    for pod in pods {
        if let Err(failure) = once(order, pod.as_ref(), limit, guard).await {
            return Outcome::Failed(failure);
        }
    }
    Outcome::Succeeded
}

/// The pods that the action is done for; one `None` when it is the operator's own.
fn pods_of(
    order: &Order,
    namespace: &str,
    catalog: &Catalog,
    volumes: &Path,
) -> Result<Vec<Option<Pod>>, Failure> {
    match &order.executor {
        Executor::Operator => Ok(vec![None]),
        Executor::Function(name) => Err(failed(
            "HookUnsupported",
            format!(
                "Function {name} needs a cluster to run in; use an executor of type Operator or Pod here"
            ),
            true,
        )),
        Executor::Pods { labels, all } => {
            let mut found = pods::select(namespace, labels, catalog, volumes)?;
            if found.is_empty() {
                return Err(failed(
                    "PodNotFound",
                    format!("no declared workload in {namespace} has pods with labels {labels:?}"),
                    false,
                ));
            }
            if !all {
                found.truncate(1);
            }
            Ok(found.into_iter().map(Some).collect())
        }
    }
}

async fn once(
    order: &Order,
    pod: Option<&Pod>,
    limit: Duration,
    guard: &[OsString],
) -> Result<(), Failure> {
    let container = order.container.as_deref();
    let work = async {
        match &order.action {
            Action::Exec(command) => exec::run(guard, command, pod, limit).await,
            Action::Http(request) => {
                http::ask(request, pods::port(&request.port, pod, container)?, limit).await
            }
            Action::Tcp { host, port } => {
                http::connect(host.as_deref(), pods::port(port, pod, container)?).await
            }
        }
    };
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(timed_out(limit)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Instant;

    use super::*;
    use crate::place::local::declared::manifest::read_documents;

    const WORKLOADS: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: demo}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db, tier: back}}
    spec: {containers: [{name: main, image: x, ports: [{name: metrics, containerPort: 9187}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec: {containers: [{name: main, image: x}]}
";

    /// No guard: what is said of those is said of the program itself (`tests/hooks.rs`).
    fn bare() -> [OsString; 1] {
        ["env".into()]
    }

    fn catalog() -> Catalog {
        let found = read_documents(Path::new("a.yaml"), WORKLOADS);
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        let named = found.manifests.into_iter().map(|m| (m.name.clone(), m));
        Catalog { objects: named.collect() }
    }

    fn order(command: &[&str], executor: Executor) -> Order {
        let command = command.iter().map(ToString::to_string).collect();
        Order { action: Action::Exec(command), executor, container: None }
    }

    fn labelled(labels: &[(&str, &str)], all: bool) -> Executor {
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Executor::Pods { labels, all }
    }

    fn pods(namespace: &str, executor: Executor) -> Result<Vec<String>, String> {
        let order = order(&["true"], executor);
        let found = pods_of(&order, namespace, &catalog(), Path::new("/volumes"));
        let name = |pod: Option<Pod>| pod.map_or_else(|| "operator".into(), |pod| pod.name);
        found
            .map(|pods| pods.into_iter().map(name).collect())
            .map_err(|failure| failure.reason.into())
    }

    #[test]
    fn a_hook_runs_in_the_pods_that_all_labels_fit() {
        let fit = |labels, all| pods("demo", labelled(labels, all));
        assert_eq!(fit(&[("app", "db")], true).unwrap(), ["db-0", "db-1"]);
        assert_eq!(fit(&[("app", "db")], false).unwrap(), ["db-0"], "the first by name");
        assert_eq!(fit(&[("tier", "front")], true).unwrap(), ["web-local"]);
        assert_eq!(fit(&[("app", "db"), ("tier", "front")], true), Err("PodNotFound".into()));
        assert_eq!(pods("shop", labelled(&[("app", "db")], true)), Err("PodNotFound".into()));
        assert_eq!(pods("demo", Executor::Operator).unwrap(), ["operator"]);
        let function = Executor::Function("f".into());
        assert_eq!(pods("demo", function), Err("HookUnsupported".into()));
    }

    #[test]
    fn a_port_is_a_number_or_the_name_that_a_container_gives_it() {
        use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
        let catalog = catalog();
        let labels = BTreeMap::from([("app".to_owned(), "db".to_owned())]);
        let pod = pods::select("demo", &labels, &catalog, Path::new("/v")).unwrap().remove(0);
        let name = |name: &str| IntOrString::String(name.into());
        for (port, container, expected) in [
            (name("metrics"), None, Some(9187)),
            (name("metrics"), Some("main"), Some(9187)),
            (name("metrics"), Some("other"), None),
            (name("nothing"), None, None),
            (name("80"), None, Some(80)),
            (IntOrString::Int(443), None, Some(443)),
            (IntOrString::Int(0), None, None),
            (IntOrString::Int(70_000), None, None),
        ] {
            let found = pods::port(&port, Some(&pod), container).ok();
            assert_eq!(found, expected, "{port:?} of {container:?}");
        }
        assert!(pods::port(&name("metrics"), None, None).is_err());
    }

    #[tokio::test]
    async fn the_first_pod_that_fails_ends_the_hook() {
        let dir = tempfile::tempdir().unwrap();
        let script = format!("echo $HOLDFAST_POD >> {}; exit 3", dir.path().join("ran").display());
        let order = order(&["sh", "-c", &script], labelled(&[("app", "db")], true));
        let outcome = run(&order, "demo", None, &catalog(), dir.path(), &bare()).await;
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        assert_eq!(std::fs::read_to_string(dir.path().join("ran")).unwrap(), "db-0\n");
    }

    #[tokio::test]
    async fn a_command_that_nobody_waits_for_ends_with_everything_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        // The shell is the child of this process; what it starts is not.
        let script = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display());
        let order = order(&["sh", "-c", &script], Executor::Operator);
        let until = |done: &dyn Fn() -> bool| {
            let begun = Instant::now();
            while !done() {
                assert!(begun.elapsed() < Duration::from_secs(60), "it did not happen");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let (catalog, bare) = (Catalog::default(), bare());
        let waited = tokio::select! {
            biased;
            outcome = run(&order, "demo", None, &catalog, dir.path(), &bare) => Some(outcome),
            () = async {
                tokio::task::yield_now().await;
                until(&|| file.exists());
            } => None,
        };
        assert_eq!(waited, None, "it sleeps for ten minutes");
        let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let stat = format!("/proc/{pid}/stat");
        until(&|| std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z ")));
    }
}
