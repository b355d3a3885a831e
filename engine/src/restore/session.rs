//! A restore as a session that runs.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::condition::Type;
use crate::draft::Draft;
use crate::event;
use crate::hook::{HookSpec, Stage};
use crate::ids::{Attempt, Key, Uid};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::requests;
use crate::restore::Event;
use crate::restore::decide::{finish, plan};
use crate::restore::state::Restore;
use crate::restore::words::WORDS;
use crate::run::queue::Waiter;
use crate::run::session::{Session, Verdict};
use crate::run::state::Run;
use crate::run::words::Words;
use crate::run::{self, Component, Report};
use crate::survey::Host;
use crate::time::Timestamp;

impl Session for Restore {
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
        let snapshot = self.snapshot.and_then(|uid| draft.snapshot(uid));
        let repository = snapshot.and_then(|known| draft.repository(known.repository));
        repository.map(|known| known.storage.clone()).into_iter().collect()
    }

    fn until(&self) -> Option<Timestamp> {
        None
    }

    fn hooks(&self, stage: Stage) -> &[HookSpec] {
        match stage {
            Stage::Pre => &self.spec.pre_hooks,
            Stage::Post => &self.spec.post_hooks,
        }
    }

    fn needs_survey(&self) -> bool {
        requests::needs_survey(self)
    }

    fn plan(&self, draft: &Draft, hosts: &[Host]) -> Result<Vec<(String, Component)>, String> {
        plan::plan(draft, self, hosts)
    }

    fn planned(&self, _: &mut Draft, _: u32) {}

    fn target_missing(&self, draft: &mut Draft, message: &str) {
        draft.emit(Event::TargetNotFound { uid: self.uid, message: message.to_string() });
    }

    fn begin(&self, _: &mut Draft, _: &Component) {}

    fn report(&self, _: &mut Draft, _: &Attempt, report: &Report) -> Result<Verdict, Rejection> {
        let Report::Restore(report) = report else {
            return Err(Rejection::conflict(&self.key, "a restore gets no report of a backup"));
        };
        let outcome = report.failure.clone().map_or(Outcome::Succeeded, Outcome::Failed);
        Ok(Verdict { outcome, ended: report.ended, duration: report.duration })
    }

    fn has_work_succeeded(&self, _: &Draft) -> bool {
        !self.components.is_empty()
            && u32::try_from(self.components.len()).is_ok_and(|n| n == self.total_components)
            && self.components.iter().all(|c| c.outcome == Some(Outcome::Succeeded))
    }

    fn mark_unfinished(&self, draft: &mut Draft, why: Option<&str>) -> bool {
        let ended = self.components.iter().filter(|c| c.outcome.is_some() && c.reported).count();
        let all = u32::try_from(ended).is_ok_and(|n| n > 0 && n == self.total_components);
        if all || self.conditions.has(Type::RestoreIncomplete) {
            return false;
        }
        let message = why.unwrap_or("it ended before all of its components did").to_string();
        draft.emit(Event::Incomplete { uid: self.uid, message });
        true
    }

    fn expects_workers(&self) -> bool {
        true
    }

    fn conclude(&self, draft: &mut Draft) -> bool {
        finish::finish(draft, self.uid);
        false
    }

    fn force(&self, _: &mut Draft, _: &str) {}

    fn archived(&self) -> event::Event {
        Event::Archived { uid: self.uid }.into()
    }

    fn skip(&self, _: &mut Draft, _: String) -> bool {
        false
    }
}
