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
use reqwest::redirect::Policy;

/// Most bytes of an answer that is no object: a listing of a thousand keys of a kilobyte is a sixteenth of it.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;

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

/// An answer goes on and on.
#[derive(Debug, thiserror::Error)]
#[error("the answer has more than {ANSWER_MAX_BYTES} bytes, which no true one has")]
struct Endless;

impl Guarded {
    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let is_listing = query.split('&').any(|part| part.starts_with("list-type="));
        let asks_for_object = self.objects && request.method().as_str() == "GET" && !is_listing;
        let (head, body) = self.client.call(request).await?.into_parts();
        if asks_for_object && head.status.is_success() {
            return Ok(HttpResponse::from_parts(head, body));
        }
        let mut bytes = Vec::new();
        let mut parts = body.bytes_stream();
        while let Some(part) = parts.try_next().await? {
            if bytes.len() + part.len() > ANSWER_MAX_BYTES {
                return Err(HttpError::new(HttpErrorKind::Decode, Endless));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(HttpResponse::from_parts(head, bytes.into()))
    }
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
