//! What the binary takes from the world besides files and sockets: the time, dice, and how much memory
//! there is.

pub mod clock;
pub mod ids;
pub mod memory;
