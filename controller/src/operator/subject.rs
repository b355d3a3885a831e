//! What effects are about: those of one subject are carried out one after the other, in the order of their numbers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_engine::Once;
use holdfast_engine::{Attempt, EffectId, Uid};
use tokio::sync::oneshot;

/// What an effect is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A storage.
    Storage(Uid),
    /// A repository.
    Repository(Uid),
    /// A session, its survey and its hooks: what a hook undoes is what the hook before it did.
    Session(Uid),
    /// An attempt.
    Attempt(Attempt),
    /// A snapshot.
    Snapshot(Uid),
}

impl Subject {
    /// What an effect is about.
    #[must_use]
    pub fn of(once: &Once) -> Self {
        match once {
            Once::InitializeBackend { storage } | Once::WipeBackend { storage } => {
                Self::Storage(*storage)
            }
            Once::InitializeRepository { repository } | Once::WipeRepository { repository } => {
                Self::Repository(*repository)
            }
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

/// The last effect of each subject that is under way.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<BTreeMap<Subject, Last>>>);

struct Last {
    effect: EffectId,
    end: oneshot::Receiver<()>,
}

/// The turn of one effect; dropped, the next one of its subject begins.
pub struct Turn {
    turns: Turns,
    subject: Subject,
    effect: EffectId,
    before: Option<oneshot::Receiver<()>>,
    _end: oneshot::Sender<()>,
}

impl Turns {
    /// The turn of an effect, behind all that were taken before it.
    #[must_use]
    pub fn take(&self, effect: EffectId, once: &Once) -> Turn {
        let subject = Subject::of(once);
        let (ends, end) = oneshot::channel();
        let last = Last { effect, end };
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = turns.insert(subject.clone(), last).map(|last| last.end);
        Turn { turns: self.clone(), subject, effect, before, _end: ends }
    }
}

impl Turn {
    /// Waits until it has come.
    pub async fn comes(&mut self) {
        if let Some(before) = self.before.take() {
            // The one before it ends by going away.
            let _ = before.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.get(&self.subject).is_some_and(|last| last.effect == self.effect) {
            turns.remove(&self.subject);
        }
    }
}
