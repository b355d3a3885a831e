//! Between what users and workers write and what the engine says. Pure: values in, values out.

pub mod backend;
pub mod duration;
pub mod gotemplate;
pub mod hook;
pub mod job;
pub mod kubestash;
pub mod pod;
pub mod report;
