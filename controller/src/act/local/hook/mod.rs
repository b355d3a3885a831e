//! Hooks: commands, questions over HTTP and connections, from this machine.
//!
//! A pod is a declared workload whose labels fit. Its commands run here, in the directory of its first
//! volume, with the directories of all its volumes in the environment.

mod exec;
mod http;
mod pods;

use std::path::Path;
use std::time::Duration;

use holdfast_engine::{Failure, Outcome};

pub use pods::Pod;

use crate::translate::hook::{Action, Executor, Order};
use crate::watch::catalog::Catalog;

/// Limit of a hook that names none: one that hangs must not hold a session for ever.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// Runs one try of a hook.
pub async fn run(
    order: &Order,
    namespace: &str,
    timeout: Option<Duration>,
    catalog: &Catalog,
    volumes: &Path,
) -> Outcome {
    let limit = timeout.unwrap_or(TIMEOUT);
    let pods = match pods_of(order, namespace, catalog, volumes) {
        Ok(pods) => pods,
        Err(failure) => return Outcome::Failed(failure),
    };
    for pod in pods {
        if let Err(failure) = once(order, pod.as_ref(), limit).await {
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

async fn once(order: &Order, pod: Option<&Pod>, limit: Duration) -> Result<(), Failure> {
    let container = order.container.as_deref();
    let work = async {
        match &order.action {
            Action::Exec(command) => exec::run(command, pod, limit).await,
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

fn timed_out(limit: Duration) -> Failure {
    failed("Timeout", format!("did not end within {} s", limit.as_secs_f64()), false)
}

fn failed(reason: &str, message: String, permanent: bool) -> Failure {
    Failure { reason: reason.into(), message, permanent }
}
