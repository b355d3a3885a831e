//! Where effects are carried out: a cluster, or this machine.
//!
//! A place knows how each thing is done there, and nothing else: it tries nothing again, asks nobody who leads, decides
//! on no order, and sees neither log nor state. All of that is the kernel's, which is the same for every place.
//!
//! ```text
//!  watch ──────▶ what is declared            publish, retract, trigger ◀── statuses
//!  carry_out ◀── a plan, ──▶ its answer      attend ──▶ how a worker ended
//!  survey ◀──── attempts of an earlier operator, ──▶ how each of them stands
//!  lease ──────▶ a term of leadership
//! ```

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod kube;
pub mod local;
#[cfg(test)]
mod simulated;

use holdfast_api::Kind;
use holdfast_engine::Once;
use holdfast_engine::plan::{Attended, Plan};
use holdfast_engine::{Attempt, EffectId, Failure, Key, Uid};
use serde_json::Value;
use tokio::sync::watch;

use crate::operator::progress::Teller;
use crate::sighting::Sightings;
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object::Published;
use crate::worker::directory::Ended;
pub use holdfast_engine::outbox::Answer;

/// What a place can do. Every future is owned by whoever awaits it; one that is dropped before its end has either done
/// nothing that is left over, or says so.
pub trait Place: Send + Sync + 'static {
    /// The next look at what is declared; it comes when there may be something new.
    fn watch(&self) -> impl Future<Output = Sightings> + Send;

    /// Carries out an effect. Dropped before its end it may go on, unless it [ends when it is
    /// dropped](Place::ends_when_dropped).
    ///
    /// # Errors
    /// What kept it from being carried out, and whether another try may help.
    fn carry_out(
        &self,
        effect: EffectId,
        plan: Plan,
    ) -> impl Future<Output = Result<Answer, Trouble>> + Send;

    /// Whether an effect of this kind ends, with all that it started, when its future is dropped.
    fn ends_when_dropped(&self, once: &Once) -> bool;

    /// Waits for the end of a worker, and tells how far it comes. Dropped, nobody waits any more; the worker works on.
    fn attend(&self, attended: &Attended, teller: &Teller) -> impl Future<Output = End> + Send;

    /// How an attempt that an earlier operator left stands. It may take long where the place cannot be asked.
    fn survey(&self, attended: &Attended) -> impl Future<Output = Standing> + Send;

    /// The log has what came of an attempt: what is left of it here can go.
    fn release(&self, attempt: &Attempt) -> impl Future<Output = ()> + Send;

    /// Removes what is left of all attempts but these.
    fn tidy(&self, known: &[Attempt]) -> impl Future<Output = ()> + Send;

    /// The manifest of an object as the last look showed it.
    fn declared(&self, kind: Kind, key: &Key) -> Option<Value>;

    /// Makes an object with its status visible; the uid of the live object, of one that we made in a place that gives
    /// uids of its own.
    ///
    /// # Errors
    /// What kept it from being shown.
    fn publish(
        &self,
        object: &Published,
    ) -> impl Future<Output = Result<Option<Uid>, Trouble>> + Send;

    /// Takes an object of ours away: the one of this uid, where there is one; another one of its name stays.
    ///
    /// # Errors
    /// What kept it from being taken away; that it is gone already is none.
    fn retract(
        &self,
        name: &ObjectName,
        live: Option<Uid>,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Sets up what triggers a session: a CronJob, or nothing where the operator's own deadlines do. The uid of the live
    /// object, where there is one.
    ///
    /// # Errors
    /// What kept it from being set up.
    fn trigger(
        &self,
        trigger: &Trigger,
    ) -> impl Future<Output = Result<Option<Uid>, Trouble>> + Send;

    /// Takes away what an earlier operator published and nobody knows any more: all but these.
    fn sweep(&self, known: &[ObjectName]) -> impl Future<Output = ()> + Send;

    /// Takes the lead; it comes when nobody else has it.
    ///
    /// # Errors
    /// What kept it from being asked for.
    fn lease(&self) -> impl Future<Output = Result<Term, Trouble>> + Send;
}

/// What kept a place from doing something. Only the runner and the publisher try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}", reason = .failure.reason, message = .failure.message)]
pub struct Trouble {
    /// What is answered when it stays so.
    pub failure: Failure,
    /// The same call may succeed in a moment: nothing that anybody decided stands in its way.
    pub transient: bool,
}

/// A failure is no trouble of the moment unless the place says so.
impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self { failure, transient: false }
    }
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It reported.
    Reported(Box<Ended>),
    /// It is gone without a report.
    Vanished(Failure),
}

/// How an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its worker works.
    Works,
    /// Its worker has ended.
    Ended(End),
}

/// What triggers a session of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The configuration.
    pub configuration: Uid,
    /// Name of the session.
    pub session: String,
}

/// A term of leadership: while it lasts, nobody else acts.
#[derive(Clone, Debug)]
pub struct Term {
    /// Who leads, as the log names him.
    pub holder: String,
    lost: watch::Receiver<bool>,
}

impl Term {
    /// A term that is over once `lost` holds true, or its sender is gone.
    #[must_use]
    pub fn new(holder: String, lost: watch::Receiver<bool>) -> Self {
        Self { holder, lost }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        *self.lost.borrow() || self.lost.has_changed().is_err()
    }

    /// Waits until it is over.
    pub async fn over(&mut self) {
        // A place that is gone leads nowhere.
        let _ = self.lost.wait_for(|lost| *lost).await;
    }
}
