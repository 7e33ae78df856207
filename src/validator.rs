//! The validator: findings about a workflow document. [`check`] is its entry point; it calls [`structure`] (nodes, connections and settings
//! that n8n refuses), [`content`] (expressions, code, schedules, webhooks, secrets) and [`schema`] (parameters, by the catalogue of node
//! types). [`rules`] select which findings are reported, and at which level; [`policy`] adds what a namespace denies. Pure.

pub mod check;
pub mod content;
pub mod policy;
pub mod rules;
pub mod schema;
pub mod structure;
