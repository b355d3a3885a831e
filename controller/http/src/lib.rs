//! Speaks HTTP: pages and documents drawn from the engine's views.
//!
//! This package knows the engine's read models and nothing of the log, the executor or Kubernetes. What
//! it draws is a function of what it is given: the same view gives the same bytes.

pub mod page;
