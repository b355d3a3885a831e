//! What differs between the sessions that run: everything that the machine asks a backup or a restore for.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::draft::Draft;
use crate::event;
use crate::hook::{HookSpec, Stage};
use crate::ids::{Attempt, Key, Uid};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::run::queue::Waiter;
use crate::run::state::Run;
use crate::run::words::Words;
use crate::run::{Component, Event, Report};
use crate::survey::Host;
use crate::time::{Millis, Timestamp};

/// What a worker's report came to.
pub(crate) struct Verdict {
    /// Whether its component succeeded.
    pub outcome: Outcome,
    /// When the worker ended, by its own elapsed time.
    pub ended: Timestamp,
    /// How long it worked.
    pub duration: Millis,
}

/// A session that runs: a backup or a restore, as it was when it was asked for.
pub(crate) trait Session {
    /// Its uid.
    fn uid(&self) -> Uid;
    /// Namespace and name.
    fn key(&self) -> &Key;
    /// Its run.
    fn run(&self) -> &Run;
    /// Names of its conditions.
    fn words(&self) -> &'static Words;
    /// An event of its run as an event of its stream.
    fn says(&self, event: Event) -> event::Event;
    /// What decides how it stands in the queue of workers.
    fn waiter(&self) -> Waiter<'_>;
    /// The storages that its workers have to do with.
    fn storages(&self, draft: &Draft) -> Vec<Key>;
    /// Until when it waits at most, while queued.
    fn until(&self) -> Option<Timestamp>;
    /// Its hooks of a stage.
    fn hooks(&self, stage: Stage) -> &[HookSpec];
    /// Whether some task works on the hosts of a target.
    fn needs_survey(&self) -> bool;
    /// The components that its hosts are to it, with the names that they were asked for by.
    fn plan(&self, draft: &Draft, hosts: &[Host]) -> Result<Vec<(String, Component)>, String>;
    /// Its components are known.
    fn planned(&self, draft: &mut Draft, total: u32);
    /// Its target cannot be asked for.
    fn target_missing(&self, draft: &mut Draft, message: &str);
    /// The first attempt at a component is about to begin.
    fn begin(&self, draft: &mut Draft, component: &Component);
    /// Records what a worker did.
    fn report(
        &self,
        draft: &mut Draft,
        attempt: &Attempt,
        report: &Report,
    ) -> Result<Verdict, Rejection>;
    /// Everything was moved, which is what hooks with `OnSuccess` ask.
    fn has_work_succeeded(&self, draft: &Draft) -> bool;
    /// Marks what is unfinished, once nothing more will be moved; true when something was.
    fn mark_unfinished(&self, draft: &mut Draft, why: Option<&str>) -> bool;
    /// Whether workers were to be expected: not where it failed before anybody asked for them.
    fn expects_workers(&self) -> bool;
    /// What follows the hooks after the work, up to its end; true when there is more to do at once.
    fn conclude(&self, draft: &mut Draft) -> bool;
    /// Ends whatever its end still waits for besides hooks: nobody answered in time.
    fn force(&self, draft: &mut Draft, message: &str);
    /// It leaves the state.
    fn archived(&self) -> event::Event;
    /// It has not started, and will not; false where that is nothing to say of it.
    fn skip(&self, draft: &mut Draft, reason: String) -> bool;
}

/// The session of this uid as the decision has left it so far.
pub(crate) fn get(draft: &Draft, uid: Uid) -> Option<Box<dyn Session>> {
    let backup = draft.backup(uid).map(|found| Box::new(found.clone()) as Box<dyn Session>);
    backup.or_else(|| draft.restore(uid).map(|found| Box::new(found.clone()) as Box<dyn Session>))
}

/// The same, for commands that name it.
pub(crate) fn known(draft: &Draft, uid: Uid) -> Result<Box<dyn Session>, Rejection> {
    get(draft, uid).ok_or_else(|| Rejection::conflict(uid, "no such session"))
}
