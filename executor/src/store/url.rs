//! From a URL to a store.

use std::path::PathBuf;
use std::sync::Arc;

use super::{FileStore, SharedStore, StoreError};

/// The store that a URL names: `file:///absolute/path`, with `%XX` for bytes that a URL cannot hold.
///
/// # Errors
/// `Invalid` for a URL of another kind or without an absolute path.
pub fn open_url(url: &str) -> Result<SharedStore, StoreError> {
    let path = path_of(url).map_err(|reason| StoreError::Invalid { key: shown(url), reason })?;
    Ok(Arc::new(FileStore::new(path)?))
}

/// Whether a text is a URL that [`open_url`] takes. Nothing is asked of any store.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    path_of(url).map(drop)
}

fn path_of(url: &str) -> Result<PathBuf, &'static str> {
    let Some(path) = url.strip_prefix("file://") else {
        return Err(match url.split_once("://") {
            Some(_) => "this build has no store of that kind: use file:///absolute/path",
            None => "is no URL: write file:///absolute/path",
        });
    };
    if !path.starts_with('/') {
        return Err("has no absolute path: write file:///path, with three slashes");
    }
    match decode(path) {
        None => Err("has a % without two hexadecimal digits: write %25 for the sign itself"),
        Some(path) if path.as_os_str().as_encoded_bytes().contains(&0) => {
            Err("has a NUL in its path")
        }
        Some(path) => Ok(path),
    }
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
        for url in [
            "file://relative",
            "file:/x",
            "s3://bucket/x",
            "/plain/path",
            "file:///%zz",
            "file:///%00",
        ] {
            assert!(matches!(open_url(url), Err(StoreError::Invalid { .. })), "{url}");
            assert!(check_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn messages_show_no_credentials() {
        let error = open_url("s3://user:marker-of-a-secret@host/x").err().unwrap().to_string();
        assert!(!error.contains("marker-of-a-secret"), "{error}");
    }
}
