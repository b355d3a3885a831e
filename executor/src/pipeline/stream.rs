//! Sources without a size: standard input, the output of a command, devices and pipes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::batch::{Item, Stream};
use super::worker::Worker;
use super::{Shared, large};
use crate::error::{Error, Result};
use crate::report::printable;
use crate::source::open_special;

/// How often a silent pipe is left alone to see whether somebody asked to stop.
const LOOK_UP_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// How often it is asked whether a command that has closed its output has ended.
const ENDED_EVERY: Duration = Duration::from_millis(20);

/// Reads a stream to its end. What nobody has asked to be allowed is a failure of the whole run: a stream is not
/// read twice, so that a snapshot without it would only pose as a backup.
pub(super) fn run(
    worker: &mut Worker<'_>,
    item: &Item,
    from: &Stream,
    logical: &[u8],
) -> Result<()> {
    let what = name(from);
    let unreadable = |source| Error::SourceUnreadable { path: what.clone(), source };
    let shared = worker.shared;
    let got = match from {
        Stream::Stdin => {
            let stdin = io::stdin();
            large::stream(worker, item, logical, |buffer| read(shared, stdin.as_fd(), buffer))?
        }
        Stream::Special(path) => {
            let file = open_special(path).map_err(unreadable)?;
            large::stream(worker, item, logical, |buffer| read(shared, file.as_fd(), buffer))?
        }
        Stream::Command(command) => {
            let mut running = Running::start(command).map_err(unreadable)?;
            let Some(output) = running.0.stdout.take() else {
                return Err(Error::Defect("a command has no output"));
            };
            let reading = |buffer: &mut [u8]| read(shared, output.as_fd(), buffer);
            let got = large::stream(worker, item, logical, reading)?;
            let ended = running.end(shared).map_err(unreadable)?;
            if let Some(status) = ended.filter(|status| !status.success()) {
                return Err(unreadable(io::Error::other(format!("it failed ({status})"))));
            }
            got
        }
    };
    match got.map_err(unreadable)? {
        0 if !shared.stopped() && !shared.input.reading.allow_empty => {
            Err(Error::EmptyStream { what })
        }
        _ => Ok(()),
    }
}

fn name(from: &Stream) -> String {
    match from {
        Stream::Stdin => "standard input".to_owned(),
        Stream::Command(command) => format!("command {}", printable(command.join(" ").as_bytes())),
        Stream::Special(path) => printable(path.as_os_str().as_encoded_bytes()),
    }
}

/// Reads what is there. A pipe may be silent for hours, and nobody who asks to stop shall wait for it.
fn read(shared: &Shared<'_>, from: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        if shared.stopped() {
            return Ok(0);
        }
        match poll(&mut [PollFd::from_borrowed_fd(from, PollFlags::IN)], Some(&LOOK_UP_EVERY)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        // Past any buffer of the standard library: what waits in there, no poll tells of.
        match rustix::io::read(from, &mut *buffer) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// A command that ends with us, whatever happens.
struct Running(Child);

impl Running {
    /// Its standard error is ours; it is given no input.
    fn start(command: &[String]) -> io::Result<Self> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        command.spawn().map(Self)
    }

    /// How it ended; nothing when somebody asked to stop first.
    fn end(&mut self, shared: &Shared<'_>) -> io::Result<Option<ExitStatus>> {
        while !shared.stopped() {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            std::thread::sleep(ENDED_EVERY);
        }
        Ok(None)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is neither there to be killed nor waited for again.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
