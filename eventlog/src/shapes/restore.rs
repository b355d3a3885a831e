//! RestoreSession.

use holdfast_engine::backup::{Component, Frozen, Worker};
use holdfast_engine::hook::{Run, Stage};
use holdfast_engine::ids::{Hash, Key, Uid};
use holdfast_engine::outcome::Outcome;
use holdfast_engine::restore::Spec;
use holdfast_engine::run::StopCause;
use holdfast_engine::time::{Millis, Timestamp};

use super::shapes;

shapes! { restore
    0x0C01 1 Declared { uid: Uid, key: Key, generation: u64, hash: Hash, spec: Spec }
    0x0C02 1 ValidationPassed { uid: Uid }
    0x0C03 1 ValidationFailed { uid: Uid, reason: String, message: String }
    0x0C04 1 TargetNotFound { uid: Uid, message: String }
    0x0C05 1 Started { uid: Uid, snapshot: Uid, deadline: Option<Timestamp>, frozen: Frozen }
    0x0C06 1 Surveyed { uid: Uid, components: u32 }
    0x0C07 1 ComponentPlanned { uid: Uid, asked: String, component: Component }
    0x0C08 1 HookStarted { uid: Uid, run: Run }
    0x0C09 1 HookEnded { uid: Uid, run: Run, outcome: Outcome }
    0x0C0A 1 HooksFinished { uid: Uid, stage: Stage, outcome: Outcome }
    0x0C0B 1 AttemptStarted { uid: Uid, component: String, number: u32 }
    0x0C0C 1 WorkerObserved { uid: Uid, component: String, number: u32, worker: Worker }
    0x0C0D 1 ExecutorEnsured { uid: Uid }
    0x0C0E 1 ExecutorNotEnsured { uid: Uid, message: String }
    0x0C0F 1 ComponentEnded { uid: Uid, component: String, number: u32, outcome: Outcome, duration: Millis }
    0x0C10 1 Incomplete { uid: Uid, message: String }
    0x0C11 1 DeadlineExceeded { uid: Uid }
    0x0C12 1 Cancelled { uid: Uid, cause: StopCause }
    0x0C13 1 MetricsPushed { uid: Uid }
    0x0C14 1 Archived { uid: Uid }
}
