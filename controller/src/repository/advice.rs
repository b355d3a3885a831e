//! What to do about a failure, where there is something to do that is not plain from the message.

use holdfast_executor::report::FailureKind;

/// One sentence for people, by the class of the failure; a repository that could not be opened cannot be
/// checked.
#[must_use]
pub const fn advice(kind: FailureKind, is_open: bool) -> Option<&'static str> {
    use FailureKind as K;
    Some(match kind {
        K::RepositoryDamaged if !is_open => {
            "the packs with the data may well be intact: change nothing before the damaged object is back"
        }
        K::RepositoryNotFound => {
            "`holdfast repo init` makes one; if one should be there, look at the URL, and whether its disk is mounted"
        }
        K::RepositoryReplaced => {
            "find out who put it there; if it is the right one, expect its id instead"
        }
        K::RepositoryUnsupported => "take a newer holdfast",
        K::RepositoryDamaged => {
            "`holdfast repo check` says what is damaged, which files that costs, and what can be done"
        }
        K::WrongPassphrase => {
            "look where the password comes from: --password-file, --password-command, then HOLDFAST_PASSWORD_FILE, HOLDFAST_PASSWORD_COMMAND, HOLDFAST_PASSWORD"
        }
        K::KeySlotDamaged => {
            "where another slot is left, another password opens it; otherwise bring back `keys/` from another copy of the repository"
        }
        K::StoreUnreachable => "try again when it answers: what was uploaded is found and used",
        K::StoreMissing => "make the bucket with the tools of its server: holdfast makes none",
        K::StoreDenied => {
            "look at the credentials, or who owns the directory and who may write it; a read-only repository can still be listed and restored"
        }
        K::StoreFull => {
            "make room and run the same again: what was uploaded is found and used; `forget` alone frees nothing"
        }
        K::EmptySource => {
            "look what should have written it, and whether it is mounted; if it is right, --allow-empty takes it as it is"
        }
        K::SnapshotNotFound => "`holdfast repo snapshots` lists them",
        K::PathNotFound => "`holdfast repo ls SNAPSHOT` lists what is there",
        K::TargetFull => "make room and run the same again: what is in place stays",
        K::ReadBackFailed => {
            "the store or the way to it changes what it is given: nothing on it can be trusted before that is found"
        }
        K::OvertakenByCollection => "run the same again",
        K::InvalidJob
        | K::PathNotEmpty
        | K::Internal
        | K::SourceMissing
        | K::SourceUnreadable
        | K::SnapshotAmbiguous
        | K::TargetUnwritable
        | K::Interrupted => return None,
    })
}
