//! A term of leadership: taken from the place, begun in the log, and over when the place says so.

use super::inbox::Inbox;
use crate::place::{Place, Term, Trouble};

/// Takes the lead.
///
/// # Errors
/// When the place cannot be asked for it.
pub async fn take<P: Place>(place: &P) -> Result<Term, Trouble> {
    let term = place.lease().await?;
    tracing::info!(holder = term.holder, "leads");
    Ok(term)
}

/// Ends the operator when its term is over: another one decides now.
pub async fn watch(mut term: Term, inbox: Inbox) {
    term.over().await;
    tracing::warn!(holder = term.holder, "the lead is lost");
    inbox.stop().await;
}
