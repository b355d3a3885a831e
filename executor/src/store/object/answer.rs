//! What an object store's answer means. Servers say it in a status, in the code of an XML body, or in words
//! of the client below; all of it is sorted here.

use std::error::Error as _;

use object_store::Error as Below;

use super::identity;
use crate::store::StoreError;

/// Codes of bodies that mean: these credentials do not do.
const DENIED: [&str; 8] = [
    "AccessDenied",
    "AllAccessDisabled",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "InvalidSecurity",
];

/// Codes of bodies that mean: no more space.
const FULL: [&str; 6] = [
    "QuotaExceeded",
    "InsufficientStorage",
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
    "StorageFull",
    "NoSpaceLeft",
];

/// Codes of answers to a put that lost against another at the same moment, and may be tried again.
const MEANWHILE: [&str; 2] = ["ConditionalRequestConflict", "OperationAborted"];

/// Words of the client about answers that are none.
const NONSENSE: [&str; 2] = ["which no true one has", "Content-Length Header missing"];

/// The most of a server's words that goes into a message.
const WORDS_MAX: usize = 300;

/// Whether a put was refused because something has that name.
pub(super) fn is_taken(error: &Below) -> bool {
    let refused = matches!(error, Below::AlreadyExists { .. } | Below::Precondition { .. });
    refused && !code_of(&words(error)).is_some_and(|code| MEANWHILE.contains(&code))
}

/// The store's error for an answer of the client below.
pub(super) fn sort(verb: &'static str, key: &str, error: &Below) -> StoreError {
    if let Some(unknown) = identity::sort(verb, key, error) {
        return unknown;
    }
    let text = words(error);
    let code = code_of(&text);
    let is = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    let key = key.to_owned();
    let denied = |key| StoreError::Denied { verb, key, reason: shown(&text) };
    if code == Some("NoSuchBucket") {
        return StoreError::NoBucket { key };
    }
    if is(&DENIED) {
        return denied(key);
    }
    if is(&FULL) || status_of(&text) == Some(507) {
        return StoreError::Full { key };
    }
    match error {
        Below::NotFound { .. } => StoreError::NotFound { key },
        Below::PermissionDenied { .. } | Below::Unauthenticated { .. } => denied(key),
        Below::NotImplemented { .. } | Below::NotSupported { .. } => lacks(key),
        Below::InvalidPath { .. } => {
            StoreError::Invalid { key, reason: "is a name that this store cannot hold" }
        }
        _ if text.contains("redirect without LOCATION") => elsewhere(key),
        _ if NONSENSE.iter().any(|words| text.contains(words)) => nonsense(key),
        _ => match status_of(&text) {
            Some(300..=399) => elsewhere(key),
            Some(501) if verb == "put" => lacks(key),
            Some(401 | 403) => denied(key),
            Some(status)
                if status == 429 || is(&MEANWHILE) || (status >= 500 && code.is_some()) =>
            {
                StoreError::Busy { verb, key, reason: shown(&text) }
            }
            _ => StoreError::Unavailable { verb, key, reason: shown(&text) },
        },
    }
}

/// No server of objects says that, whenever it is asked.
pub(super) fn nonsense(key: String) -> StoreError {
    let reason = "the server gives no answer that a store gives: more than it promises, or nothing that ends";
    StoreError::Invalid { key, reason }
}

fn elsewhere(key: String) -> StoreError {
    let reason = "the server sends us to another one, and nobody follows: name the right endpoint, region and \
                  path-style in the URL";
    StoreError::Invalid { key, reason }
}

fn lacks(key: String) -> StoreError {
    let reason = "the server has no conditional writes: add conditional=no to the URL";
    StoreError::Invalid { key, reason }
}

/// The whole chain of an error as one text. Links repeat what stands below them, so the longest one says all.
pub(super) fn words(error: &Below) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}

/// What stands in `<Code>` of a body.
pub(super) fn code_of(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    Some(rest.split_once("</Code>")?.0).filter(|code| !code.is_empty())
}

/// The status that the client names.
pub(super) fn status_of(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// A text that fits into a message: the code if there is one, else the last words, which are the cause.
pub(super) fn shown(text: &str) -> String {
    if let Some(code) = code_of(text) {
        let status = status_of(text).map(|status| format!(" ({status})")).unwrap_or_default();
        return format!("{code}{status}");
    }
    let mut start = text.len().saturating_sub(WORDS_MAX);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Below {
        let text = format!("Server returned non-2xx status code: {status} Words: {body}");
        Below::Generic { store: "S3", source: text.into() }
    }

    fn body(code: &str) -> String {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message></Error>")
    }

    #[test]
    fn each_answer_has_its_error() {
        let class = |error: &Below| match sort("put", "config", error) {
            StoreError::NoBucket { .. } => "no bucket",
            StoreError::Denied { .. } => "denied",
            StoreError::Full { .. } => "full",
            StoreError::Busy { .. } => "busy",
            StoreError::Unavailable { .. } => "unavailable",
            StoreError::Invalid { .. } => "lacks",
            StoreError::NotFound { .. } => "not found",
            _ => "other",
        };
        for (status, code, expected) in [
            (404, "NoSuchBucket", "no bucket"),
            (403, "SignatureDoesNotMatch", "denied"),
            (400, "ExpiredToken", "denied"),
            (403, "", "denied"),
            (507, "", "full"),
            (403, "QuotaExceeded", "full"),
            (503, "SlowDown", "busy"),
            (500, "InternalError", "busy"),
            (429, "", "busy"),
            (503, "", "unavailable"),
            (400, "AuthorizationHeaderMalformed", "unavailable"),
            (501, "NotImplemented", "lacks"),
        ] {
            assert_eq!(class(&said(status, &body(code))), expected, "{status} {code}");
        }
        let source = || said(409, &body("ConditionalRequestConflict")).to_string().into();
        let path = || "config".to_owned();
        let meanwhile = Below::AlreadyExists { path: path(), source: source() };
        assert!(!is_taken(&meanwhile), "two puts at once: one of them has to ask again");
        assert_eq!(class(&meanwhile), "busy");
        let taken = said(412, &body("PreconditionFailed")).to_string();
        assert!(is_taken(&Below::AlreadyExists { path: path(), source: taken.into() }));
        let gone = said(404, &body("NoSuchKey")).to_string();
        assert_eq!(class(&Below::NotFound { path: path(), source: gone.into() }), "not found");
    }

    #[test]
    fn messages_are_short_and_name_the_code() {
        assert_eq!(shown(&said(503, &body("SlowDown")).to_string()), "SlowDown (503)");
        assert!(shown(&"ä".repeat(1_000)).len() <= WORDS_MAX);
    }
}
