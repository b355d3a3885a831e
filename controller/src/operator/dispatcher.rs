//! The actor that owns the log: one task, one order of events. It stamps, submits, answers, and nothing else.
//!
//! Whoever wants something recorded sends a command. What waits is decided together and written as one frame; only then
//! do answers go out. What the frame added to the outbox is the runner's, which is told how far the log goes; what may
//! have changed outside is marked for the publisher. Deadlines are computed from the state, and one that passed is a
//! command like any other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::{
    Actor, Attempt, Command, Due, Envelope, Millis, State, Timestamp, Uid, deadline, lease, level,
};
use holdfast_eventlog::{Answer, Error, Ledger};
use tokio::sync::watch;

use super::inbox::{Client, Mail, Own, Waiting};
pub use super::inbox::{Inbox, Order, Stopped};
use super::publisher::Marks;
use super::tasks::Tasks;
use super::{Ports, due};

/// Commands that are decided together at most: a frame has a limit, and the first of them waits.
const BATCH: usize = 128;

/// The longest sleep: a clock that is set forward is noticed within this.
const LONGEST_SLEEP: Millis = Millis(60_000);

/// The shortest sleep: a deadline that is refused again and again must not keep the processor busy.
const SHORTEST_SLEEP: Millis = Millis(20);

/// What is left to others between two batches of deadlines.
const MOMENT: Millis = Millis(1);

/// How often a deadline that waits for a place's answer is looked at.
const HELD_SLEEP: Millis = Millis(250);

/// How long the deadline of an attempt whose place has not answered sleeps beyond its time (design, section 3).
pub const HOLD: Millis = Millis(20 * 60 * 1000);

/// Nobody but the dispatcher triggers slots here, so none is left to others.
const SLOT_GRACE: Millis = Millis(0);

/// How quiet it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// Nothing waits in the inbox or the outbox, no session is open, no deadline has passed, all is published.
    pub quiet: bool,
    /// Grows with every look, so that a wait can tell an old answer from a new one.
    pub look: u64,
}

/// Who hears of what the dispatcher recorded.
pub struct Listeners {
    /// How far the log goes, for the runner.
    pub recorded: watch::Sender<u64>,
    /// What may have changed, for the publisher.
    pub marks: Marks,
    /// What is under way beside the log.
    pub tasks: Tasks,
    /// How quiet it is.
    pub quiet: Arc<watch::Sender<Quiet>>,
}

/// The actor.
pub struct Dispatcher {
    ledger: Ledger,
    ports: Ports,
    mail: Mail,
    listeners: Listeners,
    epoch: u64,
    /// Attempts of an earlier operator for which their place has not answered yet.
    held: BTreeSet<Attempt>,
}

impl Dispatcher {
    /// Begins a term of leadership in the log. Deadlines sleep until [`Dispatcher::run`].
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn begin(
        ledger: Ledger,
        ports: Ports,
        mail: Mail,
        listeners: Listeners,
        holder: &str,
    ) -> Result<Self, Error> {
        let epoch = ledger.state().epoch + 1;
        let held = BTreeSet::new();
        let mut dispatcher = Self { ledger, ports, mail, listeners, epoch, held };
        let begin = Command::Lease(lease::Command::Begin { holder: holder.into() });
        dispatcher.take(vec![Order::new(Actor::Operator, begin)])?;
        if dispatcher.ledger.state().epoch != epoch {
            // Whoever went on would have everything refused, and would do nothing, for as long as he lives.
            return Err(Error::NoSpace { path: "the begin of a term".into() });
        }
        Ok(dispatcher)
    }

    /// Submits what is known at the start, before any deadline is looked at.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn take(&mut self, orders: Vec<Order>) -> Result<(), Error> {
        self.decide(orders.into_iter().map(Waiting::nobody).collect()).map(drop)
    }

    /// The state, between two batches.
    #[must_use]
    pub fn state(&self) -> &State {
        self.ledger.state()
    }

    /// The term.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Lets the deadline of an attempt's session sleep until its place has answered.
    pub fn hold(&mut self, attempt: Attempt) {
        self.held.insert(attempt);
    }

    /// Works until it is stopped.
    ///
    /// # Errors
    /// When the log cannot be written any more: the process has to end.
    pub async fn run(mut self) -> Result<(), Error> {
        loop {
            let wait = self.wake()?;
            self.look();
            let mut orders = Vec::new();
            let goes_on = tokio::select! {
                biased;
                Some(message) = self.mail.line.recv() => {
                    self.own(message, &mut orders)?;
                    true
                }
                message = self.mail.inbox.recv() => self.client(message, &mut orders)?,
                () = tokio::time::sleep(Duration::from_millis(wait.0)) => continue,
            };
            let goes_on = goes_on && self.gather(&mut orders)?;
            self.decide(orders)?;
            if !goes_on {
                return self.ledger.close();
            }
        }
    }

    /// Takes what waits already, up to a batch, the kernel's own first; false when it has to end.
    fn gather(&mut self, orders: &mut Vec<Waiting>) -> Result<bool, Error> {
        // Questions count as well: whoever asks without end must not keep a deadline from waking.
        for _ in orders.len()..BATCH {
            if let Ok(message) = self.mail.line.try_recv() {
                self.own(message, orders)?;
            } else if let Ok(message) = self.mail.inbox.try_recv() {
                if !self.client(Some(message), orders)? {
                    return Ok(false);
                }
            } else {
                break;
            }
        }
        Ok(true)
    }

    fn own(&mut self, message: Own, orders: &mut Vec<Waiting>) -> Result<(), Error> {
        match message {
            Own::Submit(more) => orders.extend(more),
            Own::Ask(question) => {
                self.decide(std::mem::take(orders))?;
                question(self.ledger.state());
            }
            Own::Answered(attempt) => drop(self.held.remove(&attempt)),
            Own::Look => {}
        }
        Ok(())
    }

    /// False when it has to end.
    fn client(
        &mut self,
        message: Option<Client>,
        orders: &mut Vec<Waiting>,
    ) -> Result<bool, Error> {
        // What came before it is decided before it, on whichever lane it came.
        while let Ok(message) = self.mail.line.try_recv() {
            self.own(message, orders)?;
        }
        match message {
            Some(Client::Submit(more)) => orders.extend(more),
            None | Some(Client::Stop) => return Ok(false),
            Some(Client::Ask(question)) => {
                self.decide(std::mem::take(orders))?;
                question(self.ledger.state());
            }
        }
        Ok(true)
    }

    /// The later of the clock and the log: time in the log never runs backwards.
    fn now(&self) -> Timestamp {
        self.ports.clock.now().max(self.ledger.state().last_at)
    }

    /// Whether anything was recorded.
    fn decide(&mut self, orders: Vec<Waiting>) -> Result<bool, Error> {
        let at = self.now();
        let mut answers = Vec::with_capacity(orders.len());
        let batch: Vec<Envelope> = orders
            .into_iter()
            .map(|Waiting { order: Order { id, actor, command }, answer }| {
                answers.push(answer);
                let id = id.unwrap_or_else(|| self.ports.ids.command_id());
                Envelope { id, at, actor, epoch: self.epoch, command }
            })
            .collect();
        let submitted = self.ledger.submit(&batch)?;
        let state = self.ledger.state();
        let is_recorded = !submitted.recorded.is_empty();
        if is_recorded {
            let changed = |recorded| level::changed(state, recorded);
            self.listeners.marks.mark(submitted.recorded.iter().flat_map(changed));
            self.listeners.recorded.send_replace(state.seq);
        }
        for ((answer, sender), envelope) in submitted.answers.into_iter().zip(answers).zip(&batch) {
            if let Answer::Refused(refusal) = &answer {
                tracing::debug!(%refusal, command = ?std::mem::discriminant(&envelope.command), "refused");
            }
            if let Some(sender) = sender {
                // Whoever asked may have gone.
                let _ = sender.send(answer);
            }
        }
        Ok(is_recorded)
    }

    /// Turns deadlines that have passed into commands, up to a batch of which something is recorded; how long to sleep
    /// until the next.
    fn wake(&mut self) -> Result<Millis, Error> {
        let now = self.now();
        let passed = deadline::due(self.ledger.state(), now, SLOT_GRACE);
        let held = |due: &Due| self.held_until(due).filter(|until| now < *until);
        let until = passed.iter().filter_map(held).min();
        let awake: Vec<Due> = passed.into_iter().filter(|due| held(due).is_none()).collect();
        // A midnight is decided in batches, so that whoever asks meanwhile is answered between two of them; what is
        // refused keeps nothing from its turn.
        for batch in awake.chunks(BATCH) {
            let state = self.ledger.state();
            let commands = batch.iter().filter_map(|due| due::command(state, due.clone(), now));
            let orders = commands.map(|command| Order::new(Actor::Clock, command));
            if self.decide(orders.map(Waiting::nobody).collect())? {
                return Ok(MOMENT);
            }
        }
        let next = match until {
            // What is due after those that are held is looked for: they stand before it.
            Some(until) => Some(until.min(now.plus(HELD_SLEEP))),
            None => deadline::next_wakeup(self.ledger.state(), SLOT_GRACE),
        };
        let wait = next.map_or(LONGEST_SLEEP, |at| at.since(now).min(LONGEST_SLEEP));
        Ok(wait.max(SHORTEST_SLEEP))
    }

    /// Until when a deadline waits for a place's answer about an attempt of its session, if it does.
    fn held_until(&self, due: &Due) -> Option<Timestamp> {
        let Due::Expire { session } = due else { return None };
        self.held.iter().find(|attempt| attempt.session == *session)?;
        self.deadline(*session).map(|deadline| deadline.plus(HOLD))
    }

    fn deadline(&self, session: Uid) -> Option<Timestamp> {
        let state = self.ledger.state();
        match state.backups.get(&session) {
            Some(backup) => backup.deadline,
            None => state.restores.get(&session)?.deadline,
        }
    }

    fn look(&self) {
        let quiet = self.is_quiet();
        self.listeners
            .quiet
            .send_modify(|seen| *seen = Quiet { quiet, look: seen.look.wrapping_add(1) });
    }

    fn is_quiet(&self) -> bool {
        let (state, listeners) = (self.ledger.state(), &self.listeners);
        let busy = [
            listeners.tasks.is_any(),
            !listeners.marks.is_clean(),
            !self.mail.inbox.is_empty(),
            !self.mail.line.is_empty(),
            !state.outbox.is_empty(),
            deadline::next_wakeup(state, SLOT_GRACE).is_some_and(|at| at <= self.now()),
            deadline::is_anything_open(state),
        ];
        !busy.contains(&true)
    }
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{CommandId, EffectId, Envelope, Failure, outbox};
    use holdfast_eventlog::{Ledger, Options, Refusal};

    use super::*;
    use crate::operator::testing::{Act, BEGIN, STORAGE, Stage, World, acts, declared, seen};
    use crate::place::Answer as Placed;

    async fn world() -> (tempfile::TempDir, World) {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(dir.path(), Stage::default(), 1).await;
        (dir, world)
    }

    fn again(dir: &tempfile::TempDir) -> Ledger {
        Ledger::open(dir.path(), Options::default()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn answers_come_in_the_order_of_the_questions_after_the_log_has_them() {
        let (dir, world) = world().await;
        let nobody = outbox::Command::Answer { effect: EffectId(1), answer: Placed::Done };
        let answers = world.submit(vec![seen(1), Command::Outbox(nobody), declared(1)]).await;
        assert!(matches!(
            answers.as_slice(),
            [
                Answer::Recorded { .. },
                Answer::Refused(Refusal::Rejected(_)),
                Answer::Recorded { .. }
            ]
        ));
        world.stop().await;
        let state = again(&dir);
        assert_eq!((state.state().namespaces.len(), state.state().storages.len()), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_order_twice_has_one_effect() {
        let (_dir, mut world) = world().await;
        let id = CommandId([5; 16]);
        let order = || vec![Order::new(Actor::Operator, declared(1)).with_id(id)];
        for repeated in [false, true] {
            let answers = world.inbox.submit(order()).await.unwrap();
            assert_eq!(matches!(answers[0], Answer::Repeated { .. }), repeated, "{answers:?}");
        }
        world.quiet().await;
        assert_eq!(world.stage.times("1 begins").len(), 1);
        assert!(world.stage.times("2 begins").is_empty());
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_the_log_never_runs_backwards() {
        let dir = tempfile::tempdir().unwrap();
        let future = Timestamp(4_102_444_800_000);
        let mut ledger = again(&dir);
        let begin = Command::Lease(lease::Command::Begin { holder: "before".into() });
        let (id, actor) = (CommandId([1; 16]), Actor::Operator);
        ledger.submit(&[Envelope { id, at: future, actor, epoch: 1, command: begin }]).unwrap();
        ledger.close().unwrap();
        assert!(BEGIN < future);
        let world = World::start(dir.path(), Stage::default(), 1).await;
        world.submit(vec![seen(1)]).await;
        world.stop().await;
        assert_eq!(again(&dir).state().last_at, future);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_before_a_question_or_the_end_is_decided_before_it() {
        let (dir, world) = world().await;
        let inbox = world.inbox.clone();
        let sent: Vec<_> = (1..=5)
            .map(|number| {
                let (inbox, order) = (inbox.clone(), Order::new(Actor::Operator, seen(number)));
                tokio::spawn(async move { inbox.submit(vec![order]).await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(world.ask(|state| state.namespaces.len()).await, 5);
        for sent in sent {
            assert!(sent.await.unwrap().is_ok());
        }
        let last = inbox.submit(vec![Order::new(Actor::Operator, seen(6))]);
        let (last, ()) = tokio::join!(last, world.stop());
        assert!(last.is_ok());
        assert_eq!(again(&dir).state().namespaces.len(), 6);
        assert!(inbox.ask(|_| ()).await.is_err(), "nobody is there any more");
        assert!(inbox.submit(vec![]).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_not_quiet_while_an_effect_is_under_way() {
        let dir = tempfile::tempdir().unwrap();
        let act = Act::after(30, Act::Answer(Placed::Done));
        let stage = Stage { behaves: acts([act]), ..Stage::default() };
        let mut world = World::start(dir.path(), stage, 1).await;
        world.quiet().await;
        let begun = tokio::time::Instant::now();
        world.submit(vec![declared(1)]).await;
        world.ask(|_| ()).await;
        assert!(!world.looks.borrow().quiet, "a backend is being looked at");
        world.quiet().await;
        assert!(begun.elapsed() >= Duration::from_secs(30));
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn watchers_that_flood_it_keep_no_answer_waiting() {
        let (_dir, mut world) = world().await;
        // More than the inbox holds, from many who never stop.
        let flood: Vec<_> = (0..8_u8)
            .map(|number| {
                let inbox = world.inbox.clone();
                tokio::spawn(async move {
                    loop {
                        let orders =
                            (0..400).map(|_| Order::new(Actor::Operator, seen(number))).collect();
                        if inbox.submit(orders).await.is_err() {
                            break;
                        }
                    }
                })
            })
            .collect();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let before = world.looks.borrow_and_update().look;
        world.submit(vec![declared(1)]).await;
        // The effect is begun and answered within a few passes, however much waits in the inbox.
        let initialized = loop {
            world.looks.changed().await.unwrap();
            let known = world.ask(|state| state.storages[&STORAGE].is_initialized()).await;
            if known {
                break world.looks.borrow().look;
            }
        };
        assert!(initialized - before < 60, "{} passes", initialized - before);
        flood.iter().for_each(tokio::task::JoinHandle::abort);
        world.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_waits_for_changes_nothing() {
        let (_dir, world) = world().await;
        let seq = world.ask(|state| state.seq).await;
        let failure = Failure { reason: "X".into(), message: "x".into(), permanent: true };
        let answer = Placed::Failed(failure);
        let late = outbox::Command::Answer { effect: EffectId(1), answer };
        let answers = world.submit(vec![Command::Outbox(late)]).await;
        assert!(matches!(answers.as_slice(), [Answer::Refused(_)]), "{answers:?}");
        assert_eq!(world.ask(|state| state.seq).await, seq);
        world.stop().await;
    }
}
