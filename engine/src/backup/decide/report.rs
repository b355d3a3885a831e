//! A worker's own report: what it committed, repository by repository, and what that is worth.
//!
//! | Row | if | the component of that snapshot is |
//! |---|---|---|
//! | 1 | nothing was committed | Failed |
//! | 2 | it ended after the deadline | Failed, what was committed stays |
//! | 3 | something could not be read, and partial backups are not allowed | Failed, what was committed stays, marked partial |
//! | 4 | it was not read back | Failed |
//! | 5 | the source is empty and was not at its last success | Failed |
//! | 6 | the repository, or nothing but the report as a whole, names a failure | Failed |
//! | 7 | otherwise | Succeeded |

use alloc::format;
use alloc::string::String;

use crate::backup::state::{Backup, SnapshotSummary};
use crate::draft::Draft;
use crate::ids::Attempt;
use crate::limits;
use crate::outcome::{Failure, Outcome};
use crate::report::{BackupReport, Grade, RepositoryResult};
use crate::run::session::Verdict;
use crate::snapshot;
use crate::snapshot::phase::{Phase, phase};

/// Records what every repository got.
pub(crate) fn record(
    draft: &mut Draft,
    backup: &Backup,
    attempt: &Attempt,
    report: &BackupReport,
) -> Verdict {
    let mut first_failure = None;
    for listed in &backup.snapshots {
        if let Outcome::Failed(failure) = record_one(draft, backup, listed, attempt, report) {
            first_failure.get_or_insert(failure);
        }
    }
    let outcome = first_failure.map_or(Outcome::Succeeded, Outcome::Failed);
    Verdict { outcome, ended: report.ended, duration: report.duration }
}

fn is_late(backup: &Backup, report: &BackupReport) -> bool {
    backup.deadline.is_some_and(|deadline| report.ended > deadline)
}

/// Records what one repository got.
fn record_one(
    draft: &mut Draft,
    backup: &Backup,
    listed: &SnapshotSummary,
    attempt: &Attempt,
    report: &BackupReport,
) -> Outcome {
    let nothing = nothing();
    let found = report.repositories.iter().find(|entry| entry.repository == listed.repository);
    let entry = found.unwrap_or(&nothing);
    let outcome = match judge(draft, backup, listed, attempt, report, entry) {
        None => Outcome::Succeeded,
        Some(failure) => Outcome::Failed(failure),
    };
    let uid = listed.uid;
    for path in &entry.paths {
        draft.emit(snapshot::Event::PathRecorded {
            uid,
            component: attempt.component.clone(),
            result: path.clone(),
        });
    }
    draft.emit(snapshot::Event::ComponentEnded {
        uid,
        component: attempt.component.clone(),
        outcome: outcome.clone(),
        commit: entry.commit.clone(),
        partial: entry.partial,
        source_empty: entry.source_empty,
        grade: entry.grade,
        size: entry.repository_size,
        duration: report.duration,
    });
    outcome
}

fn nothing() -> RepositoryResult {
    RepositoryResult {
        repository: crate::ids::Uid::default(),
        commit: String::new(),
        partial: false,
        source_empty: false,
        grade: Grade::None,
        repository_size: 0,
        paths: alloc::vec::Vec::new(),
        unreadable: 0,
        first_unreadable: alloc::vec::Vec::new(),
        failure: None,
    }
}

fn judge(
    draft: &Draft,
    backup: &Backup,
    listed: &SnapshotSummary,
    attempt: &Attempt,
    report: &BackupReport,
    entry: &RepositoryResult,
) -> Option<Failure> {
    let named = || entry.failure.clone().or_else(|| report.failure.clone());
    if entry.commit.is_empty() {
        return Some(named().unwrap_or_else(|| {
            Failure::passing("NothingCommitted", "the worker committed nothing to this repository")
        }));
    }
    if is_late(backup, report) {
        return Some(Failure::passing(
            "DeadlineExceeded",
            "the worker ended after the session's deadline",
        ));
    }
    let allow_partial = backup.plan.as_ref().is_some_and(|plan| plan.allow_partial);
    if entry.partial && !allow_partial {
        return Some(partial(entry));
    }
    if entry.grade < Grade::ReadBack {
        return Some(named().unwrap_or_else(|| {
            Failure::passing("NotReadBack", "what was committed could not be read back")
        }));
    }
    if entry.source_empty && had_files(draft, backup, listed, &attempt.component) {
        return Some(Failure::passing(
            "SourceEmpty",
            "the source has no entry, and had some in its last Succeeded snapshot; \
             if that is right, delete that snapshot",
        ));
    }
    let tolerated = entry.partial && allow_partial;
    let elsewhere = report.repositories.iter().any(|other| {
        other.repository != entry.repository && (other.failure.is_some() || other.partial)
    });
    match (&entry.failure, &report.failure) {
        (Some(failure), _) if !tolerated => Some(failure.clone()),
        (None, Some(failure)) if !tolerated && !elsewhere => Some(failure.clone()),
        _ => None,
    }
}

fn partial(entry: &RepositoryResult) -> Failure {
    let paths = entry.first_unreadable.iter().take(limits::UNREADABLE_NAMED);
    let list = paths.map(String::as_str).collect::<alloc::vec::Vec<_>>().join(", ");
    Failure {
        reason: "PartialBackup".into(),
        message: format!(
            "{} entries could not be read: {list}; what could be read is kept and marked partial",
            entry.unreadable
        ),
        permanent: false,
    }
}

/// Whether this component of the last Succeeded snapshot of the session had any file.
fn had_files(draft: &Draft, backup: &Backup, listed: &SnapshotSummary, component: &str) -> bool {
    let last = draft
        .snapshots_in(listed.repository)
        .filter(|snapshot| {
            snapshot.session == backup.session
                && snapshot.uid != listed.uid
                && phase(snapshot) == Phase::Succeeded
        })
        .max_by_key(|snapshot| (snapshot.taken, snapshot.uid));
    last.and_then(|snapshot| snapshot.component(component))
        .is_some_and(|known| !known.source_empty && known.paths.iter().any(|path| path.files > 0))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::backup::Worker;
    use crate::backup::phase::{Phase as Final, phase as final_phase};
    use crate::ids::Uid;
    use crate::rejection::Rejection;
    use crate::run::{Command as Run, Report};
    use crate::snapshot::state::Component;
    use crate::testing::given;
    use crate::testing::world::{MINUTE, World, attempt, named, worker as somebody};
    use crate::time::Millis;

    /// A session of two repositories whose one component is being worked at.
    fn world(allow_partial: bool) -> (World, Uid) {
        let mut session = given::session("nightly");
        session.repositories.push(given::repository("two"));
        session.timeout = Some(Millis(10 * MINUTE));
        let mut spec = given::configuration(vec![session]);
        spec.allow_partial = allow_partial;
        let mut world = World::furnished();
        world.serve(&spec);
        let session = world.working(1);
        world.started(session, "pod-0");
        (world, session)
    }

    fn send(session: Uid, report: BackupReport) -> Run {
        let report = Report::Backup(report);
        Run::WorkerReported { attempt: attempt(session, "pod-0"), worker: somebody(), report }
    }

    /// Why the component of the first repository failed; absent when it succeeded.
    fn judged(world: &World, session: Uid, place: usize) -> (Option<String>, Component) {
        let listed = &world.backup(session).snapshots[place];
        let component = world.state.snapshots[&listed.uid].components[0].clone();
        let reason = match component.outcome.clone().unwrap() {
            Outcome::Succeeded => None,
            Outcome::Failed(failure) => Some(failure.reason.into()),
        };
        (reason, component)
    }

    fn failure(reason: &str) -> Option<Failure> {
        Some(crate::testing::failure(reason))
    }

    const ENDED: &str = "snapshot.PathRecorded snapshot.ComponentEnded snapshot.PathRecorded \
                         snapshot.ComponentEnded backup.ComponentEnded";

    #[test]
    fn what_was_committed_everywhere_is_a_success() {
        let (mut world, session) = world(false);
        world.pass(MINUTE);
        let report = world.report(session);
        assert_eq!(world.ask(send(session, report)), ENDED);
        for place in [0, 1] {
            let (reason, component) = judged(&world, session, place);
            assert_eq!(reason, None);
            assert_eq!((component.commit.as_str(), component.grade), ("commit", Grade::ReadBack));
        }
        world.closed();
        assert_eq!(final_phase(world.backup(session)), Final::Succeeded);
    }

    #[test]
    fn every_row_of_the_table_in_its_order() {
        // Whether partial ones are allowed, how the report of the first repository differs, why its
        // component failed.
        type Change = fn(&mut BackupReport);
        let cases: [(bool, Change, Option<&str>); 18] = [
            (false, |_| {}, None),
            (false, |r| r.repositories[0].commit.clear(), Some("NothingCommitted")),
            (
                false,
                |r| {
                    r.repositories[0].commit.clear();
                    r.failure = failure("Whole");
                },
                Some("Whole"),
            ),
            (
                false,
                |r| {
                    r.repositories[0].commit.clear();
                    r.repositories[0].failure = failure("Own");
                    r.failure = failure("Whole");
                },
                Some("Own"),
            ),
            (false, |r| drop(r.repositories.remove(0)), Some("NothingCommitted")),
            (false, |r| r.ended.0 += 10 * 60_000, None),
            (false, |r| r.ended.0 += 10 * 60_000 + 1, Some("DeadlineExceeded")),
            (false, |r| r.repositories[0].partial = true, Some("PartialBackup")),
            (true, |r| r.repositories[0].partial = true, None),
            (
                true,
                |r| {
                    r.repositories[0].partial = true;
                    r.repositories[0].failure = failure("PartialBackup");
                    r.failure = failure("PartialBackup");
                },
                None,
            ),
            (false, |r| r.repositories[0].grade = Grade::Written, Some("NotReadBack")),
            (false, |r| r.repositories[0].grade = Grade::None, Some("NotReadBack")),
            (false, |r| r.repositories[0].grade = Grade::Drilled, None),
            (
                true,
                |r| {
                    r.repositories[0].partial = true;
                    r.repositories[0].grade = Grade::Written;
                },
                Some("NotReadBack"),
            ),
            // A source that never had anything may be empty.
            (false, |r| r.repositories[0].source_empty = true, None),
            (false, |r| r.repositories[0].failure = failure("Own"), Some("Own")),
            (false, |r| r.failure = failure("Whole"), Some("Whole")),
            // The failure of the report as a whole is that of the other repository.
            (
                false,
                |r| {
                    r.failure = failure("Whole");
                    r.repositories[1].failure = failure("Other");
                },
                None,
            ),
        ];
        for (number, (allowed, change, expected)) in cases.into_iter().enumerate() {
            let (mut world, session) = world(allowed);
            let mut report = world.report(session);
            change(&mut report);
            world.ask(send(session, report));
            let (reason, _) = judged(&world, session, 0);
            assert_eq!(reason.as_deref(), expected, "row {number}");
        }
    }

    #[test]
    fn what_was_committed_too_late_or_in_part_stays() {
        let (mut world, session) = world(false);
        let mut report = world.report(session);
        report.repositories[0].partial = true;
        report.repositories[0].unreadable = 5;
        report.repositories[0].first_unreadable = ["a", "b", "c", "d"].map(String::from).to_vec();
        world.ask(send(session, report));
        let (_, component) = judged(&world, session, 0);
        assert!(component.partial);
        assert_eq!(component.commit, "commit");
        let Some(Outcome::Failed(failure)) = component.outcome else { panic!("it is partial") };
        assert_eq!(
            failure.message,
            "5 entries could not be read: a, b, c; what could be read is kept and marked partial"
        );
        let (other, _) = judged(&world, session, 1);
        assert_eq!(other, None, "the other repository has everything");
        world.closed();
        assert_eq!(final_phase(world.backup(session)), Final::Failed);
    }

    #[test]
    fn a_report_of_work_that_ended_late_ends_the_others_too() {
        let (mut world, session) = {
            let mut session = given::session("nightly");
            session.timeout = Some(Millis(10 * MINUTE));
            let mut world = World::with(vec![session]);
            let session = world.working(2);
            (world, session)
        };
        world.pass(10 * MINUTE + 1);
        let happened = world.reported(session, "pod-0");
        assert_eq!(
            happened,
            "done backup.WorkerObserved snapshot.PathRecorded snapshot.ComponentEnded \
             backup.ComponentEnded backup.DeadlineExceeded given-up backup.ComponentEnded \
             snapshot.Incomplete backup.ExecutorNotEnsured"
        );
    }

    #[test]
    fn a_source_that_had_files_must_not_be_empty() {
        // How the last whole snapshot of the component looked; whether an empty one fails now.
        type Before = fn(&mut BackupReport);
        let cases: [(Before, bool); 4] = [
            (|_| {}, true),
            (|r| r.repositories.iter_mut().for_each(|r| r.paths[0].files = 0), false),
            (|r| r.repositories.iter_mut().for_each(|r| r.source_empty = true), false),
            (|r| r.repositories.iter_mut().for_each(|r| r.commit.clear()), false),
        ];
        for (number, (before, fails)) in cases.into_iter().enumerate() {
            let (mut world, first) = world(false);
            let mut report = world.report(first);
            before(&mut report);
            world.ask(send(first, report));
            world.closed();
            world.pass(MINUTE);
            let second = world.working(1);
            let mut report = world.report(second);
            report.repositories.iter_mut().for_each(|r| r.source_empty = true);
            world.ask(send(second, report));
            let (reason, _) = judged(&world, second, 0);
            assert_eq!(reason.as_deref(), fails.then_some("SourceEmpty"), "{number}");
        }
    }

    #[test]
    fn only_the_worker_that_is_known_reports() {
        let refused =
            Rejection::conflict("demo/app-nightly-1700438400", "the report is of another worker");
        let report = |world: &World, session, worker| Run::WorkerReported {
            attempt: attempt(session, "pod-0"),
            worker,
            report: Report::Backup(world.report(session)),
        };
        let (mut known, session) = world(false);
        for other in [
            Worker { job: named("other"), ..somebody() },
            Worker { pod: named("other"), ..somebody() },
        ] {
            let command = report(&known, session, other);
            assert_eq!(known.refused(command), refused);
        }

        // A Job whose pod was not seen yet: the report says which it is.
        let mut world = World::ready();
        let session = world.working(1);
        let start = crate::Once::StartWorker { attempt: attempt(session, "pod-0") };
        let unseen = Worker { pod: Uid::default(), ..somebody() };
        world.answer_to(&start, crate::outbox::Answer::Worker(unseen));
        let command = report(&world, session, Worker { job: named("other"), ..somebody() });
        assert_eq!(world.refused(command), refused);
        let command = report(&world, session, somebody());
        assert!(world.ask(command).contains("backup.ComponentEnded"));
    }

    #[test]
    fn a_report_that_overtakes_its_start_settles_both() {
        let mut world = World::ready();
        let session = world.working(1);
        assert_eq!(
            world.reported(session, "pod-0"),
            "done backup.WorkerObserved snapshot.PathRecorded snapshot.ComponentEnded \
             backup.ComponentEnded backup.ExecutorEnsured"
        );
        assert_eq!(world.backup(session).components[0].worker, Some(somebody()));
        world.closed();
        assert_eq!(world.outbox(), []);
    }

    #[test]
    fn a_report_twice_is_superseded() {
        let (mut world, session) = world(false);
        let report = world.report(session);
        world.ask(send(session, report.clone()));
        assert_eq!(
            world.refused(send(session, report)).to_string(),
            "demo/app-nightly-1700438400: superseded, component pod-0 has ended"
        );
    }
}
