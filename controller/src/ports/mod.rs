//! What the binary takes from the world besides files and sockets: the time, dice, what opens stores, values of
//! Secrets, and how much memory there is.

pub mod clock;
pub mod environment;
pub mod ids;
pub mod memory;
pub mod secrets;
