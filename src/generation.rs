//! From a sentence to a workflow: the parts that are decisions. So far the compact form, in which models and people write workflows
//! ([`compact`]). Pure.

pub mod compact;
