//! An admission webhook of a test: HTTPS on an address that the API server reaches, answered by a function.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::listen::{self, Listening};

/// How long a client may say nothing before it is given up.
const SILENCE: Duration = Duration::from_secs(5);

/// Most bytes of a request: the API server sends no object above 3 MiB.
const REQUEST_BYTES: u64 = 8 << 20;

/// A webhook that answers until it goes out of scope.
pub struct Webhook {
    listening: Listening,
    asked: Arc<AtomicUsize>,
    authority: String,
}

impl Webhook {
    /// Listens at an address. `decide` gets the request of a review: an error is why it is denied.
    ///
    /// # Errors
    /// What listening, or making a certificate, answers.
    pub fn start(
        at: IpAddr,
        decide: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (config, authority) = listen::certificate(at)?;
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let listening = Listening::start(at, move |client: TcpStream| {
            client.set_read_timeout(Some(SILENCE))?;
            listen::by_tls(client, &config, |stream| {
                let answer = reviewed(&body(stream)?, &decide)?;
                count.fetch_add(1, Ordering::Relaxed);
                reply(stream, &answer)
            })
        })?;
        Ok(Self { listening, asked, authority: BASE64_STANDARD.encode(authority) })
    }

    /// Where it is asked.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}/", self.listening.address())
    }

    /// The certificate that its clients have to trust, as `caBundle` wants it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Reviews that were answered.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// The answer to a review.
fn reviewed(review: &[u8], decide: &impl Fn(&Value) -> Result<(), String>) -> io::Result<String> {
    let review: Value = serde_json::from_slice(review)?;
    let request = &review["request"];
    let decided = decide(request);
    let mut response = json!({ "uid": request["uid"], "allowed": decided.is_ok() });
    if let Err(why) = decided {
        response["status"] = json!({ "message": why });
    }
    let api = "admission.k8s.io/v1";
    Ok(json!({ "apiVersion": api, "kind": "AdmissionReview", "response": response }).to_string())
}

/// One answer a connection.
fn reply(to: &mut impl Write, body: &str) -> io::Result<()> {
    let len = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    write!(to, "{head}\r\nContent-Length: {len}\r\n\r\n{body}")
}

/// The body of a request that says how long it is.
fn body(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut from = BufReader::new(from.take(REQUEST_BYTES));
    let mut length = None;
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(said) = line.strip_prefix("content-length:") {
            length = said.trim().parse::<usize>().ok();
        }
    }
    let length = length.filter(|length| *length as u64 <= REQUEST_BYTES);
    let mut body =
        vec![0; length.ok_or_else(|| invalid("the request has no length, or too much of it"))?];
    from.read_exact(&mut body)?;
    Ok(body)
}
