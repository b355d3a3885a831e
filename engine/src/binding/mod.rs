//! Which live objects are the ones that we made: name and uid, not name alone (design, D16).
//!
//! What we make is found again under a name that others can copy with all its labels, or give to something else. The
//! uid that the place answered with is recorded in the stream of the object that it stands for; a watched object is
//! ours only if both agree, and only the deletion of that uid counts.
//!
//! | Object | Event | then |
//! |---|---|---|
//! | made | Bound | its uid is known |
//! | bound | Bound | it was made anew, under another uid |
//! | bound | Missed | nobody's, until it is made again |

pub(crate) mod apply;
pub(crate) mod decide;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::event::StreamKind;
use crate::ids::Uid;
use crate::state::State;

/// Something that we make outside for an object of the state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Made {
    /// Kind of the stream that it belongs to.
    pub kind: StreamKind,
    /// Whose stream that is.
    pub uid: Uid,
    /// What of it, where one object leads to several: the session of a trigger, the component of a volume
    /// snapshot; empty: the object itself.
    pub part: String,
}

impl Made {
    /// The object itself.
    #[must_use]
    pub fn whole(kind: StreamKind, uid: Uid) -> Self {
        Self { kind, uid, part: String::new() }
    }

    /// What triggers a session of a configuration.
    #[must_use]
    pub fn trigger(configuration: Uid, session: &str) -> Self {
        Self { kind: StreamKind::Schedule, uid: configuration, part: session.into() }
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The place has made it, or found it as its own, under this uid; records only a difference.
    Bind {
        /// What was made.
        made: Made,
        /// `metadata.uid` of the live object.
        live: Uid,
    },
    /// Under its name is nothing any more, or something else: it has to be made again.
    Miss {
        /// What was made.
        made: Made,
        /// The uid that was looked for; of any other one nobody asked.
        live: Uid,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The live object has this uid.
    Bound {
        /// What was made.
        made: Made,
        /// `metadata.uid` of the live object.
        live: Uid,
    },
    /// The live object of this uid is gone, and nobody asked for that.
    Missed {
        /// What was made.
        made: Made,
        /// The uid that it had.
        live: Uid,
    },
}

impl Event {
    /// What was made.
    #[must_use]
    pub fn made(&self) -> &Made {
        match self {
            Self::Bound { made, .. } | Self::Missed { made, .. } => made,
        }
    }
}

/// What a watched object is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The one that we made: its deletion counts.
    Ours,
    /// It bears our name and another uid: nothing that happens to it concerns what we made.
    Another,
    /// None of that name was bound yet.
    Unbound,
}

impl State {
    /// The uid of a live object that we made: the bound one; of one that a user made, or whose place gives no uids, its
    /// own.
    #[must_use]
    pub fn live_uid(&self, made: &Made) -> Uid {
        self.bound.get(made).copied().unwrap_or(made.uid)
    }

    /// What a watched object of this uid is, whose name is the recorded one of `made`.
    #[must_use]
    pub fn standing(&self, made: &Made, watched: Uid) -> Standing {
        match self.bound.get(made) {
            Some(bound) if *bound == watched => Standing::Ours,
            Some(_) => Standing::Another,
            None => Standing::Unbound,
        }
    }
}
