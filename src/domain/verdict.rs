//! Comparison of a running n8n's verdict on a workflow with the validator's findings.
//!
//! n8n is asked about a [scratch](scratch) workflow that it always refuses to publish, so that none of it ever runs. n8n reports only the
//! first kind of problem: later checks are not compared.

mod compare;
mod scratch;
mod words;

pub use compare::{Comparison, Outcome, Remark, Subject, compare};
pub use scratch::{FENCE, Scratch, TAG, fence, scratch};
pub use words::{Said, read_creation, read_publication};

#[cfg(test)]
mod tests;
