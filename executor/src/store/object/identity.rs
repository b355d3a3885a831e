//! Who we are to a server: keys that were given, or an identity that somebody else is asked for, which then gives
//! keys for an hour or so. The client below asks again five minutes before they end. What is decided here is who
//! is asked, and what it means when no keys come.

use std::error::Error as StdError;
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use object_store::CredentialProvider;
use object_store::Error as Below;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider};
use object_store::client::{HttpError, HttpErrorKind};

use super::access::Access;
use super::answer;
use super::client::Client;
use crate::store::StoreError;

/// Where a URL says that credentials come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Variables: keys, a web identity, or a container's endpoint.
    Variables,
    /// The machine's own identity, asked of its metadata service.
    Instance,
    /// None: what everybody may read.
    Anonymous,
}

/// Where they really come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Keys,
    WebIdentity,
    Container,
    Instance,
    Nobody,
}

const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// What is said of a text that cannot stand in a request.
pub(super) const NO_REQUEST: &str = "has a line end or another character that makes no request";

/// Codes of refusals that an identity service takes back by itself.
const PASSING: [&str; 4] =
    ["IDPCommunicationError", "Throttling", "ThrottlingException", "RequestLimitExceeded"];

impl Way {
    /// The way that the URL and the variables mean, in the order of the vendor's tools.
    ///
    /// # Errors
    /// What to set where there is none. The client below would look for the metadata service of a cloud, and wait.
    pub(super) fn of(credentials: Credentials, access: &Access) -> Result<Self, String> {
        match credentials {
            Credentials::Instance => return Ok(Self::Instance),
            Credentials::Anonymous => return Ok(Self::Nobody),
            Credentials::Variables => {}
        }
        let ways: [(&[&str], Self); 4] = [
            (&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], Self::Keys),
            (&["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"], Self::WebIdentity),
            (&[RELATIVE], Self::Container),
            (&[FULL], Self::Container),
        ];
        let found = ways.iter().find(|(names, _)| access.has(names)).map(|(_, way)| *way);
        found.ok_or_else(|| {
            "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or say \
             credentials=instance (the machine's own) or credentials=none in the URL"
                .to_owned()
        })
    }

    /// The variables that this way reads; those of others would make the client below take theirs.
    pub(super) const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Keys => &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
            Self::WebIdentity => &[
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_ROLE_ARN",
                "AWS_ROLE_SESSION_NAME",
                "AWS_ENDPOINT_URL_STS",
            ],
            Self::Container => &[RELATIVE, FULL, TOKEN_FILE],
            Self::Instance => &["AWS_METADATA_ENDPOINT", "AWS_IMDSV1_FALLBACK"],
            Self::Nobody => &[],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Keys | Self::Nobody => "the environment",
            Self::WebIdentity => "the service of the web identity",
            Self::Container => "the container's endpoint",
            Self::Instance => "the machine's metadata service",
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Keys | Self::Nobody => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Self::WebIdentity => {
                "look at AWS_ROLE_ARN, at the file in AWS_WEB_IDENTITY_TOKEN_FILE, and whether the role trusts \
                 whoever issued that token"
            }
            Self::Container => {
                "look at AWS_CONTAINER_CREDENTIALS_FULL_URI, at its token, and whether a role is bound to this workload"
            }
            Self::Instance => {
                "look whether a role is attached to the machine, and whether containers on it may ask for it"
            }
        }
    }

    /// Gives the client below its identity.
    ///
    /// # Errors
    /// What cannot be built or kept.
    pub(super) fn introduce(
        self,
        mut builder: AmazonS3Builder,
        client: Client,
        access: &Access,
    ) -> Result<AmazonS3Builder, Box<dyn StdError + Send + Sync>> {
        if matches!(self, Self::Keys | Self::Nobody) {
            return Ok(builder);
        }
        let (mut token, mut token_path) = (None, None);
        if self == Self::Container && !access.has(&[RELATIVE]) {
            if let Some(path) = access.get(TOKEN_FILE) {
                token_path = Some(PathBuf::from(path));
            } else {
                let text = access.get(TOKEN).unwrap_or_default();
                if text.chars().any(char::is_control) {
                    return Err(format!("{TOKEN}: {NO_REQUEST}").into());
                }
                // The client below takes a full URI only with a file for its token.
                let (file, path) = in_memory(text)?;
                builder =
                    builder.with_config(AmazonS3ConfigKey::ContainerAuthorizationTokenFile, path);
                token = Some(file);
            }
        }
        // Whoever gives keys gives no objects.
        let asking = builder.clone().with_http_connector(Client { objects: false, ..client });
        let inner = asking.build()?.credentials().clone();
        Ok(builder.with_credentials(Arc::new(Identity {
            way: self,
            inner,
            token_path,
            _token: token,
        })))
    }
}

/// A file that is on no disk.
fn in_memory(text: &str) -> std::io::Result<(File, String)> {
    let mut file = File::from(rustix::fs::memfd_create("token", rustix::fs::MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok((file, path))
}

/// Somebody who is asked for keys.
#[derive(Debug)]
struct Identity {
    way: Way,
    inner: AwsCredentialProvider,
    /// A file with the token, which others renew.
    token_path: Option<PathBuf>,
    /// Where `inner` reads its token each time.
    _token: Option<File>,
}

impl CredentialProvider for Identity {
    type Credential = AwsCredential;

    fn get_credential<'a, 'b>(
        &'a self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async {
            if let Some(path) = &self.token_path
                && let Ok(text) = std::fs::read_to_string(path)
                && text.chars().any(char::is_control)
            {
                let error = generic(format!("the file in {TOKEN_FILE} {NO_REQUEST}"));
                return Err(generic(NoKeys { way: self.way, error }));
            }
            // The client below panics where an answer, or a variable, makes no valid request of the next one.
            let asked = AssertUnwindSafe(self.inner.get_credential()).catch_unwind().await;
            let keys = match asked {
                Ok(Ok(keys)) if makes_no_request(&keys) => Err(nonsense("keys")),
                Ok(asked) => asked,
                Err(_) => Err(nonsense("request")),
            };
            keys.map_err(|error| generic(NoKeys { way: self.way, error }))
        })
    }
}

/// Whether the client below would panic at these keys.
fn makes_no_request(keys: &AwsCredential) -> bool {
    let mut sent = [&keys.key_id].into_iter().chain(&keys.token);
    sent.any(|text| !text.is_ascii() || text.chars().any(char::is_control))
}

fn nonsense(what: &str) -> Below {
    generic(format!("of what it says no {what} can be made"))
}

fn generic(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Below {
    Below::Generic { store: "identity", source: source.into() }
}

/// No keys came, and why.
#[derive(Debug)]
struct NoKeys {
    way: Way,
    error: Below,
}

impl fmt::Display for NoKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} gives no keys", self.way.name())
    }
}

impl StdError for NoKeys {}

/// The store's error where a request was never made because no keys came for it.
pub(super) fn sort(verb: &'static str, key: &str, error: &Below) -> Option<StoreError> {
    let mut link: Option<&(dyn StdError + 'static)> = Some(error);
    let no_keys = loop {
        match link?.downcast_ref::<NoKeys>() {
            Some(found) => break found,
            None => link = link?.source(),
        }
    };
    let (from, words) = (no_keys.way.name(), answer::words(&no_keys.error));
    let (key, reason) = (key.to_owned(), answer::shown(&words));
    if passes(&no_keys.error, &words) {
        return Some(StoreError::Unavailable { verb, key, reason: format!("{from}: {reason}") });
    }
    Some(StoreError::NoIdentity { key, from, reason, advice: no_keys.way.advice() })
}

/// Whether asking again may help: it did not answer, or answered that it cannot at the moment. What refuses, or
/// says what no identity service says, will not think better of it.
fn passes(error: &Below, words: &str) -> bool {
    if let Some(status) = answer::status_of(words) {
        let code = answer::code_of(words).unwrap_or_default();
        return status >= 500 || matches!(status, 408 | 429) || PASSING.contains(&code);
    }
    let mut link: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = link {
        if let Some(http) = inner.downcast_ref::<HttpError>() {
            return http.kind() != HttpErrorKind::Decode;
        }
        link = inner.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(names: &[&str]) -> Access {
        Access::of(names.iter().map(|name| ((*name).to_owned(), "marker".to_owned())))
    }

    #[test]
    fn of_several_ways_the_vendors_first_is_taken_and_sees_only_its_own() {
        let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let role = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"];
        let of = |names: &[&str]| Way::of(Credentials::Variables, &access(names));
        assert_eq!(of(&[&keys[..], &role, &[FULL]].concat()), Ok(Way::Keys));
        assert_eq!(of(&[&keys[..1], &role, &[FULL]].concat()), Ok(Way::WebIdentity));
        assert_eq!(of(&[FULL]), Ok(Way::Container));
        assert_eq!(Way::of(Credentials::Instance, &access(&keys)), Ok(Way::Instance));
        for way in [Way::WebIdentity, Way::Container, Way::Instance, Way::Nobody] {
            assert!(!way.variables().iter().any(|name| keys.contains(name)), "{way:?}");
        }
    }

    #[test]
    fn without_credentials_nobody_is_asked_for_them() {
        let error = Way::of(Credentials::Variables, &access(&["AWS_ACCESS_KEY_ID"])).unwrap_err();
        assert!(
            error.contains("AWS_ACCESS_KEY_ID") && error.contains("credentials=none"),
            "{error}"
        );
        let empty = Access::of([(FULL.to_owned(), String::new())]);
        assert!(Way::of(Credentials::Variables, &empty).is_err());
        assert!(!format!("{:?}", access(&["AWS_ACCESS_KEY_ID"])).contains("marker"));
    }

    #[test]
    fn a_token_in_memory_is_read_as_often_as_asked() {
        let (_file, path) = in_memory("a token").unwrap();
        for _ in 0..2 {
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "a token");
        }
    }
}
