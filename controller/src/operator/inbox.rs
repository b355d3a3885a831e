//! Who may say something to the dispatcher, and how.
//!
//! | Lane | Who | When much waits |
//! |---|---|---|
//! | inbox | watchers, clients | they wait for a place |
//! | line | the kernel itself: answers of effects, news of workers, what its tasks ask | it is always taken first, and never full |
//!
//! What goes over the line is bounded by what the log has asked for: a few messages an effect, an attempt, a pass of the
//! publisher. What others send is bounded by the inbox.

use std::time::Duration;

use holdfast_engine::{Actor, Attempt, Command, CommandId, State};
use holdfast_eventlog::{Answer, Refusal};
use tokio::sync::{mpsc, oneshot};

/// Messages that wait in the inbox at most; senders wait when it is full.
const INBOX: usize = 1024;

/// How long a full log is given to have room again.
const ROOM: Duration = Duration::from_secs(1);

/// A command to submit.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its id; the same id twice has one effect. Absent: one of its own.
    pub id: Option<CommandId>,
    /// Who asks.
    pub actor: Actor,
    /// What is asked.
    pub command: Command,
}

impl Order {
    /// A command with an id of its own.
    #[must_use]
    pub fn new(actor: Actor, command: Command) -> Self {
        Self { id: None, actor, command }
    }

    /// The same with an id that was chosen.
    #[must_use]
    pub fn with_id(self, id: CommandId) -> Self {
        Self { id: Some(id), ..self }
    }
}

/// An order and who waits for its answer.
pub(super) struct Waiting {
    pub(super) order: Order,
    pub(super) answer: Option<oneshot::Sender<Answer>>,
}

impl Waiting {
    pub(super) fn nobody(order: Order) -> Self {
        Self { order, answer: None }
    }
}

pub(super) type Question = Box<dyn FnOnce(&State) + Send>;

/// What watchers and clients send.
pub(super) enum Client {
    Submit(Vec<Waiting>),
    Ask(Question),
    Stop,
}

/// What the kernel's own tasks send.
pub(super) enum Own {
    Submit(Vec<Waiting>),
    Ask(Question),
    /// A place has answered for an attempt of an earlier operator.
    Answered(Attempt),
    Look,
}

/// The dispatcher is gone.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operator is stopping")]
pub struct Stopped;

/// Where watchers and clients send.
#[derive(Clone)]
pub struct Inbox(mpsc::Sender<Client>);

/// Where the kernel's own tasks send.
#[derive(Clone)]
pub struct Line(mpsc::UnboundedSender<Own>);

/// The receiving ends.
pub struct Mail {
    pub(super) inbox: mpsc::Receiver<Client>,
    pub(super) line: mpsc::UnboundedReceiver<Own>,
}

/// An inbox, a line, and their receiving ends.
#[must_use]
pub fn open() -> (Inbox, Line, Mail) {
    let (inbox, client) = mpsc::channel(INBOX);
    let (line, own) = mpsc::unbounded_channel();
    (Inbox(inbox), Line(line), Mail { inbox: client, line: own })
}

impl Inbox {
    /// Submits commands, in order, and waits for their answers.
    ///
    /// # Errors
    /// [`Stopped`] when nobody decides any more.
    pub async fn submit(&self, orders: Vec<Order>) -> Result<Vec<Answer>, Stopped> {
        let (orders, answers) = waiting(orders);
        self.0.send(Client::Submit(orders)).await.map_err(|_| Stopped)?;
        collect(answers).await
    }

    /// Asks the state something.
    ///
    /// # Errors
    /// [`Stopped`] when nobody answers any more.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (question, answer) = asked(question);
        self.0.send(Client::Ask(question)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Ends the dispatcher after what is already in the inbox.
    pub async fn stop(&self) {
        // It may have ended by itself.
        let _ = self.0.send(Client::Stop).await;
    }
}

impl Line {
    /// Submits what happened outside, again and again while the log has no room for it: it cannot be asked for once
    /// more. One that comes too late is refused, and that is the end of it.
    ///
    /// # Errors
    /// [`Stopped`] when nobody decides any more; the next start finds it out anew.
    pub async fn insist(&self, order: Order) -> Result<Answer, Stopped> {
        loop {
            let (orders, answers) = waiting(vec![order.clone()]);
            self.0.send(Own::Submit(orders)).map_err(|_| Stopped)?;
            match collect(answers).await?.pop() {
                Some(Answer::Refused(Refusal::NoSpace(_))) => tokio::time::sleep(ROOM).await,
                answer => return answer.ok_or(Stopped),
            }
        }
    }

    /// Asks the state something.
    ///
    /// # Errors
    /// [`Stopped`] when nobody answers any more.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (question, answer) = asked(question);
        self.0.send(Own::Ask(question)).map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Says that a place has answered for an attempt of an earlier operator.
    pub fn answered(&self, attempt: Attempt) {
        // When the dispatcher is gone, no deadline wakes any more.
        let _ = self.0.send(Own::Answered(attempt));
    }

    /// Has the dispatcher look again whether it is quiet.
    pub fn nudge(&self) {
        // When the dispatcher is gone, it is quiet.
        let _ = self.0.send(Own::Look);
    }
}

fn waiting(orders: Vec<Order>) -> (Vec<Waiting>, Vec<oneshot::Receiver<Answer>>) {
    let waiting = orders.into_iter().map(|order| {
        let (sender, receiver) = oneshot::channel();
        (Waiting { order, answer: Some(sender) }, receiver)
    });
    waiting.unzip()
}

async fn collect(answers: Vec<oneshot::Receiver<Answer>>) -> Result<Vec<Answer>, Stopped> {
    let mut all = Vec::with_capacity(answers.len());
    for answer in answers {
        all.push(answer.await.map_err(|_| Stopped)?);
    }
    Ok(all)
}

fn asked<T: Send + 'static>(
    question: impl FnOnce(&State) -> T + Send + 'static,
) -> (Question, oneshot::Receiver<T>) {
    let (sender, receiver) = oneshot::channel();
    let question = Box::new(move |state: &State| {
        // Whoever asked may have gone.
        let _ = sender.send(question(state));
    });
    (question, receiver)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::operator::testing::seen;

    #[tokio::test(start_paused = true)]
    async fn what_happened_outside_is_told_until_the_log_has_room() {
        let (_inbox, line, mut mail) = open();
        let recorded = Answer::Recorded { first: 7, last: 7 };
        let full = || Answer::Refused(Refusal::NoSpace("the next segment".into()));
        let mut answers = vec![recorded.clone(), full(), full()];
        let decides = tokio::spawn(async move {
            let mut asked = 0;
            while let Some(answer) = answers.pop() {
                let Some(Own::Submit(mut orders)) = mail.line.recv().await else { break };
                asked += 1;
                orders.remove(0).answer.unwrap().send(answer).unwrap();
            }
            asked
        });
        let begun = Instant::now();
        let order = || Order::new(Actor::Operator, seen(1));
        assert_eq!(line.insist(order()).await.unwrap(), recorded);
        assert_eq!((decides.await.unwrap(), begun.elapsed()), (3, 2 * ROOM));
        assert!(line.insist(order()).await.is_err(), "nobody decides any more");
    }
}
