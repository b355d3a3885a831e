//! What later work relies on: one small test for each thing that the operator and its users expect of a cluster.

mod api;
mod names;
mod storage;
mod tokens;
mod webhook;
mod workloads;
