//! Retention at the end of a session: for each of its repositories, over the snapshots of this
//! session's name (behaviour reference, section 7).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::Event;
use crate::backup::state::{Backup, SnapshotSummary};
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{Key, Uid};
use crate::retention::select::{self, Candidate, Standing};
use crate::snapshot;
use crate::snapshot::phase::{Phase, phase};

/// Begins retention in every repository of the session.
pub(crate) fn begin(draft: &mut Draft, backup: &Backup) {
    for listed in &backup.snapshots {
        let (uid, repository) = (backup.uid, listed.repository);
        let Some(policy) = policy_of(draft, backup, repository) else { continue };
        match removals(draft, backup, listed, &policy) {
            Err(message) => {
                draft.emit(Event::RetentionFailed { uid, repository, policy, message });
            }
            Ok(removals) => {
                let removing = u32::try_from(removals.len()).unwrap_or(u32::MAX);
                draft.emit(Event::RetentionStarted { uid, repository, policy, removing });
                for snapshot in removals {
                    draft.emit(snapshot::Event::RemovalRequested {
                        uid: snapshot,
                        by: Some(uid),
                        wipe: true,
                    });
                }
            }
        }
    }
}

fn policy_of(draft: &Draft, backup: &Backup, repository: Uid) -> Option<Key> {
    let plan = backup.plan.as_ref()?;
    let name = &draft.repository(repository)?.key.name;
    let wanted = plan.spec.repositories.iter().find(|wanted| wanted.name == *name)?;
    let backend = plan.backends.iter().find(|backend| backend.name == wanted.backend)?;
    Some(backend.retention.clone())
}

fn removals(
    draft: &Draft,
    backup: &Backup,
    listed: &SnapshotSummary,
    policy: &Key,
) -> Result<Vec<Uid>, String> {
    let Some(found) = draft.retention_named(policy) else {
        return Err(format!("RetentionPolicy {policy} not found"));
    };
    if let Some(invalid) = &found.spec.invalid {
        return Err(format!("RetentionPolicy {policy}: {invalid}"));
    }
    let candidates: Vec<Candidate> = draft
        .snapshots_in(listed.repository)
        .filter(|snapshot| snapshot.session == backup.session)
        .filter(|snapshot| snapshot.removal.as_ref().is_none_or(|asked| asked.error.is_some()))
        .map(|snapshot| Candidate {
            uid: snapshot.uid,
            name: snapshot.key.name.clone(),
            taken: snapshot.taken,
            standing: match phase(snapshot) {
                Phase::Pending | Phase::Running => Standing::Unfinished,
                Phase::Succeeded => Standing::Succeeded,
                Phase::Failed => Standing::Failed,
            },
        })
        .collect();
    let chosen = select::removals(&found.spec, draft.at(), &candidates)
        .map_err(|error| format!("RetentionPolicy {policy}: {error}"))?;
    // A snapshot that a worker still reads or writes outlives its policy by one session.
    let is_used = |uid: &Uid| draft.snapshot(*uid).is_some_and(|s| draft.user_of(s).is_some());
    Ok(chosen.into_iter().filter(|uid| !is_used(uid)).collect())
}

/// Records what is through; true when nothing is waited for.
pub(crate) fn conclude(draft: &mut Draft, backup: &Backup) -> bool {
    let uid = backup.uid;
    let open: Vec<(Uid, Key)> = backup
        .retention
        .iter()
        .filter(|entry| entry.result.is_none())
        .map(|entry| (entry.repository, entry.policy.clone()))
        .collect();
    let mut all = true;
    for (repository, policy) in open {
        let asked: Vec<Option<String>> = draft
            .snapshots_in(repository)
            .filter_map(|snapshot| snapshot.removal.as_ref())
            .filter(|removal| removal.by == Some(uid))
            .map(|removal| removal.error.clone())
            .collect();
        if asked.iter().any(Option::is_none) {
            all = false;
        } else if let Some(message) = asked.into_iter().flatten().next() {
            draft.emit(Event::RetentionFailed { uid, repository, policy, message });
        } else {
            draft.emit(Event::RetentionApplied { uid, repository });
        }
    }
    all
}

/// Ends what is still waited for as failed.
pub(crate) fn give_up(draft: &mut Draft, uid: Uid, message: &str) {
    let Some(backup) = draft.backup(uid) else { return };
    let pending: Vec<Uid> = backup
        .retention
        .iter()
        .flat_map(|entry| draft.snapshots_in(entry.repository))
        .filter(|snapshot| {
            let asked = snapshot.removal.as_ref();
            asked.is_some_and(|removal| removal.by == Some(uid) && removal.error.is_none())
        })
        .map(|snapshot| snapshot.uid)
        .collect();
    for snapshot in pending {
        let asked = Once::RemoveSnapshot { snapshot, by: Some(uid) };
        for effect in draft.effects(|once| *once == asked) {
            draft.give_up(effect, message);
        }
        draft.emit(snapshot::Event::RemovalFailed { uid: snapshot, message: message.into() });
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::phase::Step;
    use crate::configuration::Backend;
    use crate::retention::{Command, Spec};
    use crate::run::Command as Run;
    use crate::testing::given::{self, stored};
    use crate::testing::world::{BACK, MINUTE, World, named};

    /// A session of `nightly` up to the moment where retention begins, and what that says.
    fn close(world: &mut World) -> (Uid, String) {
        let session = world.working(1);
        world.reported(session, "pod-0");
        let happened = world.described();
        (session, happened)
    }

    fn forget_policy(world: &mut World) {
        world.ask(Command::Delete { uid: named("retention/keep") });
    }

    #[test]
    fn nothing_to_remove_is_applied_at_once() {
        let mut world = World::ready();
        let (session, happened) = close(&mut world);
        assert_eq!(
            happened,
            "done snapshot.MetadataUploaded backup.RetentionStarted backup.RetentionApplied \
             backup.HistoryCleaned backup.MetricsPushed"
        );
        assert_eq!(world.backup(session).retention[0].removing, 0);
    }

    #[test]
    fn surplus_is_asked_for_oldest_first_and_waited_for() {
        let mut world = World::ready();
        for _ in 0..2 {
            world.succeed();
            world.pass(MINUTE);
        }
        world.declare_retention("keep", given::retention(1));
        let (session, happened) = close(&mut world);
        assert_eq!(
            happened,
            "done snapshot.MetadataUploaded backup.RetentionStarted snapshot.RemovalRequested \
             snapshot.RemovalRequested"
        );
        assert_eq!(world.backup(session).step, Step::Retaining);
        let asked: Vec<i64> = world
            .outbox()
            .iter()
            .filter_map(|once| match once {
                Once::RemoveSnapshot { snapshot, .. } => {
                    Some(world.state.snapshots[snapshot].taken.0)
                }
                _ => None,
            })
            .collect();
        assert!(asked.is_sorted() && asked.len() == 2, "{asked:?}");
    }

    #[test]
    fn a_policy_that_cannot_be_read_fails_and_removes_nothing() {
        // What is done to the policy while the session works; what its status says.
        let declared = |change: fn(&mut Spec)| {
            let mut spec = given::retention(0);
            change(&mut spec);
            Some(spec)
        };
        for (spec, error) in [
            (None, "RetentionPolicy demo/keep not found"),
            (
                declared(|s| s.invalid = Some("it is odd".into())),
                "RetentionPolicy demo/keep: it is odd",
            ),
            (
                declared(|s| s.max_period = "soon".into()),
                "RetentionPolicy demo/keep: maxRetentionPeriod: no number at byte 0; write such as \
                 30d or 1y6mo",
            ),
        ] {
            let mut world = World::ready();
            world.succeed();
            world.pass(MINUTE);
            let session = world.working(1);
            world.reported(session, "pod-0");
            match spec {
                None => forget_policy(&mut world),
                Some(spec) => drop(world.declare_retention("keep", spec)),
            }
            assert_eq!(
                world.described(),
                "done snapshot.MetadataUploaded backup.RetentionFailed backup.HistoryCleaned \
                 backup.MetricsPushed"
            );
            assert_eq!(world.backup(session).retention[0].result, Some(Err(error.into())));
            assert_eq!(world.state.snapshots.len(), 2);
        }
    }

    #[test]
    fn other_names_other_repositories_and_what_is_read_are_left_alone() {
        let weekly = given::session("weekly");
        let mut world = World::with(vec![given::session("nightly"), weekly]);
        world.declare_retention("keep", given::retention(1));
        world.create("weekly");
        let weekly = *world.state.backups.keys().next().unwrap();
        world.surveyed(weekly, 1);
        world.reported(weekly, "pod-0");
        world.closed();
        let read = world.adopt("read", &["pod-0", "pod-1"]);
        let mut restore = given::restore(&[]);
        restore.source.snapshot = Some("read".into());
        restore.target = Some(crate::ids::TypedRef { name: "copy".into(), ..given::target() });
        world.observe(
            restore.target.clone().unwrap(),
            crate::dependency::Facts::Target { replicas: Some(2) },
        );
        world.declare_restore(restore);
        assert_eq!(world.back().snapshot, Some(read));
        world.pass(MINUTE);
        let (session, _) = close(&mut world);
        assert_eq!(world.backup(session).retention[0].removing, 0, "{:?}", world.state.snapshots);
        // Once nobody reads it, it goes with the next session.
        world.surveyed(BACK, 2);
        for component in ["pod-0", "pod-1"] {
            world.reported(BACK, component);
        }
        world.pass(MINUTE);
        let (session, _) = close(&mut world);
        assert_eq!(world.backup(session).retention[0].removing, 2);
    }

    #[test]
    fn what_a_worker_reads_that_has_not_stopped_is_left_to_the_next_session() {
        let mut world = World::ready();
        world.succeed();
        world.pass(MINUTE);
        let mut restore = given::restore(&[]);
        restore.target = Some(crate::ids::TypedRef { name: "copy".into(), ..given::target() });
        world.observe(
            restore.target.clone().unwrap(),
            crate::dependency::Facts::Target { replicas: Some(2) },
        );
        world.declare_restore(restore);
        world.surveyed(BACK, 1);
        world.ask(Run::Cancel { session: BACK, cause: "no".into() });
        assert!(!world.back().is_going());
        world.declare_retention("keep", given::retention(1));
        let (session, _) = close(&mut world);
        assert_eq!(world.backup(session).retention[0].removing, 0, "its worker may still read");
        while let Some(effect) = world.find(|once| once.stops(BACK)) {
            world.answer(effect, crate::outbox::Answer::Done);
        }
        world.pass(MINUTE);
        let (session, _) = close(&mut world);
        assert_eq!(world.backup(session).retention[0].removing, 2);
    }

    #[test]
    fn each_repository_follows_the_policy_of_its_backend() {
        let mut session = given::session("nightly");
        session.repositories.push(given::repository("two"));
        session.repositories[1].backend = "other".into();
        let mut spec = given::configuration(vec![session]);
        spec.backends.push(Backend {
            name: "other".into(),
            storage: Some(stored("store")),
            retention: Some(stored("much")),
        });
        let mut world = World::furnished();
        world.declare_retention("much", given::retention(9));
        world.serve(&spec);
        world.declare_retention("keep", given::retention(1));
        world.succeed();
        world.pass(MINUTE);
        let (session, _) = close(&mut world);
        let said: Vec<(&str, u32)> = world
            .backup(session)
            .retention
            .iter()
            .map(|entry| (entry.policy.name.as_str(), entry.removing))
            .collect();
        assert_eq!(said, [("keep", 1), ("much", 0)]);
    }

    #[test]
    fn a_removal_that_nobody_answers_is_given_up() {
        let mut world = World::ready();
        world.succeed();
        world.pass(MINUTE);
        world.declare_retention("keep", given::retention(1));
        let (session, _) = close(&mut world);
        world.pass(crate::limits::CLOSING_MILLIS.0);
        assert_eq!(
            world.ask(Run::Expire { session }),
            "backup.DeadlineExceeded given-up snapshot.RemovalFailed backup.RetentionFailed \
             backup.HistoryCleaned backup.MetricsPushed"
        );
        assert_eq!(
            world.backup(session).retention[0].result,
            Some(Err("retention: nobody answered in time".into()))
        );
        assert_eq!(world.outbox(), []);
        assert_eq!(world.state.snapshots.len(), 2, "what could not be removed stays");
    }
}
