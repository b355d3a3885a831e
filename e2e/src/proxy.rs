//! A TCP proxy that does to connections what networks do to them.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::listen::Listening;

/// How often a connection looks whether its weather has changed.
const LOOK: Duration = Duration::from_millis(20);

/// What happens to connections, those that are open included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Everything passes.
    Fair,
    /// Connections are closed, and new ones at once.
    Cut,
    /// Nothing passes, and nothing is closed.
    Stalled,
    /// So many bytes a second pass, each way and connection.
    Throttled(u64),
    /// What the client sends arrives; the way back is closed.
    HalfClosed,
    /// Each answer comes so much later, whole as it is: the server is far away.
    Distant(Duration),
    /// New connections are answered with HTTP status 503 by the proxy itself.
    Busy,
}

struct Shared {
    weather: Mutex<Weather>,
    to: SocketAddr,
    ended: AtomicBool,
    bytes_up: AtomicU64,
}

impl Shared {
    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A proxy that runs until it goes out of scope.
pub struct Proxy {
    shared: Arc<Shared>,
    listening: Listening,
}

impl Proxy {
    /// Listens on the loopback and passes everything on to `to`.
    ///
    /// # Errors
    /// What listening answers.
    pub fn start(to: SocketAddr) -> io::Result<Self> {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), to)
    }

    /// The same on another address of this machine.
    ///
    /// # Errors
    /// What listening answers.
    pub fn start_at(at: IpAddr, to: SocketAddr) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            weather: Mutex::new(Weather::Fair),
            to,
            ended: false.into(),
            bytes_up: 0.into(),
        });
        let own = shared.clone();
        let listening = Listening::start(at, move |client| serve(client, &own))?;
        Ok(Self { shared, listening })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// Bytes that clients have sent through it.
    #[must_use]
    pub fn bytes_up(&self) -> u64 {
        self.shared.bytes_up.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Connections that are open look at this.
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

fn serve(client: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    match shared.weather() {
        Weather::Cut => return Ok(()),
        Weather::Busy => return refuse(client),
        _ => {}
    }
    let server = TcpStream::connect(shared.to)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_in, server_in) = (client.try_clone()?, server.try_clone()?);
    let (own, asked) = (shared.clone(), Arc::new(AtomicBool::new(false)));
    let asks = asked.clone();
    let up = std::thread::spawn(move || pump(client_in, server_in, &own, Way::Up(&asks)));
    let down = pump(server, client, shared, Way::Down(&asked));
    let _ = up.join();
    down
}

/// One direction of a connection, with whether something was asked since the last answer began.
#[derive(Clone, Copy)]
enum Way<'a> {
    Up(&'a AtomicBool),
    Down(&'a AtomicBool),
}

/// Passes on what comes, until an end closes or the weather does it.
fn pump(mut from: TcpStream, mut to: TcpStream, shared: &Shared, way: Way<'_>) -> io::Result<()> {
    from.set_read_timeout(Some(LOOK))?;
    let up = matches!(way, Way::Up(_));
    let mut buffer = [0; 16 * 1024];
    loop {
        let weather = shared.weather();
        let closed = weather == Weather::Cut || (weather == Weather::HalfClosed && !up);
        if closed || shared.ended.load(Ordering::Relaxed) {
            let _ = from.shutdown(if up { Shutdown::Both } else { Shutdown::Read });
            let _ =
                to.shutdown(if weather == Weather::Cut { Shutdown::Both } else { Shutdown::Write });
            return Ok(());
        }
        if weather == Weather::Stalled {
            std::thread::sleep(LOOK);
            continue;
        }
        let read = match from.read(&mut buffer) {
            Ok(0) => return to.shutdown(Shutdown::Write),
            Ok(read) => read,
            Err(error) if is_early(&error) => continue,
            Err(error) => {
                let _ = to.shutdown(Shutdown::Both);
                return Err(error);
            }
        };
        if let Weather::Throttled(rate) = weather {
            std::thread::sleep(Duration::from_secs_f64(read as f64 / rate as f64));
        }
        match (way, weather) {
            (Way::Up(asked), _) => {
                asked.store(true, Ordering::Relaxed);
                shared.bytes_up.fetch_add(read as u64, Ordering::Relaxed);
            }
            (Way::Down(asked), Weather::Distant(late)) if asked.swap(false, Ordering::Relaxed) => {
                std::thread::sleep(late);
            }
            (Way::Down(_), _) => {}
        }
        to.write_all(&buffer[..read])?;
    }
}

fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// An answer as busy servers give it, after the request's head and whatever of its body is there.
fn refuse(mut client: TcpStream) -> io::Result<()> {
    let body =
        "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
    client.set_read_timeout(Some(LOOK))?;
    let (began, mut buffer, mut head) = (Instant::now(), [0; 16 * 1024], Vec::new());
    while began.elapsed() < Duration::from_secs(5)
        && !head.windows(4).any(|four| four == b"\r\n\r\n")
    {
        match client.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => head.extend_from_slice(&buffer[..read]),
            Err(error) if is_early(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let len = body.len();
    write!(
        client,
        "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{body}"
    )?;
    client.shutdown(Shutdown::Write)?;
    // A connection that is closed before its request has arrived is reset, and the answer with it.
    while matches!(client.read(&mut buffer), Ok(read) if read > 0) {}
    Ok(())
}
