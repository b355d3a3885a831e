//! What of this machine's troubles may be over in a moment.

use std::error::Error;
use std::io::{self, ErrorKind};

use holdfast_engine::Failure;

use crate::place::Trouble;

/// A failure with the error behind it.
pub(super) fn because(failure: Failure, error: &(dyn Error + 'static)) -> Trouble {
    Trouble { failure, transient: is_transient(error) }
}

/// Somebody else is at it just now, or a server of files does not answer. What a person has to change is none.
fn is_transient(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                ErrorKind::Interrupted
                    | ErrorKind::WouldBlock
                    | ErrorKind::TimedOut
                    | ErrorKind::ResourceBusy
                    | ErrorKind::StaleNetworkFileHandle
            );
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_has_to_change_is_not_tried_again() {
        for (kind, transient) in [
            (ErrorKind::TimedOut, true),
            (ErrorKind::StaleNetworkFileHandle, true),
            (ErrorKind::PermissionDenied, false),
            (ErrorKind::NotADirectory, false),
            (ErrorKind::StorageFull, false),
        ] {
            assert_eq!(is_transient(&io::Error::from(kind)), transient, "{kind:?}");
        }
    }
}
