//! An S3 server on this machine, over a directory, ended with the test.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use holdfast_executor::store::Access;

/// Names the server's program, where it is not the one that `e2e/run build` has made.
const PROGRAM: &str = "HOLDFAST_VERSITYGW";

/// What opens the server.
pub const KEY: &str = "the-key-of-a-test";
/// The other half.
pub const SECRET: &str = "the-secret-of-a-test";
/// The bucket that is there.
pub const BUCKET: &str = "bucket";

/// How long the server may take to answer.
const START: Duration = Duration::from_secs(30);

/// The server's program.
///
/// # Errors
/// How to get it.
pub fn program() -> io::Result<PathBuf> {
    if let Some(given) = std::env::var_os(PROGRAM) {
        return Ok(given.into());
    }
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let built = home.unwrap_or_default().join("holdfast/e2e");
    let mut found = Vec::new();
    for entry in fs::read_dir(&built).into_iter().flatten().flatten() {
        let path = entry.path().join("versitygw");
        if let Ok(meta) = fs::metadata(&path) {
            found.push((meta.modified()?, path));
        }
    }
    // Of several states of the sources the last one that was built is the one of this tree.
    let newest = found.into_iter().max().map(|(_, path)| path);
    let how = format!("there is no S3 server: run `e2e/run build`, or set {PROGRAM}");
    newest.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, how))
}

/// Whether there is a server to test with; says aloud when there is none.
///
/// # Panics
/// Where `CI` is set: there a test that does not run is a test that fails.
#[must_use]
pub fn is_here() -> bool {
    let Err(missing) = program() else { return true };
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("SKIPPED: {missing}");
    false
}

/// A server that runs.
pub struct Gateway {
    child: Child,
    address: SocketAddr,
    data: PathBuf,
    options: Vec<OsString>,
    secret: String,
    scheme: &'static str,
}

impl Gateway {
    /// Starts a server over `data`, in which the bucket is made.
    ///
    /// # Errors
    /// What starting answers; `TimedOut` when it never listens.
    pub fn start(data: &Path) -> io::Result<Self> {
        Self::start_with(data, Vec::new(), "http")
    }

    /// The same with TLS: a file with its certificate and one with its key.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn start_tls(data: &Path, certificate: &Path, key: &Path) -> io::Result<Self> {
        let files = [("--cert", certificate), ("--key", key)];
        let options = files.iter().flat_map(|(name, file)| [name.into(), file.into()]);
        Self::start_with(data, options.collect(), "https")
    }

    /// The same, which answers 503 to all requests but so many at once.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn start_narrow(data: &Path, requests: usize) -> io::Result<Self> {
        let options = vec!["--max-requests".into(), requests.to_string().into()];
        Self::start_with(data, options, "http")
    }

    fn start_with(data: &Path, options: Vec<OsString>, scheme: &'static str) -> io::Result<Self> {
        fs::create_dir_all(data.join(BUCKET))?;
        let address = free()?;
        let child = run(data, address, &options, SECRET)?;
        let (data, secret) = (data.to_owned(), SECRET.to_owned());
        let started = Self { child, address, data, options, secret, scheme };
        started.wait()?;
        Ok(started)
    }

    fn wait(&self) -> io::Result<()> {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if began.elapsed() > START {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a prefix of the bucket, as the server itself serves it.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        url(self.scheme, self.address, prefix)
    }

    /// Ends the server at once.
    ///
    /// # Errors
    /// What the system answers.
    pub fn stop(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Starts it again at the same address.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn start_again(&mut self) -> io::Result<()> {
        self.child = run(&self.data, self.address, &self.options, &self.secret)?;
        self.wait()
    }

    /// Nothing opens it any more but this secret.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn change_secret(&mut self, secret: &str) -> io::Result<()> {
        self.stop()?;
        secret.clone_into(&mut self.secret);
        self.start_again()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It has ended already, or does now.
        let _ = self.stop();
    }
}

/// The URL of a prefix of the bucket at an address.
#[must_use]
pub fn url(scheme: &str, address: SocketAddr, prefix: &str) -> String {
    format!("s3://{BUCKET}/{prefix}?endpoint={scheme}://{address}")
}

/// What opens the server.
#[must_use]
pub fn access() -> Access {
    access_with(SECRET)
}

/// The same with another secret.
#[must_use]
pub fn access_with(secret: &str) -> Access {
    let variables = [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", secret)];
    Access::of(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

fn run(data: &Path, address: SocketAddr, options: &[OsString], secret: &str) -> io::Result<Child> {
    let mut command = Command::new(program()?);
    command.args(["--port", &address.to_string()]).args(options);
    command.arg("posix").arg(data);
    command.env("ROOT_ACCESS_KEY", KEY).env("ROOT_SECRET_KEY", secret);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// An address of the loopback that nobody listens at.
///
/// # Errors
/// What the system answers.
pub fn free() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
