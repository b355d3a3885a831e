//! From a URL to a store.

use std::path::PathBuf;
use std::sync::Arc;

use super::{FileStore, SharedStore, StoreError};

/// The store that a URL names: `file:///absolute/path`, with `%XX` for bytes that a URL cannot hold.
///
/// # Errors
/// `Invalid` for a URL of another kind or without an absolute path.
pub fn open_url(url: &str) -> Result<SharedStore, StoreError> {
    let invalid = |reason| StoreError::Invalid { key: shown(url), reason };
    let Some(path) = url.strip_prefix("file://") else {
        return Err(invalid("is not a URL of this build: use file:///absolute/path"));
    };
    if !path.starts_with('/') {
        return Err(invalid("has no absolute path: write file:///path, with three slashes"));
    }
    let path = decode(path).ok_or_else(|| invalid("has a % without two hexadecimal digits"))?;
    Ok(Arc::new(FileStore::new(path)?))
}

/// A URL may carry credentials before an `@`; messages must not.
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    }
}

fn decode(path: &str) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(std::ffi::OsString::from_vec(out).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_and_must_be_absolute() {
        assert_eq!(decode("/a%20b%2Fc"), Some(PathBuf::from("/a b/c")));
        assert_eq!(decode("/a%2"), None);
        for url in ["file://relative", "file:/x", "s3://bucket/x", "/plain/path", "file:///%zz"] {
            assert!(matches!(open_url(url), Err(StoreError::Invalid { .. })), "{url}");
        }
    }

    #[test]
    fn messages_show_no_credentials() {
        let error = open_url("s3://user:marker-of-a-secret@host/x").err().unwrap().to_string();
        assert!(!error.contains("marker-of-a-secret"), "{error}");
    }
}
