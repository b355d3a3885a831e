//! Remembers: the append-only, hash-chained log of events.
//!
//! The bytes are decided in `docs/events.md`. [`Ledger`] owns a log: it decides, appends and applies.
//! [`Reader`] reads one beside it, without the lock. [`drive`] feeds a log to a [`Machine`].
//! [`Export`] takes a log elsewhere and back, [`audit::audit`] proves one.
//!
//! There is no async, no clock and no randomness here. Times and ids come with the commands.

mod anchor;
mod archive;
mod attachment;
pub mod audit;
mod bytes;
mod chain;
mod checkpoint;
mod codec;
mod error;
mod export;
mod files;
mod fold;
mod frame;
mod index;
mod journal;
mod ledger;
pub mod limits;
mod lock;
#[cfg(test)]
mod newer;
mod open;
mod positions;
mod proof;
mod reader;
mod record;
mod recover;
mod repair;
mod replay;
mod restated;
mod resume;
pub mod shapes;

pub use anchor::{Anchor, NotAnAnchor, Relation, compare};
pub use archive::Archivable;
pub use attachment::{Attachments, name as attachment_name, named_by};
pub use chain::ChainKey;
pub use checkpoint::Mark;
pub use error::{Damage, Error, Fault};
pub use export::{Export, Piece};
pub use files::{Failure, Files, Memory};
pub use fold::Fold;
pub use journal::Position;
pub use ledger::{Answer, Ledger, Refusal, Submitted};
pub use open::Options;
pub use proof::Proven;
pub use reader::{Reader, drive};
pub use record::{Header, StreamKey};
pub use repair::{Headless, Tail, headless, write_head};
pub use replay::{Machine, Until};
pub use restated::{state_bytes, state_hash, state_of};
