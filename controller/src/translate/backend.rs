//! Where a BackupStorage's data lies and what opens it, in the executor's words.
//!
//! What opens it comes from the storage's own Secret and from nowhere else: a storage that names none never borrows
//! what the operator's process happens to hold.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use holdfast_api::storage::{Backend, S3Spec};
use holdfast_engine::Failure;
use holdfast_engine::outcome::Reason;
use holdfast_executor::store::Access;
use zeroize::Zeroizing;

/// Variables of a credential Secret that open a bucket, under the names that KubeStash's documents have for them.
pub const VARIABLES: [&str; 4] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "CA_CERT_DATA"];

/// Those without which there is no access.
const REQUIRED: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// Where the machines of clouds find their own identity, beside link-local addresses.
const METADATA_HOSTS: [&str; 2] = ["metadata.google.internal", "instance-data"];

/// The address of the same service in networks of version 6.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// The URL of a bucket that a backend names.
///
/// # Errors
/// What the field of the backend is called, and what is wrong with it.
pub fn bucket_url(s3: &S3Spec) -> Result<String, String> {
    let bucket = s3.bucket.as_deref().unwrap_or_default();
    let prefix = s3.prefix.as_deref().unwrap_or_default().trim_matches('/');
    let mut url = format!("s3://{bucket}");
    if !prefix.is_empty() {
        url.push('/');
        url.push_str(prefix);
    }
    let endpoint = s3.endpoint.as_deref().unwrap_or_default().trim_end_matches('/');
    let mut parameters: Vec<String> = Vec::new();
    if !endpoint.is_empty() {
        refuse_metadata(endpoint).map_err(|why| format!("spec.storage.s3.endpoint: {why}"))?;
        // KubeStash's documents leave the scheme out, and mean the safe one.
        let endpoint = match endpoint.contains("://") {
            true => endpoint.to_owned(),
            false => format!("https://{endpoint}"),
        };
        parameters.push(format!("endpoint={}", encoded(&endpoint)));
    }
    if let Some(region) = s3.region.as_deref().filter(|region| !region.is_empty()) {
        parameters.push(format!("region={}", encoded(region)));
    }
    if s3.insecure_tls == Some(true) {
        parameters.push("insecure-tls=yes".into());
    }
    if let Some(connections) = s3.max_connections.filter(|count| *count > 0) {
        parameters.push(format!("max-connections={connections}"));
    }
    if !parameters.is_empty() {
        url.push('?');
        url.push_str(&parameters.join("&"));
    }
    holdfast_executor::store::check_url(&url).map_err(|why| format!("spec.storage.s3: {why}"))?;
    Ok(url)
}

/// Name of the credential Secret of a backend.
#[must_use]
pub fn secret_name(backend: &Backend) -> Option<&str> {
    let name = match backend.provider.as_deref() {
        Some("s3") => backend.s3.as_ref()?.secret_name.as_deref(),
        Some("gcs") => backend.gcs.as_ref()?.secret_name.as_deref(),
        Some("azure") => backend.azure.as_ref()?.secret_name.as_deref(),
        _ => None,
    };
    name.filter(|name| !name.is_empty())
}

/// What opens a bucket, from the values of its Secret; `secret` is how messages call that.
///
/// # Errors
/// Which key is missing or is no text.
pub fn access(
    secret: &str,
    values: BTreeMap<String, Zeroizing<Vec<u8>>>,
) -> Result<Access, Failure> {
    let found: BTreeMap<String, String> = values
        .into_iter()
        .map(|(name, value)| match String::from_utf8(value.to_vec()) {
            Ok(text) => Ok((name, text)),
            Err(_) => Err(unusable(format!("credential Secret {secret}: {name} is no text"))),
        })
        .collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(secret_gone(format!("credential Secret {secret} not found, or without keys")));
    }
    for name in REQUIRED {
        if found.get(name).is_none_or(String::is_empty) {
            return Err(unusable(format!("credential Secret {secret} has no key {name}")));
        }
    }
    Ok(Access::of(found))
}

/// A storage without a Secret would be opened with the identity of the machine: whoever may write BackupStorages is
/// not meant to have that.
#[must_use]
pub fn nothing_to_open_with(storage: &str) -> Failure {
    secret_gone(format!(
        "BackupStorage {storage}: spec.storage.s3.secretName names no Secret, and the operator lends nobody its own \
         credentials; name a Secret with {}",
        REQUIRED.join(" and ")
    ))
}

/// The word by which a deletion goes on without the data that nobody can reach.
fn secret_gone(message: String) -> Failure {
    Failure { reason: Reason::BackendSecretNotFound, message, permanent: true }
}

fn unusable(message: String) -> Failure {
    Failure { reason: "BackendSecretUnusable".into(), message, permanent: true }
}

/// Refuses the services that give away the identity of the machine: a storage could be made to show what they say.
fn refuse_metadata(endpoint: &str) -> Result<(), String> {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let forbidden = match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => is_link_local(address),
        Ok(IpAddr::V6(address)) => {
            address.to_ipv4_mapped().is_some_and(is_link_local)
                || address.segments()[0] & 0xffc0 == 0xfe80
                || address == METADATA_V6
        }
        Err(_) => METADATA_HOSTS.contains(&name.as_str()) || is_numeric(&name),
    };
    match forbidden {
        true => Err(format!("{host} is no address of a store: name its host")),
        false => Ok(()),
    }
}

fn is_link_local(address: Ipv4Addr) -> bool {
    address.is_link_local() || address.is_unspecified()
}

/// Resolvers take `0xa9fea9fe`, `2852039166` and `169.254.43518` for addresses; no host is called so.
fn is_numeric(name: &str) -> bool {
    let number = |part: &str| match part.strip_prefix("0x") {
        Some(hex) => hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()),
    };
    !name.is_empty() && name.split('.').all(number)
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'/' | b':' | b'-' | b'_' | b'.' | b'[' | b']' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(endpoint: &str) -> S3Spec {
        S3Spec {
            endpoint: Some(endpoint.into()),
            bucket: Some("bucket".into()),
            prefix: Some("/a/b/".into()),
            ..S3Spec::default()
        }
    }

    #[test]
    fn a_bucket_is_named_with_all_that_its_spec_says() {
        let full = S3Spec {
            region: Some("eu-1".into()),
            insecure_tls: Some(true),
            max_connections: Some(8),
            ..s3("https://store.example:9000/")
        };
        let url = "s3://bucket/a/b?endpoint=https://store.example:9000&region=eu-1&insecure-tls=yes&max-connections=8";
        assert_eq!(bucket_url(&full).unwrap(), url);
        let bare = S3Spec { bucket: Some("bucket".into()), ..S3Spec::default() };
        assert_eq!(bucket_url(&bare).unwrap(), "s3://bucket");
        let url = bucket_url(&s3("store.example")).unwrap();
        assert_eq!(url, "s3://bucket/a/b?endpoint=https://store.example");
    }

    #[test]
    fn what_cannot_be_an_address_names_its_field() {
        for (spec, named) in [
            (s3("ftp://x"), "endpoint"),
            (S3Spec { bucket: None, ..s3("https://x.example") }, "bucket"),
            (S3Spec { prefix: Some("a b".into()), ..s3("https://x.example") }, "prefix"),
            (S3Spec { max_connections: Some(100_000), ..s3("https://x.example") }, "connections"),
        ] {
            let error = bucket_url(&spec).unwrap_err();
            assert!(error.starts_with("spec.storage.s3") && error.contains(named), "{error}");
        }
    }

    #[test]
    fn services_that_give_away_an_identity_are_no_stores() {
        for host in [
            "169.254.169.254",
            "169.254.170.2:80",
            "[fe80::1]",
            "[::ffff:169.254.169.254]:80",
            "[fd00:ec2::254]",
            "metadata.google.internal.",
            "METADATA.google.internal",
            "0xa9fea9fe",
            "2852039166",
            "169.254.43518",
            "0.0.0.0",
        ] {
            for scheme in ["http://", "https://", ""] {
                let error = bucket_url(&s3(&format!("{scheme}{host}"))).unwrap_err();
                assert!(error.starts_with("spec.storage.s3.endpoint"), "{error}");
            }
        }
        for host in ["127.0.0.1:9000", "10.0.0.1", "[::1]:9000", "store-169.254.example"] {
            bucket_url(&s3(&format!("http://{host}"))).unwrap();
        }
    }

    #[test]
    fn a_secret_opens_with_its_own_keys_only() {
        let values = |keys: &[(&str, &str)]| {
            keys.iter()
                .map(|(k, v)| ((*k).to_owned(), Zeroizing::new(v.as_bytes().to_vec())))
                .collect()
        };
        let both = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "marker")];
        let found = access("demo/s", values(&both)).unwrap();
        assert!(!format!("{found:?}").contains("marker"));
        for missing in [&both[..1], &both[1..], &[("AWS_ACCESS_KEY_ID", ""), both[1]]] {
            let failure = access("demo/s", values(missing)).unwrap_err();
            assert!(failure.message.contains("demo/s has no key AWS_"), "{}", failure.message);
        }
        let gone = access("demo/s", values(&[])).unwrap_err();
        assert_eq!(gone.reason, Reason::BackendSecretNotFound);
        let mut binary: BTreeMap<String, Zeroizing<Vec<u8>>> = values(&both);
        binary.insert("AWS_SESSION_TOKEN".into(), Zeroizing::new(vec![0xff]));
        assert!(access("demo/s", binary).unwrap_err().message.contains("AWS_SESSION_TOKEN"));
    }
}
