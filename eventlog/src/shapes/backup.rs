//! BackupSession. What it has in common with every run has numbers of its own, from 0x40 on.

use holdfast_engine::backup::Trigger;
use holdfast_engine::hook::{Run as Try, Stage};
use holdfast_engine::ids::{Key, Uid};
use holdfast_engine::outcome::Outcome;
use holdfast_engine::run::limit::Lack;
use holdfast_engine::run::{Component, Event as RunEvent, Frozen, StopCause, Worker};
use holdfast_engine::time::{Millis, Timestamp};

use super::shape::shapes;

shapes! { backup
    0x0A01 1 Created { uid: Uid, key: Key, configuration: Uid, session: String, trigger: Trigger, retry_left: u32, timeout: Option<Millis> }
    0x0A02 1 Skipped { uid: Uid, reason: String }
    0x0A03 1 Queued { uid: Uid, behind: Uid, until: Option<Timestamp> }
    0x0A04 1 Started { uid: Uid, deadline: Option<Timestamp>, frozen: Frozen }
    0x0A05 1 SnapshotsEnsured { uid: Uid, total: u32 }
    0x0A06 1 SnapshotsNotEnsured { uid: Uid, message: String }
    0x0A07 1 RetentionStarted { uid: Uid, repository: Uid, policy: Key, removing: u32 }
    0x0A08 1 RetentionApplied { uid: Uid, repository: Uid }
    0x0A09 1 RetentionFailed { uid: Uid, repository: Uid, policy: Key, message: String }
    0x0A0A 1 HistoryCleaned { uid: Uid }
    0x0A0B 1 MetricsPushed { uid: Uid }
    0x0A0C 1 RetryScheduled { uid: Uid, at: Timestamp }
    0x0A0D 1 Retried { uid: Uid, by: Uid }
    0x0A0E 1 Archived { uid: Uid }
    within Run event: RunEvent
        0x0A40 1 Surveyed { uid: Uid, components: u32, storages: Vec<Key> }
        0x0A41 1 ComponentPlanned { uid: Uid, asked: String, component: Component }
        0x0A42 1 HookStarted { uid: Uid, run: Try }
        0x0A43 1 HookEnded { uid: Uid, run: Try, outcome: Outcome }
        0x0A44 1 HooksFinished { uid: Uid, stage: Stage, outcome: Outcome }
        0x0A45 1 AttemptStarted { uid: Uid, component: String, number: u32 }
        0x0A46 1 WorkerObserved { uid: Uid, component: String, number: u32, worker: Worker }
        0x0A47 1 ExecutorEnsured { uid: Uid }
        0x0A48 1 ExecutorNotEnsured { uid: Uid, message: String }
        0x0A49 1 ComponentEnded { uid: Uid, component: String, number: u32, outcome: Outcome, duration: Millis, reported: bool }
        0x0A4A 1 DeadlineExceeded { uid: Uid }
        0x0A4B 1 Cancelled { uid: Uid, cause: StopCause }
        0x0A4C 1 QueuedForWorker { uid: Uid, lack: Lack, limit: u32, left: Option<Millis> }
    ;
}
