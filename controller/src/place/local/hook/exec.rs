//! Commands, as processes of this machine.

use std::ffi::{OsStr, OsString};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::Failure;
use holdfast_executor::report::printable;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;

use super::failure::{failed, timed_out};
use super::pods::Pod;
use crate::ports::environment;
use crate::worker::guard;

/// Output beyond this is read and thrown away, so that a chatty command neither fills memory nor blocks.
const OUTPUT_BYTES: usize = 64 * 1024;

/// Bytes of the output that a failure's message shows.
const SHOWN_BYTES: usize = 512;

/// How long a guard may take to end what it guards; it takes milliseconds.
const ENDED: Duration = Duration::from_secs(1);

/// How long one look at it waits.
const LOOK: Duration = Duration::from_millis(1);

/// How long the rest of the output is waited for, once the command has ended.
const DRAIN: Duration = Duration::from_millis(500);

/// A command under its guard: it ends, with all that it started, when nobody waits for it any more.
struct Guarded {
    child: Child,
    leash: Option<ChildStdin>,
    /// Absent once it has ended by itself.
    group: Option<Pid>,
}

impl Drop for Guarded {
    /// Waits until it is gone: what is begun next must not meet it.
    fn drop(&mut self) {
        let Some(group) = self.group else { return };
        self.leash = None;
        let mut left = ENDED;
        while matches!(self.child.try_wait(), Ok(None)) {
            if left.is_zero() {
                // Its number is its own as long as nobody has taken note of its end.
                let _ = kill_process_group(group, Signal::KILL);
                return;
            }
            std::thread::sleep(LOOK);
            left = left.saturating_sub(LOOK);
        }
    }
}

/// Runs a command without a shell; success is exit code 0.
pub(super) async fn run(
    guard: &[OsString],
    command: &[String],
    pod: Option<&Pod>,
    limit: Duration,
) -> Result<(), Failure> {
    let Some(program) = command.first() else {
        return Err(failed("HookTemplateInvalid", "action.exec.command is empty".into(), true));
    };
    let mut words = guard.iter().map(OsString::as_os_str).chain(command.iter().map(OsStr::new));
    let mut process = Command::new(words.next().unwrap_or_default());
    process.args(words);
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, for what the guard does not end, and because the terminal's signals are the operator's.
    process.process_group(0);
    process.env_clear().envs(environment::of_hooks());
    if let Some(pod) = pod {
        process.env("HOLDFAST_POD", &pod.name).env("HOLDFAST_NAMESPACE", &pod.namespace);
        for (name, directory) in &pod.volumes {
            process.env(format!("HOLDFAST_VOLUME_{}", variable(name)), directory);
        }
        if let Some((_, directory)) = pod.volumes.first() {
            process.current_dir(directory);
        }
    }
    let mut child = process
        .spawn()
        .map_err(|error| failed("ExecFailed", format!("cannot run {program}: {error}"), false))?;
    let (leash, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut guarded = Guarded { child, leash, group };
    let (out, err) = (Output::of(out), Output::of(err));
    let ended = tokio::time::timeout(limit, guarded.child.wait()).await;
    let Ok(status) = ended else { return Err(timed_out(limit)) };
    guarded.group = None;
    let (out, err) = tokio::join!(out.end(), err.end());
    let status =
        status.map_err(|error| failed("ExecFailed", format!("{program}: {error}"), false))?;
    if status.code() == Some(guard::CANNOT_RUN) && err.starts_with(b"cannot run ") {
        return Err(failed("ExecFailed", printable(err.trim_ascii()), false));
    }
    if status.success() {
        return Ok(());
    }
    let output = if err.is_empty() { out } else { err };
    let start = output.len().saturating_sub(SHOWN_BYTES);
    let said = printable(output[start..].trim_ascii());
    let message = if said.is_empty() {
        format!("{program}: {status}")
    } else {
        format!("{program}: {status}: {said}")
    };
    Err(failed("ExitCode", message, false))
}

/// What a pipe gives, read beside the command, of which the first part is kept.
struct Output {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn of(pipe: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let kept = Arc::<Mutex<Vec<u8>>>::default();
        let into = Arc::clone(&kept);
        let reader = tokio::spawn(async move {
            let Some(mut pipe) = pipe else { return };
            let mut buffer = vec![0; 8192];
            while let Ok(count) = pipe.read(&mut buffer).await {
                if count == 0 {
                    break;
                }
                let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
                let room = OUTPUT_BYTES.saturating_sub(kept.len()).min(count);
                kept.extend_from_slice(&buffer[..room]);
            }
        });
        Self { kept, reader }
    }

    /// All of it, once the command has ended: what that has left behind may hold the pipe for as long as it likes.
    async fn end(mut self) -> Vec<u8> {
        let _ = tokio::time::timeout(DRAIN, &mut self.reader).await;
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// `source-data` becomes `SOURCE_DATA`.
fn variable(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(text: &str, limit: Duration) -> Result<(), Failure> {
        let command = ["sh", "-c", text].map(ToOwned::to_owned);
        run(&["env".into()], &command, None, limit).await
    }

    #[tokio::test]
    async fn an_exit_code_is_a_failure_that_shows_what_was_said() {
        let long = Duration::from_secs(60);
        assert_eq!(shell("exit 0", long).await, Ok(()));
        let failure =
            shell("echo out; echo 'no \x1b[31mluck' >&2; exit 3", long).await.unwrap_err();
        assert_eq!(failure.reason.as_str(), "ExitCode");
        assert!(
            failure.message.contains("exit status: 3")
                && failure.message.ends_with("no \\u{1b}[31mluck"),
            "{failure:?}"
        );
        assert!(run(&["env".into()], &[], None, long).await.unwrap_err().permanent);
        let missing = run(&[], &["/no/such/program".into()], None, long).await.unwrap_err();
        assert!(missing.message.contains("/no/such/program"));
    }

    #[tokio::test]
    async fn a_hook_sees_nothing_of_the_environment_but_where_things_are() {
        // Cargo has set this one for the tests.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let text = "test -n \"$PATH\" && test -z \"$CARGO_MANIFEST_DIR\"";
        assert_eq!(shell(text, Duration::from_secs(60)).await, Ok(()));
    }

    #[tokio::test]
    async fn much_output_neither_blocks_nor_is_kept() {
        let failure =
            shell("head -c 1000000 /dev/zero | tr '\\0' x; exit 1", Duration::from_secs(60))
                .await
                .unwrap_err();
        assert!(failure.message.len() < 2 * SHOWN_BYTES);
    }

    #[tokio::test]
    async fn a_command_ends_when_it_ends_whoever_holds_its_output() {
        let text = "echo said; sleep 20 & exit 3";
        let failure = shell(text, Duration::from_secs(15)).await.unwrap_err();
        assert_eq!(failure.reason.as_str(), "ExitCode");
        assert!(failure.message.ends_with("said"), "{failure:?}");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_ended_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let text = format!("(sleep 2; touch {}) & wait", mark.display());
        let failure = shell(&text, Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(failure.reason.as_str(), "Timeout");
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert!(!mark.exists());
    }
}
