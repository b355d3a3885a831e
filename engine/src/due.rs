//! What is due, and when.

use alloc::string::String;

use crate::ids::Uid;
use crate::time::Timestamp;

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Submit `reaction::Continue`: a step was full.
    Continue,
    /// A slot of a schedule: evaluate its calendar and submit `schedule::Wake`.
    Slot {
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
        /// The schedule's version.
        version: u32,
    },
    /// Submit `run::Expire`.
    Expire {
        /// The backup or the restore.
        session: Uid,
    },
    /// Submit `run::BeginWaiting`.
    BeginWaiting,
    /// Submit `backup::Retry`.
    RetryBackup {
        /// The failed session.
        session: Uid,
    },
    /// Submit `backup::Resume`.
    ResumeBackup {
        /// The waiting session.
        session: Uid,
    },
    /// Submit `storage::Retry`.
    RetryStorage {
        /// The storage.
        uid: Uid,
    },
    /// Submit `repository::Reconcile`.
    RetryRepository {
        /// The repository.
        uid: Uid,
    },
    /// Submit `restore::Reconcile`: what it waited for is there, or is gone.
    ReconcileRestore {
        /// The restore.
        uid: Uid,
    },
}

/// Something that an object has to be woken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wakeup {
    /// When; an instant that has passed means now.
    pub when: Timestamp,
    /// What for.
    pub due: Due,
    /// It is left to a trigger from outside for the grace.
    pub is_slot: bool,
}
