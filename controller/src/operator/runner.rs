//! Carries out once-effects: one task an effect, with everything that no place has to know.
//!
//! | Situation | What happens |
//! |---|---|
//! | two effects of one subject (an attempt, a session's hooks, a repository, a storage) | the later one begins when the earlier one has ended |
//! | too many of one class | the others wait for a place, in their order |
//! | an effect that nobody waits for any more, before it begins | it is left undone |
//! | the same while it works | work that ends when it is dropped (a hook) is ended, all else goes on to its end |
//! | a term of leadership that is over | effects that have not begun are left undone, and nothing is answered |
//! | trouble of the moment | another try after a wait, until the deadline of the class |
//! | the deadline of the class | the effect has failed; work that cannot be ended holds its turn and its place to its end |
//! | a panic | the effect has failed, with the words of the panic |
//!
//! The outbox of the state is the queue. The runner is told how far the log goes and asks for what is new in it.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::effect::Once;
use holdfast_engine::plan::{Attended, Plan, Work, plan};
use holdfast_engine::{Attempt, EffectId, Failure, State};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::attendance::Attendance;
use super::class::{Class, Places};
use super::inbox::Line;
use super::subject::{Turn, Turns};
use super::tasks::{Tasks, words_of};
use super::{Ports, broken};
use crate::place::{Answer, Place, Term, Trouble};

/// Runs the effects of one term.
pub struct Runner<P> {
    crew: Crew<P>,
    turns: Turns,
    /// The last entry of the outbox that was begun.
    seen: Option<EffectId>,
}

/// What every effect is carried out with.
pub struct Crew<P> {
    /// Where.
    pub place: Arc<P>,
    /// Whom to ask and to answer.
    pub line: Line,
    /// Who counts what is under way.
    pub tasks: Tasks,
    /// Dice.
    pub ports: Ports,
    /// The term.
    pub epoch: u64,
    /// The place's word on it.
    pub term: Term,
    /// Who waits for workers.
    pub attendance: Attendance<P>,
    /// Places of the classes.
    pub places: Places,
    /// Work that ends when it is given up; so it does when its sender goes.
    pub given_up: GivenUp,
}

/// Work that is ended when nobody waits for it any more.
#[derive(Clone, Default)]
pub struct GivenUp(Arc<Mutex<BTreeMap<EffectId, oneshot::Sender<()>>>>);

impl<P> Clone for Crew<P> {
    fn clone(&self) -> Self {
        Self {
            place: Arc::clone(&self.place),
            line: self.line.clone(),
            tasks: self.tasks.clone(),
            ports: self.ports.clone(),
            epoch: self.epoch,
            term: self.term.clone(),
            attendance: self.attendance.clone(),
            places: self.places.clone(),
            given_up: self.given_up.clone(),
        }
    }
}

impl<P: Place> Runner<P> {
    /// A runner that has begun nothing yet.
    #[must_use]
    pub fn new(crew: Crew<P>) -> Self {
        Self { crew, turns: Turns::default(), seen: None }
    }

    /// Begins what is in the outbox, and whatever comes into it, until the operator or the term ends.
    pub async fn run(mut self, mut recorded: watch::Receiver<u64>) {
        loop {
            recorded.mark_unchanged();
            let (seen, working) = (self.seen, self.crew.given_up.known());
            let asked = self.crew.line.ask(move |state| {
                let new = state.outbox.range((seen.map_or(Unbounded, Excluded), Unbounded));
                let new: Vec<(EffectId, Once)> =
                    new.map(|(id, once)| (*id, once.clone())).collect();
                let left = working.into_iter().filter(|id| !state.outbox.contains_key(id));
                (new, left.collect::<Vec<_>>())
            });
            let Ok((new, left)) = asked.await else { return };
            self.crew.given_up.end(&left);
            for (id, once) in new {
                self.seen = Some(id);
                self.begin(id, once);
            }
            if recorded.changed().await.is_err() {
                return;
            }
        }
    }

    /// Begins an effect when it is its turn.
    fn begin(&self, id: EffectId, once: Once) {
        let turn = self.turns.take(id, &once);
        let span = tracing::info_span!("effect", %id, what = name(&once));
        let crew = self.crew.clone();
        self.crew.tasks.run(crew.carry_out(id, once, turn).instrument(span));
    }
}

impl<P: Place> Crew<P> {
    async fn carry_out(self, id: EffectId, once: Once, mut turn: Turn) {
        turn.comes().await;
        let class = Class::of(&once);
        let Ok(_place) = self.places.of(class).acquire_owned().await else { return };
        // From before the first question on: whoever gives it up from now on is heard.
        let gone = self.place.ends_when_dropped(&once).then(|| self.given_up.note(id));
        let ended = self.tries(id, &once, class, gone).await;
        self.given_up.forget(id);
        let Some((answer, left)) = ended else { return };
        if self.is_ours().await {
            let attended = attended_by(&answer, left.work);
            self.line.answer(id, answer);
            if let Some(attended) = attended {
                self.attendance.attend(attended);
            }
        }
        if let Some(working) = left.still {
            // What goes on must not meet the next effect of its subject.
            let _ = working.await;
        }
        drop(turn);
    }

    /// Tries until it is done, fails for good, or its time is up; none where nobody waits for an answer.
    async fn tries(
        &self,
        id: EffectId,
        once: &Once,
        class: Class,
        mut gone: Option<oneshot::Receiver<()>>,
    ) -> Option<(Answer, Left)> {
        let terms = class.terms();
        let until = Instant::now() + terms.deadline;
        let mut last = None;
        loop {
            let plan = match self.ask(id, once).await? {
                Ok(plan) => plan,
                Err(failure) => return Some((Answer::Failed(failure), Left::default())),
            };
            let work = started_by(&plan);
            let trouble = match self.call(id, plan, until, &mut gone).await? {
                Ended::Done(Ok(answer)) => return Some((answer, Left { work, still: None })),
                Ended::Done(Err(trouble)) => trouble,
                Ended::Late(still) => {
                    let failure = late(once, terms.deadline);
                    return Some((Answer::Failed(failure), Left { work: None, still }));
                }
            };
            let wait = terms.backoff.filter(|_| trouble.transient);
            let wait = wait.map(|backoff| backoff.after(last, &*self.ports.ids));
            let Some(wait) = wait.filter(|wait| Instant::now() + *wait < until) else {
                return Some((Answer::Failed(trouble.failure), Left::default()));
            };
            tracing::info!(%trouble, ?wait, "it is tried again");
            last = Some(wait);
            tokio::time::sleep(wait).await;
        }
    }

    /// How to carry out an effect as things are now; none when nobody waits for it any more.
    async fn ask(&self, id: EffectId, once: &Once) -> Option<Result<Plan, Failure>> {
        let (epoch, once) = (self.epoch, once.clone());
        let asked =
            self.line.ask(move |state| is_wanted(state, id, epoch).then(|| plan(state, &once)));
        asked.await.ok().flatten().filter(|_| !self.term.is_over())
    }

    /// One call of the place; none when it was given up.
    async fn call(
        &self,
        id: EffectId,
        plan: Plan,
        until: Instant,
        gone: &mut Option<oneshot::Receiver<()>>,
    ) -> Option<Ended> {
        let place = Arc::clone(&self.place);
        let work = async move { place.carry_out(id, plan).await };
        let mut working = tokio::spawn(work.in_current_span());
        let may_end = gone.is_some();
        let given_up = async {
            match gone {
                Some(gone) => drop(gone.await),
                None => std::future::pending().await,
            }
        };
        let done = tokio::select! {
            biased;
            done = &mut working => done,
            () = given_up => {
                working.abort();
                // What it started has ended when it is gone.
                let _ = working.await;
                return None;
            }
            () = tokio::time::sleep_until(until) => {
                if may_end {
                    working.abort();
                    let _ = working.await;
                    return Some(Ended::Late(None));
                }
                return Some(Ended::Late(Some(working)));
            }
        };
        match done.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(done) => Some(Ended::Done(done)),
            Err(Ok(panic)) => {
                let failure = broken::failure(&words_of(&*panic));
                tracing::error!(failure.message, "an effect broke off");
                Some(Ended::Done(Err(failure.into())))
            }
            // The process ends: nobody hears an answer any more.
            Err(Err(_ended)) => None,
        }
    }

    /// Whether it is still our term, in the log and outside.
    async fn is_ours(&self) -> bool {
        let epoch = self.line.ask(|state| state.epoch).await;
        let ours = epoch.is_ok_and(|epoch| epoch == self.epoch) && !self.term.is_over();
        if !ours {
            tracing::warn!(epoch = self.epoch, "an effect of a term that is over is not answered");
        }
        ours
    }
}

type Working = tokio::task::JoinHandle<Result<Answer, Trouble>>;

enum Ended {
    Done(Result<Answer, Trouble>),
    /// Its time is up; work that cannot be ended goes on.
    Late(Option<Working>),
}

/// What is left of an effect beside its answer.
#[derive(Default)]
struct Left {
    work: Option<(Attempt, Work)>,
    still: Option<Working>,
}

/// The worker that a plan starts.
fn started_by(plan: &Plan) -> Option<(Attempt, Work)> {
    match plan {
        Plan::StartBackup(work) => {
            Some((work.attempt.clone(), Work::Backup(Box::new(work.component.clone()))))
        }
        Plan::StartRestore(work) => Some((work.attempt.clone(), Work::Restore)),
        _ => None,
    }
}

/// The worker that was started, if one was.
fn attended_by(answer: &Answer, work: Option<(Attempt, Work)>) -> Option<Attended> {
    let Answer::Worker(worker) = answer else { return None };
    let (attempt, work) = work?;
    Some(Attended { attempt, worker: *worker, work })
}

fn is_wanted(state: &State, id: EffectId, epoch: u64) -> bool {
    if state.epoch != epoch {
        tracing::warn!(epoch, "an effect of a term that is over is left undone");
    }
    state.epoch == epoch && state.outbox.contains_key(&id)
}

impl GivenUp {
    fn note(&self, id: EffectId) -> oneshot::Receiver<()> {
        let (keep, gone) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, keep);
        gone
    }

    fn forget(&self, id: EffectId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn known(&self) -> Vec<EffectId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    fn end(&self, left: &[EffectId]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.iter().for_each(|id| drop(known.remove(id)));
    }
}

fn late(once: &Once, limit: Duration) -> Failure {
    Failure {
        reason: "Timeout".into(),
        message: format!("{} did not end within {} s", name(once), limit.as_secs()),
        permanent: false,
    }
}

fn name(once: &Once) -> &'static str {
    match once {
        Once::InitializeBackend { .. } => "initialize backend",
        Once::InitializeRepository { .. } => "initialize repository",
        Once::WipeRepository { .. } => "wipe repository",
        Once::WipeBackend { .. } => "wipe backend",
        Once::Survey { .. } => "survey",
        Once::RunHook { .. } => "run hook",
        Once::StartWorker { .. } => "start worker",
        Once::StopWorker { .. } => "stop worker",
        Once::UploadMetadata { .. } => "upload metadata",
        Once::RemoveSnapshot { .. } => "remove snapshot",
    }
}
