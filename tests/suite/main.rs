//! Scenarios on the real parts: a real kube-apiserver, the operator as its own process with its own RBAC identity, and a
//! real n8n or, where speed or a fault asks for it, the stand-in.
//!
//! `make test` starts the stack; WEIRKEEPER_STACK names its folder. Without it these tests fail, they are never skipped.

mod n8n;
mod relay;
mod silence;
mod stack;
mod sync;
mod world;
