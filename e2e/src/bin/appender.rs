//! Opens a log and appends to it until it is killed, saying on its output what was acknowledged.
//!
//! `appender DIR SEGMENT_BYTES`

use std::error::Error;
use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use holdfast_e2e::workload;
use holdfast_eventlog::{Answer, Ledger, Options, Refusal};

/// Between two tries while the disk is full.
const PAUSE: Duration = Duration::from_millis(5);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let dir = arguments.next().map(PathBuf::from).ok_or("give the directory of the log")?;
    let segment = arguments.next().and_then(|text| text.to_str()?.parse().ok());
    let segment_bytes = segment.ok_or("give the size of a segment")?;
    let mut ledger = Ledger::open(&dir, Options { segment_bytes, ..Options::default() })?;
    say("opened", ledger.state().seq)?;
    loop {
        let batch = workload::batch(ledger.state().seq);
        let submitted = ledger.submit(&batch)?;
        let last = ledger.state().seq;
        match submitted.answers.last() {
            Some(Answer::Recorded { .. }) if workload::ends_batch(last) => say("acked", last)?,
            Some(Answer::Refused(Refusal::NoSpace(_))) => {
                say("refused", last)?;
                sleep(PAUSE);
            }
            other => return Err(format!("after event {last}: {other:?}").into()),
        }
    }
}

/// One line, handed to the kernel before this returns.
fn say(word: &str, seq: u64) -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{word} {seq}")?;
    out.flush()
}
