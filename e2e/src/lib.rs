//! Whole-system tests that need root: power cuts, kills, full disks, owners and devices.
//!
//! For the log a test owns a child process that does what the operator does, and takes away from it
//! what an operator has to live without: its life, the machine's power, the space on its disk. What the
//! child had acknowledged by then is known exactly, since it says so on a pipe; whoever opens the log
//! next must find at least that.
//!
//! A repository in an object store is tested on a real server, behind a proxy that does to its connections what
//! networks do.
//!
//! For the data path a test makes a tree, writes down all that can be seen of it, has it backed up and
//! restored, and compares what can be seen then.

pub mod appender;
pub mod chance;
pub mod cluster;
pub mod facts;
#[cfg(feature = "product")]
pub mod found;
#[cfg(feature = "product")]
pub mod gateway;
pub mod identity;
pub mod listen;
pub mod mounted;
pub mod opens;
pub mod operator;
pub mod privilege;
pub mod proxy;
#[cfg(feature = "product")]
pub mod site;
pub mod tree;
pub mod webhook;
#[cfg(feature = "product")]
pub mod workload;
