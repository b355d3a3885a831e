//! Where a log lies, and how to read it.

use std::path::{Path, PathBuf};

use holdfast_eventlog::{ChainKey, Error, Export, Reader};

/// The log's directory inside a state directory.
const LOG_IN_STATE: &str = "log";

/// The log of a state directory.
#[must_use]
pub fn of_state(state: &Path) -> PathBuf {
    state.join(LOG_IN_STATE)
}

/// Opens a log for reading: its directory, or an export of it (a file, or a directory of pieces).
///
/// # Errors
/// [`Error::Absent`] if there is neither, and everything that [`Reader::open`] says.
pub fn open(path: &Path, key: Option<ChainKey>) -> Result<Reader, Error> {
    if !path.exists() {
        return Err(Error::Absent { dir: path.to_path_buf() });
    }
    if path.is_dir() && !is_export_directory(path) {
        return Reader::open(path, key);
    }
    Export::read(path)?.reader(key)
}

/// An export has its segments in `segments`; a log has them in `journal`.
fn is_export_directory(path: &Path) -> bool {
    path.join("segments").is_dir() && !path.join("journal").is_dir()
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{Actor, Command, CommandId, Envelope, Timestamp, lease};
    use holdfast_eventlog::{Ledger, Options};

    use super::*;

    fn log_in(dir: &Path) {
        let mut ledger = Ledger::open(dir, Options::default()).unwrap();
        let begin = Command::Lease(lease::Command::Begin { holder: "me".into() });
        let envelope = Envelope {
            id: CommandId([1; 16]),
            at: Timestamp(1_000),
            actor: Actor::Operator,
            epoch: 1,
            command: begin,
        };
        ledger.submit(&[envelope]).unwrap();
        ledger.close().unwrap();
    }

    #[test]
    fn a_directory_an_export_file_and_an_export_directory_are_the_same_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = of_state(dir.path());
        log_in(&log);
        let export = Export::of(&open(&log, None).unwrap()).unwrap();
        export.write_file(&dir.path().join("file")).unwrap();
        export.write_directory(&dir.path().join("pieces")).unwrap();
        let head = open(&log, None).unwrap().head();
        for copy in ["file", "pieces"] {
            let read = open(&dir.path().join(copy), None).unwrap();
            assert_eq!((read.head().seq, read.head().hash), (head.seq, head.hash), "{copy}");
        }
    }

    #[test]
    fn what_is_not_there_is_absent_and_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("nothing");
        assert!(matches!(open(&log, None), Err(Error::Absent { .. })));
        assert!(!log.exists());
    }
}
