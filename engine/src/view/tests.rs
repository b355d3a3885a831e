//! A restore and a backup, from their events to what users see, live and from their streams alone.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::catalog;
use super::fold::{History, SessionFold, SessionStatus};
use super::timeline::SpanKind;
use crate::backup::{self, Component, Frozen, Trigger};
use crate::configuration::{self, AddonRef, Backend};
use crate::dependency::state::{addon, secret};
use crate::dependency::{self, Driver, Facts};
use crate::event::{Event, Recorded, StreamKind};
use crate::group::Group;
use crate::hook::{HookSpec, Policy, Run, Stage};
use crate::ids::{CommandId, Hash, Key, TypedRef, Uid};
use crate::level::{self, Level};
use crate::outcome::Outcome;
use crate::report::{Grade, PathResult};
use crate::restore::{self, Source, Spec};
use crate::run;
use crate::storage::{self, DeletionPolicy, Provider};
use crate::testing::{failure, in_restore, uid};
use crate::time::{Millis, Timestamp};
use crate::usage::UsagePolicy;
use crate::view::phases::{InvokerPhase, Readiness};
use crate::{State, apply, repository, retention, snapshot, view};

const BACKUP: Uid = Uid([1; 16]);
const SNAPSHOT: Uid = Uid([2; 16]);
const RESTORE: Uid = Uid([3; 16]);
const REPOSITORY: Uid = Uid([4; 16]);
const STORAGE: Uid = Uid([5; 16]);
const CONFIGURATION: Uid = Uid([6; 16]);

/// A log that is written one event a second, or at a given time.
#[derive(Default)]
struct Log {
    events: Vec<Recorded>,
    now: i64,
}

impl Log {
    fn at(&mut self, text: &str) -> &mut Self {
        self.now = text.parse::<Timestamp>().unwrap().0;
        self
    }

    fn record(&mut self, event: impl Into<Event>) -> &mut Self {
        let seq = u64::try_from(self.events.len()).unwrap() + 1;
        let (at, cause) = (Timestamp(self.now), CommandId::default());
        self.events.push(Recorded { seq, at, cause, epoch: 0, event: event.into() });
        self
    }

    fn state(&self) -> State {
        let mut state = State::default();
        self.events.iter().for_each(|recorded| apply(&mut state, recorded).unwrap());
        state
    }

    fn fold(&self, session: Uid, keep: impl Fn(&Event) -> bool) -> SessionFold {
        let mut fold = SessionFold::new(session);
        self.events.iter().filter(|r| keep(&r.event)).for_each(|r| fold.record(r));
        fold
    }
}

fn target(name: &str) -> TypedRef {
    TypedRef {
        api_group: "apps".into(),
        kind: "StatefulSet".into(),
        namespace: "demo".into(),
        name: name.into(),
    }
}

fn component(name: &str) -> Component {
    Component {
        name: name.into(),
        driver: Driver::Restic,
        task: "logical-backup".into(),
        params: vec![],
        pod: "p".into(),
        node: "n".into(),
        surroundings: crate::survey::Surroundings::default(),
        volumes: vec![],
    }
}

fn hook(name: &str) -> HookSpec {
    HookSpec {
        name: name.into(),
        template: Key::new(Group::KubeStash, "demo", name),
        params: vec![],
        max_retry: 0,
        timeout: None,
        policy: Policy::Always,
    }
}

/// A storage, a policy, a configuration without sessions, a repository.
fn world() -> Log {
    let mut log = Log::default();
    let key = Key::new(Group::KubeStashStorage, "demo", "gcs-storage");
    log.at("2023-12-14T08:38:00Z")
        .record(storage::Event::Declared {
            uid: STORAGE,
            key: key.clone(),
            generation: 1,
            hash: Hash::default(),
            spec: storage::Spec {
                provider: Provider::Gcs,
                identity: "b".into(),
                secret: Some(Key::core("demo", "gcs-secret")),
                usage: Some(UsagePolicy::Same),
                default: false,
                deletion: DeletionPolicy::Delete,
                own_namespace_only: false,
                invalid: None,
            },
        })
        .record(storage::Event::BackendInitialized { uid: STORAGE })
        .record(dependency::Event::Observed {
            uid: uid(20),
            object: secret(&Key::core("demo", "gcs-secret")),
            hash: Hash::default(),
            facts: Facts::Secret { version: "1".into(), keys: vec![], allowed_namespaces: None },
        })
        .record(retention::Event::Declared {
            uid: uid(21),
            key: Key::new(Group::KubeStashStorage, "demo", "demo-retention"),
            generation: 1,
            hash: Hash::default(),
            spec: retention::Spec {
                max_period: "2mo".into(),
                successful: None,
                failed_last: 1,
                usage: Some(UsagePolicy::Same),
                default: false,
                invalid: None,
            },
        })
        .record(configuration::Event::Declared {
            uid: CONFIGURATION,
            key: Key::new(Group::KubeStash, "demo", "sample-backup-sts"),
            generation: 1,
            hash: Hash::default(),
            target: None,
            backends: vec![Backend {
                name: "gcs-backend".into(),
                storage: Some(key.clone()),
                retention: Some(Key::new(Group::KubeStashStorage, "demo", "demo-retention")),
            }],
            paused: false,
            allow_partial: false,
            sessions: 0,
        })
        .record(configuration::Event::ValidationPassed { uid: CONFIGURATION })
        .record(repository::Event::Created {
            uid: REPOSITORY,
            key: Key::new(Group::KubeStashStorage, "demo", "gcs-demo-repo"),
            configuration: CONFIGURATION,
            app: target("sample-sts"),
            storage: key,
            path: "demo/data".into(),
            secret: None,
            deletion: DeletionPolicy::Delete,
        })
        .record(repository::Event::Initialized { uid: REPOSITORY, id: uid(9) });
    log
}

fn with_snapshot(log: &mut Log) {
    let uid = SNAPSHOT;
    log.at("2023-12-14T08:40:01Z")
        .record(backup::Event::Created {
            uid: BACKUP,
            key: Key::new(Group::KubeStash, "demo", "sample-backup-sts-demo-session-1702543201"),
            configuration: CONFIGURATION,
            session: "demo-session".into(),
            trigger: Trigger::Manual,
            retry_left: 0,
            timeout: None,
        })
        .record(snapshot::Event::Created {
            uid,
            key: Key::new(
                Group::KubeStashStorage,
                "demo",
                "gcs-demo-repo-sample-backup-sts-demo-session-1702543201",
            ),
            repository: REPOSITORY,
            backup: BACKUP,
            session: "demo-session".into(),
            app: target("sample-sts"),
            deletion: DeletionPolicy::Delete,
        })
        .record(snapshot::Event::ListUpdated { uid })
        .record(snapshot::Event::ComponentsCounted { uid, total: 1 })
        .record(snapshot::Event::ComponentStarted {
            uid,
            component: "pod-0".into(),
            path: "repository/v1/demo-session/pod-0".into(),
            driver: Driver::Restic,
        })
        .record(snapshot::Event::PathRecorded {
            uid,
            component: "pod-0".into(),
            result: PathResult {
                path: "/source/data".into(),
                size: 3_000,
                uploaded: 2_000,
                files: 3,
                start: Timestamp(0),
                end: Timestamp(1),
            },
        })
        .at("2023-12-14T08:40:50Z")
        .record(snapshot::Event::ComponentEnded {
            uid,
            component: "pod-0".into(),
            outcome: Outcome::Succeeded,
            commit: "c1".into(),
            partial: false,
            source_empty: false,
            grade: Grade::ReadBack,
            size: 1_500,
            duration: Millis(9_223),
        })
        .record(snapshot::Event::MetadataUploaded { uid, outcome: Outcome::Succeeded });
}

fn restored() -> Spec {
    Spec {
        target: Some(target("restore-sts")),
        source: Source {
            namespace: "demo".into(),
            repository: Some("gcs-demo-repo".into()),
            snapshot: Some("latest".into()),
            ..Source::default()
        },
        addon: AddonRef {
            group: Group::KubeStashAddons,
            pod: crate::configuration::PodParts::default(),
            name: "workload-addon".into(),
            tasks: vec![],
        },
        pre_hooks: vec![],
        post_hooks: vec![hook("cheer")],
        timeout: None,
        invalid: None,
    }
}

fn with_restore(log: &mut Log) {
    let uid = RESTORE;
    let end = |component: &str, duration| {
        in_restore(run::Event::ComponentEnded {
            uid,
            component: component.into(),
            number: 1,
            outcome: Outcome::Succeeded,
            duration,
            reported: true,
        })
    };
    let planned = |asked: &str, name: &str| {
        in_restore(run::Event::ComponentPlanned {
            uid,
            asked: asked.into(),
            component: component(name),
        })
    };
    let begun = |name: &str| {
        in_restore(run::Event::AttemptStarted { uid, component: name.into(), number: 1 })
    };
    let run = Run { stage: Stage::Post, index: 0, number: 1 };
    log.record(dependency::Event::Observed {
        uid: crate::testing::uid(22),
        object: addon("workload-addon"),
        hash: Hash::default(),
        facts: Facts::Addon { tasks: vec![] },
    })
    .at("2023-12-18T09:13:34Z")
    .record(restore::Event::Declared {
        uid,
        key: Key::new(Group::KubeStash, "demo", "sample-restore"),
        generation: 1,
        hash: Hash::default(),
        spec: restored(),
    })
    .at("2023-12-18T09:13:35Z")
    .record(restore::Event::ValidationPassed { uid })
    .record(restore::Event::Started {
        uid,
        snapshot: SNAPSHOT,
        deadline: None,
        frozen: Frozen::default(),
    })
    .record(configuration::Event::PausedByRestore { uid: CONFIGURATION, restore: uid })
    .record(in_restore(run::Event::Surveyed { uid, components: 2, storages: vec![] }))
    .record(planned("pod-0", "pod-0"))
    .record(planned("host-2", "pod-2"))
    .record(begun("pod-0"))
    .record(begun("pod-2"))
    .at("2023-12-18T09:13:36Z")
    .record(in_restore(run::Event::ExecutorEnsured { uid }))
    .record(end("pod-0", Millis(10_089)))
    .record(end("pod-2", Millis(6_509)))
    .record(in_restore(run::Event::HookStarted { uid, run }))
    .at("2023-12-18T09:13:59Z")
    .record(in_restore(run::Event::HookEnded { uid, run, outcome: Outcome::Succeeded }))
    .record(in_restore(run::Event::HooksFinished {
        uid,
        stage: Stage::Post,
        outcome: Outcome::Succeeded,
    }))
    .record(restore::Event::MetricsPushed { uid })
    .record(configuration::Event::ResumedAfterRestore { uid: CONFIGURATION, restore: uid });
}

#[test]
fn the_restore_of_the_documents_has_the_status_of_the_documents() {
    let mut log = world();
    with_snapshot(&mut log);
    with_restore(&mut log);
    let state = log.state();
    let status = view::restore::status(&state, &state.restores[&RESTORE]);
    assert_eq!(status.phase.as_str(), "Succeeded");
    assert_eq!(status.duration.as_deref(), Some("25s"));
    assert_eq!((status.target_found, status.total_components), (Some(true), 2));
    let components: Vec<_> = status
        .components
        .iter()
        .map(|(name, c)| (name.as_str(), c.phase.as_str(), c.duration.as_deref()))
        .collect();
    assert_eq!(
        components,
        [("host-2", "Succeeded", Some("6.509s")), ("pod-0", "Succeeded", Some("10.089s"))]
    );
    let facts: Vec<_> = status
        .conditions
        .iter()
        .map(|c| (c.kind.as_str(), c.status.as_str(), &*c.reason, c.since.to_string()))
        .collect();
    assert_eq!(facts[0].3, "2023-12-18T09:13:35Z");
    assert_eq!((facts[0].0, facts[0].2), ("ValidationPassed", "ResourceValidationPassed"));
    assert_eq!(facts[1].2, "SuccessfullyEnsuredRestoreExecutor");
    assert_eq!(facts[2].2, "SuccessfullyExecutedPostRestoreHooks");
    assert_eq!((facts[3].0, facts[3].3.as_str()), ("MetricsPushed", "2023-12-18T09:13:59Z"));
    let needs: Vec<_> = status
        .dependencies
        .iter()
        .map(|(o, found)| (o.kind.as_str(), o.name.as_str(), *found))
        .collect();
    assert_eq!(
        needs,
        [
            ("Snapshot", "gcs-demo-repo-sample-backup-sts-demo-session-1702543201", true),
            ("Addon", "workload-addon", true)
        ]
    );
    assert_eq!(status.paused_backups[0].name, "sample-backup-sts");
    assert_eq!(status.hooks.unwrap().post[0].name, "cheer");
    assert_eq!(status.waiting, None);
}

#[test]
fn repositories_storages_and_configurations_join() {
    let mut log = world();
    with_snapshot(&mut log);
    let mut state = log.state();
    let repository = view::repository::status(&state, &state.repositories[&REPOSITORY]);
    assert_eq!(repository.size, "1.465 KiB");
    assert_eq!((repository.integrity, repository.snapshot_count), (Some(true), 1));
    assert_eq!(repository.recent[0].phase.as_str(), "Succeeded");
    assert_eq!(repository.component_paths, ["repository/v1/demo-session/pod-0"]);
    assert_eq!(repository.last_backup_time.unwrap().to_string(), "2023-12-14T08:40:01Z");

    let storage = view::storage::status(&state, &state.storages[&STORAGE]);
    assert_eq!((storage.phase, storage.total_size.as_str()), (Readiness::Ready, "1.465 KiB"));
    let kinds: Vec<_> = storage.conditions.iter().map(|c| c.kind.as_str()).collect();
    assert_eq!(kinds, ["BackendSecretFound", "BackendInitialized"]);

    let ready = view::configuration::status(&state, &state.configurations[&CONFIGURATION]);
    assert_eq!(ready.phase, InvokerPhase::Ready);
    // The Secret goes: the storage's own events say nothing, and still both statuses do.
    state.dependencies.remove(&uid(20));
    let storage = view::storage::status(&state, &state.storages[&STORAGE]);
    assert_eq!(storage.phase, Readiness::NotReady);
    let status = view::configuration::status(&state, &state.configurations[&CONFIGURATION]);
    assert_eq!(status.phase, InvokerPhase::NotReady);
    let reason = status.backends[0].storage_reason.clone();
    assert_eq!(reason.as_deref(), Some("Secret demo/gcs-secret is not there"));
}

#[test]
fn a_session_is_shown_from_its_stream_alone() {
    let mut log = world();
    with_snapshot(&mut log);
    log.record(snapshot::Event::Forgotten { uid: SNAPSHOT, repository: REPOSITORY, by: None });
    let fold = log.fold(BACKUP, |event| matches!(event, Event::Backup(_) | Event::Snapshot(_)));
    let Some(SessionStatus::Backup(status)) = fold.status() else { panic!("no backup") };
    assert_eq!(status.snapshots.len(), 1);
    assert_eq!(status.snapshots[0].repository, REPOSITORY.to_string());
    assert_eq!(fold.phase(), Some("Running"));
    // With the repository's stream it has the name.
    let fold = log.fold(BACKUP, |_| true);
    let Some(SessionStatus::Backup(status)) = fold.status() else { panic!("no backup") };
    assert_eq!(status.snapshots[0].repository, "gcs-demo-repo");
    assert_eq!(log.fold(uid(99), |_| true).phase(), None);
}

#[test]
fn gaps_are_forgiven() {
    let mut log = world();
    with_snapshot(&mut log);
    with_restore(&mut log);
    let count = log.events.len();
    for missing in 0..count {
        let mut fold = SessionFold::new(RESTORE);
        let mut history = History::default();
        for (index, recorded) in log.events.iter().enumerate() {
            if index != missing {
                fold.record(recorded);
                history.record(recorded);
            }
        }
        assert!(fold.phase().is_some(), "without {missing}");
        assert!(!fold.timeline().spans.is_empty());
        // Without its first event the name of a session may be known from nowhere.
        let nameless = matches!(
            log.events[missing].event,
            Event::Backup(backup::Event::Created { .. })
                | Event::Restore(restore::Event::Declared { .. })
        );
        let named = catalog::sessions(&history.state).len();
        assert!(named == 2 || (nameless && named == 1), "without {missing}");
    }
}

#[test]
fn a_history_agrees_with_the_state_and_forgets_nothing() {
    let mut log = world();
    with_snapshot(&mut log);
    with_restore(&mut log);
    let state = log.state();
    let mut history = History::default();
    log.events.iter().for_each(|recorded| history.record(recorded));
    assert_eq!(history.state.restores, state.restores);
    assert_eq!(history.state.snapshots, state.snapshots);
    assert_eq!(history.state.backups, state.backups);
    log.record(restore::Event::Archived { uid: RESTORE }).record(snapshot::Event::Forgotten {
        uid: SNAPSHOT,
        repository: REPOSITORY,
        by: None,
    });
    log.events.iter().rev().take(2).rev().for_each(|recorded| history.record(recorded));
    assert!(log.state().restores.is_empty());
    assert_eq!(catalog::sessions(&history.state).len(), 2);
    assert!(history.archived.contains_key(&RESTORE) && history.forgotten.contains_key(&SNAPSHOT));
}

#[test]
fn a_timeline_has_spans_with_their_events() {
    let mut log = world();
    with_snapshot(&mut log);
    with_restore(&mut log);
    let timeline = log.fold(RESTORE, |_| true).timeline();
    let spans: Vec<_> = timeline.spans.iter().map(|s| (s.kind, s.name.as_str())).collect();
    assert_eq!(
        spans,
        [
            (SpanKind::Session, "sample-restore"),
            (SpanKind::Survey, "survey"),
            (SpanKind::Component, "pod-0"),
            (SpanKind::Component, "pod-2"),
            (SpanKind::Hook, "hook after: cheer"),
        ]
    );
    for span in &timeline.spans {
        assert!(span.end.is_some_and(|end| end >= span.begin), "{}", span.name);
        assert_eq!(span.outcome, Some(Outcome::Succeeded), "{}", span.name);
        assert!(span.events.len() >= 2 && span.events.is_sorted());
    }
    let uploads = log.fold(BACKUP, |_| true).timeline();
    let upload = uploads.spans.iter().find(|s| s.kind == SpanKind::Upload).unwrap();
    assert_eq!(upload.name, "pod-0 to gcs-demo-repo");
}

#[test]
fn what_joins_is_published_again() {
    let mut log = world();
    with_snapshot(&mut log);
    let state = log.state();
    let named = |event: Event| {
        let recorded = Recorded { event, ..log.events[0].clone() };
        level::changed(&state, &recorded)
    };
    let object = dependency::state::secret(&Key::core("demo", "gcs-secret"));
    let gone = named(Event::Dependency(dependency::Event::Gone { uid: uid(20), object }));
    let object = |(kind, uid)| Level::Object { kind, uid };
    assert!(gone.contains(&object((StreamKind::Storage, STORAGE))));
    assert!(gone.contains(&object((StreamKind::Configuration, CONFIGURATION))));
    let uploaded = snapshot::Event::MetadataUploaded {
        uid: SNAPSHOT,
        outcome: Outcome::Failed(failure("NoSpace")),
    };
    let uploaded = named(Event::Snapshot(uploaded));
    for wanted in [
        (StreamKind::Snapshot, SNAPSHOT),
        (StreamKind::Backup, BACKUP),
        (StreamKind::Repository, REPOSITORY),
        (StreamKind::Storage, STORAGE),
    ] {
        assert!(uploaded.contains(&object(wanted)), "{wanted:?}");
    }
}

#[test]
fn lists_are_newest_first_and_found_by_any_name() {
    let mut log = world();
    with_snapshot(&mut log);
    with_restore(&mut log);
    let state = log.state();
    let rows = catalog::sessions(&state);
    let names: Vec<_> = rows.iter().map(|row| row.key.name.as_str()).collect();
    assert_eq!(names, ["sample-restore", "sample-backup-sts-demo-session-1702543201"]);
    assert_eq!(catalog::snapshots(&state)[0].uploaded, 2_000);
    assert_eq!(catalog::repositories(&state)[0].size, Some(1_500));
    let points = view::usage::over_time(&state, REPOSITORY);
    assert_eq!((points[0].processed, points[0].dedup_permille), (3_000, Some(2_000)));
}

#[test]
fn a_simulation_tells_what_would_go() {
    let mut log = world();
    with_snapshot(&mut log);
    let state = log.state();
    let spec = &state.retentions[&uid(21)].spec;
    for (now, kept, freed) in
        [("2024-01-01T00:00:00Z", true, 0), ("2024-06-01T00:00:00Z", false, 2_000)]
    {
        let now = now.parse().unwrap();
        let simulated = view::usage::simulate(&state, REPOSITORY, spec, now).unwrap();
        assert_eq!(simulated.len(), 1);
        assert_eq!(simulated[0].verdicts[0].keep, kept);
        assert_eq!(simulated[0].freed_at_most, freed);
        let days = view::usage::calendar(&simulated[0].verdicts);
        assert_eq!(days[0].date, (2023, 12, 14));
    }
}
