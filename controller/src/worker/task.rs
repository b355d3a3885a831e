//! A task of a storage in a process of its own: a store that hangs, or an answer that takes all memory, costs the
//! operator one child and nothing else.
//!
//! The child reads one line, the task, from its standard input, and writes one line, what became of it, to its
//! standard output. It ends when its standard input does: an operator that is gone leaves no child behind. Its
//! environment is empty, so that no task borrows what the operator's holds.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use holdfast_executor::report::{Failure, FailureKind, printable};
use holdfast_executor::task::{Done, Task};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::ports::memory;

/// What a child may take beyond what it has at its start: one derivation of a key takes 64 MiB, and a listing or a
/// request some more.
const MEMORY_BYTES: u64 = 160 * 1024 * 1024;

/// Longest line that is read; a task has documents of a few KiB.
const LINE_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of a child's last words that are shown.
const LAST_WORDS_BYTES: u64 = 2048;

/// Does the task that standard input holds.
///
/// # Errors
/// When standard input or output cannot be used; a task that fails is an answer.
pub fn work() -> anyhow::Result<()> {
    memory::limit_growth(MEMORY_BYTES)?;
    // A session of its own: the terminal's signals are the operator's. Fails only where it is set already.
    let _ = rustix::process::setsid();
    let mut line = Zeroizing::new(Vec::new());
    io::stdin().lock().take(LINE_BYTES).read_until(b'\n', &mut line)?;
    std::thread::Builder::new().name("pipe".into()).spawn(end_with_the_operator)?;
    let done = match serde_json::from_slice::<Task>(&line) {
        Ok(task) => holdfast_executor::task::run(&task),
        // The parser's message may show a value, and a task holds keys.
        Err(error) => failed(format!("the task cannot be read (column {})", error.column())),
    };
    let mut answer = serde_json::to_vec(&done)?;
    answer.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&answer)?;
    out.flush()?;
    Ok(())
}

/// Nothing more comes from the operator, so a read returns when it is gone.
fn end_with_the_operator() {
    let mut nothing = [0; 1];
    while !matches!(io::stdin().lock().read(&mut nothing), Ok(0) | Err(_)) {}
    std::process::exit(1);
}

fn failed(message: String) -> Done {
    Done::Failed(Failure::new(FailureKind::Internal, message))
}

/// Has a child of `program` do a task. Dropping the future ends the child.
///
/// # Errors
/// When no child can be started; whatever becomes of the task is an answer.
pub async fn delegate(program: &Path, task: &Task) -> io::Result<Done> {
    let mut child = Command::new(program)
        .args(["work", "--task"])
        .env_clear()
        .current_dir(PathBuf::from("/"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut line = Zeroizing::new(serde_json::to_vec(task)?);
    line.push(b'\n');
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("the child has no pipes"));
    };
    // A child that ends at once does not read; its answer, or that there is none, says more than this error.
    let _ = input.write_all(&line).await;
    let _ = input.flush().await;
    let mut answer = Vec::new();
    output.take(LINE_BYTES).read_to_end(&mut answer).await?;
    let done = match serde_json::from_slice(&answer) {
        Ok(done) => done,
        Err(_) => broke_off(&mut child).await,
    };
    drop(input);
    child.wait().await?;
    Ok(done)
}

/// What is said of a child without an answer: another one may have more luck.
async fn broke_off(child: &mut Child) -> Done {
    let mut said = Vec::new();
    if let Some(errors) = child.stderr.take() {
        // What it said is only for people.
        let _ = errors.take(LAST_WORDS_BYTES).read_to_end(&mut said).await;
    }
    let words = printable(said.trim_ascii());
    let words = if words.is_empty() { "it said nothing".to_owned() } else { words };
    let message = format!("the process at the store ended without an answer; {words}");
    Done::Failed(Failure { permanent: false, ..Failure::new(FailureKind::Internal, message) })
}
