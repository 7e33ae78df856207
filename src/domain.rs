//! The pure core: no IO, no clock, no logging. Everything here is a function of its arguments.
//!
//! A document takes this way: [`intake`] reads what somebody wrote into a [`definition::Definition`], [`judgement`]
//! says whether it may go to n8n, [`derive`] fills in the ids that n8n would otherwise invent, [`render`] puts
//! symbols and then the ids of one instance in the place of credentials and workflows, [`canonical`] gives it a digest,
//! and [`plan`] compares it with what n8n holds. [`history`] numbers versions, [`target`] chooses the one that should
//! serve, [`identity`] decides which workflow in n8n is meant, [`conclude`] turns what was found into conditions,
//! [`summary`] those into a line for tables, and [`transitions`] says which of their turns become events. What
//! node types are is in the [`catalog`].
//! For the command line [`manifest`] finds the workflows in files, [`rules`] chooses which findings are told, and [`import`] makes
//! manifests of what n8n holds.

pub mod access;
pub mod annotations;
pub mod api_key;
pub mod body;
pub mod bounds;
pub mod callers;
pub mod canonical;
pub mod catalog;
pub mod check;
pub mod conclude;
pub mod definition;
pub mod derive;
pub mod difference;
pub mod endpoints;
pub mod finding;
pub mod health;
pub mod history;
pub mod identity;
pub mod import;
pub mod intake;
pub mod judgement;
pub mod manifest;
pub mod mark;
pub mod node_types;
pub mod pace;
pub mod patch;
pub mod path;
pub mod paths;
pub mod plan;
pub mod positions;
pub mod probe;
pub mod ran;
pub mod reach;
pub mod references;
pub mod remote;
pub mod render;
pub mod routes;
pub mod rules;
pub mod salvage;
pub mod schema;
pub mod settings;
pub mod shallow;
pub mod snapshot;
pub mod structure;
pub mod suggest;
pub mod summary;
pub mod target;
pub mod text;
pub mod transitions;
pub mod triggers;
pub mod trouble;
pub mod ungranted;
pub mod validate;
pub mod verdict;
pub mod yaml;
