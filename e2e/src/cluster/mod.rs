//! A real cluster for tests: a namespace for each, builders for what is in it, and the ways to ask.
//!
//! The cluster is the one of `e2e/run`, which says by variables where it is. Everything goes through kubectl,
//! as a user's would; what a test has made goes with its namespace.

mod container;
mod namespace;
mod product;
mod server;
mod workload;

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub use container::{Ended, kill};
pub use namespace::Namespace;
pub use product::Product;
pub use server::{Disk, PORT, SERVER, Server};
pub use workload::{claim, container, cron_job, headless, pod, with, with_volume, writer};

/// How long anything in a cluster may take that takes seconds.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How often it is looked whether something has come about.
const LOOK: Duration = Duration::from_millis(300);

/// What a variable of `e2e/run` says.
///
/// # Panics
/// Without it: there is no cluster, or it has no such thing.
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
