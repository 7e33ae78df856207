//! Scenarios on the real components: a real kube-apiserver, the operator as a process with its own RBAC identity, and a real n8n or, for
//! speed or for faults, the stand-in.
//!
//! `make test` starts the stack; WEIRKEEPER_STACK names its folder. Without it these tests fail, they are never skipped.

// A panic is how a test fails, so preconditions are expected.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod access;
mod adoption;
mod applying;
mod bad_input;
mod bookkeeping;
mod callers;
mod catalog;
mod converge;
mod deletion;
mod dice;
mod economy;
mod expressions;
mod faults;
mod features;
mod fixtures;
mod foreign;
mod forged;
mod grants;
mod hanging;
mod held;
mod identity;
mod import;
mod judged;
mod kept;
mod keys;
mod kill;
mod kubectl;
mod leader;
mod liveness;
mod n8n;
mod names;
mod outage;
mod paths;
mod pauses;
mod probing;
mod processors;
mod projects;
mod publication;
mod publishing;
mod queue;
mod readme;
mod relay;
mod release;
mod request_faults;
mod restored;
mod rollback;
mod routes;
mod scopes;
mod secret_references;
mod serving;
mod silence;
mod spec_edits;
mod stack;
mod stack_again;
mod standin;
mod standin_check;
mod successes;
mod sync;
mod tables;
mod tls;
mod told;
mod undecodable;
mod urgency;
mod vanished;
mod verdict;
mod ways;
mod wire;
mod wire_restart;
mod world;
