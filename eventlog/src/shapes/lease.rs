//! Leadership.

use holdfast_engine::run::limit::Limits;
use holdfast_engine::usage::References;

use super::shape::shapes;

shapes! { lease
    0x0101 1 EpochBegan { holder: String }
    0x0102 1 LogGapAcknowledged { from: u64, to: u64 }
    0x0103 1 LimitsSet { limits: Limits }
    0x0104 1 Configured { references: References }
}
