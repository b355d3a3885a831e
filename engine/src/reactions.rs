//! What something that happened to one aggregate means for others.
//!
//! An aggregate decides about itself only. Here is one table, [`ROWS`]: what happened, and which reactions
//! follow from it; and one match, `carry.rs`, which hands a reaction to the aggregate whose decision it is.
//! No other file of the engine names the decisions of two aggregates, but for the routers of commands and of
//! answers (`decide.rs`, `answers.rs`), which name each for itself. An aggregate that called another one's
//! decisions would have to be called back by it some day, and that is a ring of imports: tidy's rule `rings`
//! refuses it. Two streams belong to others' decisions and have no reactions of their own: a session writes
//! the streams of its snapshots, which are what it has to say of each repository, and a configuration those
//! of its schedules, which are declared with it.
//!
//! **Rows** are pure functions of an event and of the state right after it, or of a command that was taken.
//! A command is a cause where asking again is meant to try again, though nothing new has happened.
//!
//! **Order.** A reaction waits in the queue of its [`stage`], first come first served, and an equal one that
//! waits already is not added again. A stage begins when nothing of an earlier one waits, since it rests on
//! what those find out: a first backup must not be triggered while a repository that it writes to has still
//! to be opened anew. So it matters neither in which order the rows stand, nor in how many pieces a reaction is
//! done, nor in how many steps; a property compares all three ([`Manner`]) for random histories
//! (`tests/reactions.rs`).
//!
//! **Bounds.** A reaction that concerns many objects takes on a few of them, in order of their uids, and then
//! waits again with the last one as its cursor ([`Draft::each`]). A step that has come to
//! [`crate::limits::EVENTS_A_STEP`] stops between two reactions. What waits then is recorded, one `Postponed`
//! event a reaction, and due at once ([`crate::deadline::Due::Continue`]): a command of its own takes it up in
//! the same order, before any other deadline, after a restart as well. What it comes to is the same as if the
//! step had gone on, because a reaction holds no facts but names, and looks at the state when its turn comes:
//! whatever it finds, it brings its object to where the state of that moment wants it. Commands that are
//! decided in between find a state in which some objects have not heard of the news yet, as they would if the
//! news had come a moment later.

use alloc::vec;
use alloc::vec::Vec;

use crate::backup::{self, Trigger};
use crate::command::Command;
use crate::configuration;
use crate::declared::Declared;
use crate::dependency::{self, state::secret};
use crate::draft::Draft;
use crate::event::Event;
use crate::hook;
use crate::ids::{EffectId, Key, TypedRef, Uid};
use crate::lease;
use crate::limits;
use crate::namespace;
use crate::outbox;
use crate::outcome::Failure;
use crate::reaction::{Opener, Owner, Reaction, Watched};
use crate::repository;
use crate::restore;
use crate::retention;
use crate::run::{StopCause, session};
use crate::schedule;
use crate::snapshot;
use crate::storage;

mod carry;
pub(crate) mod waiting;

pub(crate) use carry::carry_out;

/// Something that reactions may follow from.
#[derive(Clone, Copy)]
pub enum Cause<'c> {
    /// It happened, just now.
    Event(&'c Event),
    /// It was asked for, and decided.
    Command(&'c Command),
}

/// A row of the table; its words stand in `docs/architecture.md` too.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What happened: aggregate and event, or the command that was asked.
    pub cause: &'static str,
    /// Which reaction follows.
    pub reaction: &'static str,
    /// Why.
    pub why: &'static str,
    /// The reactions themselves.
    pub reacts: fn(&Draft, &Cause) -> Vec<Reaction>,
}

/// The table.
pub const ROWS: &[Row] = &[
    Row {
        name: "hooks of a former leader",
        cause: "lease EpochBegan",
        reaction: "InterruptHooks",
        why: "nobody can tell how far a hook came whose leader is gone",
        reacts: hooks_of_a_former_leader,
    },
    Row {
        name: "labels",
        cause: "namespace Observed, Gone",
        reaction: "CheckConfigurations",
        why: "usage policies allow namespaces by their labels, and namespaces whom to work in them",
        reacts: labels,
    },
    Row {
        name: "settings",
        cause: "lease Configured",
        reaction: "CheckConfigurations",
        why: "the operator's setting decides what has to allow references",
        reacts: settings,
    },
    Row {
        name: "credentials",
        cause: "dependency Observed",
        reaction: "CheckStorages",
        why: "a backend is reached with its Secret",
        reacts: credentials,
    },
    Row {
        name: "passphrases",
        cause: "dependency Observed, Gone",
        reaction: "ReopenRepositories",
        why: "a repository opens with its Secret, and must not be relied on before it has",
        reacts: passphrases,
    },
    Row {
        name: "dependencies",
        cause: "dependency Observed, Gone",
        reaction: "CheckConfigurations",
        why: "a configuration rests on its target, Addon, Functions and Secrets",
        reacts: dependencies,
    },
    Row {
        name: "storages",
        cause: "storage Declared, BackendInitialized, BackendInitializationFailed, Deleted",
        reaction: "CheckConfigurations",
        why: "a configuration rests on its storages, or gets one by default",
        reacts: storages,
    },
    Row {
        name: "backends that work",
        cause: "storage BackendInitialized",
        reaction: "ReopenRepositories",
        why: "what lies in a backend was reached as it was before",
        reacts: backends_that_work,
    },
    Row {
        name: "deletion of a storage",
        cause: "asked: storage Delete, Retry",
        reaction: "DeleteRepositories",
        why: "what lies in it goes first; asked again, what failed is tried again",
        reacts: deletion_of_a_storage,
    },
    Row {
        name: "policies",
        cause: "retention Declared, Deleted",
        reaction: "CheckConfigurations",
        why: "a configuration rests on its policies, or gets one by default",
        reacts: policies,
    },
    Row {
        name: "templates",
        cause: "hook Declared, Deleted",
        reaction: "CheckConfigurations",
        why: "a configuration rests on the templates of its hooks",
        reacts: templates,
    },
    Row {
        name: "wishes",
        cause: "asked: configuration Declare, Reconcile",
        reaction: "EnsureRepositories",
        why: "repositories are made because configurations ask for them; asked again, what failed is tried \
              again",
        reacts: wishes,
    },
    Row {
        name: "end of a configuration",
        cause: "configuration DeletionRequested",
        reaction: "StopBackups",
        why: "no session outlives its configuration",
        reacts: end_of_a_configuration,
    },
    Row {
        name: "deletion of a configuration",
        cause: "asked: configuration Delete, Reconcile",
        reaction: "DeleteRepositories",
        why: "asked again, what failed is tried again",
        reacts: deletion_of_a_configuration,
    },
    Row {
        name: "first backups",
        cause: "configuration InitialBackupTriggered",
        reaction: "OpenBackup",
        why: "that is the session which was triggered",
        reacts: first_backups,
    },
    Row {
        name: "slots",
        cause: "schedule SlotTaken",
        reaction: "OpenBackup",
        why: "a slot is taken for a session",
        reacts: slots,
    },
    Row {
        name: "triggers from outside",
        cause: "backup Created",
        reaction: "TakeSlot",
        why: "a slot for which a session was made outside is not taken again",
        reacts: triggers_from_outside,
    },
    Row {
        name: "repositories that were tried",
        cause: "repository Initialized, InitializationFailed",
        reaction: "TriggerBackups",
        why: "a first backup waits until each of its repositories was tried",
        reacts: repositories_that_were_tried,
    },
    Row {
        name: "snapshots of a repository",
        cause: "repository Deleted",
        reaction: "ForgetSnapshots",
        why: "a snapshot lies in its repository",
        reacts: snapshots_of_a_repository,
    },
    Row {
        name: "storage of a repository",
        cause: "repository Deleted",
        reaction: "FinishStorage",
        why: "a storage goes after the last repository in it",
        reacts: storage_of_a_repository,
    },
    Row {
        name: "configuration of a repository",
        cause: "repository Deleted",
        reaction: "DeleteRepositories",
        why: "a configuration goes after the last repository that goes with it",
        reacts: configuration_of_a_repository,
    },
    Row {
        name: "names and directories",
        cause: "repository Deleted",
        reaction: "CheckConfigurations",
        why: "a configuration that it stood in the way of may be valid now",
        reacts: names_and_directories,
    },
    Row {
        name: "configuration of a backup",
        cause: "backup Skipped, MetricsPushed",
        reaction: "DeleteRepositories",
        why: "repositories go after the last session of their configuration",
        reacts: configuration_of_a_backup,
    },
    Row {
        name: "workers that were stopped",
        cause: "outbox EffectDone, EffectFailed",
        reaction: "DeleteRepositories",
        why: "a repository is not deleted while a worker may still use it",
        reacts: workers_that_were_stopped,
    },
    Row {
        name: "sessions whose object is gone",
        cause: "outbox EffectDone, EffectFailed",
        reaction: "Advance",
        why: "a session stays until its workers have stopped, since it says what they write to",
        reacts: sessions_whose_object_is_gone,
    },
    Row {
        name: "descriptions",
        cause: "snapshot MetadataUploaded",
        reaction: "Advance",
        why: "a session ends after its snapshots are described",
        reacts: descriptions,
    },
    Row {
        name: "removals",
        cause: "snapshot Forgotten, RemovalFailed",
        reaction: "Advance",
        why: "a session ends after the removals that its retention asked for",
        reacts: removals,
    },
    Row {
        name: "start of a restore",
        cause: "restore Started",
        reaction: "HoldTarget",
        why: "a backup of half-restored data is worse than one that is late",
        reacts: start_of_a_restore,
    },
    Row {
        name: "end of a restore",
        cause: "restore MetricsPushed",
        reaction: "ReleaseTarget",
        why: "what it held goes on",
        reacts: end_of_a_restore,
    },
    Row {
        name: "source of a restore",
        cause: "restore MetricsPushed",
        reaction: "DeleteRepositories",
        why: "a repository is not deleted while a restore reads from it",
        reacts: source_of_a_restore,
    },
];

/// In which manner reactions are done. What they come to does not depend on it; tests compare.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Puts the rows into another order.
    pub seed: Option<u64>,
    /// How many objects a reaction takes on.
    pub objects: usize,
    /// How many events fill a step.
    pub events: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self { seed: None, objects: limits::OBJECTS_A_REACTION, events: limits::EVENTS_A_STEP }
    }
}

/// How many stages there are.
pub(crate) const STAGES: usize = 6;

/// When a reaction's turn comes: after all that it rests on.
pub(crate) fn stage(reaction: &Reaction) -> usize {
    match reaction {
        // What sessions and snapshots have to say of themselves rests on nothing else.
        Reaction::InterruptHooks { .. }
        | Reaction::Advance { .. }
        | Reaction::TakeSlot { .. }
        | Reaction::HoldTarget { .. }
        | Reaction::ReleaseTarget { .. }
        | Reaction::ForgetSnapshots { .. } => 0,
        // Before the next ones are triggered, so that few of them wait.
        Reaction::OpenBackup { .. } => 1,
        Reaction::StopBackups { .. }
        | Reaction::CheckStorages { .. }
        | Reaction::ReopenRepositories { .. }
        | Reaction::DeleteRepositories { .. }
        | Reaction::ArchiveBackups { .. }
        | Reaction::FinishStorage { .. }
        | Reaction::FinishConfiguration { .. } => 2,
        Reaction::CheckConfigurations { .. } => 3,
        Reaction::EnsureRepositories { .. } => 4,
        Reaction::TriggerBackups { .. } => 5,
    }
}

fn delete_repositories(configuration: Uid, again: bool) -> Reaction {
    let owner = Owner::Configuration { uid: configuration, again };
    Reaction::DeleteRepositories { owner, after: None }
}

fn check(watching: Watched) -> Vec<Reaction> {
    vec![Reaction::CheckConfigurations { watching, after: None }]
}

fn hooks_of_a_former_leader(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    let Cause::Event(Event::Lease(lease::Event::EpochBegan { .. })) = cause else {
        return Vec::new();
    };
    vec![Reaction::InterruptHooks { before: EffectId(draft.seq()), after: None }]
}

fn labels(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Namespace(
            namespace::Event::Observed { name, .. } | namespace::Event::Gone { name, .. },
        )) => check(Watched::Namespace(name.clone())),
        _ => Vec::new(),
    }
}

fn settings(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Lease(lease::Event::Configured { .. })) => check(Watched::References),
        _ => Vec::new(),
    }
}

/// The object that was seen or is gone.
fn depended_on<'c>(cause: &Cause<'c>) -> Option<(&'c TypedRef, bool)> {
    match cause {
        Cause::Event(Event::Dependency(dependency::Event::Observed { object, .. })) => {
            Some((object, true))
        }
        Cause::Event(Event::Dependency(dependency::Event::Gone { object, .. })) => {
            Some((object, false))
        }
        _ => None,
    }
}

/// The Secret that was seen or is gone.
fn secret_of(cause: &Cause) -> Option<(Key, bool)> {
    let (object, there) = depended_on(cause)?;
    let key = Key::core(object.namespace.clone(), object.name.clone());
    (*object == secret(&key)).then_some((key, there))
}

fn credentials(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    match secret_of(cause) {
        Some((secret, true)) => vec![Reaction::CheckStorages { secret, after: None }],
        _ => Vec::new(),
    }
}

fn passphrases(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    let Some((secret, _)) = secret_of(cause) else { return Vec::new() };
    vec![Reaction::ReopenRepositories { opener: Opener::Secret(secret), after: None }]
}

fn dependencies(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    let Some((object, _)) = depended_on(cause) else { return Vec::new() };
    check(Watched::Dependency(object.clone()))
}

fn storages(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    use storage::Event as Of;
    let Cause::Event(Event::Storage(event)) = cause else { return Vec::new() };
    match event {
        Of::Declared { key, .. } | Of::Deleted { key, .. } => check(Watched::Storage(key.clone())),
        Of::BackendInitialized { uid } | Of::BackendInitializationFailed { uid, .. } => {
            // What is said of one that goes is about its wipe.
            let stays = draft.storage(*uid).filter(|known| !known.deleting);
            stays.map(|known| check(Watched::Storage(known.key.clone()))).unwrap_or_default()
        }
        Of::InitializationRequested { .. } | Of::DeletionRequested { .. } => Vec::new(),
    }
}

fn backends_that_work(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    let Cause::Event(Event::Storage(storage::Event::BackendInitialized { uid })) = cause else {
        return Vec::new();
    };
    let Some(known) = draft.storage(*uid) else { return Vec::new() };
    let opener = Opener::Storage(known.key.clone());
    vec![Reaction::ReopenRepositories { opener, after: None }]
}

fn deletion_of_a_storage(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    use storage::Command as Of;
    let Cause::Command(Command::Storage(Of::Delete { uid } | Of::Retry { uid })) = cause else {
        return Vec::new();
    };
    let goes = draft.storage(*uid).filter(|known| known.deleting);
    let owner = goes.map(|known| Owner::Storage(known.uid));
    owner.map(|owner| Reaction::DeleteRepositories { owner, after: None }).into_iter().collect()
}

fn policies(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    use retention::Event as Of;
    match cause {
        Cause::Event(Event::Retention(Of::Declared { key, .. } | Of::Deleted { key, .. })) => {
            check(Watched::Retention(key.clone()))
        }
        _ => Vec::new(),
    }
}

fn templates(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    use hook::Event as Of;
    match cause {
        Cause::Event(Event::Hook(Of::Declared { key, .. } | Of::Deleted { key, .. })) => {
            check(Watched::Hook(key.clone()))
        }
        _ => Vec::new(),
    }
}

fn wishes(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    use configuration::Command as Of;
    match cause {
        Cause::Command(Command::Configuration(
            Of::Declare { declared: Declared { uid, .. }, .. } | Of::Reconcile { uid },
        )) if draft.configuration(*uid).is_some_and(|known| !known.deleting) => {
            let watching = Watched::Configuration(*uid);
            vec![Reaction::EnsureRepositories { watching, again: true, after: None }]
        }
        _ => Vec::new(),
    }
}

fn end_of_a_configuration(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Configuration(configuration::Event::DeletionRequested { uid })) => {
            vec![Reaction::StopBackups { configuration: *uid, after: None }]
        }
        _ => Vec::new(),
    }
}

fn deletion_of_a_configuration(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    use configuration::Command as Of;
    match cause {
        Cause::Command(Command::Configuration(Of::Delete { uid } | Of::Reconcile { uid })) => {
            goes_on(draft, Some(*uid), true)
        }
        _ => Vec::new(),
    }
}

/// The deletion of a configuration goes on, if it is one.
fn goes_on(draft: &Draft, configuration: Option<Uid>, again: bool) -> Vec<Reaction> {
    let known = configuration.and_then(|uid| draft.configuration(uid));
    let goes = known.filter(|known| known.deleting);
    goes.map(|known| delete_repositories(known.uid, again)).into_iter().collect()
}

fn first_backups(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    use configuration::Event as Of;
    match cause {
        Cause::Event(Event::Configuration(Of::InitialBackupTriggered {
            uid: configuration,
            session,
            backup: uid,
        })) if draft.backup(*uid).is_none() => {
            let (uid, configuration, session) = (*uid, *configuration, session.clone());
            vec![Reaction::OpenBackup { uid, configuration, session, trigger: Trigger::Initial }]
        }
        _ => Vec::new(),
    }
}

fn slots(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Schedule(schedule::Event::SlotTaken {
            configuration,
            session,
            slot,
            by: Some(by),
            ..
        })) if draft.backup(*by).is_none() => {
            let (uid, configuration, session) = (*by, *configuration, session.clone());
            let trigger = Trigger::Slot { slot: *slot };
            vec![Reaction::OpenBackup { uid, configuration, session, trigger }]
        }
        _ => Vec::new(),
    }
}

fn triggers_from_outside(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Backup(backup::Event::Created {
            uid,
            configuration,
            session,
            trigger: Trigger::Slot { slot },
            ..
        })) => {
            let (by, configuration, session) = (*uid, *configuration, session.clone());
            vec![Reaction::TakeSlot { configuration, session, slot: *slot, by }]
        }
        _ => Vec::new(),
    }
}

fn repositories_that_were_tried(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    use repository::Event as Of;
    match cause {
        Cause::Event(Event::Repository(
            Of::Initialized { uid, .. } | Of::InitializationFailed { uid, .. },
        )) => {
            // What is missing was found out by whoever checks the configurations as well.
            let missing = |failure: &Failure| failure.reason.is_missing();
            let stays = draft
                .repository(*uid)
                .filter(|known| !known.deleting && !known.failure.as_ref().is_some_and(missing));
            let watching = stays.map(|known| Watched::Repository(known.key.clone()));
            let reaction = |watching| Reaction::TriggerBackups { watching, after: None };
            watching.map(reaction).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn snapshots_of_a_repository(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Repository(repository::Event::Deleted { uid, .. })) => {
            vec![Reaction::ForgetSnapshots { repository: *uid, after: None }]
        }
        _ => Vec::new(),
    }
}

fn storage_of_a_repository(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Repository(repository::Event::Deleted { storage, .. })) => {
            vec![Reaction::FinishStorage { storage: storage.clone() }]
        }
        _ => Vec::new(),
    }
}

fn configuration_of_a_repository(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Repository(repository::Event::Deleted { configuration, .. })) => {
            goes_on(draft, Some(*configuration), false)
        }
        _ => Vec::new(),
    }
}

fn names_and_directories(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Repository(repository::Event::Deleted { key, storage, .. })) => {
            let freed = draft.invalid_beside(key, storage).into_iter();
            freed.flat_map(|uid| check(Watched::Configuration(uid))).collect()
        }
        _ => Vec::new(),
    }
}

/// What an effect was about that is not outstanding any more.
fn settled(cause: &Cause) -> Option<Uid> {
    use outbox::Event as Of;
    match cause {
        Cause::Event(Event::Outbox(
            Of::EffectDone { subject, .. } | Of::EffectFailed { subject, .. },
        )) => Some(*subject),
        _ => None,
    }
}

fn workers_that_were_stopped(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    let Some(subject) = settled(cause) else { return Vec::new() };
    let written = draft.backup(subject).map(|known| known.configuration);
    goes_on(draft, written.or_else(|| source_of(draft, subject)), false)
}

fn sessions_whose_object_is_gone(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    let known = settled(cause).and_then(|subject| session::get(draft, subject));
    let goes = known.filter(|known| {
        known.run().is_finished() && known.run().cancelled == Some(StopCause::Deleted)
    });
    goes.map(|known| Reaction::Advance { session: known.uid() }).into_iter().collect()
}

fn configuration_of_a_backup(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    use backup::Event as Of;
    match cause {
        Cause::Event(Event::Backup(Of::Skipped { uid, .. } | Of::MetricsPushed { uid })) => {
            goes_on(draft, draft.backup(*uid).map(|known| known.configuration), false)
        }
        _ => Vec::new(),
    }
}

fn descriptions(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Snapshot(snapshot::Event::MetadataUploaded { uid, .. })) => {
            let session = draft.snapshot(*uid).and_then(|known| known.backup);
            session.map(|session| Reaction::Advance { session }).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn removals(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    use snapshot::Event as Of;
    let session = match cause {
        Cause::Event(Event::Snapshot(Of::Forgotten { by, .. })) => *by,
        Cause::Event(Event::Snapshot(Of::RemovalFailed { uid, .. })) => {
            let removal = draft.snapshot(*uid).and_then(|known| known.removal.as_ref());
            removal.and_then(|removal| removal.by)
        }
        _ => None,
    };
    session.map(|session| Reaction::Advance { session }).into_iter().collect()
}

fn start_of_a_restore(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Restore(restore::Event::Started { uid, .. })) => {
            vec![Reaction::HoldTarget { restore: *uid, after: None }]
        }
        _ => Vec::new(),
    }
}

fn end_of_a_restore(_: &Draft, cause: &Cause) -> Vec<Reaction> {
    match cause {
        Cause::Event(Event::Restore(restore::Event::MetricsPushed { uid })) => {
            vec![Reaction::ReleaseTarget { restore: *uid, after: None }]
        }
        _ => Vec::new(),
    }
}

fn source_of_a_restore(draft: &Draft, cause: &Cause) -> Vec<Reaction> {
    let Cause::Event(Event::Restore(restore::Event::MetricsPushed { uid })) = cause else {
        return Vec::new();
    };
    goes_on(draft, source_of(draft, *uid), false)
}

/// The configuration that the repository was made for which a restore reads from.
fn source_of(draft: &Draft, restore: Uid) -> Option<Uid> {
    let snapshot = draft.restore(restore).and_then(|known| known.snapshot)?;
    let repository = draft.snapshot(snapshot)?.repository;
    draft.repository(repository).map(|known| known.configuration)
}
