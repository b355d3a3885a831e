//! What an object store's answer means. Servers say it in a status, in the code of an XML body, or in words
//! of the client below; all of it is sorted here.

use std::error::Error as _;

use object_store::Error as Below;

use super::client::Odd;
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

/// Codes of refusals that pass: the request came too late, or came to harm on its way.
const PASSING: [&str; 11] = [
    "RequestTimeout",
    "IncompleteBody",
    "BadDigest",
    "InvalidDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
];

/// Statuses of refusals that pass.
const PASSING_STATUS: [u16; 4] = [408, 409, 425, 429];

/// What to do about refusals whose own words do not say it.
const ADVICE: [(&[&str], &str); 3] = [
    (
        &[
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
            "PermanentRedirect",
        ],
        "write the region that it names into the URL: region=NAME",
    ),
    (&["RequestTimeTooSkewed", "RequestExpired"], "set the clock of this machine"),
    (&["ExpiredToken", "TokenRefreshRequired"], "get new credentials: these have expired"),
];

/// Words of the client about answers that are none.
const NONSENSE: &str = "Content-Length Header missing";

/// Words of the client about an answer to a put that says it was done and not under which tag.
const UNTAGGED: &str = "ETag Header missing";

/// The most of a server's words that goes into a message.
const WORDS_MAX: usize = 300;

/// Whether a put was refused because something has that name.
pub(super) fn is_taken(error: &Below) -> bool {
    let refused = matches!(error, Below::AlreadyExists { .. } | Below::Precondition { .. });
    refused && !code_of(&words(error)).is_some_and(|code| MEANWHILE.contains(&code))
}

/// Whether a put was answered as if it were done, but not as S3 does.
pub(super) fn is_taken_untagged(error: &Below) -> bool {
    status_of(&words(error)).is_none() && words(error).contains(UNTAGGED)
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
    let denied = |key| StoreError::Denied { verb, key, reason: advised(&text) };
    if let Some(odd) = found_in::<Odd>(error) {
        return of_odd(verb, key, odd);
    }
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
        // Who may not delete is told so in this way, too.
        Below::NotImplemented { .. } | Below::NotSupported { .. } if verb == "delete" => {
            denied(key)
        }
        Below::NotImplemented { .. } | Below::NotSupported { .. } if verb == "put" => lacks(key),
        Below::NotImplemented { .. } | Below::NotSupported { .. } => {
            StoreError::Rejected { verb, key, reason: advised(&text) }
        }
        Below::InvalidPath { .. } => {
            StoreError::Invalid { key, reason: "is a name that this store cannot hold" }
        }
        _ if text.contains(NONSENSE) => nonsense(key),
        _ => by_status(verb, key, &text),
    }
}

fn by_status(verb: &'static str, key: String, text: &str) -> StoreError {
    let code = code_of(text);
    let is = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    let passes = is(&PASSING) || is(&MEANWHILE);
    match status_of(text) {
        Some(501) if verb == "put" => lacks(key),
        Some(501 | 405) if verb == "delete" => {
            StoreError::Denied { verb, key, reason: advised(text) }
        }
        Some(401 | 403) if !passes => StoreError::Denied { verb, key, reason: advised(text) },
        Some(429) => StoreError::Busy { verb, key, reason: shown(text) },
        Some(status) if passes || (status >= 500 && code.is_some()) => {
            StoreError::Busy { verb, key, reason: shown(text) }
        }
        // What is wrong about a request is as wrong the next time.
        Some(status @ 400..=499) if !PASSING_STATUS.contains(&status) => {
            StoreError::Rejected { verb, key, reason: advised(text) }
        }
        _ => StoreError::Unavailable { verb, key, reason: shown(text) },
    }
}

/// The error behind an answer that was not even given to the client below.
fn of_odd(verb: &'static str, key: String, odd: &Odd) -> StoreError {
    match odd {
        Odd::Endless | Odd::Circle => nonsense(key),
        Odd::Page { .. } => StoreError::Unavailable { verb, key, reason: odd.to_string() },
        Odd::Cut => StoreError::Rejected { verb, key, reason: odd.to_string() },
        Odd::Elsewhere(words) => {
            let reason = match words.as_str() {
                "" => ELSEWHERE.to_owned(),
                words => format!("{ELSEWHERE}. It says: {words}"),
            };
            StoreError::Rejected { verb, key, reason }
        }
    }
}

/// The link of that kind in the chain of an error.
fn found_in<T: std::error::Error + 'static>(error: &Below) -> Option<&T> {
    let mut link: Option<&(dyn std::error::Error + 'static)> = Some(error);
    loop {
        match link?.downcast_ref::<T>() {
            Some(found) => return Some(found),
            None => link = link?.source(),
        }
    }
}

/// No server of objects says that, whenever it is asked.
pub(super) fn nonsense(key: String) -> StoreError {
    let reason = "the server gives no answer that a store gives: more than it promises, or nothing that ends";
    StoreError::Invalid { key, reason }
}

const ELSEWHERE: &str = "it sends us to another server, and nobody follows: name the right endpoint, region and \
                         path-style in the URL";

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
    tag(text, "Code").filter(|code| !code.is_empty())
}

/// What stands in the first element of that name.
pub(super) fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// The status that the client names.
pub(super) fn status_of(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// A text that fits into a message: code and words of a server if it says any, else the last words, which are
/// the cause.
pub(super) fn shown(text: &str) -> String {
    if let Some(code) = code_of(text) {
        let status = status_of(text).map(|status| format!(" ({status})")).unwrap_or_default();
        let words = tag(text, "Message").map(str::trim).filter(|words| !words.is_empty());
        let words = words.map(|words| format!(": {words}")).unwrap_or_default();
        let said = format!("{code}{status}{words}");
        return said.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
    }
    let mut start = text.len().saturating_sub(WORDS_MAX);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

/// The same, with what to do about it.
fn advised(text: &str) -> String {
    let code = code_of(text).unwrap_or_default();
    let advice = ADVICE.iter().find(|(codes, _)| codes.contains(&code));
    match (advice, tag(text, "Region")) {
        (Some((_, advice)), Some(region)) => {
            let region: String = region.chars().filter(|c| !c.is_control()).take(64).collect();
            format!("{}; {}", shown(text), advice.replace("NAME", &region))
        }
        (Some((_, advice)), None) => format!("{}; {advice}", shown(text)),
        (None, _) => shown(text),
    }
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
            StoreError::Rejected { .. } => "rejected",
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
            (400, "AuthorizationHeaderMalformed", "rejected"),
            (400, "RequestTimeTooSkewed", "denied"),
            (400, "InvalidArgument", "rejected"),
            (400, "", "rejected"),
            (400, "RequestTimeout", "busy"),
            (400, "BadDigest", "busy"),
            (408, "", "unavailable"),
            (502, "", "unavailable"),
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
        assert_eq!(shown(&said(503, &body("SlowDown")).to_string()), "SlowDown (503): m");
        assert!(shown(&"ä".repeat(1_000)).len() <= WORDS_MAX);
    }

    #[test]
    fn a_wrong_region_or_clock_is_told_with_what_to_do() {
        let told = |status, body: &str| sort("list", "keys/", &said(status, body)).to_string();
        let region = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>expecting 'eu-central-1'</Message>\
                      <Region>eu-central-1</Region></Error>";
        let words = told(400, region);
        assert!(words.contains("expecting 'eu-central-1'"), "{words}");
        assert!(words.contains("region=eu-central-1"), "{words}");
        assert!(sort("list", "keys/", &said(400, region)).permanent());
        let words = told(403, &body("RequestTimeTooSkewed"));
        assert!(words.contains("clock"), "{words}");
    }

    #[test]
    fn who_may_not_delete_is_told_so_at_once() {
        for (status, code) in
            [(403, "AccessDenied"), (501, "NotImplemented"), (405, "MethodNotAllowed")]
        {
            let error = sort("delete", "intents/a", &said(status, &body(code)));
            assert!(matches!(error, StoreError::Denied { .. }), "{status} {error:?}");
        }
        let source = said(501, &body("NotImplemented")).to_string().into();
        let path = Below::Generic { store: "S3", source };
        let below = Below::NotImplemented { operation: path.to_string(), implementer: "S3".into() };
        assert!(matches!(sort("delete", "a", &below), StoreError::Denied { .. }));
    }
}
