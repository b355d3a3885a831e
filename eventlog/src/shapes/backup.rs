//! BackupSession.

use holdfast_engine::backup::{Component, Frozen, Trigger, Worker};
use holdfast_engine::hook::{Run, Stage};
use holdfast_engine::ids::{Key, Uid};
use holdfast_engine::outcome::Outcome;
use holdfast_engine::run::StopCause;
use holdfast_engine::time::{Millis, Timestamp};

use super::shapes;

shapes! { backup
    0x0A01 1 Created { uid: Uid, key: Key, configuration: Uid, session: String, trigger: Trigger, retry_left: u32, timeout: Option<Millis> }
    0x0A02 1 Skipped { uid: Uid, reason: String }
    0x0A03 1 Queued { uid: Uid, behind: Uid, until: Option<Timestamp> }
    0x0A04 1 Started { uid: Uid, deadline: Option<Timestamp>, frozen: Frozen }
    0x0A05 1 SnapshotsEnsured { uid: Uid, total: u32 }
    0x0A06 1 SnapshotsNotEnsured { uid: Uid, message: String }
    0x0A07 1 Surveyed { uid: Uid, components: u32 }
    0x0A08 1 ComponentPlanned { uid: Uid, component: Component }
    0x0A09 1 HookStarted { uid: Uid, run: Run }
    0x0A0A 1 HookEnded { uid: Uid, run: Run, outcome: Outcome }
    0x0A0B 1 HooksFinished { uid: Uid, stage: Stage, outcome: Outcome }
    0x0A0C 1 AttemptStarted { uid: Uid, component: String, number: u32 }
    0x0A0D 1 WorkerObserved { uid: Uid, component: String, number: u32, worker: Worker }
    0x0A0E 1 ExecutorEnsured { uid: Uid }
    0x0A0F 1 ExecutorNotEnsured { uid: Uid, message: String }
    0x0A10 1 ComponentEnded { uid: Uid, component: String, number: u32, outcome: Outcome, duration: Millis }
    0x0A11 1 DeadlineExceeded { uid: Uid }
    0x0A12 1 Cancelled { uid: Uid, cause: StopCause }
    0x0A13 1 RetentionStarted { uid: Uid, repository: Uid, policy: Key, removing: u32 }
    0x0A14 1 RetentionApplied { uid: Uid, repository: Uid }
    0x0A15 1 RetentionFailed { uid: Uid, repository: Uid, policy: Key, message: String }
    0x0A16 1 HistoryCleaned { uid: Uid }
    0x0A17 1 MetricsPushed { uid: Uid }
    0x0A18 1 RetryScheduled { uid: Uid, at: Timestamp }
    0x0A19 1 Retried { uid: Uid, by: Uid }
    0x0A1A 1 Archived { uid: Uid }
}
