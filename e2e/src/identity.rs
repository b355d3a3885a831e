//! Somebody who hands out the keys of a server to whoever can say who he is, the ways that clouds do it.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::json;

use crate::listen::{self, Listening};

/// What proves to any of them who is asking.
pub const PROOF: &str = "a-token-of-the-one-who-asks";

/// The role that a web identity takes on, and the name of the role of a machine.
pub const ROLE: &str = "arn:aws:iam::1:role/of-a-test";

/// How long a client may say nothing before it is given up.
const SILENCE: Duration = Duration::from_secs(5);

/// Most bytes of a request.
const REQUEST_BYTES: usize = 64 * 1024;

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// As an agent beside a container is: one request, with a token in a header.
    Container,
    /// As a service of web identities is: by HTTPS, with a token in the query.
    WebIdentity,
    /// As the metadata service of a machine is: for a session, the name of a role, and its keys.
    Machine,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These keys.
    Keys {
        /// The one that is no secret.
        key: String,
        /// The other one.
        secret: String,
        /// What goes along with each request. The server knows no sessions, and refuses all that is not empty.
        session: String,
        /// Whether they are over by now. They still open the server: it is the client that must not use them twice.
        over: bool,
    },
    /// A refusal, with a status.
    Refusal(u16),
    /// What no such service says.
    Nonsense,
}

struct Shared {
    dialect: Dialect,
    answer: Mutex<Answer>,
    given: AtomicUsize,
    tls: Option<Arc<ServerConfig>>,
}

/// One that answers until it goes out of scope.
pub struct Identity {
    shared: Arc<Shared>,
    listening: Listening,
    dir: tempfile::TempDir,
}

impl Identity {
    /// Listens on the loopback.
    ///
    /// # Errors
    /// What listening, or making a certificate, answers.
    pub fn start(dialect: Dialect, answer: Answer) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("token"), PROOF)?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let tls = match dialect {
            Dialect::WebIdentity => {
                let (config, authority) = listen::certificate(loopback)?;
                fs::write(dir.path().join("authority.pem"), authority)?;
                Some(config)
            }
            Dialect::Container | Dialect::Machine => None,
        };
        let (answer, given) = (Mutex::new(answer), 0.into());
        let shared = Arc::new(Shared { dialect, answer, given, tls });
        let own = shared.clone();
        let listening = Listening::start(loopback, move |client| serve(client, &own))?;
        Ok(Self { shared, listening, dir })
    }

    /// The variables that lead a client here.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        let plain = format!("http://{}", self.listening.address());
        let token = self.token_file().display().to_string();
        let named = match self.shared.dialect {
            Dialect::Container => vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{plain}/keys")),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token),
            ],
            Dialect::WebIdentity => vec![
                ("AWS_ENDPOINT_URL_STS", format!("https://{}", self.listening.address())),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", token),
                ("AWS_ROLE_ARN", ROLE.to_owned()),
            ],
            Dialect::Machine => vec![("AWS_METADATA_ENDPOINT", plain)],
        };
        named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Where the one who asks finds his token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.dir.path().join("token")
    }

    /// The certificate that its clients have to trust, if it speaks TLS.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.dir.path().join("authority.pem")
    }

    /// Changes what it answers.
    pub fn set(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// How often it gave keys.
    #[must_use]
    pub fn given(&self) -> usize {
        self.shared.given.load(Ordering::Relaxed)
    }
}

/// One request a connection.
fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_read_timeout(Some(SILENCE))?;
    match &shared.tls {
        Some(config) => listen::by_tls(client, config, |stream| reply(stream, shared)),
        None => reply(client, shared),
    }
}

fn reply(mut stream: impl Read + Write, shared: &Shared) -> io::Result<()> {
    let head = head(&mut stream)?;
    let (status, body) = shared.answer(&head);
    let len = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Words\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{body}"
    )?;
    stream.flush()
}

/// What stands before the body; none of these requests has one.
fn head(from: &mut impl Read) -> io::Result<String> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4 * 1024]);
    while !read.windows(4).any(|four| four == b"\r\n\r\n") {
        match from.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if read.len() > REQUEST_BYTES => return Err(io::ErrorKind::InvalidData.into()),
            got => read.extend_from_slice(&buffer[..got]),
        }
    }
    Ok(String::from_utf8_lossy(&read).into_owned())
}

impl Shared {
    fn answer(&self, head: &str) -> (u16, String) {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let line = head.lines().next().unwrap_or_default();
        let header = |name: &str| {
            let of = |line: &str| Some(line.split_once(": ")?.1.to_owned());
            let is = |line: &&str| line.to_ascii_lowercase().starts_with(&format!("{name}:"));
            head.lines().find(is).and_then(of)
        };
        let refusal = |status| (status, self.refusal());
        match answer {
            Answer::Refusal(status) => return refusal(status),
            Answer::Nonsense => return (200, "<html>Welcome to this network".to_owned()),
            Answer::Keys { .. } => {}
        }
        let proven = match self.dialect {
            Dialect::Container => header("authorization").as_deref() == Some(PROOF),
            Dialect::WebIdentity => {
                let role = ROLE.replace(':', "%3A").replace('/', "%2F");
                let asks = "Action=AssumeRoleWithWebIdentity";
                [asks, &role, PROOF].iter().all(|part| line.contains(part))
            }
            Dialect::Machine if line.starts_with("PUT /latest/api/token ") => {
                return match header("x-aws-ec2-metadata-token-ttl-seconds") {
                    Some(_) => (200, PROOF.to_owned()),
                    None => refusal(400),
                };
            }
            Dialect::Machine => header("x-aws-ec2-metadata-token").as_deref() == Some(PROOF),
        };
        if !proven {
            return refusal(401);
        }
        if line.starts_with("GET /latest/meta-data/iam/security-credentials/ ") {
            return (200, "role".to_owned());
        }
        self.given.fetch_add(1, Ordering::Relaxed);
        (200, self.keys(&answer))
    }

    fn keys(&self, answer: &Answer) -> String {
        let Answer::Keys { key, secret, session, over } = answer else { return String::new() };
        let until = if *over { "2001-01-01T00:00:00Z" } else { "2199-01-01T00:00:00Z" };
        if self.dialect == Dialect::WebIdentity {
            return format!(
                "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
                 <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
                 <SessionToken>{session}</SessionToken><Expiration>{until}</Expiration>\
                 </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
            );
        }
        json!({
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "Token": session,
            "Expiration": until,
        })
        .to_string()
    }

    fn refusal(&self) -> String {
        match self.dialect {
            Dialect::WebIdentity => {
                let code = "<Code>InvalidIdentityToken</Code><Message>No provider found</Message>";
                format!("<ErrorResponse><Error>{code}</Error></ErrorResponse>")
            }
            Dialect::Container | Dialect::Machine => json!({ "message": "not you" }).to_string(),
        }
    }
}
