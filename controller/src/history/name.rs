//! Which session a name means: `NAME`, `NAMESPACE/NAME`, `KIND/NAMESPACE/NAME`, `KIND.GROUP/NAMESPACE/NAME`, or a uid.

use holdfast_engine::Group;
use holdfast_engine::view::catalog::{SessionKind, SessionRow};

/// Why a name means no one session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is called so.
    #[error("no session {name:?} in this log; `holdfast session list` shows those there are")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// Several are.
    #[error("{name:?} could be {}; write it like one of these", .candidates.join(" or "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The full names that fit.
        candidates: Vec<String>,
    },
}

/// The session of a name. An object that was made again under its old name is the newest one; earlier
/// ones have their uid.
///
/// # Errors
/// [`NameError`] with what to write instead.
pub fn resolve<'s>(sessions: &'s [SessionRow], name: &str) -> Result<&'s SessionRow, NameError> {
    if let Some(found) = sessions.iter().find(|session| session.uid.to_string() == name) {
        return Ok(found);
    }
    let mut fitting: Vec<&SessionRow> = Vec::new();
    for session in sessions.iter().filter(|session| fits(session, name)) {
        let same =
            |known: &&mut &SessionRow| (known.kind, &known.key) == (session.kind, &session.key);
        match fitting.iter_mut().find(same) {
            Some(older) if older.created < session.created => *older = session,
            Some(_) => {}
            None => fitting.push(session),
        }
    }
    match fitting.as_slice() {
        [] => Err(NameError::Unknown { name: name.into() }),
        [one] => Ok(one),
        several => Err(NameError::Ambiguous {
            name: name.into(),
            candidates: several.iter().map(|session| full_name(session, several)).collect(),
        }),
    }
}

/// The word of a kind.
#[must_use]
pub fn kind(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::BackupSession => "BackupSession",
        SessionKind::RestoreSession => "RestoreSession",
    }
}

/// The kind as `kubectl` tells it from one of the same word: with its group, where that is not the group
/// of most.
#[must_use]
pub fn qualified(session: &SessionRow) -> String {
    match session.key.group {
        Group::KubeStash => kind(session.kind).into(),
        _ => with_group(session),
    }
}

fn with_group(session: &SessionRow) -> String {
    format!("{}.{}", kind(session.kind), session.key.group)
}

/// As much as tells it from the others.
fn full_name(session: &SessionRow, others: &[&SessionRow]) -> String {
    let alike = |other: &&&SessionRow| {
        other.kind == session.kind && other.key.to_string() == session.key.to_string()
    };
    let word = match others.iter().filter(alike).count() {
        0 | 1 => kind(session.kind).into(),
        _ => with_group(session),
    };
    format!("{word}/{}", session.key)
}

fn fits(session: &SessionRow, name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        [name] => session.key.name == *name,
        [namespace, name] => session.key.namespace == *namespace && session.key.name == *name,
        [wanted, namespace, name] => {
            let is = |word: &str| word.eq_ignore_ascii_case(wanted);
            (is(kind(session.kind)) || is(&with_group(session)))
                && session.key.namespace == *namespace
                && session.key.name == *name
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{Key, Timestamp, Uid};

    use super::*;

    fn session(number: u8, kind: SessionKind, namespace: &str, name: &str) -> SessionRow {
        SessionRow {
            uid: Uid([number; 16]),
            kind,
            key: Key::new(Group::KubeStash, namespace, name),
            of: String::new(),
            session: String::new(),
            trigger: "manual",
            phase: "Succeeded",
            created: Timestamp(i64::from(number)),
            duration: None,
            error: None,
        }
    }

    fn log() -> Vec<SessionRow> {
        use SessionKind as Kind;
        vec![
            session(1, Kind::BackupSession, "demo", "nightly"),
            session(2, Kind::BackupSession, "demo", "nightly"),
            session(3, Kind::BackupSession, "shop", "weekly"),
            session(4, Kind::RestoreSession, "shop", "weekly"),
            session(5, Kind::BackupSession, "demo", "weekly"),
        ]
    }

    fn number(name: &str) -> Result<u8, String> {
        resolve(&log(), name).map(|found| found.uid.0[0]).map_err(|error| error.to_string())
    }

    #[test]
    fn as_little_as_tells_them_apart() {
        assert_eq!(number("nightly"), Ok(2), "the newest of that name");
        assert_eq!(number("demo/weekly"), Ok(5));
        assert_eq!(number("restoresession/shop/weekly"), Ok(4));
        assert_eq!(number(&Uid([1; 16]).to_string()), Ok(1), "an earlier one of the name");
    }

    #[test]
    fn a_name_that_fits_several_lists_what_can_be_typed_instead() {
        let candidates = "BackupSession/shop/weekly or RestoreSession/shop/weekly";
        let error = number("shop/weekly").unwrap_err();
        assert_eq!(
            error,
            format!("\"shop/weekly\" could be {candidates}; write it like one of these")
        );
        for candidate in candidates.split(" or ") {
            assert!(number(candidate).is_ok(), "{candidate}");
        }
        assert!(number("weekly").unwrap_err().contains("BackupSession/demo/weekly"));
    }

    #[test]
    fn two_groups_with_one_name_are_told_with_their_groups() {
        let mut log = log();
        let mut other = session(6, SessionKind::BackupSession, "demo", "nightly");
        other.key.group = Group::Stash;
        log.push(other);
        let number = |name: &str| resolve(&log, name).map(|found| found.uid.0[0]);
        let Err(NameError::Ambiguous { candidates, .. }) = number("demo/nightly") else {
            panic!("two sessions are called so");
        };
        assert_eq!(
            candidates,
            [
                "BackupSession.core.kubestash.com/demo/nightly",
                "BackupSession.stash.appscode.com/demo/nightly"
            ]
        );
        assert_eq!(number(&candidates[0]), Ok(2), "the newest of that name");
        assert_eq!(number(&candidates[1]), Ok(6));
        assert!(number("BackupSession/demo/nightly").is_err());
        let words: Vec<String> = log.iter().map(qualified).collect();
        assert_eq!((&*words[0], &*words[5]), ("BackupSession", "BackupSession.stash.appscode.com"));
    }

    #[test]
    fn what_is_not_there_is_not_guessed() {
        for name in ["", "night", "demo/", "a/b/c/d", "Snapshot/shop/weekly"] {
            assert!(number(name).unwrap_err().contains("no session"), "{name}");
        }
    }
}
