//! `s3://bucket/prefix?…`: which bucket, at which server, and how to speak to it.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore as Below;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::{Certificate, ClientOptions, RetryConfig};

use super::access::Access;
use super::client::Client;
use super::identity::{Credentials, NO_REQUEST, Way};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// How long nothing may arrive. A connection that stalls is given up, and the request is made again.
const SILENCE: Duration = Duration::from_secs(30);

/// How long one request may take: a pack of 16 MiB at 55 KiB a second.
const REQUEST: Duration = Duration::from_secs(300);

/// Connections at once, unless the URL says otherwise: 16 reads and 4 puts, and a few small ones.
const CONNECTIONS: usize = 24;

/// Most connections that a URL may ask for: descriptors are finite.
const CONNECTIONS_MAX: usize = 256;

/// The region that servers take that have none.
const REGION: &str = "us-east-1";

/// Certificates of authorities, in PEM, under the name that KubeStash's Secrets have for them.
const AUTHORITIES: &str = "CA_CERT_DATA";

/// Variables that name the server where the URL does not.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/// Variables that say how the server is to be used, whoever we are.
const VARIABLES: [&str; 7] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_REQUEST_PAYER",
    "AWS_SERVER_SIDE_ENCRYPTION",
    "AWS_SSE_KMS_KEY_ID",
    "AWS_SSE_BUCKET_KEY_ENABLED",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
];

/// How objects come to be written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// The server refuses a put of a name that is taken.
    Conditional,
    /// It does not: writers agree by bids.
    ByBids,
}

/// A place in an object store, as a URL says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPlace {
    bucket: String,
    /// Empty, or without a slash at either end.
    pub(super) prefix: String,
    endpoint: Option<String>,
    region: Option<String>,
    path_style: bool,
    ca_file: Option<String>,
    insecure_tls: bool,
    credentials: Credentials,
    /// How objects come to be written once.
    pub(super) writes: Writes,
    /// Requests at once.
    pub(super) connections_max: usize,
    /// Bytes a second up and down; 0 is no bound.
    pub(crate) rates: (u64, u64),
}

const PARAMETERS: &str = "endpoint, region, path-style, ca-file, insecure-tls, credentials, conditional, \
                          max-connections, upload-rate, download-rate";

impl ObjectPlace {
    /// Reads `s3://bucket/prefix?name=value&…`.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("s3://")
            .ok_or("is no URL of an object store: write s3://bucket/prefix")?;
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.contains('@') {
            return Err(
                "has credentials in it: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".into()
            );
        }
        if bucket.is_empty() {
            return Err("has no bucket: write s3://bucket/prefix?endpoint=https://server".into());
        }
        if !is_plain(bucket, b".-_") {
            return Err("has a bucket with other than letters, digits, `.`, `-` and `_`".into());
        }
        let prefix = prefix.trim_matches('/');
        if !prefix.is_empty() && super::check_key(prefix).is_err() {
            return Err(
                "has a prefix with other than letters, digits, `.`, `-`, `_` and single `/`".into(),
            );
        }
        let mut found = Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: None,
            region: None,
            path_style: true,
            ca_file: None,
            insecure_tls: false,
            credentials: Credentials::Variables,
            writes: Writes::Conditional,
            connections_max: CONNECTIONS,
            rates: (0, 0),
        };
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = crate::store::url::decode_text(value)
                .ok_or_else(|| format!("{name}: has a % without two hexadecimal digits"))?;
            found.set(name, &value).map_err(|why| format!("{name}: {why}"))?;
        }
        found.check()?;
        Ok(found)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "endpoint" => self.endpoint = Some(value.trim_end_matches('/').to_owned()),
            "region" if is_region(value) => self.region = Some(value.to_owned()),
            "region" => return Err(REGION_CHARS.into()),
            "path-style" => self.path_style = yes(value)?,
            "ca-file" => self.ca_file = Some(value.to_owned()),
            "insecure-tls" => self.insecure_tls = yes(value)?,
            "conditional" => {
                self.writes = if yes(value)? { Writes::Conditional } else { Writes::ByBids };
            }
            "credentials" => {
                self.credentials = match value {
                    "variables" => Credentials::Variables,
                    "instance" => Credentials::Instance,
                    "none" => Credentials::Anonymous,
                    _ => return Err("is variables, instance or none".into()),
                }
            }
            "max-connections" => {
                self.connections_max = value
                    .parse()
                    .ok()
                    .filter(|count| (1..=CONNECTIONS_MAX).contains(count))
                    .ok_or_else(|| format!("is a number from 1 to {CONNECTIONS_MAX}"))?;
            }
            "upload-rate" => self.rates.0 = rate(value)?,
            "download-rate" => self.rates.1 = rate(value)?,
            _ => return Err(format!("is not known here; known are {PARAMETERS}")),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        match &self.endpoint {
            Some(endpoint) => check_endpoint(endpoint).map_err(|why| format!("endpoint: {why}")),
            None if self.region.is_none() && !self.path_style => {
                Err("region: is needed where the bucket is part of the host's name".into())
            }
            None => Ok(()),
        }
    }

    /// A client of the server, with these credentials.
    ///
    /// # Errors
    /// What is missing or cannot be read, and what would be right.
    pub(crate) fn connect(&self, access: &Access) -> Result<Arc<dyn Below>, String> {
        let way = Way::of(self.credentials, access)?;
        check_variables(way, access)?;
        let trusted = self.trusted(access)?;
        // Looking for the system's authorities fails on a machine that has none, such as a bare image. A web
        // identity is asked for by TLS whatever the way to the store is.
        let tls = !self.is_plain() || way == Way::WebIdentity;
        let system = tls && !self.insecure_tls;
        let build = |system| {
            let client = self.client(&trusted, system);
            let builder = self.builder(way, access, client.clone());
            way.introduce(builder, client, access)?.build().map_err(Into::into)
        };
        let built: Result<_, Box<dyn std::error::Error + Send + Sync>> = match build(system) {
            Err(_) if system && !trusted.is_empty() => build(false),
            built => built,
        };
        match built {
            Ok(client) => Ok(Arc::new(client)),
            Err(error) if system => Err(format!(
                "{error}: are there certificates of authorities on this machine? install \
                 ca-certificates, or name a file with ca-file=PATH in the URL"
            )),
            Err(error) => Err(error.to_string()),
        }
    }

    fn builder(&self, way: Way, access: &Access, client: Client) -> AmazonS3Builder {
        let mut builder = AmazonS3Builder::new();
        // What else the client below would read from the environment could undo what the URL says, or what
        // makes a put a put-if-absent.
        let own = access.among(way.variables()).chain(access.among(&VARIABLES));
        for (name, value) in own {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder
            .with_bucket_name(&self.bucket)
            .with_virtual_hosted_style_request(!self.path_style)
            .with_checksum_algorithm(Checksum::SHA256)
            // One at a time, which every server knows, and says in a status whether it did.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_skip_signature(way == Way::Nobody)
            .with_client_options(ClientOptions::new().with_allow_http(self.is_plain()))
            .with_http_connector(client);
        let endpoint = self.endpoint.as_deref();
        if let Some(url) = endpoint.or_else(|| ENDPOINTS.iter().find_map(|name| access.get(name))) {
            builder = builder.with_endpoint(url);
        }
        match &self.region {
            Some(region) => builder.with_region(region),
            None if access.has(&["AWS_REGION"]) || access.has(&["AWS_DEFAULT_REGION"]) => builder,
            None => builder.with_region(REGION),
        }
    }

    fn client(&self, trusted: &[u8], system: bool) -> Client {
        Client {
            connect: CONNECT,
            silence: SILENCE,
            request: REQUEST,
            idle_max: self.connections_max,
            trusted: trusted.to_vec(),
            system,
            insecure: self.insecure_tls,
            objects: true,
        }
    }

    fn is_plain(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"))
    }

    /// The certificates of the URL's own file and those that came with the credentials; all can be read.
    fn trusted(&self, access: &Access) -> Result<Vec<u8>, String> {
        let mut trusted = match &self.ca_file {
            Some(path) => {
                let pem =
                    std::fs::read(path).map_err(|error| format!("ca-file {path}: {error}"))?;
                certificates(pem).map_err(|why| format!("ca-file {path}: {why}"))?
            }
            None => Vec::new(),
        };
        if let Some(pem) = access.get(AUTHORITIES) {
            let pem = certificates(pem.as_bytes().to_vec());
            trusted.push(b'\n');
            trusted.extend(pem.map_err(|why| format!("{AUTHORITIES}: {why}"))?);
        }
        Ok(trusted)
    }
}

fn certificates(pem: Vec<u8>) -> Result<Vec<u8>, String> {
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(pem),
        Ok(_) => Err("holds no certificate".into()),
        Err(error) => Err(format!("is no bundle of certificates: {error}")),
    }
}

/// The client below panics where parts of a request are none: a line end behind a key is soon there.
fn check_variables(way: Way, access: &Access) -> Result<(), String> {
    for (name, value) in access.among(way.variables()).chain(access.among(&VARIABLES)) {
        let stays_here = name.ends_with("_FILE") || name == "AWS_SECRET_ACCESS_KEY";
        if value.chars().any(char::is_control) || !(stays_here || value.is_ascii()) {
            return Err(format!("{name}: {NO_REQUEST}"));
        }
    }
    for (name, value) in access.among(&ENDPOINTS) {
        check_endpoint(value).map_err(|why| format!("{name}: {why}"))?;
    }
    match access.among(&["AWS_REGION", "AWS_DEFAULT_REGION"]).find(|(_, value)| !is_region(value)) {
        Some((name, _)) => Err(format!("{name}: {REGION_CHARS}")),
        None => Ok(()),
    }
}

/// Whether a text is the address of a server: scheme, host, port, and where its buckets begin.
fn check_endpoint(endpoint: &str) -> Result<(), String> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(
            "begins with https:// (or http://, which nobody should use across a network)".into()
        );
    };
    let (at, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match at.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().is_ok()),
        _ => (at, true),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && is_plain(host, b".-_"),
    };
    if host && port && is_plain(path, b".-_/") {
        return Ok(());
    }
    Err("is no address of a server: write https://host or https://host:9000".into())
}

const REGION_CHARS: &str = "is a word of letters, digits and `-`";

fn is_region(text: &str) -> bool {
    !text.is_empty() && is_plain(text, b"-_.")
}

fn is_plain(text: &str, more: &[u8]) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
}

fn yes(value: &str) -> Result<bool, String> {
    match value {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err("is yes or no".into()),
    }
}

/// Bytes a second: a number, or one with KiB, MiB or GiB.
fn rate(value: &str) -> Result<u64, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let unit = units.iter().find_map(|(unit, bits)| Some((value.strip_suffix(unit)?, *bits)));
    let (number, bits) = unit.unwrap_or((value, 0));
    let rate = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << bits));
    rate.filter(|rate| *rate > 0).ok_or_else(|| "is bytes a second, as 500KiB or 20MiB".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_everything_but_the_keys() {
        let url = "s3://bucket/a/b/?endpoint=https://host:9000/&region=eu&path-style=no&insecure-tls=yes\
                   &conditional=no&max-connections=7&upload-rate=2MiB&download-rate=9";
        let place = ObjectPlace::parse(url).unwrap();
        assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("bucket", "a/b"));
        assert_eq!(place.endpoint.as_deref(), Some("https://host:9000"));
        assert_eq!(
            (place.path_style, place.insecure_tls, place.writes),
            (false, true, Writes::ByBids)
        );
        assert_eq!((place.connections_max, place.rates), (7, (2 << 20, 9)));
        assert_eq!(ObjectPlace::parse("s3://bucket").unwrap().prefix, "");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        for (url, word) in [
            ("s3://", "s3://bucket/prefix"),
            ("s3:///x", "s3://bucket/prefix"),
            ("s3://key:secret@bucket/x", "AWS_ACCESS_KEY_ID"),
            ("s3://b/a//b", "prefix"),
            ("s3://b/../c", "prefix"),
            ("s3://b c/x", "bucket"),
            ("s3://b/?endpoint=host:9000", "https://"),
            ("s3://b/?endpoint=http://a%20b", "https://host:9000"),
            ("s3://b/?endpoint=http://:9000", "https://host:9000"),
            ("s3://b/?endpoint=http://[::1", "https://host:9000"),
            ("s3://b/?endpoint=http://h:99999", "https://host:9000"),
            ("s3://b/?endpoint=http://h/p?x", "https://host:9000"),
            ("s3://b/?region=a%0ab", "letters"),
            ("s3://b/?insecure-tls=maybe", "yes or no"),
            ("s3://b/?max-connections=0", "1 to 256"),
            ("s3://b/?upload-rate=fast", "20MiB"),
            ("s3://b/?colour=red", "known are endpoint"),
            ("s3://b/?region=%zz", "hexadecimal"),
        ] {
            let error = ObjectPlace::parse(url).unwrap_err();
            assert!(error.contains(word), "{url}: {error}");
            assert!(!error.contains("secret@"), "{error}");
        }
    }

    #[test]
    fn what_makes_no_request_is_refused_before_there_is_one() {
        let place = ObjectPlace::parse("s3://bucket?endpoint=http://[::1]:9000/at").unwrap();
        let connect = |more: &[(&str, &str)]| {
            let keys = [("AWS_ACCESS_KEY_ID", "marker"), ("AWS_SECRET_ACCESS_KEY", "marker")];
            let all = keys.iter().chain(more);
            let access = Access::of(all.map(|(name, value)| ((*name).into(), (*value).into())));
            place.connect(&access).map(drop)
        };
        assert_eq!(connect(&[]), Ok(()));
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", "marker\n"),
            ("AWS_SECRET_ACCESS_KEY", "marker\n"),
            ("AWS_SESSION_TOKEN", "märk"),
            ("AWS_REGION", "a b"),
            ("AWS_ENDPOINT_URL", "http://a b"),
        ] {
            let error = connect(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name) && !error.contains(value), "{error}");
        }
    }
}
