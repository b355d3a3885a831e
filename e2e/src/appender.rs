//! The child process that owns the log, and what it says.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// How long to wait for a child that says nothing before the test is given up. Nothing is measured
/// by it: on a machine that is slower than this, nothing else works either.
const SILENCE: Duration = Duration::from_secs(120);

/// A line of the child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The log is open; its last event.
    Opened(u64),
    /// A batch was acknowledged; its last event.
    Acked(u64),
    /// A batch was refused because the disk is full; the last event that can be read.
    Refused(u64),
    /// Anything else, which is wrong.
    Else(String),
}

impl Said {
    fn parse(line: &str) -> Self {
        let parsed = line.split_once(' ').and_then(|(word, seq)| {
            let seq = seq.parse().ok()?;
            match word {
                "opened" => Some(Self::Opened(seq)),
                "acked" => Some(Self::Acked(seq)),
                "refused" => Some(Self::Refused(seq)),
                _ => None,
            }
        });
        parsed.unwrap_or_else(|| Self::Else(line.to_owned()))
    }
}

/// A running child. Killed when it goes out of scope.
#[derive(Debug)]
pub struct Appender {
    child: Child,
    /// The beginning of a line whose end has not arrived.
    pending: String,
}

impl Appender {
    /// Starts `program DIR SEGMENT_BYTES`, which opens the log in `dir` and appends until it is killed.
    ///
    /// # Errors
    /// What starting it answers.
    pub fn start(program: &Path, dir: &Path, segment_bytes: u32) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(dir).arg(segment_bytes.to_string()).stdout(Stdio::piped());
        let child = command.spawn()?;
        let appender = Self { child, pending: String::new() };
        let out = appender.child.stdout.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        let flags = fcntl_getfl(out.as_fd())?;
        fcntl_setfl(out.as_fd(), flags | OFlags::NONBLOCK)?;
        Ok(appender)
    }

    /// All that it has said up to this moment: afterwards the pipe is empty.
    ///
    /// # Errors
    /// What reading the pipe answers.
    pub fn heard(&mut self) -> io::Result<Vec<Said>> {
        let mut bytes = [0; 16 * 1024];
        let mut said = Vec::new();
        let Some(out) = self.child.stdout.as_mut() else { return Ok(said) };
        loop {
            match out.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => self.pending.push_str(&String::from_utf8_lossy(&bytes[..count])),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => break,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        while let Some((line, rest)) = self.pending.split_once('\n') {
            said.push(Said::parse(line));
            self.pending = rest.to_owned();
        }
        Ok(said)
    }

    /// Listens for `span`. The pipe is emptied all the while, so that the child never waits for us.
    ///
    /// # Errors
    /// What reading the pipe answers.
    pub fn listen(&mut self, span: Duration) -> io::Result<Vec<Said>> {
        let started = Instant::now();
        let mut said = self.heard()?;
        while let Some(left) = span.checked_sub(started.elapsed()) {
            sleep(left.min(Duration::from_millis(1)));
            said.append(&mut self.heard()?);
        }
        Ok(said)
    }

    /// Listens until it says something that `ends`; that is the last of what is returned or among it.
    ///
    /// # Errors
    /// What reading the pipe answers; the end of the child; silence.
    pub fn listen_until(&mut self, ends: impl Fn(&Said) -> bool) -> io::Result<Vec<Said>> {
        let started = Instant::now();
        let mut said = Vec::new();
        while !said.iter().any(&ends) {
            let ended = self.child.try_wait()?;
            said.append(&mut self.heard()?);
            if let Some(status) = ended.filter(|_| !said.iter().any(&ends)) {
                return Err(io::Error::other(format!("the child ended, {status}, after {said:?}")));
            }
            if started.elapsed() > SILENCE {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("only heard {said:?}"),
                ));
            }
            sleep(Duration::from_millis(1));
        }
        Ok(said)
    }

    /// Stops it where it is, and returns when it stands.
    ///
    /// # Errors
    /// What the system answers.
    pub fn stop(&mut self) -> io::Result<()> {
        kill_process(self.pid()?, Signal::STOP)?;
        match waitpid(Some(self.pid()?), WaitOptions::UNTRACED)? {
            Some((_, status)) if status.stopped() => Ok(()),
            other => Err(io::Error::other(format!("the child did not stop: {other:?}"))),
        }
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// What the system answers.
    pub fn go_on(&mut self) -> io::Result<()> {
        Ok(kill_process(self.pid()?, Signal::CONT)?)
    }

    /// Kills it, and returns what it had still said.
    ///
    /// # Errors
    /// What the system answers.
    pub fn kill(mut self) -> io::Result<Vec<Said>> {
        self.child.kill()?;
        self.child.wait()?;
        self.heard()
    }

    fn pid(&self) -> io::Result<Pid> {
        Ok(Pid::from_child(&self.child))
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // It may have ended by itself or been killed already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The last event that was acknowledged, or `before` if there is none.
///
/// # Panics
/// If the child said anything that it should not say.
#[must_use]
pub fn last_acked(said: &[Said], before: u64) -> u64 {
    said.iter().fold(before, |last, line| match line {
        Said::Acked(seq) => last.max(*seq),
        Said::Opened(_) | Said::Refused(_) => last,
        Said::Else(line) => panic!("the child said: {line}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let lines = ["opened 0", "acked 17", "refused 17", "acked x", "panic"];
        let said: Vec<_> = lines.iter().map(|line| Said::parse(line)).collect();
        assert_eq!(said[..3], [Said::Opened(0), Said::Acked(17), Said::Refused(17)]);
        assert_eq!(said[3..], [Said::Else("acked x".into()), Said::Else("panic".into())]);
        assert_eq!(last_acked(&said[..3], 3), 17);
        assert_eq!(last_acked(&said[..1], 3), 3);
    }
}
