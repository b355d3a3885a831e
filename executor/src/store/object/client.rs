//! The client that speaks to servers. It goes where a URL says and nowhere else: a server that could send it on would
//! make requests from inside our network, with our token. And it reads no more of an answer than any true one has: what
//! the library above keeps in memory comes from whoever answers.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use object_store::ClientOptions;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest,
    HttpResponse, HttpService,
};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;

use super::answer;

/// Most bytes of an answer that is no object: a listing of a thousand keys of a kilobyte is a sixteenth of it.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Most bytes of a page that is looked for where an object should be.
const PAGE_MAX_BYTES: usize = 1024 * 1024;

/// How connections are made.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) connect: Duration,
    pub(super) silence: Duration,
    pub(super) request: Duration,
    pub(super) idle_max: usize,
    /// Certificates of the URL's own file, PEM.
    pub(super) trusted: Vec<u8>,
    /// Whether the authorities of the machine are trusted too.
    pub(super) system: bool,
    pub(super) insecure: bool,
    /// Whether objects are asked for, whose size their reader bounds.
    pub(super) objects: bool,
}

impl Client {
    fn build(&self, https_only: bool) -> reqwest::Result<reqwest::Client> {
        let own = match self.trusted.is_empty() {
            true => Vec::new(),
            false => reqwest::Certificate::from_pem_bundle(&self.trusted)?,
        };
        let builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect)
            .read_timeout(self.silence)
            .timeout(self.request)
            .pool_max_idle_per_host(self.idle_max)
            .tls_danger_accept_invalid_certs(self.insecure)
            .https_only(https_only);
        match self.system {
            true => builder.tls_certs_merge(own),
            false => builder.tls_certs_only(own),
        }
        .build()
    }
}

impl HttpConnector for Client {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp);
        let https_only = plain.as_deref() != Some("true");
        let client = self.build(https_only).map_err(|error| object_store::Error::Generic {
            store: "client",
            source: error.into(),
        })?;
        Ok(HttpClient::new(Guarded { client, objects: self.objects }))
    }
}

/// A client that bounds what it reads.
#[derive(Debug)]
struct Guarded {
    client: reqwest::Client,
    objects: bool,
}

/// An answer that no store of objects gives, or none that is complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Odd {
    /// It goes on and on.
    #[error("the answer has more than {ANSWER_MAX_BYTES} bytes, which no true one has")]
    Endless,
    /// A sign-in page of a network, a proxy, a server of pages. It may be gone when the network is back.
    #[error(
        "{at} answers with a page for people, and is no store of objects: look at the URL, and whether a proxy \
         or a network that wants a sign-in is in between"
    )]
    Page { at: String },
    /// A listing of which the rest cannot be had.
    #[error(
        "the listing goes on, but the server does not say where: it does not know ListObjectsV2, which is needed"
    )]
    Cut,
    /// A listing that goes on where it began.
    #[error("the listing goes in a circle")]
    Circle,
    /// Another server, or another region, has the bucket.
    #[error("{0}")]
    Elsewhere(String),
}

impl Guarded {
    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let mut parts = query.split('&');
        let is_listing = parts.any(|part| part.starts_with("list-type="));
        let asks_for_object = self.objects && request.method().as_str() == "GET" && !is_listing;
        let (at, from) = place_of(&request.uri().to_string());
        let (head, body) = self.client.call(request).await?.into_parts();
        if asks_for_object && head.status.is_success() && !may_be_page(&head.headers) {
            return Ok(HttpResponse::from_parts(head, body));
        }
        let mut bytes = Vec::new();
        let mut parts = body.bytes_stream();
        while let Some(part) = parts.try_next().await? {
            if bytes.len() + part.len() > ANSWER_MAX_BYTES {
                return Err(odd(Odd::Endless));
            }
            bytes.extend_from_slice(&part);
        }
        if self.objects {
            let listing = is_listing.then_some(from);
            look(head.status.as_u16(), &head.headers, &bytes, at, listing).map_err(odd)?;
        }
        Ok(HttpResponse::from_parts(head, bytes.into()))
    }
}

fn odd(found: Odd) -> HttpError {
    HttpError::new(HttpErrorKind::Decode, found)
}

/// Where a request goes, without what it asks; and where the listing that it asks for goes on.
fn place_of(uri: &str) -> (String, Option<String>) {
    let Ok(url) = reqwest::Url::parse(uri) else { return ("the server".to_owned(), None) };
    let token = url.query_pairs().find(|(name, _)| name == "continuation-token");
    (url.origin().ascii_serialization(), token.map(|(_, token)| token.into_owned()))
}

fn is_html(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("text/html")
}

/// Whether an answer for an object has to be looked at: nothing that is kept here is a page, and pages are short.
fn may_be_page(headers: &HeaderMap) -> bool {
    let length = headers.get("content-length").and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<usize>().ok());
    is_html(headers) && length.is_none_or(|length| length <= PAGE_MAX_BYTES)
}

/// Whether bytes begin as pages do.
fn begins_as_page(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_ascii_lowercase();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    let begins = ["<!doctype html", "<html", "<head", "<body"];
    begins.iter().any(|tag| start.starts_with(tag))
}

/// Refuses what is no answer of a store, but would be taken for one. `listing` is where it was to go on.
fn look(
    status: u16,
    headers: &HeaderMap,
    bytes: &[u8],
    at: String,
    listing: Option<Option<String>>,
) -> Result<(), Odd> {
    let believed = (200..300).contains(&status) || matches!(status, 400 | 404 | 405 | 410);
    if believed && begins_as_page(bytes) {
        return Err(Odd::Page { at });
    }
    if (300..400).contains(&status) && status != 304 {
        return Err(Odd::Elsewhere(elsewhere(headers, bytes)));
    }
    let (true, Some(from)) = ((200..300).contains(&status), listing) else { return Ok(()) };
    let text = String::from_utf8_lossy(bytes);
    let goes_on = answer::tag(&text, "IsTruncated").is_some_and(|flag| flag.trim() == "true");
    let next = answer::tag(&text, "NextContinuationToken").map(|token| token.replace("&amp;", "&"));
    match next.filter(|token| !token.is_empty()) {
        None if goes_on => Err(Odd::Cut),
        next if goes_on && from == next => Err(Odd::Circle),
        _ => Ok(()),
    }
}

/// What a server says that sends us on.
fn elsewhere(headers: &HeaderMap, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut words = answer::code_of(&text).map(|_| answer::shown(&text)).unwrap_or_default();
    if let Some(region) = headers.get("x-amz-bucket-region").and_then(|name| name.to_str().ok()) {
        words = format!("{words} (region {region})");
    }
    words.trim().to_owned()
}

impl HttpService for Guarded {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.answer(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: u16, body: &str, listing: Option<Option<&str>>) -> Result<(), Odd> {
        let listing = listing.map(|from| from.map(str::to_owned));
        look(status, &HeaderMap::new(), body.as_bytes(), "http://there".to_owned(), listing)
    }

    #[test]
    fn a_page_is_no_answer_of_a_store() {
        let page = "\n<!DOCTYPE HTML><html>sign in</html>";
        let is_page = |status| matches!(seen(status, page, None), Err(Odd::Page { .. }));
        assert!(
            is_page(200) && is_page(404),
            "neither a put that was taken, nor a repository that is not there"
        );
        assert!(
            !is_page(403) && !is_page(502),
            "proxies say in pages, too, that something does not work"
        );
        assert_eq!(seen(404, "", None), Ok(()));
        assert_eq!(
            seen(404, "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>", None),
            Ok(())
        );
        let odd = seen(200, page, None).unwrap_err().to_string();
        assert!(odd.contains("http://there"), "{odd}");
    }

    #[test]
    fn a_listing_that_cannot_be_read_to_its_end_is_none() {
        let listing = |flag: &str, more: &str| {
            format!("<ListBucketResult><IsTruncated>{flag}</IsTruncated>{more}</ListBucketResult>")
        };
        let token = "<NextContinuationToken>a&amp;b</NextContinuationToken>";
        let read = |flag, more, from| seen(200, &listing(flag, more), Some(from));
        assert_eq!(read("true", token, None), Ok(()));
        assert_eq!(read("true", token, Some("a")), Ok(()));
        assert_eq!(read("false", "", Some("a")), Ok(()));
        assert_eq!(read("true", "", None), Err(Odd::Cut));
        assert_eq!(read("true", "<NextMarker>a</NextMarker>", None), Err(Odd::Cut));
        assert_eq!(
            read("true", "<NextContinuationToken></NextContinuationToken>", None),
            Err(Odd::Cut)
        );
        assert_eq!(read("true", token, Some("a&b")), Err(Odd::Circle));
    }

    #[test]
    fn whoever_sends_us_on_is_quoted() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-bucket-region", "eu-central-1".parse().unwrap());
        let body = b"<Error><Code>PermanentRedirect</Code><Message>use this</Message></Error>";
        let odd = look(301, &headers, body, String::new(), None);
        let words = "PermanentRedirect: use this (region eu-central-1)".to_owned();
        assert_eq!(odd, Err(Odd::Elsewhere(words)));
        assert_eq!(seen(307, "", None), Err(Odd::Elsewhere(String::new())));
        assert_eq!(seen(304, "", None), Ok(()));
    }
}
