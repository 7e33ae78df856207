//! Comparison of a running n8n's answers about workflows with the validator's findings, for docs/agreement.md.
//!
//! n8n is asked about a [scratch] workflow that it always refuses to publish, so that none of it ever runs. n8n reports only the first kind
//! of problem: later checks are not compared.

mod ask;
mod compare;
mod scratch;
mod table;
mod tests;
mod words;

pub(crate) use ask::ask;
