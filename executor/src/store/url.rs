//! From a URL to a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::documents::{Below, Documents};
use super::object::{Access, ObjectPlace, ObjectStore};
use super::{FileStore, SharedStore, StoreError, Throttle};

/// The store that a URL names, with what opens it: `file:///absolute/path`, with `%XX` for bytes that a URL cannot
/// hold, or `s3://bucket/prefix?…` (`docs/repository.md` has its parameters). Nothing is taken from the environment.
///
/// # Errors
/// `BadUrl` for a URL of another kind, without an absolute path, or without credentials.
pub fn open_url(url: &str, access: &Access) -> Result<SharedStore, StoreError> {
    let bad = |reason| StoreError::BadUrl { url: shown_url(url), reason };
    match parse(url).map_err(bad)? {
        Place::Directory(path) => Ok(Arc::new(FileStore::new(path)?)),
        Place::Objects(place) => {
            let below = place.connect(access).map_err(bad)?;
            let store: SharedStore = Arc::new(ObjectStore::new(below, &place));
            Ok(match place.rates {
                (0, 0) => store,
                (up, down) => Arc::new(Throttle::new(store, up, down)),
            })
        }
    }
}

/// Where the documents lie that a URL names; it is one that [`open_url`] takes.
///
/// # Errors
/// As those of [`open_url`].
pub fn open_documents(url: &str, access: &Access) -> Result<Documents, StoreError> {
    let bad = |reason| StoreError::BadUrl { url: shown_url(url), reason };
    Ok(Documents::below(match parse(url).map_err(bad)? {
        Place::Directory(path) => Below::Directory(path),
        Place::Objects(place) => {
            let below = place.connect(access).map_err(bad)?;
            Below::Objects(ObjectStore::new(below, &place))
        }
    }))
}

/// The URL of a directory, with `%XX` for what a URL cannot hold.
#[must_use]
pub fn url_of_directory(path: &Path) -> String {
    let mut url = String::from("file://");
    encode(path.as_os_str().as_encoded_bytes(), &mut url);
    url
}

/// The URL of what lies at a relative path below another one; an empty path is that one.
#[must_use]
pub fn url_below(url: &str, path: &str) -> String {
    let (place, parameters) = url.split_once('?').map_or((url, None), |(p, q)| (p, Some(q)));
    let mut below = place.trim_end_matches('/').to_owned();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        below.push('/');
        encode(part.as_bytes(), &mut below);
    }
    if let Some(parameters) = parameters {
        below.push('?');
        below.push_str(parameters);
    }
    below
}

fn encode(bytes: &[u8], url: &mut String) {
    for byte in bytes {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            _ if byte.is_ascii_alphanumeric() => url.push(char::from(*byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// Whether a text is a URL that [`open_url`] takes. Nothing is asked of any store.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn check_url(url: &str) -> Result<(), String> {
    parse(url).map(drop)
}

enum Place {
    Directory(PathBuf),
    Objects(ObjectPlace),
}

fn parse(url: &str) -> Result<Place, String> {
    let (scheme, rest) =
        url.split_once("://").map_or((None, url), |(scheme, rest)| (Some(scheme), rest));
    match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("file") => Ok(Place::Directory(directory(rest)?)),
        Some("s3") => Ok(Place::Objects(ObjectPlace::parse(&format!("s3://{rest}"))?)),
        Some(_) => Err(
            "this build has no store of that kind: use file:///absolute/path or s3://bucket/prefix"
                .into(),
        ),
        None => Err("is no URL: write file:///absolute/path, s3://bucket/prefix, or a path that begins with / or ./".into()),
    }
}

fn directory(path: &str) -> Result<PathBuf, String> {
    if !path.starts_with('/') {
        return Err("has no absolute path: write file:///path, with three slashes".into());
    }
    if path.contains('?') {
        return Err("has a `?`: only s3:// takes parameters; write %3F for the sign itself".into());
    }
    match decode(path).map(into_path) {
        None => Err("has a % without two hexadecimal digits: write %25 for the sign itself".into()),
        Some(path) if path.as_os_str().as_encoded_bytes().contains(&0) => {
            Err("has a NUL in its path".into())
        }
        Some(path) => Ok(path),
    }
}

/// A URL as messages show it. It may carry credentials before an `@`, and secrets among its parameters: neither is
/// needed to know which one it is.
#[must_use]
pub fn shown_url(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(place, _)| place);
    match (url.split_once("://"), url.rsplit_once('@')) {
        // A path may hold the sign.
        (Some((_, rest)), _) if rest.starts_with('/') => url.to_owned(),
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    }
}

fn into_path(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

/// The text of a parameter, or none if it is no text.
pub(super) fn decode_text(text: &str) -> Option<String> {
    String::from_utf8(decode(text)?).ok()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_and_must_be_absolute() {
        assert_eq!(decode("/a%20b%2Fc"), Some(b"/a b/c".to_vec()));
        assert_eq!(decode("/a%2"), None);
        for url in [
            "file://relative",
            "file:/x",
            "s3:///x",
            "gs://b/x",
            "/plain/path",
            "file:///%zz",
            "file:///%00",
            "file:///x?upload-rate=1MiB",
        ] {
            assert!(
                matches!(open_url(url, &Access::default()), Err(StoreError::BadUrl { .. })),
                "{url}"
            );
            assert!(check_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn schemes_are_of_any_case_and_the_sign_of_parameters_can_be_written() {
        for (url, path) in [("FILE:///x", "/x"), ("file:///a%3Fb#c&d", "/a?b#c&d")] {
            let Place::Directory(found) = parse(url).unwrap() else { panic!("{url}") };
            assert_eq!(found, PathBuf::from(path));
        }
        assert!(matches!(parse("S3://bucket/prefix"), Ok(Place::Objects(_))));
    }

    #[test]
    fn s03_messages_show_no_credentials() {
        for url in [
            "s3://user:marker@host/x",
            "s3://user:mar/marker@host/x",
            "file://user:marker@x",
            "https://user:marker@x/y",
            "s3://b/x?endpoint=https://user:marker@host",
            "s3://b/x?X-Amz-Signature=marker",
        ] {
            let error = open_url(url, &Access::default()).err().unwrap().to_string();
            assert!(!error.contains("marker"), "{error}");
        }
        assert_eq!(shown_url("file:///srv/a@b"), "file:///srv/a@b");
    }
}
