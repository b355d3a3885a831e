//! The third handler of effects, besides a cluster and local directories: a simulation.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::backup::Worker;
use holdfast_engine::effect::Once;
use holdfast_engine::hook::Stage;
use holdfast_engine::outbox::{self, Answer};
use holdfast_engine::outcome::{Failure, Outcome};
use holdfast_engine::report::{BackupReport, Grade, PathResult, RepositoryResult, RestoreReport};
use holdfast_engine::run::{Command as Run, Report};
use holdfast_engine::survey::{Claim, Host, Role, Surroundings, Volume};
use holdfast_engine::{Attempt, Command, EffectId, Millis, State, Timestamp, Uid};

/// What the outside does, as a scenario sets it.
#[derive(Default)]
pub struct Outside {
    /// Effects of these kinds get no answer.
    pub silent: BTreeSet<String>,
    /// Pods of the target; none: a Deployment's single pod.
    pub pods: u32,
    /// How long a worker works, in milliseconds.
    pub work: i64,
    /// What the next workers do; empty: they succeed.
    pub workers: Vec<Doing>,
    /// How often a hook fails, by its name.
    pub failing_hooks: BTreeMap<String, u32>,
    /// Why a repository does not open, by its name.
    pub broken_repositories: BTreeMap<String, String>,
    /// Why a storage does not answer, by its name.
    pub broken_storages: BTreeMap<String, String>,
    /// Why snapshots cannot be removed.
    pub broken_removal: Option<String>,
    /// Why the target cannot be asked for.
    pub broken_survey: Option<String>,
    /// Which hooks ran, in order.
    pub hooks: Vec<String>,
    /// Which data was removed, in order.
    pub removed: Vec<String>,
    /// How many workers were stopped.
    pub stopped: u32,
}

/// What a worker does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    Succeed,
    Fail,
    FailForGood,
    Vanish,
    Partial,
    Empty,
    NotReadBack,
    NotStart,
}

/// A failure that another try may heal.
pub fn failure(reason: &str, message: &str) -> Failure {
    Failure { reason: reason.into(), message: message.into(), permanent: false }
}

fn outcome(problem: Option<&String>) -> Outcome {
    match problem {
        None => Outcome::Succeeded,
        Some(message) => Outcome::Failed(failure("Broken", message)),
    }
}

impl Outside {
    /// The answers to an effect, with the times of their arrival.
    pub fn answer(
        &mut self,
        state: &State,
        now: Timestamp,
        effect: EffectId,
        once: &Once,
    ) -> Vec<(Timestamp, Command)> {
        if self.silent.contains(once.kind()) {
            return Vec::new();
        }
        let answer = match once {
            Once::Survey { .. } => self.survey(),
            Once::RunHook { session, run } => {
                self.hook(state, *session, run.stage, run.index).into()
            }
            Once::StartWorker { attempt } if is_restore(state, attempt.session) => {
                return self.restore(now, effect, attempt);
            }
            Once::StartWorker { attempt } => return self.work(state, now, effect, attempt),
            Once::StopWorker { .. } => {
                self.stopped += 1;
                Answer::Done
            }
            _ => self.answer_about_data(state, once),
        };
        vec![(now, answered(effect, answer))]
    }

    /// Answers to effects on storages, repositories and snapshots.
    fn answer_about_data(&mut self, state: &State, once: &Once) -> Answer {
        match once {
            Once::InitializeBackend { storage } => {
                let name = &state.storages[storage].key.name;
                outcome(self.broken_storages.get(name)).into()
            }
            Once::WipeBackend { storage } => {
                self.removed.push(state.storages[storage].key.name.clone());
                Answer::Done
            }
            Once::InitializeRepository { repository } => self.open(state, *repository),
            Once::WipeRepository { repository } => {
                self.removed.push(state.repositories[repository].key.name.clone());
                Answer::Done
            }
            Once::UploadMetadata { .. } => Answer::Done,
            Once::RemoveSnapshot { snapshot, .. } => {
                let outcome = outcome(self.broken_removal.as_ref());
                if outcome == Outcome::Succeeded {
                    self.removed.push(state.snapshots[snapshot].key.name.clone());
                }
                outcome.into()
            }
            _ => unreachable!("{once:?} is about a session"),
        }
    }

    fn open(&self, state: &State, repository: Uid) -> Answer {
        let found = &state.repositories[&repository];
        match self.broken_repositories.get(&found.key.name) {
            Some(reason) => Answer::Failed(failure(reason, "it does not open")),
            None => Answer::Repository { id: repository.derive("identity") },
        }
    }

    fn survey(&self) -> Answer {
        if let Some(message) = &self.broken_survey {
            return Answer::Failed(failure("TargetNotFound", message));
        }
        let volume = Volume {
            name: "data".into(),
            claim: Some(Claim::named("data")),
            mount_path: "/source/data".into(),
            ..Volume::default()
        };
        let host = |role: Role, pod: String| Host {
            node: match role {
                Role::Ordinal(number) => format!("node-{}", number % 2),
                _ => "node-1".into(),
            },
            role,
            pod,
            ready: true,
            created_ms: 0,
            surroundings: Surroundings::default(),
            volumes: vec![volume.clone()],
        };
        let hosts = match self.pods {
            0 => vec![host(Role::Single, "db-abc".into())],
            pods => (0..pods).map(|n| host(Role::Ordinal(n), format!("db-{n}"))).collect(),
        };
        Answer::Hosts(hosts)
    }

    fn hook(&mut self, state: &State, session: Uid, stage: Stage, index: u32) -> Outcome {
        let plan = state.backups.get(&session).and_then(|backup| backup.plan.as_ref());
        let (pre, post) = match plan {
            Some(plan) => (&plan.spec.pre_hooks, &plan.spec.post_hooks),
            None => {
                let spec = &state.restores[&session].spec;
                (&spec.pre_hooks, &spec.post_hooks)
            }
        };
        let hooks = if stage == Stage::Pre { pre } else { post };
        let name = hooks[index as usize].name.clone();
        self.hooks.push(name.clone());
        match self.failing_hooks.get_mut(&name) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Outcome::Failed(failure("ExitCode", "exit code 1"))
            }
            _ => Outcome::Succeeded,
        }
    }

    /// A worker starts at once and ends after its time.
    fn work(
        &mut self,
        state: &State,
        now: Timestamp,
        effect: EffectId,
        attempt: &Attempt,
    ) -> Vec<(Timestamp, Command)> {
        let doing = self.next_worker();
        let attempt = attempt.clone();
        if doing == Doing::NotStart {
            let failure = failure("Forbidden", "the quota is used up");
            return vec![(now, answered(effect, Answer::Failed(failure)))];
        }
        let worker = worker_of(&attempt);
        let started = answered(effect, Answer::Worker(worker));
        let end = Timestamp(now.0 + self.work.max(60_000));
        let ended = if doing == Doing::Vanish {
            let failure = failure("Evicted", "container worker: exit code 137, Evicted");
            Run::WorkerVanished { attempt, failure }
        } else {
            let report = Report::Backup(report(state, &attempt, now, end, doing));
            Run::WorkerReported { attempt, worker, report }
        };
        vec![(now, started), (end, Command::Run(ended))]
    }

    fn next_worker(&mut self) -> Doing {
        if self.workers.is_empty() { Doing::Succeed } else { self.workers.remove(0) }
    }

    /// The same for a restore: a worker that leaves something out has restored what it found.
    fn restore(
        &mut self,
        now: Timestamp,
        effect: EffectId,
        attempt: &Attempt,
    ) -> Vec<(Timestamp, Command)> {
        let doing = self.next_worker();
        let attempt = attempt.clone();
        if doing == Doing::NotStart {
            let failure = failure("Forbidden", "the quota is used up");
            return vec![(now, answered(effect, Answer::Failed(failure)))];
        }
        let worker = worker_of(&attempt);
        // A Job is known before its pod is.
        let unseen = Worker { pod: Uid::default(), ..worker };
        let started = answered(effect, Answer::Worker(unseen));
        let end = Timestamp(now.0 + self.work.max(60_000));
        let ended = if doing == Doing::Vanish {
            let failure = failure("Evicted", "container worker: exit code 137, Evicted");
            Run::WorkerVanished { attempt, failure }
        } else {
            let fails = matches!(doing, Doing::Fail | Doing::FailForGood);
            let report = RestoreReport {
                failure: fails.then(|| failure("WriteError", "the disk says no")),
                ended: end,
                duration: Millis(end.since(now).0),
                files: 10,
                bytes: 1_000,
                skipped: vec![],
            };
            Run::WorkerReported { attempt, worker, report: Report::Restore(report) }
        };
        vec![(now, started), (end, Command::Run(ended))]
    }
}

fn answered(effect: EffectId, answer: Answer) -> Command {
    Command::Outbox(outbox::Command::Answer { effect, answer })
}

fn is_restore(state: &State, session: Uid) -> bool {
    state.restores.contains_key(&session)
}

fn worker_of(attempt: &Attempt) -> Worker {
    let job = attempt.session.derive(&format!("{}/{}", attempt.component, attempt.number));
    Worker { job, pod: job.derive("pod") }
}

fn report(
    state: &State,
    attempt: &Attempt,
    start: Timestamp,
    end: Timestamp,
    doing: Doing,
) -> BackupReport {
    let failed = |permanent| Failure { permanent, ..failure("ReadError", "the disk says no") };
    let failure = match doing {
        Doing::Fail => Some(failed(false)),
        Doing::FailForGood => Some(failed(true)),
        Doing::Partial => Some(failure("PartialBackup", "2 entries could not be read")),
        _ => None,
    };
    let nothing = matches!(doing, Doing::Fail | Doing::FailForGood);
    let files = if doing == Doing::Empty { 0 } else { 10 };
    let path = PathResult {
        path: "/source/data".into(),
        size: files * 100,
        uploaded: files * 100,
        files,
        start,
        end,
    };
    let listed = &state.backups[&attempt.session].snapshots;
    let repositories = listed
        .iter()
        .map(|snapshot| RepositoryResult {
            repository: snapshot.repository,
            commit: if nothing { String::new() } else { format!("commit-{}", attempt.component) },
            partial: doing == Doing::Partial,
            source_empty: doing == Doing::Empty,
            grade: match doing {
                Doing::Fail | Doing::FailForGood => Grade::None,
                Doing::NotReadBack => Grade::Written,
                _ => Grade::ReadBack,
            },
            repository_size: 1000,
            paths: if nothing { vec![] } else { vec![path.clone()] },
            unreadable: if doing == Doing::Partial { 2 } else { 0 },
            first_unreadable: if doing == Doing::Partial {
                vec!["/source/data/x".into()]
            } else {
                vec![]
            },
            failure: None,
        })
        .collect();
    BackupReport { failure, ended: end, duration: Millis(end.since(start).0), repositories }
}
