//! The part of a controller that is the same for every kind: slots, time limits, panics, backoff, metrics, events, and writes of status
//! and finalizers.

pub mod backoffs;
pub mod latest;
pub mod liveness;
pub mod reconcile;
pub mod report;
pub mod saved;
pub mod shared_read;
pub mod slots;
pub mod status;
