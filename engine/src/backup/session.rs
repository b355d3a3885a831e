//! A backup as a session that runs.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::backup::decide::{finish, open, report, retention};
use crate::backup::state::Backup;
use crate::backup::words::WORDS;
use crate::backup::{Event, plan};
use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::event;
use crate::hook::{HookSpec, Stage};
use crate::ids::{Attempt, Key, Uid};
use crate::names;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::run::decide::advance;
use crate::run::phase::Step;
use crate::run::queue::Waiter;
use crate::run::session::{Session, Verdict};
use crate::run::state::Run;
use crate::run::words::Words;
use crate::run::{self, Component, Report};
use crate::snapshot;
use crate::snapshot::state::Snapshot;
use crate::survey::Host;
use crate::time::Timestamp;

impl Session for Backup {
    fn uid(&self) -> Uid {
        self.uid
    }

    fn key(&self) -> &Key {
        &self.key
    }

    fn run(&self) -> &Run {
        &self.run
    }

    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn says(&self, event: run::Event) -> event::Event {
        Event::Run { event }.into()
    }

    fn waiter(&self) -> Waiter<'_> {
        self.waiter()
    }

    fn storages(&self, draft: &Draft) -> Vec<Key> {
        let listed = self.snapshots.iter().filter_map(|known| draft.repository(known.repository));
        let all: BTreeSet<Key> = listed.map(|known| known.storage.clone()).collect();
        all.into_iter().collect()
    }

    fn until(&self) -> Option<Timestamp> {
        self.until
    }

    fn hooks(&self, stage: Stage) -> &[HookSpec] {
        self.plan.as_ref().map_or(&[], |plan| match stage {
            Stage::Pre => &plan.spec.pre_hooks,
            Stage::Post => &plan.spec.post_hooks,
        })
    }

    fn needs_survey(&self) -> bool {
        true
    }

    fn plan(&self, draft: &Draft, hosts: &[Host]) -> Result<Vec<(String, Component)>, String> {
        let planned = plan::plan(draft, self, hosts)?;
        Ok(planned.into_iter().map(|component| (component.name.clone(), component)).collect())
    }

    fn planned(&self, draft: &mut Draft, total: u32) {
        for listed in &self.snapshots {
            draft.emit(snapshot::Event::ComponentsCounted { uid: listed.uid, total });
        }
    }

    fn target_missing(&self, _: &mut Draft, _: &str) {}

    fn begin(&self, draft: &mut Draft, component: &Component) {
        for listed in &self.snapshots {
            draft.emit(snapshot::Event::ComponentStarted {
                uid: listed.uid,
                component: component.name.clone(),
                path: names::component_path(&self.session, &component.name),
                driver: component.driver,
            });
        }
    }

    fn report(
        &self,
        draft: &mut Draft,
        attempt: &Attempt,
        report: &Report,
    ) -> Result<Verdict, Rejection> {
        match report {
            Report::Backup(report) => Ok(report::record(draft, self, attempt, report)),
            Report::Restore(_) => {
                Err(Rejection::conflict(&self.key, "a backup gets no report of a restore"))
            }
        }
    }

    fn has_work_succeeded(&self, draft: &Draft) -> bool {
        let whole = |snapshot: &Snapshot| {
            snapshot.total > 0
                && !snapshot.conditions.is_true(Type::BackupIncomplete)
                && snapshot.components.iter().all(|c| c.outcome == Some(Outcome::Succeeded))
        };
        !self.components.is_empty()
            && self.components.iter().all(|known| known.outcome == Some(Outcome::Succeeded))
            && self.snapshots.iter().all(|listed| draft.snapshot(listed.uid).is_some_and(whole))
    }

    fn mark_unfinished(&self, draft: &mut Draft, why: Option<&str>) -> bool {
        let written = self.snapshots.iter().filter_map(|listed| draft.snapshot(listed.uid));
        let unfinished: Vec<Uid> = written
            .filter(|snapshot| !snapshot.is_written())
            .map(|snapshot| snapshot.uid)
            .collect();
        for uid in &unfinished {
            let message = why.unwrap_or("its components did not end").to_string();
            draft.emit(snapshot::Event::Incomplete { uid: *uid, message });
        }
        !unfinished.is_empty()
    }

    fn expects_workers(&self) -> bool {
        self.conditions.is_true(Type::SnapshotsEnsured)
    }

    /// Descriptions of all snapshots, then retention, then the final step.
    fn conclude(&self, draft: &mut Draft) -> bool {
        if self.step == Step::Retaining {
            return retention::conclude(draft, self) && finish::finish(draft, self.uid);
        }
        let mut listed = self.snapshots.iter().filter_map(|listed| draft.snapshot(listed.uid));
        if !listed.all(|snapshot| snapshot.conditions.has(Type::SnapshotMetadataUploaded)) {
            return false;
        }
        retention::begin(draft, self);
        let retaining = draft.backup(self.uid).is_some_and(|known| known.step == Step::Retaining);
        retaining || finish::finish(draft, self.uid)
    }

    /// Descriptions first; what they were waited for then begins, and is given up as well.
    fn force(&self, draft: &mut Draft, message: &str) {
        let listed = self.snapshots.iter().filter_map(|listed| draft.snapshot(listed.uid));
        let undescribed: Vec<Uid> = listed
            .filter(|snapshot| !snapshot.conditions.has(Type::SnapshotMetadataUploaded))
            .map(|snapshot| snapshot.uid)
            .collect();
        for uid in undescribed {
            for effect in draft.effects(|once| *once == Once::UploadMetadata { snapshot: uid }) {
                draft.give_up(effect, message);
            }
            let outcome = Outcome::Failed(Failure::passing("NoAnswer", message));
            draft.emit(snapshot::Event::MetadataUploaded { uid, outcome });
        }
        advance(draft, self.uid);
        if draft.backup(self.uid).is_some_and(|known| known.step == Step::Retaining) {
            retention::give_up(draft, self.uid, &format!("retention: {message}"));
        }
    }

    fn archived(&self) -> event::Event {
        Event::Archived { uid: self.uid }.into()
    }

    fn skip(&self, draft: &mut Draft, reason: String) -> bool {
        open::skip(draft, self.uid, reason);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Actor, Envelope};
    use crate::ids::CommandId;
    use crate::testing::world::World;

    fn asked(world: &World, session: Uid) -> bool {
        let command = crate::Command::Run(crate::run::Command::Expire { session });
        let (id, at, epoch) = (CommandId::default(), world.now, world.state.epoch);
        let envelope = Envelope { id, at, actor: Actor::Clock, epoch, command };
        world.backup(session).has_work_succeeded(&Draft::new(&world.state, &envelope, &()))
    }

    #[test]
    fn work_succeeded_when_every_component_did_in_every_snapshot() {
        let mut world = World::ready();
        let (session, _) = world.create("nightly");
        assert!(!asked(&world, session), "nothing was planned");
        world.surveyed(session, 2);
        assert!(!asked(&world, session), "nothing has ended");
        world.reported(session, "pod-0");
        assert!(!asked(&world, session), "one is missing");
        let mut failed = world.clone();
        world.reported(session, "pod-1");
        assert!(asked(&world, session));
        failed.vanished(session, "pod-1");
        assert!(!asked(&failed, session));
    }
}
