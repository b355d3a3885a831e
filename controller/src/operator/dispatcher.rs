//! The actor that owns the log: one inbox, one thread, one order of events.
//!
//! Whoever wants something recorded sends a command. What waits is decided together and written as one frame;
//! only then do answers go out and effects to their handler. Deadlines are computed from the state after
//! every batch, and one that passed is a command like any other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::{
    Actor, Command, CommandId, EffectId, Envelope, Event, Level, Millis, Once, Recorded, Timestamp,
    deadline, lease, level, outbox,
};
use holdfast_eventlog::{Answer, Error, Ledger};
use tokio::runtime::Handle as Runtime;
use tokio::sync::{mpsc, oneshot, watch};

use crate::ports::{clock, ids};

/// Commands that wait at most; senders wait when it is full.
const INBOX: usize = 1024;

/// Commands that are decided together at most: a frame has a limit, and the first of them waits.
const BATCH: usize = 256;

/// The longest sleep: a clock that is set forward is noticed within this.
const LONGEST_SLEEP: Millis = Millis(60_000);

/// Nobody but the dispatcher triggers slots here, so none is left to others.
const SLOT_GRACE: Millis = Millis(0);

/// What the dispatcher hands out after each batch, while the log stands still.
pub trait Handler: Send {
    /// Carries out an effect. It must not wait: what takes time is a task that sends a command.
    fn carry_out(&mut self, ledger: &Ledger, id: EffectId, once: Once);

    /// Looks again at what follows from the state as it is.
    fn level(&mut self, ledger: &Ledger, level: Level);

    /// What was recorded, before the effects of the same batch.
    fn recorded(&mut self, ledger: &Ledger, events: &[Recorded]);

    /// Turns a deadline that passed into a command.
    fn due(&mut self, ledger: &Ledger, due: deadline::Due, now: Timestamp) -> Option<Command>;

    /// Whether a task is under way that nothing in the log tells of.
    fn is_busy(&self) -> bool;
}

/// What can be sent.
enum Message {
    Submit(Vec<Order>),
    Ask(Box<dyn FnOnce(&mut Ledger) + Send>),
    Look,
    Stop,
}

/// A command to submit.
pub struct Order {
    /// Its id; the same id twice has one effect.
    pub id: CommandId,
    /// Who asks.
    pub actor: Actor,
    /// What is asked.
    pub command: Command,
    answer: Option<oneshot::Sender<Answer>>,
}

impl Order {
    /// A command with an id of its own.
    #[must_use]
    pub fn new(actor: Actor, command: Command) -> Self {
        Self { id: ids::command_id(), actor, command, answer: None }
    }

    /// The same with an id that was chosen.
    #[must_use]
    pub fn with_id(self, id: CommandId) -> Self {
        Self { id, ..self }
    }
}

/// Sends to the dispatcher.
#[derive(Clone)]
pub struct Inbox {
    sender: mpsc::Sender<Message>,
}

/// The dispatcher is gone.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operator is stopping")]
pub struct Stopped;

impl Inbox {
    /// Submits commands, in order, and waits for their answers.
    ///
    /// # Errors
    /// [`Stopped`] when nobody decides any more.
    pub async fn submit(&self, orders: Vec<Order>) -> Result<Vec<Answer>, Stopped> {
        let (orders, answers): (Vec<_>, Vec<_>) = orders
            .into_iter()
            .map(|order| {
                let (sender, receiver) = oneshot::channel();
                (Order { answer: Some(sender), ..order }, receiver)
            })
            .unzip();
        self.sender.send(Message::Submit(orders)).await.map_err(|_| Stopped)?;
        let mut all = Vec::with_capacity(answers.len());
        for answer in answers {
            all.push(answer.await.map_err(|_| Stopped)?);
        }
        Ok(all)
    }

    /// Reports what came of an effect. Nobody waits for the answer: a report that comes too late is refused,
    /// and that is the end of it.
    pub async fn report(&self, actor: Actor, command: Command) {
        // When the dispatcher is gone, the next start finds the effect in the outbox.
        let _ = self.sender.send(Message::Submit(vec![Order::new(actor, command)])).await;
    }

    /// Asks the log something.
    ///
    /// # Errors
    /// [`Stopped`] when nobody answers any more.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Ledger) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (sender, receiver) = oneshot::channel();
        let question = Box::new(move |ledger: &mut Ledger| {
            // Whoever asked may have gone.
            let _ = sender.send(question(ledger));
        });
        self.sender.send(Message::Ask(question)).await.map_err(|_| Stopped)?;
        receiver.await.map_err(|_| Stopped)
    }

    /// Has the dispatcher look again whether it is quiet. A full inbox leads to a look anyway.
    pub fn nudge(&self) {
        let _ = self.sender.try_send(Message::Look);
    }

    /// Ends the dispatcher after what is already in the inbox.
    pub async fn stop(&self) {
        // It may have ended by itself.
        let _ = self.sender.send(Message::Stop).await;
    }
}

/// The receiving end of an inbox.
pub struct Mail(mpsc::Receiver<Message>);

/// An inbox and its receiving end.
#[must_use]
pub fn inbox() -> (Inbox, Mail) {
    let (sender, receiver) = mpsc::channel(INBOX);
    (Inbox { sender }, Mail(receiver))
}

/// How quiet it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// Nothing waits in the inbox or the outbox, no session is open, no deadline has passed.
    pub quiet: bool,
    /// Grows with every look, so that a wait can tell an old answer from a new one.
    pub look: u64,
}

/// The actor.
pub struct Dispatcher<H> {
    ledger: Ledger,
    handler: H,
    mail: Mail,
    epoch: u64,
    quiet: Arc<watch::Sender<Quiet>>,
}

impl<H: Handler> Dispatcher<H> {
    /// Begins a term of leadership. Deadlines sleep until [`Dispatcher::run`].
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn begin(
        ledger: Ledger,
        handler: H,
        mail: Mail,
        holder: &str,
        quiet: Arc<watch::Sender<Quiet>>,
    ) -> Result<Self, Error> {
        let epoch = ledger.state().epoch + 1;
        let mut dispatcher = Self { ledger, handler, mail, epoch, quiet };
        let begin = Command::Lease(lease::Command::Begin { holder: holder.into() });
        dispatcher.decide(vec![Order::new(Actor::Operator, begin)])?;
        Ok(dispatcher)
    }

    /// Submits what is known at the start, before any deadline is looked at.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn take(&mut self, orders: Vec<Order>) -> Result<(), Error> {
        self.decide(orders)
    }

    /// The log, between two batches.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Carries out effects that an earlier term left.
    pub fn carry_out(&mut self, effects: impl IntoIterator<Item = (EffectId, Once)>) {
        for (id, once) in effects {
            self.handler.carry_out(&self.ledger, id, once);
        }
    }

    /// Looks again at what follows from the state as it is.
    pub fn look_at(&mut self, levels: impl IntoIterator<Item = Level>) {
        for level in levels {
            self.handler.level(&self.ledger, level);
        }
    }

    /// Works until it is stopped.
    ///
    /// # Errors
    /// When the log cannot be written any more: the process has to end.
    pub fn run(mut self, runtime: &Runtime) -> Result<(), Error> {
        loop {
            self.wake()?;
            self.look();
            let wait = self.sleep();
            let received =
                runtime.block_on(async { tokio::time::timeout(wait, self.mail.0.recv()).await });
            let mut orders = Vec::new();
            let mut next = match received {
                Err(_elapsed) => continue,
                Ok(message) => message,
            };
            loop {
                match next {
                    None | Some(Message::Stop) => {
                        self.decide(orders)?;
                        return self.ledger.close();
                    }
                    Some(Message::Look) => {}
                    Some(Message::Submit(more)) => orders.extend(more),
                    Some(Message::Ask(question)) => {
                        // What came before the question is part of its answer.
                        self.decide(std::mem::take(&mut orders))?;
                        question(&mut self.ledger);
                    }
                }
                if orders.len() >= BATCH {
                    break;
                }
                match self.mail.0.try_recv() {
                    Ok(message) => next = Some(message),
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => next = None,
                }
            }
            self.decide(orders)?;
        }
    }

    /// The later of the clock and the log: time in the log never runs backwards.
    fn now(&self) -> Timestamp {
        clock::now().max(self.ledger.state().last_at)
    }

    fn decide(&mut self, orders: Vec<Order>) -> Result<(), Error> {
        if orders.is_empty() {
            return Ok(());
        }
        let at = self.now();
        let mut answers = Vec::with_capacity(orders.len());
        let batch: Vec<Envelope> = orders
            .into_iter()
            .map(|Order { id, actor, command, answer }| {
                answers.push(answer);
                Envelope { id, at, actor, epoch: self.epoch, command }
            })
            .collect();
        let submitted = self.ledger.submit(&batch)?;
        self.handler.recorded(&self.ledger, &submitted.recorded);
        self.look_at(changed(&self.ledger, &submitted.recorded));
        for ((answer, sender), envelope) in submitted.answers.into_iter().zip(answers).zip(&batch) {
            if let Answer::Refused(refusal) = &answer {
                tracing::debug!(%refusal, command = ?std::mem::discriminant(&envelope.command), "refused");
            }
            if let Some(sender) = sender {
                // Whoever asked may have gone.
                let _ = sender.send(answer);
            }
        }
        self.carry_out(wanted(&self.ledger, &submitted.recorded));
        Ok(())
    }

    /// Turns every deadline that has passed into a command.
    fn wake(&mut self) -> Result<(), Error> {
        let now = self.now();
        let passed = deadline::due(self.ledger.state(), now, SLOT_GRACE);
        let orders: Vec<Order> = passed
            .into_iter()
            .filter_map(|due| self.handler.due(&self.ledger, due, now))
            .map(|command| Order::new(Actor::Clock, command))
            .collect();
        self.decide(orders)
    }

    fn sleep(&self) -> Duration {
        let wait = deadline::next_wakeup(self.ledger.state(), SLOT_GRACE)
            .map_or(LONGEST_SLEEP, |at| at.since(self.now()).min(LONGEST_SLEEP));
        // A deadline that is refused again and again must not keep the processor busy.
        Duration::from_millis(wait.0.max(20))
    }

    fn look(&self) {
        let state = self.ledger.state();
        let open = deadline::is_anything_open(state);
        let due = deadline::next_wakeup(state, SLOT_GRACE).is_some_and(|at| at <= self.now());
        let quiet = state.outbox.is_empty()
            && !open
            && !due
            && !self.handler.is_busy()
            && self.mail.0.is_empty();
        self.quiet.send_modify(|seen| *seen = Quiet { quiet, look: seen.look + 1 });
    }
}

/// What these events requested and nothing has settled since.
fn wanted(ledger: &Ledger, recorded: &[Recorded]) -> Vec<(EffectId, Once)> {
    let requested = recorded.iter().filter_map(|recorded| match &recorded.event {
        Event::Outbox(outbox::Event::Requested { once }) => {
            Some((EffectId(recorded.seq), once.clone()))
        }
        _ => None,
    });
    requested.filter(|(id, _)| ledger.state().outbox.contains_key(id)).collect()
}

/// What has to be looked at again because of these events, each once.
fn changed(ledger: &Ledger, recorded: &[Recorded]) -> BTreeSet<Level> {
    recorded.iter().flat_map(|recorded| level::changed(ledger.state(), recorded)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Mutex, PoisonError};

    use holdfast_engine::effect::Once;
    use holdfast_engine::storage::{self, DeletionPolicy, Provider};
    use holdfast_engine::{Event, Hash, Key, Uid, namespace};
    use holdfast_eventlog::{Options, Refusal};

    use super::*;

    /// Notes what it is handed, in order.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    impl Notes {
        fn add(&self, note: impl Into<String>) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(note.into());
        }

        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }

    impl Handler for Notes {
        fn carry_out(&mut self, ledger: &Ledger, id: EffectId, once: Once) {
            if let Once::InitializeBackend { .. } = once {
                assert!(ledger.state().outbox.contains_key(&id), "it is recorded by now");
                self.add("effect");
            }
        }

        fn level(&mut self, _: &Ledger, _: Level) {}

        fn recorded(&mut self, ledger: &Ledger, events: &[Recorded]) {
            if let Some(last) = events.last() {
                assert_eq!(ledger.head().seq, last.seq, "it is on disk by now");
            }
            for recorded in events {
                self.add(match recorded.event {
                    Event::Storage(_) => "storage",
                    Event::Namespace(_) => "namespace",
                    Event::Outbox(_) => continue,
                    _ => "other",
                });
            }
        }

        fn due(&mut self, _: &Ledger, _: deadline::Due, _: Timestamp) -> Option<Command> {
            None
        }

        fn is_busy(&self) -> bool {
            false
        }
    }

    struct World {
        dir: tempfile::TempDir,
        notes: Notes,
        inbox: Inbox,
        looks: watch::Receiver<Quiet>,
        runtime: tokio::runtime::Runtime,
        thread: std::thread::JoinHandle<Result<(), Error>>,
    }

    impl World {
        /// A dispatcher at work on a new log whose last event is from this instant.
        fn new(last_at: Timestamp) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let mut ledger = Ledger::open(dir.path(), Options::default()).unwrap();
            let begin = Command::Lease(lease::Command::Begin { holder: "before".into() });
            let (id, actor) = (CommandId([1; 16]), Actor::Operator);
            let envelope = Envelope { id, at: last_at, actor, epoch: 1, command: begin };
            ledger.submit(&[envelope]).unwrap();
            let (inbox, mail) = inbox();
            let notes = Notes::default();
            let quiet = Arc::new(watch::Sender::new(Quiet::default()));
            let looks = quiet.subscribe();
            let dispatcher = Dispatcher::begin(ledger, notes.clone(), mail, "me", quiet).unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let handle = runtime.handle().clone();
            let thread = std::thread::spawn(move || dispatcher.run(&handle));
            assert_eq!(notes.take(), ["other"], "its own term");
            Self { dir, notes, inbox, looks, runtime, thread }
        }

        fn submit(&self, commands: Vec<Command>) -> Vec<Answer> {
            let orders = commands.into_iter().map(|c| Order::new(Actor::Operator, c)).collect();
            self.runtime.block_on(self.inbox.submit(orders)).unwrap()
        }

        /// Stops it; the log as it was left.
        fn stop(self) -> (tempfile::TempDir, Ledger) {
            self.runtime.block_on(self.inbox.stop());
            self.thread.join().unwrap().unwrap();
            let ledger = Ledger::open(self.dir.path(), Options::default()).unwrap();
            (self.dir, ledger)
        }
    }

    fn seen(number: u8) -> Command {
        Command::Namespace(namespace::Command::Observe {
            uid: Uid([number; 16]),
            name: format!("n{number}"),
            labels: std::collections::BTreeMap::new(),
        })
    }

    /// The storage that [`declared`] declares.
    pub(crate) const STORAGE: Uid = Uid([9; 16]);

    /// The storage `demo/store`; each version has other content.
    pub(crate) fn declared(version: u8) -> Command {
        Command::Storage(storage::Command::Declare {
            uid: STORAGE,
            key: Key::new("demo", "store"),
            generation: version.into(),
            hash: Hash([version; 32]),
            spec: storage::Spec {
                provider: Provider::Local,
                identity: String::new(),
                secret: None,
                usage: None,
                default: false,
                deletion: DeletionPolicy::Delete,
                own_namespace_only: false,
                invalid: None,
            },
        })
    }

    #[test]
    fn answers_come_in_the_order_of_the_questions_after_the_log_has_them() {
        let world = World::new(Timestamp(1));
        let nobody = outbox::Command::Answer { effect: EffectId(1), answer: outbox::Answer::Done };
        let answers = world.submit(vec![seen(1), Command::Outbox(nobody), declared(1)]);
        assert!(matches!(
            answers.as_slice(),
            [
                Answer::Recorded { .. },
                Answer::Refused(Refusal::Rejected(_)),
                Answer::Recorded { .. }
            ]
        ));
        let notes = world.notes.clone();
        let (_dir, ledger) = world.stop();
        assert_eq!(notes.take(), ["namespace", "storage", "effect"]);
        assert_eq!(ledger.state().namespaces.len(), 1);
    }

    #[test]
    fn the_same_order_twice_has_one_effect() {
        let world = World::new(Timestamp(1));
        let id = CommandId([5; 16]);
        let order = || vec![Order::new(Actor::Operator, declared(1)).with_id(id)];
        for repeated in [false, true] {
            let answers = world.runtime.block_on(world.inbox.submit(order())).unwrap();
            assert_eq!(matches!(answers[0], Answer::Repeated { .. }), repeated, "{answers:?}");
        }
        let notes = world.notes.clone();
        world.stop();
        assert_eq!(notes.take(), ["storage", "effect"]);
    }

    #[test]
    fn time_in_the_log_never_runs_backwards() {
        let future = Timestamp(4_102_444_800_000);
        let world = World::new(future);
        world.submit(vec![seen(1)]);
        let (_dir, ledger) = world.stop();
        assert_eq!(ledger.state().last_at, future);
    }

    #[test]
    fn what_was_sent_before_a_question_or_the_end_is_decided_before_it() {
        let world = World::new(Timestamp(1));
        let inbox = world.inbox.clone();
        let known = world.runtime.block_on(async {
            for number in 1..=5 {
                inbox.report(Actor::Operator, seen(number)).await;
            }
            inbox.ask(|ledger| ledger.state().namespaces.len()).await
        });
        assert_eq!(known.unwrap(), 5);
        world.runtime.block_on(inbox.report(Actor::Operator, seen(6)));
        let (_dir, ledger) = world.stop();
        assert_eq!(ledger.state().namespaces.len(), 6);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(inbox.ask(|_| ())).is_err(), "nobody is there any more");
        assert!(runtime.block_on(inbox.submit(vec![])).is_err());
    }

    #[test]
    fn it_is_not_quiet_while_an_effect_is_under_way() {
        let mut world = World::new(Timestamp(1));
        let limit = Duration::from_secs(60);
        let quiet = world.looks.wait_for(|seen| seen.quiet);
        let quiet = world.runtime.block_on(async { tokio::time::timeout(limit, quiet).await });
        assert!(quiet.unwrap().unwrap().quiet);
        world.submit(vec![declared(1)]);
        // Two looks later the first of them is certainly from after the answer.
        let before = world.looks.borrow().look;
        for look in 1..=2 {
            world.runtime.block_on(world.inbox.ask(|_| ())).unwrap();
            let next = world.looks.wait_for(|seen| seen.look >= before + look);
            let next = world.runtime.block_on(async { tokio::time::timeout(limit, next).await });
            assert!(!next.unwrap().unwrap().quiet, "a backend is being looked at");
        }
        world.stop();
    }
}
