//! Schedules.

use holdfast_engine::ids::Uid;
use holdfast_engine::time::Timestamp;

use super::shape::shapes;

shapes! { schedule
    0x0801 1 Declared { configuration: Uid, session: String, version: u32, next: Vec<Timestamp> }
    0x0802 1 Withdrawn { configuration: Uid, session: String }
    0x0803 1 SlotTaken { configuration: Uid, session: String, slot: Timestamp, next: Vec<Timestamp>, by: Option<Uid> }
    0x0804 1 SlotsMissed { configuration: Uid, session: String, count: u32, last: Timestamp }
}
