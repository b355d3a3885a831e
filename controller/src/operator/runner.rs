//! Carries out once-effects: one task an effect, with everything that no place has to know.
//!
//! | Situation | What happens |
//! |---|---|
//! | two effects of one subject (an attempt, a session's hooks, a repository, a storage) | the later one begins when the earlier one has ended |
//! | an effect that nobody waits for any more, before it begins | it is left undone |
//! | the same while it works | work that ends when it is given up (a hook) is ended, all else goes on to its end |
//! | a term of leadership that is over | effects that have not begun are left undone |
//! | a panic | the effect has failed, with the words of the panic |

use std::collections::BTreeMap;

use holdfast_engine::effect::Once;
use holdfast_engine::{Actor, Attempt, EffectId, State, Uid};
use holdfast_eventlog::Ledger;
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::broken;
use super::tasks::{Tasks, words_of};
use crate::place::Task;

/// What effects are about: those of one subject are carried out one after the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Storage(Uid),
    Repository(Uid),
    Session(Uid),
    Attempt(Attempt),
    Snapshot(Uid),
}

impl Subject {
    fn of(once: &Once) -> Self {
        match once {
            Once::InitializeBackend { storage } | Once::WipeBackend { storage } => {
                Self::Storage(*storage)
            }
            Once::InitializeRepository { repository } | Once::WipeRepository { repository } => {
                Self::Repository(*repository)
            }
            // What a hook undoes is what the hook before it did.
            Once::Survey { session } | Once::RunHook { session, .. } => Self::Session(*session),
            Once::StartWorker { attempt } | Once::StopWorker { attempt } => {
                Self::Attempt(attempt.clone())
            }
            Once::UploadMetadata { snapshot } | Once::RemoveSnapshot { snapshot, .. } => {
                Self::Snapshot(*snapshot)
            }
        }
    }
}

/// Runs the effects of one term.
pub struct Runner {
    tasks: Tasks,
    epoch: u64,
    /// Each is answered by the end of the last effect of its subject.
    last: BTreeMap<Subject, oneshot::Receiver<()>>,
    /// Work that ends when it is given up; so it does when its sender goes.
    given_up: BTreeMap<EffectId, oneshot::Sender<()>>,
}

impl Runner {
    /// A runner of the term `epoch`.
    #[must_use]
    pub fn new(tasks: Tasks, epoch: u64) -> Self {
        Self { tasks, epoch, last: BTreeMap::new(), given_up: BTreeMap::new() }
    }

    /// Begins an effect when it is its turn.
    pub fn begin(&mut self, id: EffectId, once: Once, task: Task) {
        // Whose end is known needs no place any more.
        self.last
            .retain(|_, end| matches!(end.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        let (ends, end) = oneshot::channel();
        let before = self.last.insert(Subject::of(&once), end);
        let gone = task.ends_when_given_up.then(|| {
            let (keep, gone) = oneshot::channel();
            self.given_up.insert(id, keep);
            gone
        });
        let span = tracing::info_span!("effect", %id, what = name(&once));
        let (inbox, epoch) = (self.tasks.inbox().clone(), self.epoch);
        let work = async move {
            if let Some(before) = before {
                // It ends by a message or by going away.
                let _ = before.await;
            }
            let wanted = inbox.ask(move |ledger| is_wanted(ledger.state(), id, epoch)).await;
            if matches!(wanted, Ok(true)) {
                carry_out(&inbox, id, task, gone).await;
            }
            drop(ends);
        };
        self.tasks.run(work.instrument(span));
    }

    /// Ends work that nobody waits for any more.
    pub fn give_up(&mut self, ledger: &Ledger) {
        let outbox = &ledger.state().outbox;
        self.given_up.retain(|id, _| outbox.contains_key(id));
    }
}

fn is_wanted(state: &State, id: EffectId, epoch: u64) -> bool {
    if state.epoch != epoch {
        tracing::warn!(epoch, "an effect of a term that is over is left undone");
    }
    state.epoch == epoch && state.outbox.contains_key(&id)
}

async fn carry_out(
    inbox: &super::dispatcher::Inbox,
    id: EffectId,
    task: Task,
    gone: Option<oneshot::Receiver<()>>,
) {
    let given_up = async {
        match gone {
            Some(gone) => drop(gone.await),
            None => std::future::pending().await,
        }
    };
    let mut working = tokio::spawn(task.work.in_current_span());
    let done = tokio::select! {
        done = &mut working => done,
        () = given_up => {
            working.abort();
            // What it started has ended when it is gone.
            working.await
        }
    };
    let panic = match done {
        Ok(command) => return inbox.report(Actor::Operator, command).await,
        Err(broken) => match broken.try_into_panic() {
            Ok(panic) => panic,
            Err(_given_up) => return,
        },
    };
    let failure = broken::failure(&words_of(&*panic));
    tracing::error!(failure.message, "an effect broke off");
    inbox.report(Actor::Operator, broken::report(id, failure)).await;
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
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::{Duration, Instant};

    use holdfast_engine::{Command, Level, Recorded, outbox};
    use holdfast_eventlog::{Ledger, Options};
    use tokio::sync::{Notify, watch};

    use super::*;
    use crate::operator::Kernel;
    use crate::operator::dispatcher::tests::{STORAGE, declared};
    use crate::operator::dispatcher::{Dispatcher, Inbox, Order, Quiet, inbox};
    use crate::place::Place;

    #[derive(Clone, Copy)]
    enum Work {
        Panics,
        WaitsForTheGate,
        EndsWhenGivenUp,
    }

    /// A place that does what it is told, and notes it.
    #[derive(Clone, Default)]
    struct Told {
        notes: Arc<Mutex<Vec<String>>>,
        gate: Arc<Notify>,
        works: Arc<Mutex<Vec<Work>>>,
    }

    impl Told {
        fn note(&self, note: String) {
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        }

        fn notes(&self) -> Vec<String> {
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    struct Ends(Told, usize);

    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.note(format!("{} ends", self.1));
        }
    }

    impl Place for Told {
        fn task(&mut self, _: &Ledger, effect: EffectId, _: Once) -> Option<Task> {
            let mut works = self.works.lock().unwrap();
            let work = if works.is_empty() { Work::WaitsForTheGate } else { works.remove(0) };
            let (told, number) = (self.clone(), 3 - works.len());
            let task = Task::new(async move {
                told.note(format!("{number} begins"));
                let gate = told.gate.clone();
                let _ends = Ends(told, number);
                match work {
                    Work::Panics => panic!("no luck"),
                    Work::WaitsForTheGate => gate.notified().await,
                    Work::EndsWhenGivenUp => std::future::pending().await,
                }
                Command::Outbox(outbox::Command::Answer { effect, answer: outbox::Answer::Done })
            });
            Some(if matches!(work, Work::EndsWhenGivenUp) {
                task.ends_when_given_up()
            } else {
                task
            })
        }

        fn recorded(&mut self, _: &Ledger, _: &[Recorded]) {}

        fn level(&mut self, _: &Ledger, _: Level) -> Option<Command> {
            None
        }
    }

    struct World {
        _dir: tempfile::TempDir,
        told: Told,
        inbox: Inbox,
        runtime: tokio::runtime::Runtime,
        thread: std::thread::JoinHandle<Result<(), holdfast_eventlog::Error>>,
    }

    impl World {
        /// An operator whose effects come to these works, in order; three at most.
        fn new(works: [Work; 3]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let ledger = Ledger::open(dir.path(), Options::default()).unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            let (inbox, mail) = inbox();
            let told = Told { works: Arc::new(Mutex::new(works.to_vec())), ..Told::default() };
            let tasks = Tasks::new(runtime.handle().clone(), inbox.clone());
            let kernel = Kernel::new(told.clone(), tasks, 0);
            let quiet = Arc::new(watch::Sender::new(Quiet::default()));
            let dispatcher = Dispatcher::begin(ledger, kernel, mail, "me", quiet).unwrap();
            let handle = runtime.handle().clone();
            let thread = std::thread::spawn(move || dispatcher.run(&handle));
            Self { _dir: dir, told, inbox, runtime, thread }
        }

        /// Declares the storage with other content, which gives up what was asked for before.
        fn declare(&self, version: u8) {
            let order = Order::new(Actor::Operator, declared(version));
            self.runtime.block_on(self.inbox.submit(vec![order])).unwrap();
        }

        fn until(&self, notes: &[&str]) {
            let begun = Instant::now();
            while self.told.notes() != notes {
                let waited = begun.elapsed() > Duration::from_secs(20);
                assert!(!waited, "{:?} instead of {notes:?}", self.told.notes());
                std::thread::sleep(Duration::from_millis(5));
            }
        }

        /// What is said of the storage once nothing is asked of it any more.
        fn said(&self) -> Option<String> {
            let begun = Instant::now();
            loop {
                let asked = self.inbox.ask(|ledger| {
                    let state = ledger.state();
                    let failure = state.storages.get(&STORAGE).and_then(|known| {
                        let word = holdfast_engine::condition::Type::BackendInitialized;
                        known.conditions.get(word).map(|found| found.message.clone())
                    });
                    (state.outbox.is_empty(), failure)
                });
                match self.runtime.block_on(asked).unwrap() {
                    (true, said) => return said,
                    _ if begun.elapsed() > Duration::from_secs(20) => panic!("it still waits"),
                    _ => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        }

        fn stop(self) {
            self.runtime.block_on(self.inbox.stop());
            self.thread.join().unwrap().unwrap();
        }
    }

    #[test]
    fn work_that_panics_has_failed_with_its_words() {
        let world = World::new([Work::Panics, Work::WaitsForTheGate, Work::WaitsForTheGate]);
        world.declare(1);
        let said = world.said().unwrap();
        assert!(said.contains("broke off: no luck"), "{said}");
        world.stop();
    }

    #[test]
    fn effects_of_one_subject_are_carried_out_one_after_the_other() {
        use Work::WaitsForTheGate as Waits;
        let world = World::new([Waits, Waits, Waits]);
        world.declare(1);
        world.until(&["1 begins"]);
        world.declare(2);
        std::thread::sleep(Duration::from_millis(100));
        world.until(&["1 begins"]);
        world.told.gate.notify_one();
        world.until(&["1 begins", "1 ends", "2 begins"]);
        world.told.gate.notify_one();
        world.said();
        world.stop();
    }

    #[test]
    fn what_is_given_up_before_its_turn_is_never_begun() {
        use Work::WaitsForTheGate as Waits;
        let world = World::new([Waits, Waits, Waits]);
        world.declare(1);
        world.until(&["1 begins"]);
        world.declare(2);
        world.declare(3);
        world.told.gate.notify_one();
        world.until(&["1 begins", "1 ends", "3 begins"]);
        world.stop();
    }

    #[test]
    fn work_that_ends_when_it_is_given_up_has_ended_before_the_next_begins() {
        use Work::{EndsWhenGivenUp, WaitsForTheGate as Waits};
        let world = World::new([EndsWhenGivenUp, Waits, Waits]);
        world.declare(1);
        world.until(&["1 begins"]);
        world.declare(2);
        world.until(&["1 begins", "1 ends", "2 begins"]);
        world.stop();
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
