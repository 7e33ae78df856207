//! What a running n8n says of a workflow, beside what the validator says of it.
//!
//! n8n is asked with a [scratch](scratch) workflow that it refuses to publish whatever is in it, so that nothing of it ever
//! runs. It tells the first kind of trouble only: what it has not come to is not compared.

mod compare;
mod scratch;
mod words;

pub use compare::{Comparison, Outcome, Remark, Subject, compare};
pub use scratch::{FENCE, Scratch, TAG, fence, scratch};
pub use words::{Said, read_creation, read_publication};

#[cfg(test)]
mod tests;
