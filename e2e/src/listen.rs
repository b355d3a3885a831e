//! Small servers of tests: who listens, answers on a thread for each client, and ends with its owner.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A port that is listened at until this goes out of scope; then connections are refused.
pub struct Listening {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// Listens at an address of this machine. `serve` gets each client on a thread of its own.
    ///
    /// # Errors
    /// What listening answers.
    pub fn start(
        at: IpAddr,
        serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((at, 0))?;
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let (serve, stop) = (Arc::new(serve), ended.clone());
        let thread = std::thread::spawn(move || {
            for client in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), serve) = (client, serve.clone()) else { continue };
                // A client sees that its connection has closed, and says so itself.
                std::thread::spawn(move || drop(serve(client)));
            }
        });
        Ok(Self { address, ended, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for clients.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a server shows of itself, with its key; and in PEM what its clients have to trust.
///
/// # Errors
/// What making it answers.
pub fn certificate(of: IpAddr) -> io::Result<(Arc<ServerConfig>, String)> {
    let key = rcgen::KeyPair::generate().map_err(io::Error::other)?;
    let made = rcgen::CertificateParams::new(vec![of.to_string()]).map_err(io::Error::other)?;
    let own = made.self_signed(&key).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth();
    let secret = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = config.with_single_cert(vec![own.der().clone()], secret.into());
    Ok((Arc::new(config.map_err(io::Error::other)?), own.pem()))
}

/// Speaks TLS with a client, as long as `talk` has something to say.
///
/// # Errors
/// What the connection answers.
pub fn by_tls(
    client: TcpStream,
    config: &Arc<ServerConfig>,
    talk: impl FnOnce(&mut StreamOwned<ServerConnection, TcpStream>) -> io::Result<()>,
) -> io::Result<()> {
    let session = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, client);
    talk(&mut stream)?;
    stream.conn.send_close_notify();
    stream.flush()
}
