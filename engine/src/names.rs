//! Names of the objects that sessions lead to (behaviour reference, section 3).
//!
//! A name is a function of its parts only, so that whoever creates an object a second time finds the first. A name
//! that fits whole has the documents' form. One that had to be cut ends in a digest of all its parts: two objects with
//! long names never share one. All names fit a label value; lengths count characters, which in Kubernetes names are
//! bytes.

use alloc::format;
use alloc::string::{String, ToString};

use crate::ids::Hash;

/// What a label value, and with it a Job or Service name, may be at most.
const NAME_CHARS: usize = 63;
/// A CronJob's name leaves eleven characters for its Jobs' suffix.
const CRONJOB_NAME_CHARS: usize = 52;
/// Hexadecimal digits of the digest in a name that was cut.
const DIGEST_CHARS: usize = 8;
/// What of a name's end is kept at most when it is cut: a second since 1970, an ordinal, the begin of a node's name.
const TAIL_CHARS: usize = 20;

/// Head and tail with a dash between them, where both fit; else the begin of the head, the begin of the tail, and a
/// digest of `parts`, which tell the object from all others of its kind.
fn fit(head: &str, tail: &str, limit: usize, parts: &[&str]) -> String {
    let whole = format!("{head}-{tail}");
    let whole = whole.trim_matches('-');
    if whole.chars().count() <= limit {
        return whole.to_string();
    }
    let begin = |text: &str, chars: usize| -> String { text.chars().take(chars).collect() };
    let tail = begin(tail, TAIL_CHARS);
    let end = format!("{}-{:0DIGEST_CHARS$x}", tail.trim_matches('-'), fnv1a(parts));
    let end = end.trim_start_matches('-');
    let room = limit.saturating_sub(end.chars().count() + 1);
    format!("{}-{end}", begin(head, room).trim_matches('-')).trim_matches('-').to_string()
}

/// Joins with dashes.
#[must_use]
pub fn join(first: &str, second: &str, third: &str) -> String {
    fit(&format!("{first}-{second}"), third, NAME_CHARS, &[first, second, third])
}

fn with_suffix(name: &str, suffix: &str) -> String {
    fit(name, suffix, NAME_CHARS, &[name, suffix])
}

/// A BackupSession of `configuration`, made in this second.
#[must_use]
pub fn backup_session(configuration: &str, session: &str, unix_seconds: i64) -> String {
    join(configuration, session, &unix_seconds.to_string())
}

/// A BackupVerificationSession of `repository`, made in this second.
#[must_use]
pub fn verification_session(repository: &str, session: &str, unix_seconds: i64) -> String {
    join(repository, session, &unix_seconds.to_string())
}

/// The Snapshot of a BackupSession in `repository`: the second at the session's end is kept apart.
#[must_use]
pub fn snapshot(repository: &str, backup_session: &str) -> String {
    match backup_session.rsplit_once('-') {
        Some((name, second))
            if !second.is_empty() && second.bytes().all(|b| b.is_ascii_digit()) =>
        {
            join(repository, name, second)
        }
        _ => join(repository, backup_session, ""),
    }
}

/// The CronJob of a session, and its ServiceAccount and RoleBinding.
#[must_use]
pub fn trigger(configuration: &str, session: &str) -> String {
    let name = format!("trigger-{configuration}-{session}");
    fit(&name, "", CRONJOB_NAME_CHARS, &[configuration, session])
}

/// The Job of one attempt at one component.
///
/// A StatefulSet's pods have their ordinal, as the documents' Jobs do; other components their own name.
/// A second attempt says so.
#[must_use]
pub fn worker(session: &str, component: &str, attempt: u32) -> String {
    let host = component.strip_prefix("pod-").unwrap_or(component);
    let host = dns_label(host);
    let suffix = if attempt <= 1 { host } else { format!("{host}-{attempt}") };
    fit(session, &suffix, NAME_CHARS, &[session, component, &attempt.to_string()])
}

/// The clean-up of a storage that is wiped.
#[must_use]
pub fn cleanup(storage: &str) -> String {
    fit(&format!("cleanup-{storage}"), "", NAME_CHARS, &[storage])
}

/// The retention of a BackupSession, started in this second.
#[must_use]
pub fn retention(backup_session: &str, unix_seconds: i64) -> String {
    with_suffix(&format!("retention-policy-{backup_session}"), &unix_seconds.to_string())
}

/// The VolumeSnapshot of a claim, taken by a session made in this second.
#[must_use]
pub fn volume_snapshot(claim: &str, unix_seconds: i64) -> String {
    with_suffix(claim, &unix_seconds.to_string())
}

/// The container that runs the `index`-th task of a session.
#[must_use]
pub fn container(task: &str, index: u32) -> String {
    with_suffix(task, &index.to_string())
}

/// A configuration made from a blueprint; `namespace` only when it lives apart from its target.
#[must_use]
pub fn blueprint_configuration(namespace: Option<&str>, kind: &str, target: &str) -> String {
    let kind = kind.to_lowercase();
    let name = match namespace {
        None => format!("{kind}-{target}"),
        Some(namespace) => format!("{namespace}-{kind}-{target}"),
    };
    fit(&name, "", NAME_CHARS, &[namespace.unwrap_or_default(), &kind, target])
}

/// Where a component's data is said to lie, relative to the repository (a label; section 4).
#[must_use]
pub fn component_path(session: &str, component: &str) -> String {
    format!("repository/v1/{session}/{component}")
}

/// The first bytes of a hash, for names that follow an object's content.
#[must_use]
pub fn short_hash(hash: Hash) -> String {
    hash.0.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Node names may hold dots, and users' component names anything; a Job's name may not.
fn dns_label(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect()
}

/// FNV-1a, 32 bits: the same in every release, which the standard library's hasher does not promise.
fn fnv1a(parts: &[&str]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documents_example() {
        assert_eq!(
            snapshot("gcs-demo-repo", "sample-backup-sts-demo-session-1702543201"),
            "gcs-demo-repo-sample-backup-sts-demo-session-1702543201"
        );
    }

    #[test]
    fn names_that_are_alike_to_their_middle_stay_apart() {
        let long = "a-name-of-fifty-characters-that-goes-on-and-on-xyz";
        let other = "a-name-of-fifty-characters-that-goes-on-and-on-abc";
        for name in [
            |name: &str| backup_session(name, "frequent-backup", 1_705_483_201),
            |name: &str| backup_session("bc", name, 1_705_483_201),
            |name: &str| snapshot("repository-of-a-bucket", &format!("{name}-1705483201")),
            |name: &str| trigger(name, "daily"),
            |name: &str| retention(name, 1_705_483_201),
            |name: &str| worker(name, "pod-1000", 12),
            |name: &str| cleanup(&format!("{name}-and-its-other-half")),
            |name: &str| volume_snapshot(&format!("data-{name}-0"), 1_705_483_201),
            |name: &str| container(&format!("{name}-and-its-other-half"), 3),
            |name: &str| blueprint_configuration(None, "StatefulSet", &format!("{name}-x")),
            |name: &str| blueprint_configuration(Some("namespace"), "StatefulSet", name),
        ] {
            assert_ne!(name(long), name(other), "{}", name(long));
            assert_eq!(name(long), name(long));
        }
        let longer = format!("{long}-{long}");
        assert_ne!(join("a-b", &longer, "c"), join("a", &format!("b-{longer}"), "c"));
    }

    #[test]
    fn golden() {
        let long = "a-name-of-fifty-characters-that-goes-on-and-on-xyz";
        for (name, expected) in [
            (backup_session("bc", "daily", 1), "bc-daily-1"),
            (
                backup_session(long, "frequent-backup", 1_705_483_201),
                "a-name-of-fifty-characters-that-goes-on-and-1705483201-cb4c6a30",
            ),
            (snapshot("repo", "manual"), "repo-manual"),
            (snapshot("repo", "a-1-2"), "repo-a-1-2"),
            (snapshot("repo", "a-"), "repo-a"),
            (snapshot("repo", "17"), "repo-17"),
            (trigger("bc", "daily"), "trigger-bc-daily"),
            (trigger(long, "daily"), "trigger-a-name-of-fifty-characters-that-goe-9bae7788"),
            (retention("bc-daily-1", 2), "retention-policy-bc-daily-1-2"),
            (
                retention(long, 1_705_483_201),
                "retention-policy-a-name-of-fifty-characters-1705483201-600e9108",
            ),
            (worker("bs-1", "pod-2", 1), "bs-1-2"),
            (worker("bs-1", "pod-2", 3), "bs-1-2-3"),
            (worker("bs-1", "dump", 1), "bs-1-dump"),
            (worker("bs-1", "dump-Node.a", 1), "bs-1-dump-node-a"),
            (cleanup("s3-storage"), "cleanup-s3-storage"),
            (volume_snapshot("data-0", 7), "data-0-7"),
            (container("manifest-backup", 0), "manifest-backup-0"),
            (blueprint_configuration(None, "StatefulSet", "db"), "statefulset-db"),
            (blueprint_configuration(Some("demo"), "Deployment", "web"), "demo-deployment-web"),
            (component_path("daily", "pod-0"), "repository/v1/daily/pod-0"),
        ] {
            assert_eq!(name, expected);
        }
    }

    #[test]
    fn nodes_with_long_names_have_jobs_of_their_own() {
        let session = "a-configuration-with-a-long-name-and-its-session-1705483201";
        let node = "dump-ip-10-0-0-1.a-rather-long-zone.internal.example.org";
        let names = [worker(session, node, 1), worker(session, &format!("{node}x"), 1)];
        assert_ne!(names[0], names[1]);
        assert_ne!(names[0], worker(session, node, 2));
    }

    proptest! {
        #[test]
        fn every_name_fits_and_is_a_label(
            a in "[a-z0-9]([a-z0-9-]{0,80}[a-z0-9])?",
            b in "[a-z0-9]([a-z0-9.-]{0,80}[a-z0-9])?",
            second in 1i64..10_000_000_000,
            attempt in 1u32..1_000,
        ) {
            let session = backup_session(&a, &a, second);
            for name in [
                snapshot(&a, &session), trigger(&a, &a), retention(&session, second),
                worker(&session, &b, attempt), worker(&a, &b, attempt), cleanup(&a),
                volume_snapshot(&a, second), blueprint_configuration(Some(&a), "Deployment", &a),
                session.clone(),
            ] {
                prop_assert!(!name.is_empty() && name.len() <= 63, "{}", name);
                prop_assert!(!name.starts_with('-') && !name.ends_with('-'), "{}", name);
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{}", name);
            }
            prop_assert!(trigger(&a, &a).len() <= 52);
            prop_assert!(session.contains(&second.to_string()));
        }

        #[test]
        fn no_text_panics(a in "\\PC{0,90}", b in "\\PC{0,90}") {
            let _ = (join(&a, &b, ""), with_suffix(&a, &b), worker(&a, &b, 2), snapshot(&a, &b));
        }
    }
}
