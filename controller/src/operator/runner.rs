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
//! | a call at a storage | it waits for its turn at the [desk](super::stores) of the stores, and has 30 s |
//! | the deadline of the class | the effect has failed; work that cannot be ended holds its turn and its place to its end |
//! | a panic | the effect has failed, with the words of the panic |
//!
//! The outbox of the state is the queue. The runner is told how far the log goes and asks for what is new in it.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::Once;
use holdfast_engine::plan::{Attended, Plan, Work, plan};
use holdfast_engine::{Actor, Attempt, Command, EffectId, Failure, State, outbox};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::attendance::Attendance;
use super::class::{Class, Places};
use super::inbox::{Line, Order};
use super::stores::{self, Pass, Stores};
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
    /// Turns at storages.
    pub stores: Stores,
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
            stores: self.stores.clone(),
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
        let Some((answer, left)) = ended else { return };
        if self.term.is_over() {
            tracing::warn!(epoch = self.epoch, "an effect of a term that is over is not answered");
        } else {
            let attended = attended_by(&answer, left.work);
            let answer = outbox::Command::Answer { effect: id, answer: fitting(&once, answer) };
            let order = Order::new(Actor::Operator, Command::Outbox(answer));
            if self.line.insist(order).await.is_ok()
                && let Some(attended) = attended
            {
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
        let (mut until, mut last) = (None, None);
        loop {
            let (plan, pass) = match self.prepare(id, once).await? {
                Ok(prepared) => prepared,
                Err(failure) => return Some((Answer::Failed(failure), Left::default())),
            };
            // Time that was spent waiting for a turn is nobody's fault.
            let until = *until.get_or_insert_with(|| Instant::now() + terms.deadline);
            let work = started_by(&plan);
            let trouble = match self.limited(id, plan, until, pass, &mut gone).await? {
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

    /// The plan of an effect, and the turn at its storage; none when nobody waits for it any more.
    async fn prepare(
        &self,
        id: EffectId,
        once: &Once,
    ) -> Option<Result<(Plan, Option<Pass>), Failure>> {
        let plan = match self.ask(id, once).await? {
            Ok(plan) => plan,
            Err(failure) => return Some(Err(failure)),
        };
        let Some((storage, namespace)) = stores::of(&plan) else { return Some(Ok((plan, None))) };
        let pass = self.stores.enter(storage, namespace).await;
        // Things may have changed while it waited.
        Some(self.ask(id, once).await?.map(|plan| (plan, Some(pass))))
    }

    /// One call of the place within what is left of its time, and of a call's at a storage.
    async fn limited(
        &self,
        id: EffectId,
        plan: Plan,
        until: Instant,
        pass: Option<Pass>,
        gone: &mut Option<oneshot::Receiver<()>>,
    ) -> Option<Ended> {
        let (mut pass, limit) = match pass {
            // What cannot be ended is waited for as long as it may take.
            Some(pass) if gone.is_some() => (pass, until.min(Instant::now() + stores::LIMIT)),
            pass => {
                let ended = self.call(id, plan, until, gone).await;
                drop(pass);
                return ended;
            }
        };
        let ended = self.call(id, plan, limit, gone).await?;
        if !matches!(ended, Ended::Late(_)) {
            return Some(ended);
        }
        pass.silent();
        Some(Ended::Done(Err(silent())))
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
    state.epoch == epoch && state.outbox.contains_key(&id)
}

impl GivenUp {
    fn note(&self, id: EffectId) -> oneshot::Receiver<()> {
        let (keep, gone) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, keep);
        gone
    }

    fn known(&self) -> Vec<EffectId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    fn end(&self, left: &[EffectId]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.iter().for_each(|id| drop(known.remove(id)));
    }
}

/// An answer that belongs to this effect; one that does not is a mistake of the place, and a failure.
fn fitting(once: &Once, answer: Answer) -> Answer {
    let fits = match (once, &answer) {
        (_, Answer::Failed(_)) => true,
        (Once::InitializeRepository { .. }, answer) => matches!(answer, Answer::Repository { .. }),
        (Once::Survey { .. }, answer) => matches!(answer, Answer::Hosts(_)),
        (Once::StartWorker { .. }, answer) => matches!(answer, Answer::Worker(_)),
        (_, answer) => matches!(answer, Answer::Done),
    };
    if fits {
        return answer;
    }
    tracing::error!(what = name(once), answer = answer.kind(), "an answer does not fit its effect");
    Answer::Failed(Failure {
        reason: "UnfitAnswer".into(),
        message: format!("{} was answered with {}", name(once), answer.kind()),
        permanent: true,
    })
}

fn late(once: &Once, limit: Duration) -> Failure {
    Failure {
        reason: "Timeout".into(),
        message: format!("{} did not end within {} s", name(once), limit.as_secs()),
        permanent: false,
    }
}

fn silent() -> Trouble {
    let failure = Failure {
        reason: "StoreUnreachable".into(),
        message: format!("the store did not answer within {} s", stores::LIMIT.as_secs()),
        permanent: false,
    };
    Trouble { failure, transient: true }
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

#[cfg(test)]
mod tests {
    use holdfast_engine::{Uid, storage};

    use super::*;
    use crate::operator::testing::{Act, STORAGE, Stage, World, acts, declared, declared_as};

    async fn world(stage: Stage, seed: u64) -> (tempfile::TempDir, World) {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(dir.path(), stage, seed).await;
        (dir, world)
    }

    fn done(seconds: u64) -> Act {
        Act::after(seconds, Act::Answer(Answer::Done))
    }

    /// What is said of the storage.
    async fn said(world: &World) -> String {
        let said = world.ask(|state| {
            let known = state.storages.get(&STORAGE)?;
            let word = holdfast_engine::condition::Type::BackendInitialized;
            known.conditions.get(word).map(|found| found.message.to_string())
        });
        said.await.unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_panics_has_failed_with_its_words() {
        let stage = Stage { behaves: acts([Act::Panic]), ..Stage::default() };
        let (_dir, mut world) = world(stage, 1).await;
        world.submit(vec![declared(1)]).await;
        world.quiet().await;
        let said = said(&world).await;
        assert!(said.contains("broke off: no luck"), "{said}");
        assert_eq!(world.stage.notes().iter().filter(|note| note.ends_with("begins")).count(), 1);
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn effects_of_one_subject_are_carried_out_one_after_the_other() {
        let stage = Stage { behaves: acts([done(10), done(10)]), ..Stage::default() };
        let (_dir, mut world) = world(stage, 1).await;
        world.submit(vec![declared(1)]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.submit(vec![declared(2)]).await;
        world.quiet().await;
        let (first, second) = (world.stage.times("1 ends"), world.stage.times("2 begins"));
        assert!(second[0] >= first[0] && first[0] >= Duration::from_secs(10));
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_before_its_turn_is_never_begun() {
        let stage = Stage { behaves: acts([done(10)]), ..Stage::default() };
        let (_dir, mut world) = world(stage, 1).await;
        for version in 1..=3 {
            world.submit(vec![declared(version)]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        world.quiet().await;
        assert_eq!(world.stage.times("2 begins").len(), 1);
        assert!(world.stage.times("3 begins").is_empty(), "the second version was given up");
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_ends_when_it_is_given_up_has_ended_before_the_next_begins() {
        let behaves = acts([Act::Never]);
        let stage = Stage { behaves, ends_when_dropped: true, ..Stage::default() };
        let (_dir, mut world) = world(stage, 1).await;
        world.submit(vec![declared(1)]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.submit(vec![declared(2)]).await;
        world.quiet().await;
        let notes = world.stage.notes();
        let notes: Vec<_> = notes.iter().filter(|n| n.starts_with(['1', '2'])).collect();
        assert_eq!(notes, ["1 begins", "1 ends", "2 begins", "2 ends"]);
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_of_the_moment_is_tried_again_until_it_is_over() {
        let trouble = || Act::Trouble { transient: true };
        let stage = Stage { behaves: acts([trouble(), trouble(), trouble()]), ..Stage::default() };
        let (_dir, mut world) = world(stage, 1).await;
        world.submit(vec![declared(1)]).await;
        world.quiet().await;
        assert!(world.ask(|state| state.storages[&STORAGE].is_initialized()).await);
        assert_eq!(world.stage.times("4 begins").len(), 1);
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_that_stays_is_answered_at_once_and_that_of_the_moment_by_the_deadline() {
        for transient in [false, true] {
            let behaves = Box::new(move |_: &Plan, _| Act::Trouble { transient });
            let (_dir, mut world) = world(Stage { behaves, ..Stage::default() }, 1).await;
            let begun = Instant::now();
            world.submit(vec![declared(1)]).await;
            world.quiet().await;
            assert_eq!(said(&world).await, "trouble");
            let limit = Class::Store.terms().deadline;
            let took = begun.elapsed();
            assert_eq!(took > limit / 2, transient, "{took:?}");
            assert!(took < limit + Duration::from_secs(1), "{took:?}");
            world.stop().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_waits_between_tries_follow_from_the_seed() {
        let waits = async |seed| {
            let behaves = Box::new(|_: &Plan, _| Act::Trouble { transient: true });
            let (_dir, mut world) = world(Stage { behaves, ..Stage::default() }, seed).await;
            world.submit(vec![declared(1)]).await;
            world.quiet().await;
            let notes = world.stage.notes().iter().filter(|n| n.ends_with("begins")).count();
            let times: Vec<Duration> =
                (1..=notes).flat_map(|n| world.stage.times(&format!("{n} begins"))).collect();
            world.stop().await;
            times
        };
        let one = waits(1).await;
        assert!(one.len() > 10, "{one:?}");
        assert_eq!(one, waits(1).await);
        assert_ne!(one, waits(2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn work_without_an_end_is_answered_and_keeps_the_next_of_its_subject_waiting() {
        let stage = Stage { behaves: acts([done(600)]), ..Stage::default() };
        let (_dir, mut world) = world(stage, 1).await;
        world.submit(vec![declared(1)]).await;
        tokio::time::sleep(Duration::from_secs(300)).await;
        let said = said(&world).await;
        assert!(said.contains("did not end within 120 s"), "{said}");
        world.submit(vec![declared(2)]).await;
        world.quiet().await;
        assert!(world.stage.times("2 begins")[0] >= world.stage.times("1 ends")[0]);
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn stores_have_so_many_calls_at_once_and_no_more() {
        let stage = Stage { behaves: Box::new(|_, _| done(10)), ..Stage::default() };
        let (_dir, mut world) = world(stage, 1).await;
        let at_once = stores::AT_ONCE;
        let count = u8::try_from(at_once).unwrap() + 2;
        let declare = |n: u8| declared_as(Uid([n; 16]), &format!("s{n}"), 1);
        world.submit((1..=count).map(declare).collect()).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let begun = |world: &World| {
            world.stage.notes().iter().filter(|note| note.ends_with("begins")).count()
        };
        assert_eq!(begun(&world), at_once);
        // What is removed does not wait for what is looked at.
        let gone = |n: u8| Command::Storage(storage::Command::Delete { uid: Uid([n; 16]) });
        world.submit(vec![gone(count)]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.quiet().await;
        assert!(begun(&world) > at_once);
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_fit_is_a_failure() {
        let stage =
            Stage { behaves: acts([Act::Answer(Answer::Hosts(vec![]))]), ..Stage::default() };
        let (_dir, mut world) = world(stage, 1).await;
        world.submit(vec![declared(1)]).await;
        world.quiet().await;
        assert_eq!(said(&world).await, "initialize backend was answered with Hosts");
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_lost_the_lead_begins_nothing_and_answers_nothing() {
        let stage = Stage { behaves: acts([done(10)]), ..Stage::default() };
        let (dir, world) = world(stage, 1).await;
        world.submit(vec![declared(1)]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.stage.lose();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.stage.times("1 ends").len(), 1);
        world.crash().await;
        let ledger =
            holdfast_eventlog::Ledger::open(dir.path(), holdfast_eventlog::Options::default());
        assert_eq!(ledger.unwrap().state().outbox.len(), 1, "it is the next leader's");
    }

    #[test]
    fn nothing_is_begun_that_another_term_or_nobody_asks_for() {
        let mut state = State { epoch: 3, ..State::default() };
        let id = EffectId(1);
        assert!(!is_wanted(&state, id, 3), "nobody asks for it");
        state.outbox.insert(id, Once::InitializeBackend { storage: STORAGE });
        assert!(is_wanted(&state, id, 3));
        assert!(!is_wanted(&state, id, 2) && !is_wanted(&state, id, 4));
    }
}
