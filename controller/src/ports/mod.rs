//! What the binary takes from the world besides files and sockets: the time and dice.

pub mod clock;
pub mod ids;
