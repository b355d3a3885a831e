//! A session exists: it is skipped, it waits, or it starts.
//!
//! | Row | if | then |
//! |---|---|---|
//! | 1 | its slot was taken before, or passed too long ago | Skipped |
//! | 2 | the configuration is paused or not Ready | Skipped |
//! | 3 | a session of the same name is open, with `Replace` | that one is cancelled, this one waits |
//! | 4 | a session of the same name is open | Skipped |
//! | 5 | another session of the configuration is open | it waits, until its starting deadline or its next slot |
//! | 6 | otherwise | Started |

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::decide::{advance, end, finish};
use crate::backup::state::Backup;
use crate::backup::{Event, Frozen, Trigger, phase};
use crate::configuration::state::Configuration;
use crate::configuration::{Concurrency, phase as configuration_phase};
use crate::dependency::{Facts, state as dependency};
use crate::draft::Draft;
use crate::ids::{Hash, Key, TypedRef, Uid};
use crate::names;
use crate::snapshot;
use crate::time::{Millis, Timestamp};

/// A session to be made.
pub(crate) struct Request {
    pub uid: Uid,
    pub key: Key,
    pub configuration: Uid,
    pub session: String,
    pub trigger: Trigger,
    /// Absent: as the session's spec says.
    pub retry_left: Option<u32>,
    /// Absent: as the session's spec says.
    pub timeout: Option<Millis>,
}

/// Makes a session, and decides what becomes of it; `late` is why it must not run at all.
pub(crate) fn open(draft: &mut Draft, request: Request, late: Option<String>) {
    let spec = draft
        .configuration(request.configuration)
        .and_then(|known| known.session(&request.session))
        .map(|session| &session.spec);
    let retries = spec.and_then(|spec| spec.retry).map_or(0, |retry| retry.max);
    let timeout = request.timeout.or(spec.and_then(|spec| spec.timeout));
    let uid = request.uid;
    draft.emit(Event::Created {
        uid,
        key: request.key,
        configuration: request.configuration,
        session: request.session,
        trigger: request.trigger,
        retry_left: request.retry_left.unwrap_or(retries),
        timeout,
    });
    match late {
        Some(reason) => skip(draft, uid, reason),
        None => consider(draft, uid),
    }
}

/// Decides what becomes of a session that has not started.
pub(crate) fn consider(draft: &mut Draft, uid: Uid) {
    let Some(backup) = draft.backup(uid).cloned() else { return };
    let Some(configuration) = draft.configuration(backup.configuration).cloned() else {
        return skip(draft, uid, "its configuration is gone".into());
    };
    if let Some(reason) = not_ready(draft, &configuration, &backup.session) {
        return skip(draft, uid, reason);
    }
    let rivals = open_before(draft, &backup);
    let same: Vec<&(Uid, Key, bool)> = rivals.iter().filter(|(_, _, same)| *same).collect();
    if concurrency(&configuration, &backup.session) == Concurrency::Replace {
        let reason = format!("replaced by {}", backup.key.name);
        for (rival, _, _) in &same {
            end::stop(draft, *rival, &reason);
        }
    } else if let Some((_, rival, _)) = same.first() {
        return skip(draft, uid, format!("session {rival} has not ended"));
    }
    let behind = open_before(draft, &backup).first().map(|(rival, _, _)| *rival);
    match behind {
        Some(behind) => queue(draft, &backup, &configuration, behind),
        None => start(draft, &backup, &configuration),
    }
}

fn not_ready(draft: &Draft, configuration: &Configuration, session: &str) -> Option<String> {
    if configuration.deleting {
        return Some("its configuration is being deleted".into());
    }
    if configuration.session(session).is_none() {
        return Some(format!("its configuration has no session {session:?} any more"));
    }
    if configuration.paused {
        return Some("the configuration is paused".into());
    }
    if let Some(restore) = configuration.paused_by.first() {
        let name = draft.restore(*restore).map(|found| format!("{}", found.key));
        let name = name.unwrap_or_else(|| format!("{restore}"));
        return Some(format!("RestoreSession {name} holds the target"));
    }
    configuration_phase::unready(draft, configuration)
        .map(|why| format!("the configuration is not Ready: {why}"))
}

/// Open sessions of the configuration that come before this one: those that go, then those that wait
/// and were made earlier. The flag says that they have its name.
fn open_before(draft: &Draft, backup: &Backup) -> Vec<(Uid, Key, bool)> {
    let place = |b: &Backup| (!b.is_going(), b.created_at, b.uid);
    let mut found: Vec<&Backup> = draft
        .backups()
        .filter(|other| other.configuration == backup.configuration && other.uid != backup.uid)
        .filter(|other| {
            let earlier = (other.created_at, other.uid) < (backup.created_at, backup.uid);
            other.is_going() || (other.step == phase::Step::Queued && earlier)
        })
        .collect();
    found.sort_by_key(|other| place(other));
    found.iter().map(|b| (b.uid, b.key.clone(), b.session == backup.session)).collect()
}

fn concurrency(configuration: &Configuration, session: &str) -> Concurrency {
    let scheduler = configuration.session(session).and_then(|s| s.spec.scheduler.as_ref());
    scheduler.map(|scheduler| scheduler.concurrency).unwrap_or_default()
}

pub(crate) fn skip(draft: &mut Draft, uid: Uid, reason: String) {
    draft.emit(Event::Skipped { uid, reason });
    finish::clean_skipped(draft, uid);
    finish::after_end(draft, uid);
}

fn queue(draft: &mut Draft, backup: &Backup, configuration: &Configuration, behind: Uid) {
    if backup.behind == Some(behind) {
        return;
    }
    let until = backup.until.or_else(|| wait_limit(draft, backup, configuration));
    draft.emit(Event::Queued { uid: backup.uid, behind, until });
}

/// A session that waits longer than this has lost its turn.
fn wait_limit(draft: &Draft, backup: &Backup, configuration: &Configuration) -> Option<Timestamp> {
    let spec = &configuration.session(&backup.session)?.spec;
    let patience = spec.scheduler.as_ref().and_then(|scheduler| scheduler.starting_deadline);
    let slot = match backup.trigger {
        Trigger::Slot { slot } => slot,
        _ => backup.created_at,
    };
    if let Some(patience) = patience {
        return Some(slot.plus(patience));
    }
    match backup.trigger {
        // Nobody else would make these up.
        Trigger::Manual | Trigger::Initial => None,
        Trigger::Slot { .. } | Trigger::Retry { .. } => {
            let schedule = draft.schedule(configuration.uid, &backup.session)?;
            schedule.next.iter().find(|slot| **slot > draft.at()).copied()
        }
    }
}

fn start(draft: &mut Draft, backup: &Backup, configuration: &Configuration) {
    let uid = backup.uid;
    draft.emit(Event::Started {
        uid,
        deadline: backup.timeout.map(|timeout| draft.at().plus(timeout)),
        frozen: freeze(draft, configuration, &backup.session),
    });
    match ensure_snapshots(draft, backup, configuration) {
        Ok(total) => draft.emit(Event::SnapshotsEnsured { uid, total }),
        Err(message) => {
            draft.emit(Event::SnapshotsNotEnsured { uid, message });
            advance(draft, uid);
        }
    }
}

fn freeze(draft: &Draft, configuration: &Configuration, session: &str) -> Frozen {
    let hash = |object: &TypedRef| draft.base().dependency(object).map(|found| found.hash);
    let Some(session) = configuration.session(session) else { return Frozen::default() };
    let spec = &session.spec;
    let addon = dependency::addon(&spec.addon.name);
    let mut functions: Vec<(String, Hash)> = Vec::new();
    if let Some(Facts::Addon { tasks }) = draft.facts(&addon) {
        let wanted = tasks.iter().filter(|task| {
            !task.restore && spec.addon.tasks.iter().any(|wanted| wanted.name == task.name)
        });
        for task in wanted {
            let found = hash(&dependency::function(&task.function));
            functions.extend(found.map(|hash| (task.function.clone(), hash)));
        }
    }
    let hooks = spec.pre_hooks.iter().chain(&spec.post_hooks).filter_map(|hook| {
        draft.hook_named(&hook.template).map(|template| (template.key.clone(), template.hash))
    });
    let mut hooks: Vec<(Key, Hash)> = hooks.collect();
    hooks.sort();
    hooks.dedup();
    functions.sort();
    functions.dedup();
    Frozen {
        invoker: configuration.hash,
        addon: hash(&addon).unwrap_or_default(),
        functions,
        hooks,
    }
}

/// One snapshot for each repository; none at all when one of them cannot be used.
fn ensure_snapshots(
    draft: &mut Draft,
    backup: &Backup,
    configuration: &Configuration,
) -> Result<u32, String> {
    let namespace = &configuration.key.namespace;
    let wanted = configuration.session(&backup.session).map(|session| &session.spec.repositories);
    let mut usable = Vec::new();
    for wanted in wanted.into_iter().flatten() {
        let key = Key::new(namespace.clone(), wanted.name.clone());
        let Some(repository) = draft.repository_named(&key) else {
            return Err(format!("Repository {key} not found"));
        };
        if repository.deleting {
            return Err(format!("Repository {key} is being deleted"));
        }
        if !repository.is_ready() {
            let why = repository.failure.as_ref().map_or_else(
                || "it has not been initialised yet".into(),
                |failure| format!("{}: {}", failure.reason, failure.message),
            );
            return Err(format!("Repository {key} is not ready: {why}"));
        }
        usable.push(repository.clone());
    }
    let total = u32::try_from(usable.len()).unwrap_or(u32::MAX);
    for repository in usable {
        let uid = draft.mint();
        draft.emit(snapshot::Event::Created {
            uid,
            key: Key::new(
                namespace.clone(),
                names::snapshot(&repository.key.name, &backup.key.name),
            ),
            repository: repository.uid,
            backup: backup.uid,
            session: backup.session.clone(),
            app: repository.app,
            deletion: crate::storage::DeletionPolicy::Delete,
        });
        draft.emit(snapshot::Event::ListUpdated { uid });
    }
    Ok(total)
}
