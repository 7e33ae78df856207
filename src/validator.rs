//! The validator: findings about a workflow document. [`check`] is its face; it asks [`structure`] (nodes, connections and settings that n8n refuses),
//! [`content`] (expressions, code, schedules, webhooks, secrets) and [`schema`] (parameters, by the catalogue of node types). [`rules`] are the
//! choices of people: which findings are told, and as what. Pure.

pub mod check;
pub mod content;
pub mod rules;
pub mod schema;
pub mod structure;
