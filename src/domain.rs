//! The pure core: no IO, no clock, no logging. Everything here is a function of its arguments.
//!
//! A document takes this way: [`intake`] reads what somebody wrote into a [`definition::Definition`],
//! [`structure`] says what n8n would refuse in it, [`credentials`] and [`references`] replace names by
//! the ids of one instance, [`mod@derive`] fills in the ids that n8n would otherwise invent, [`canonical`]
//! gives it a digest and [`difference`] explains why two digests differ. [`endpoints`] and [`triggers`]
//! tell what will run it.

pub mod canonical;
pub mod credentials;
pub mod definition;
pub mod derive;
pub mod difference;
pub mod endpoints;
pub mod finding;
pub mod intake;
pub mod node_types;
pub mod path;
pub mod references;
pub mod structure;
pub mod suggest;
pub mod triggers;
