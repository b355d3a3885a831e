//! A full disk: commands are refused, reading goes on, and the log goes on by itself when space is back.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use holdfast_e2e::appender::{Appender, Said, last_acked};
use holdfast_e2e::found::proven;
use holdfast_e2e::mounted::Mounted;
use holdfast_e2e::privilege::is_root;

const DISK_BYTES: u64 = 16 * 1024 * 1024;
/// Small, so that the space that is already taken for the next one is soon used up.
const SEGMENT_BYTES: u32 = 64 * 1024;
/// Times that the disk is filled and freed.
const ROUNDS: usize = 3;

#[test]
fn a_full_disk_refuses_and_recovers_by_itself() {
    if !is_root("a full disk") {
        return;
    }
    let program = Path::new(env!("CARGO_BIN_EXE_appender"));
    let dir = tempfile::tempdir().unwrap();
    let disk = Mounted::new_tmpfs(DISK_BYTES, &dir.path().join("disk")).unwrap();
    let (log, filler) = (disk.path().join("log"), disk.path().join("filler"));
    let mut child = Appender::start(program, &log, SEGMENT_BYTES).unwrap();
    let mut acked = 0;
    for _ in 0..ROUNDS {
        let said = child.listen_until(|said| acks_beyond(said, acked)).unwrap();
        acked = last_acked(&said, acked);

        fill(&filler).unwrap();
        let said = child.listen_until(|said| matches!(said, Said::Refused(_))).unwrap();
        acked = last_acked(&said, acked);
        let refused = said.iter().find(|said| matches!(said, Said::Refused(_)));
        assert_eq!(refused, Some(&Said::Refused(acked)), "its state is what was acknowledged");
        proven(&log, acked).unwrap();

        fs::remove_file(&filler).unwrap();
    }
    let said = child.listen_until(|said| acks_beyond(said, acked)).unwrap();
    acked = last_acked(&said, acked);
    acked = last_acked(&child.kill().unwrap(), acked);
    proven(&log, acked).unwrap();
}

#[test]
fn a_log_opens_on_a_full_disk() {
    if !is_root("a full disk") {
        return;
    }
    let program = Path::new(env!("CARGO_BIN_EXE_appender"));
    let dir = tempfile::tempdir().unwrap();
    let disk = Mounted::new_tmpfs(DISK_BYTES, &dir.path().join("disk")).unwrap();
    let (log, filler) = (disk.path().join("log"), disk.path().join("filler"));

    let mut child = Appender::start(program, &log, SEGMENT_BYTES).unwrap();
    let said = child.listen_until(|said| acks_beyond(said, 100)).unwrap();
    let mut acked = last_acked(&said, 0);
    fill(&filler).unwrap();
    let said = child.listen_until(|said| matches!(said, Said::Refused(_))).unwrap();
    acked = last_acked(&said, acked);
    acked = last_acked(&child.kill().unwrap(), acked);

    // What the start itself gives back, such as an index that it drops, may let some more in.
    let mut child = Appender::start(program, &log, SEGMENT_BYTES).unwrap();
    let said = child.listen_until(|said| matches!(said, Said::Opened(_))).unwrap();
    assert_eq!(said.first(), Some(&Said::Opened(acked)));
    acked = last_acked(&said, acked);

    fs::remove_file(&filler).unwrap();
    let said = child.listen_until(|said| acks_beyond(said, acked)).unwrap();
    acked = last_acked(&said, acked);
    child.kill().unwrap();
    proven(&log, acked).unwrap();
}

fn acks_beyond(said: &Said, before: u64) -> bool {
    matches!(said, Said::Acked(seq) if *seq > before)
}

/// Takes all space that there is.
fn fill(filler: &Path) -> io::Result<()> {
    let mut file = File::create(filler)?;
    let block = [0; 4096];
    loop {
        match file.write_all(&block) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::StorageFull => return Ok(()),
            Err(cause) => return Err(cause),
        }
    }
}
