//! The Helm chart and the manifests made from it, on a real API server with the real Helm.
//!
//! No kubelet runs here: `pod` starts the process that a rendered pod describes, with its arguments, environment, volumes and the token of its own
//! service account, and so with its own rights. It differs from a pod in three ways: the image is the compiled binary, ports are opened on
//! loopback, and the webhook is called by URL (`webhook.url`), because a Service leads nowhere without a network plugin.

mod bad_input;
mod certificates;
mod cluster;
mod expressions;
pub mod helm;
pub mod lifecycle;
mod manifests;
pub mod pod;
mod rights;
mod value_sets;
mod values;
