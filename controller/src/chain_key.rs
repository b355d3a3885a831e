//! The key of a log's chain, from a file.

use std::path::{Path, PathBuf};

use holdfast_eventlog::ChainKey;
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Why a file gives no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the chain key in {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It holds something else.
    #[error(
        "{path} holds no chain key: {bytes} bytes are neither 32 nor 64 hexadecimal digits; \
         `head -c 32 /dev/urandom` makes one"
    )]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// How many it holds.
        bytes: usize,
    },
}

/// The key in a file, if there is one to be read: 32 bytes, or their 64 hexadecimal digits on a line.
///
/// # Errors
/// [`KeyFileError`]; a file that was named is never passed over.
pub fn read(path: Option<&Path>) -> Result<Option<ChainKey>, KeyFileError> {
    let Some(path) = path else { return Ok(None) };
    let text = std::fs::read(path).map(Zeroizing::new);
    let text =
        text.map_err(|source| KeyFileError::Unreadable { path: path.to_path_buf(), source })?;
    match parse(&text) {
        Some(key) => Ok(Some(key)),
        None => Err(KeyFileError::NotAKey { path: path.to_path_buf(), bytes: text.len() }),
    }
}

fn parse(text: &[u8]) -> Option<ChainKey> {
    if let Ok(bytes) = <[u8; KEY_BYTES]>::try_from(text) {
        return Some(ChainKey::new(bytes));
    }
    let digits = text.trim_ascii_end();
    if digits.len() != KEY_BYTES * 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; KEY_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(ChainKey::new(bytes))
}

#[cfg(test)]
mod tests {
    use holdfast_eventlog::{Ledger, Options, Reader};

    use super::*;

    #[test]
    fn bytes_and_their_digits_are_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            std::fs::write(dir.path().join(name), content).unwrap();
            read(Some(&dir.path().join(name))).unwrap()
        };
        let key = file("bytes", &[0xA5; 32]);
        let log = dir.path().join("log");
        drop(Ledger::open(&log, Options { key, ..Options::default() }).unwrap());
        for (name, digits) in [("digits", "a5".repeat(32) + "\n"), ("upper", "A5".repeat(32))] {
            assert!(Reader::open(&log, file(name, digits.as_bytes())).is_ok(), "{name}");
        }
        assert!(Reader::open(&log, None).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for content in ["", "marker", &"a5".repeat(31), &("zz".repeat(32)), &"a5".repeat(33)] {
            std::fs::write(&path, content).unwrap();
            let error = read(Some(&path)).unwrap_err().to_string();
            assert!(error.contains(&format!("{} bytes", content.len())), "{error}");
            assert!(!error.contains("marker"));
        }
        let error = read(Some(&dir.path().join("gone"))).unwrap_err();
        assert!(matches!(error, KeyFileError::Unreadable { .. }));
        assert!(read(None).unwrap().is_none());
    }
}
