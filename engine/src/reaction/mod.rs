//! Reactions that wait: what events mean for other objects, where a step had to stop before it was through.
//!
//! Which event leads to which reaction, and who decides on it, is `reactions.rs`; here is what stands in the
//! log and in the state.
//!
//! | Reaction | Event | then |
//! |---|---|---|
//! | | Postponed, by a step that is full | waits under the number of this event |
//! | waiting | TakenUp, by a step that goes on with it | gone: what it comes to is in the events that follow |

pub(crate) mod apply;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::backup::Trigger;
use crate::ids::{EffectId, Key, TypedRef, Uid};
use crate::time::Timestamp;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Go on with what waits.
    Continue,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step was full before it came to this; it waits under this event's sequence number.
    Postponed {
        /// What waits.
        reaction: Reaction,
    },
    /// It waits no more.
    TakenUp {
        /// The number that it waited under.
        number: u64,
    },
}

/// What something that happened means for other objects. Those that concern many objects say behind which
/// one of them they go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reaction {
    /// Tries of hooks that were asked for before a term of leadership began have failed.
    InterruptHooks {
        /// The number of that term's first event.
        before: EffectId,
        /// Behind this effect.
        after: Option<EffectId>,
    },
    /// A session goes as far as it can with what is known now.
    Advance {
        /// The backup or the restore.
        session: Uid,
    },
    /// A session made outside takes its slot.
    TakeSlot {
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
        /// The slot.
        slot: Timestamp,
        /// The session.
        by: Uid,
    },
    /// Configurations of a restore's target are held while it goes.
    HoldTarget {
        /// The restore.
        restore: Uid,
        /// Behind this configuration.
        after: Option<Uid>,
    },
    /// Configurations that a restore held go on.
    ReleaseTarget {
        /// The restore.
        restore: Uid,
        /// Behind this configuration.
        after: Option<Uid>,
    },
    /// Snapshots of a repository that is gone leave the state.
    ForgetSnapshots {
        /// The repository.
        repository: Uid,
        /// Behind this snapshot.
        after: Option<Uid>,
    },
    /// A session is made, and decides what becomes of it.
    OpenBackup {
        /// Its uid.
        uid: Uid,
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
        /// Why.
        trigger: Trigger,
    },
    /// Sessions of a configuration that is to be deleted are stopped.
    StopBackups {
        /// The configuration.
        configuration: Uid,
        /// Behind this session.
        after: Option<Uid>,
    },
    /// Backends are checked again whose credential Secret came or changed.
    CheckStorages {
        /// The Secret.
        secret: Key,
        /// Behind this storage.
        after: Option<Uid>,
    },
    /// Repositories are opened anew, since what opens them changed.
    ReopenRepositories {
        /// What changed.
        opener: Opener,
        /// Behind this repository.
        after: Option<Uid>,
    },
    /// Repositories go with what they belong to.
    DeleteRepositories {
        /// What goes.
        owner: Owner,
        /// Behind this repository.
        after: Option<Uid>,
    },
    /// Sessions of a configuration whose repositories are gone leave the state.
    ArchiveBackups {
        /// The configuration.
        configuration: Uid,
        /// Behind this session.
        after: Option<Uid>,
    },
    /// A storage that is to be deleted goes once nothing lies in it.
    FinishStorage {
        /// Namespace and name.
        storage: Key,
    },
    /// A configuration that is to be deleted goes once nothing of it is left.
    FinishConfiguration {
        /// The configuration.
        configuration: Uid,
    },
    /// Configurations are checked again.
    CheckConfigurations {
        /// Which.
        watching: Watched,
        /// Behind this configuration.
        after: Option<Uid>,
    },
    /// Configurations that are valid get the repositories that they ask for.
    EnsureRepositories {
        /// Which configurations.
        watching: Watched,
        /// What failed before is tried once more.
        again: bool,
        /// Behind this configuration.
        after: Option<Uid>,
    },
    /// First backups are triggered that have all that they need.
    TriggerBackups {
        /// Of which configurations.
        watching: Watched,
        /// Behind this configuration.
        after: Option<Uid>,
    },
}

/// What opens repositories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opener {
    /// Their encryption Secret.
    Secret(Key),
    /// The storage that they lie in.
    Storage(Key),
}

/// What repositories belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// The storage that they lie in.
    Storage(Uid),
    /// The configuration that they were made for.
    Configuration {
        /// The configuration.
        uid: Uid,
        /// Those whose deletion failed are tried again.
        again: bool,
    },
}

/// Something that configurations look at: those that do are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Watched {
    /// The configuration itself.
    Configuration(Uid),
    /// Labels of the namespace that they are in, or whom the one of their target allows.
    Namespace(String),
    /// A Secret, an Addon, a Function, or their target.
    Dependency(TypedRef),
    /// A storage that they name, or would get by default.
    Storage(Key),
    /// A retention policy that they name, or would get by default.
    Retention(Key),
    /// A hook template.
    Hook(Key),
    /// A repository that they write to.
    Repository(Key),
    /// How far references across namespaces go.
    References,
}
