//! Leadership.

use super::shape::shapes;

shapes! { lease
    0x0101 1 EpochBegan { holder: String }
    0x0102 1 LogGapAcknowledged { from: u64, to: u64 }
}
