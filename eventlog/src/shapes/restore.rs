//! RestoreSession. What it has in common with every run has numbers of its own, from 0x40 on.

use holdfast_engine::hook::{Run as Try, Stage};
use holdfast_engine::ids::{Hash, Key, Uid};
use holdfast_engine::outcome::Outcome;
use holdfast_engine::restore::Spec;
use holdfast_engine::run::limit::Lack;
use holdfast_engine::run::{Component, Event as RunEvent, Frozen, StopCause, Worker};
use holdfast_engine::time::{Millis, Timestamp};

use super::shape::shapes;

shapes! { restore
    0x0C01 1 Declared { uid: Uid, key: Key, generation: u64, hash: Hash, spec: Spec }
    0x0C02 1 ValidationPassed { uid: Uid }
    0x0C03 1 ValidationFailed { uid: Uid, reason: String, message: String }
    0x0C04 1 TargetNotFound { uid: Uid, message: String }
    0x0C05 1 Started { uid: Uid, snapshot: Uid, deadline: Option<Timestamp>, frozen: Frozen }
    0x0C06 1 Incomplete { uid: Uid, message: String }
    0x0C07 1 MetricsPushed { uid: Uid }
    0x0C08 1 Archived { uid: Uid }
    within Run event: RunEvent
        0x0C40 1 Surveyed { uid: Uid, components: u32, storages: Vec<Key> }
        0x0C41 1 ComponentPlanned { uid: Uid, asked: String, component: Component }
        0x0C42 1 HookStarted { uid: Uid, run: Try }
        0x0C43 1 HookEnded { uid: Uid, run: Try, outcome: Outcome }
        0x0C44 1 HooksFinished { uid: Uid, stage: Stage, outcome: Outcome }
        0x0C45 1 AttemptStarted { uid: Uid, component: String, number: u32 }
        0x0C46 1 WorkerObserved { uid: Uid, component: String, number: u32, worker: Worker }
        0x0C47 1 ExecutorEnsured { uid: Uid }
        0x0C48 1 ExecutorNotEnsured { uid: Uid, message: String }
        0x0C49 1 ComponentEnded { uid: Uid, component: String, number: u32, outcome: Outcome, duration: Millis, reported: bool }
        0x0C4A 1 DeadlineExceeded { uid: Uid }
        0x0C4B 1 Cancelled { uid: Uid, cause: StopCause }
        0x0C4C 1 QueuedForWorker { uid: Uid, lack: Lack, limit: u32, left: Option<Millis> }
    ;
}
