//! A cluster's API server: what it shows, and what it is told.
//!
//! | File | What |
//! |---|---|
//! | `calls.rs` | one call: how long it may take, how many at a time, what its failure means |
//! | `resource.rs` | which kinds are watched, and how much of each |
//! | `store.rs` | the objects of one kind as the server showed them, and whether what is missing is gone |
//! | `reflect.rs` | keeps a store up to date: lists, watches, lists again |
//! | `look.rs` | all stores together, as one look |
//! | `apply.rs` | shows an object, where the live one differs, and takes it away by its uid |
//! | `lease.rs` | the lead: one holder at a time, by a Lease |
//!
//! Nothing here tries a write again, and nothing decides: both are the kernel's. Only looking and the lead go on by
//! themselves, since nobody asks for them. As far as it goes it is held by its tests alone: there is no verb that runs
//! on a cluster.

mod apply;
mod calls;
#[cfg(test)]
mod fake;
mod lease;
mod look;
mod reflect;
mod resource;
mod store;
