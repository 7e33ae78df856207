//! From a sentence to a workflow: the parts that are decisions. [`compact`] is the form in which models and people write workflows, [`call`]
//! what is asked of a model, [`extract`] the JSON in its answers, [`cost`] what they cost, [`hostile`] what is refused whoever asks,
//! [`outcome`] what a generation ends with, [`engine`] the pipeline of all this, [`template`] makes workflows of templates and their inputs,
//! [`builtin`] makes them without a model. Pure.

pub mod builtin;
pub mod call;
pub mod compact;
pub mod cost;
pub mod credentials;
pub mod engine;
pub mod extract;
pub mod hostile;
pub mod outcome;
mod polls;
pub mod prompt;
pub mod template;
