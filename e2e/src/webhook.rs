//! An admission webhook of a test: HTTPS on an address that the API server reaches, answered by a function.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// How long a client may say nothing before it is given up.
const SILENCE: Duration = Duration::from_secs(5);

/// Most bytes of a request: the API server sends no object above 3 MiB.
const REQUEST_BYTES: u64 = 8 << 20;

type Decide = Box<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;

struct Shared {
    config: Arc<ServerConfig>,
    decide: Decide,
    asked: AtomicUsize,
    ended: AtomicBool,
}

/// A webhook that answers until it goes out of scope.
pub struct Webhook {
    shared: Arc<Shared>,
    address: SocketAddr,
    authority: String,
    thread: Option<JoinHandle<()>>,
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
        let key = rcgen::KeyPair::generate().map_err(io::Error::other)?;
        let made = rcgen::CertificateParams::new(vec![at.to_string()]).map_err(io::Error::other)?;
        let own = made.self_signed(&key).map_err(io::Error::other)?;
        let secret = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], secret.into())
        .map_err(io::Error::other)?;
        let listener = TcpListener::bind((at, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            config: Arc::new(config),
            decide: Box::new(decide),
            asked: 0.into(),
            ended: false.into(),
        });
        let authority = BASE64_STANDARD.encode(own.pem());
        let serving = shared.clone();
        let thread = Some(std::thread::spawn(move || accept(&listener, &serving)));
        Ok(Self { shared, address, authority, thread })
    }

    /// Where it is asked.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}/", self.address)
    }

    /// The certificate that its clients have to trust, as `caBundle` wants it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Reviews that were answered.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections; once it has ended nobody listens.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        let Ok(client) = client else { continue };
        let shared = shared.clone();
        std::thread::spawn(move || {
            // The client sees that its connection has closed, and says so itself.
            let _ = serve(client, &shared);
        });
    }
}

/// One request a connection.
fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_read_timeout(Some(SILENCE))?;
    let session = ServerConnection::new(shared.config.clone()).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, client);
    let review: Value = serde_json::from_slice(&body(&mut stream)?)?;
    let request = &review["request"];
    let decided = (shared.decide)(request);
    let mut response = json!({ "uid": request["uid"], "allowed": decided.is_ok() });
    if let Err(why) = decided {
        response["status"] = json!({ "message": why });
    }
    let answer = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response });
    let answer = answer.to_string();
    shared.asked.fetch_add(1, Ordering::Relaxed);
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    )?;
    stream.conn.send_close_notify();
    stream.flush()
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
