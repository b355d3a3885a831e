//! A session exists: it is skipped, it waits, or it starts.
//!
//! | Row | if | then |
//! |---|---|---|
//! | 1 | its slot was taken before, or passed too long ago | Skipped |
//! | 2 | the configuration is paused or not Ready | Skipped |
//! | 3 | it comes by its slot while a repository of it is being opened, which has not failed | Skipped |
//! | 4 | a session of the same name is open, with `Replace` | that one is cancelled, this one waits |
//! | 5 | a session of the same name is open | Skipped |
//! | 6 | another session of the configuration is open | it waits, until its starting deadline or its next slot |
//! | 7 | otherwise | Started |

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::decide::{finish, late, name};
use crate::backup::state::Backup;
use crate::backup::{Event, Frozen, Trigger, phase};
use crate::configuration::state::Configuration;
use crate::configuration::{Concurrency, phase as configuration_phase};
use crate::dependency::Facts;
use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::{Hash, Key, TypedRef, Uid};
use crate::names;
use crate::run::StopCause;
use crate::run::decide::{advance, leave, stop};
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

/// Makes a session for a reason that lies in the log: a slot that was taken, or a first backup that was
/// triggered.
pub(crate) fn open_for(
    draft: &mut Draft,
    uid: Uid,
    configuration: Uid,
    session: String,
    trigger: Trigger,
) {
    let Some(known) = draft.configuration(configuration) else { return };
    let key = known.key.clone();
    let (at, late) = match trigger {
        Trigger::Slot { slot } => (slot, late::too_late(draft, configuration, &session, slot)),
        _ => (draft.at(), None),
    };
    let key = key.sibling(StreamKind::Backup, name::free(draft, &key, &session, at));
    let (retry_left, timeout) = (None, None);
    let request = Request { uid, key, configuration, session, trigger, retry_left, timeout };
    open(draft, request, late);
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
    if let Some(key) = opening(draft, &configuration, &backup) {
        return skip(draft, uid, format!("Repository {key} is being opened"));
    }
    let rivals = open_before(draft, &backup);
    let same: Vec<&(Uid, Key, bool)> = rivals.iter().filter(|(_, _, same)| *same).collect();
    if concurrency(&configuration, &backup.session) == Concurrency::Replace {
        for (rival, _, _) in &same {
            stop(draft, *rival, StopCause::Replaced { by: backup.key.name.clone() });
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

/// A repository that is being opened, where nothing has gone wrong. Somebody who asks for a session is told that
/// it cannot be; a slot that comes with the first moments of a configuration is no failure, and its first
/// backup follows.
fn opening(draft: &Draft, configuration: &Configuration, backup: &Backup) -> Option<Key> {
    if !matches!(backup.trigger, Trigger::Slot { .. }) {
        return None;
    }
    let session = configuration.session(&backup.session)?;
    let keys = session.spec.repositories.iter();
    let mut keys =
        keys.map(|wanted| configuration.key.sibling(StreamKind::Repository, &*wanted.name));
    keys.find(|key| {
        draft.repository_named(key).is_some_and(|found| {
            let failed = found.failure.as_ref().is_some_and(|why| !why.reason.is_missing());
            found.initializing && !found.is_ready() && !failed
        })
    })
}

/// Open sessions of the configuration that come before this one: those that go, then those that wait
/// and were made earlier. The flag says that they have its name.
fn open_before(draft: &Draft, backup: &Backup) -> Vec<(Uid, Key, bool)> {
    let place = |b: &Backup| (!b.is_going(), b.created_at, b.uid);
    let mut found: Vec<&Backup> = draft
        .backups_of(backup.configuration)
        .filter(|other| other.uid != backup.uid)
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
    leave(draft, uid);
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
    let addon = spec.addon.object();
    let mut functions: Vec<(String, Hash)> = Vec::new();
    if let Some(Facts::Addon { tasks }) = draft.facts(&addon) {
        let wanted = tasks.iter().filter(|task| {
            !task.restore && spec.addon.tasks.iter().any(|wanted| wanted.name == task.name)
        });
        for task in wanted {
            let found = hash(&spec.addon.function(&task.function));
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
    let wanted = configuration.session(&backup.session).map(|session| &session.spec.repositories);
    let mut usable = Vec::new();
    for wanted in wanted.into_iter().flatten() {
        let key = configuration.key.sibling(StreamKind::Repository, &*wanted.name);
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
        let uid = draft.mint(StreamKind::Snapshot, &format!("{}/{}", backup.uid, repository.uid));
        draft.emit(snapshot::Event::Created {
            uid,
            key: configuration.key.sibling(
                StreamKind::Snapshot,
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

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::Command;
    use crate::condition::Type;
    use crate::configuration::{self, SessionSpec, Spec};
    use crate::dependency::state as dependency;
    use crate::hook::Executor;
    use crate::outcome::Outcome;
    use crate::repository;
    use crate::storage::DeletionPolicy;
    use crate::testing::given::{self, key, stored};
    use crate::testing::world::{APP, BACK, DAY, MINUTE, World, named};

    fn with(change: impl FnOnce(&mut SessionSpec)) -> World {
        let mut weekly = given::session("weekly");
        change(&mut weekly);
        World::with(vec![given::session("nightly"), weekly])
    }

    fn scheduler(session: &mut SessionSpec, change: impl FnOnce(&mut configuration::Scheduler)) {
        change(session.scheduler.as_mut().unwrap());
    }

    fn said(world: &World, uid: Uid) -> &str {
        &world.backup(uid).conditions.get(Type::BackupSkipped).unwrap().message
    }

    fn redeclare(world: &mut World, change: impl FnOnce(&mut Spec)) {
        let sessions = vec![given::session("nightly"), given::session("weekly")];
        let mut spec = given::configuration(sessions);
        change(&mut spec);
        world.declare(&spec);
    }

    #[test]
    fn a_configuration_that_is_not_ready_skips_with_the_reason() {
        // What is done to the world; what the session says.
        type Case = (fn(&mut World), &'static str);
        let cases: [Case; 5] = [
            (|world| redeclare(world, |spec| spec.paused = true), "the configuration is paused"),
            (
                |world| drop(world.forget(&given::target())),
                "the configuration is not Ready: target StatefulSet demo/db not found",
            ),
            (
                |world| redeclare(world, |spec| spec.invalid = Some("it is odd".into())),
                "the configuration is not Ready: it is odd",
            ),
            (
                |world| {
                    world.ask(crate::retention::Command::Delete { uid: named("retention/keep") });
                },
                "the configuration is not Ready: RetentionPolicy demo/keep not found",
            ),
            (
                |world| {
                    world.adopt("snap", &["pod-0"]);
                    world.declare_restore(given::restore(&[]));
                },
                "RestoreSession demo/back holds the target",
            ),
        ];
        for (change, reason) in cases {
            let mut world = with(|_| {});
            change(&mut world);
            let (uid, happened) = world.create("nightly");
            assert_eq!(happened, "backup.Created backup.Skipped");
            assert_eq!(said(&world, uid), reason);
            assert_eq!(world.backup(uid).ended_at, Some(world.now));
        }
    }

    #[test]
    fn one_of_the_same_name_is_never_run_beside() {
        for concurrency in [Concurrency::Allow, Concurrency::Forbid] {
            let mut world = with(|spec| scheduler(spec, |s| s.concurrency = concurrency));
            world.create("weekly");
            let (second, happened) = world.create("weekly");
            assert_eq!(happened, "backup.Created backup.Skipped");
            assert_eq!(said(&world, second), "session demo/app-weekly-1700438400 has not ended");
        }
    }

    #[test]
    fn replace_stops_the_one_that_goes_and_waits_for_its_end() {
        let mut world = with(|spec| scheduler(spec, |s| s.concurrency = Concurrency::Replace));
        let (first, _) = world.create("weekly");
        let (second, happened) = world.create("weekly");
        assert_eq!(
            happened,
            "backup.Created backup.Cancelled given-up snapshot.Incomplete \
             backup.ExecutorNotEnsured backup.Queued"
        );
        assert_eq!(
            world.backup(first).cancelled,
            Some(StopCause::Replaced { by: "app-weekly-1700438401".into() })
        );
        assert_eq!(world.backup(second).behind, Some(first));
        world.closed();
        let resumed = world.ask(Command::Resume { session: second });
        assert!(resumed.starts_with("backup.Started"), "{resumed}");
    }

    #[test]
    fn replace_skips_the_one_that_only_waits() {
        let mut world = with(|spec| scheduler(spec, |s| s.concurrency = Concurrency::Replace));
        world.create("nightly");
        let (waits, happened) = world.create("weekly");
        assert_eq!(happened, "backup.Created backup.Queued");
        world.pass(1_000);
        let (_, happened) = world.create("weekly");
        assert_eq!(happened, "backup.Created backup.Skipped backup.Queued");
        assert_eq!(said(&world, waits), "replaced by app-weekly-1700438401");
    }

    #[test]
    fn another_session_waits_as_long_as_its_trigger_allows() {
        let slot = |world: &mut World| {
            world.pass(DAY);
            Some(world.now)
        };
        // By slot or by hand, with or without a starting deadline; how long it waits.
        for (by_slot, patience, expected) in [
            (true, Some(MINUTE), Some(MINUTE)),
            (true, None, Some(DAY)),
            (false, Some(MINUTE), Some(MINUTE)),
            (false, None, None),
        ] {
            let patience = patience.map(Millis);
            let mut world = with(|spec| scheduler(spec, |s| s.starting_deadline = patience));
            let slot = if by_slot { slot(&mut world) } else { None };
            world.create("nightly");
            let command = world.creation(named("waits"), "weekly", slot);
            world.ask(command);
            let until = expected.map(|span| world.now.plus(Millis(span)));
            assert_eq!(world.backup(named("waits")).until, until, "{by_slot} {patience:?}");
        }
    }

    #[test]
    fn those_that_wait_go_in_the_order_of_their_making() {
        let sessions = ["nightly", "weekly", "monthly"].map(given::session).to_vec();
        let mut world = World::with(sessions);
        let first = world.working(1);
        let (second, _) = world.create("weekly");
        world.pass(1);
        let (third, _) = world.create("monthly");
        assert_eq!(world.backup(third).behind, Some(first));
        world.started(first, "pod-0");
        world.reported(first, "pod-0");
        world.closed();
        assert_eq!(world.ask(Command::Resume { session: third }), "backup.Queued");
        assert_eq!(world.backup(third).behind, Some(second));
        assert!(world.ask(Command::Resume { session: second }).starts_with("backup.Started"));
        assert_eq!(world.ask(Command::Resume { session: third }), "", "nothing new to say");
    }

    #[test]
    fn one_snapshot_is_made_for_each_repository_or_none_at_all() {
        let two = |spec: &mut SessionSpec| {
            spec.repositories = vec![given::repository("one"), given::repository("two")];
        };
        let mut world = with(two);
        let (session, happened) = world.create("weekly");
        assert_eq!(
            happened,
            "backup.Created backup.Started snapshot.Created snapshot.ListUpdated \
             snapshot.Created snapshot.ListUpdated backup.SnapshotsEnsured"
        );
        let names: Vec<&str> =
            world.backup(session).snapshots.iter().map(|s| s.key.name.as_str()).collect();
        assert_eq!(names, ["one-app-weekly-1700438400", "two-app-weekly-1700438400"]);
        assert_eq!(world.backup(session).total_snapshots, 2);

        // What is wrong with the second repository; what the session says.
        let failure = crate::testing::failure("WrongPassphrase");
        let uid = world.repository("two");
        for (event, message) in [
            (
                repository::Event::InitializationFailed { uid, failure, retry_at: None },
                "Repository demo/two is not ready: WrongPassphrase: it went wrong",
            ),
            (repository::Event::DeletionRequested { uid }, "Repository demo/two is being deleted"),
            (
                repository::Event::Deleted {
                    uid,
                    key: stored("two"),
                    storage: stored("store"),
                    wiped: false,
                    configuration: APP,
                },
                "Repository demo/two not found",
            ),
        ] {
            let mut world = with(two);
            world.record(event);
            let (session, happened) = world.create("weekly");
            assert_eq!(
                happened,
                "backup.Created backup.Started backup.SnapshotsNotEnsured backup.HistoryCleaned \
                 backup.MetricsPushed"
            );
            let facts = &world.backup(session).conditions;
            assert_eq!(facts.get(Type::SnapshotsEnsured).unwrap().message, message);
            assert_eq!(phase::phase(world.backup(session)), phase::Phase::Failed);
        }
    }

    #[test]
    fn a_slot_in_the_first_moments_of_a_repository_is_skipped_and_whoever_asks_is_told() {
        let mut world = World::furnished();
        world.declare_storage("store", given::storage("store"));
        world.answer_backends();
        world.declare_retention("keep", given::retention(2));
        world.declare(&given::configuration(vec![given::session("nightly")]));
        let (session, outcome) = ("nightly".into(), Outcome::Succeeded);
        world.ask(configuration::Command::SchedulerReported { uid: APP, session, outcome });
        world.pass(DAY);

        let slot = world.creation(named("slot"), "nightly", Some(world.now));
        world.ask(slot);
        assert_eq!(said(&world, named("slot")), "Repository demo/one is being opened");
        let by_hand = world.creation(named("hand"), "nightly", None);
        world.ask(by_hand);
        assert_eq!(phase::phase(world.backup(named("hand"))), phase::Phase::Failed);

        // What has failed is no first moment, also while it is tried again.
        let uid = world.repository("one");
        let failure = crate::testing::failure("WrongPassphrase");
        world.record(repository::Event::InitializationFailed { uid, failure, retry_at: None });
        world.record(repository::Event::InitializationRequested { uid });
        world.pass(DAY);
        let late = world.creation(named("late"), "nightly", Some(world.now));
        world.ask(late);
        assert_eq!(phase::phase(world.backup(named("late"))), phase::Phase::Failed);
    }

    #[test]
    fn what_a_session_uses_is_frozen_at_its_start() {
        let mut world = with(|spec| {
            spec.pre_hooks = vec![given::hook("freeze"), given::hook("freeze")];
            spec.post_hooks = vec![given::hook("thaw"), given::hook("missing")];
        });
        world.declare_hook("thaw", Executor::Pod);
        world.declare_hook("freeze", Executor::Pod);
        let (session, _) = world.create("weekly");
        let state = &world.state;
        let of = |object: &TypedRef| state.dependency(object).unwrap().hash;
        assert_eq!(
            world.backup(session).frozen,
            Frozen {
                invoker: state.configurations[&APP].hash,
                addon: of(&dependency::addon("workload-addon")),
                functions: vec![(
                    "workload-backup".into(),
                    of(&dependency::function("workload-backup"))
                )],
                hooks: vec![
                    (key("freeze"), state.hook_named(&key("freeze")).unwrap().hash),
                    (key("thaw"), state.hook_named(&key("thaw")).unwrap().hash),
                ],
            }
        );
    }

    #[test]
    fn one_that_waits_while_its_configuration_goes_is_skipped() {
        let mut session = given::session("weekly");
        session.repositories[0].deletion = Some(DeletionPolicy::WipeOut);
        let mut world = World::with(vec![given::session("nightly"), session]);
        world.create("nightly");
        let (waits, _) = world.create("weekly");
        world.ask(configuration::Command::Delete { uid: APP });
        assert_eq!(said(&world, waits), "its configuration is being deleted");
    }

    #[test]
    fn a_restore_lets_go_at_its_end() {
        let mut world = with(|_| {});
        world.adopt("snap", &["pod-0"]);
        world.restoring(given::restore(&[]));
        world.started(BACK, "pod-0");
        world.reported(BACK, "pod-0");
        let (_, happened) = world.create("nightly");
        assert!(happened.starts_with("backup.Created backup.Started"), "{happened}");
        assert_eq!(world.back().components[0].outcome, Some(Outcome::Succeeded));
    }
}
