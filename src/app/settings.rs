//! The operator's arguments; the environment is read here and nowhere else.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};

use crate::api::duration::Span;
use crate::controller;
use crate::n8n::WritePermit;

/// How the operator runs.
#[derive(Args)]
pub(super) struct OperatorArguments {
    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, env = "WEIRKEEPER_LISTEN", default_value = "0.0.0.0:8080")]
    pub(super) listen: SocketAddr,
    /// Let N8nInstances lead to loopback addresses; for tests and demos.
    #[arg(long, env = "WEIRKEEPER_ALLOW_LOOPBACK")]
    allow_loopback: bool,
    /// How long a deletion waits for an n8n that does not answer before it lets the object go.
    #[arg(long, env = "WEIRKEEPER_DELETION_BOUND", default_value = "10m", value_parser = Span::parse)]
    deletion_bound: Span,
    /// How many Workflows are worked on at once for each N8nInstance.
    #[arg(long, env = "WEIRKEEPER_CONCURRENCY", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    concurrency: u16,
    /// Work only on Workflows and N8nInstances with these labels, to divide them among several operators. An instance
    /// and its Workflows belong to the same one.
    #[arg(long, env = "WEIRKEEPER_WATCH_LABEL_SELECTOR")]
    watch_label_selector: Option<String>,
    /// Whether only the replica that holds a Lease works. `auto`: when it runs in a cluster.
    #[arg(long, env = "WEIRKEEPER_LEADER_ELECT", value_enum, default_value_t = LeaderElect::Auto)]
    leader_elect: LeaderElect,
    /// The name of that Lease. Operators that divide objects by label need one each.
    #[arg(long, env = "WEIRKEEPER_LEASE_NAME", default_value = "weirkeeper")]
    pub(super) lease_name: String,
    /// The namespace of that Lease; by default the one that the operator runs in.
    #[arg(long, env = "WEIRKEEPER_LEASE_NAMESPACE")]
    pub(super) lease_namespace: Option<String>,
    /// What tells replicas apart in the Lease; in a cluster the pod's name.
    #[arg(long, env = "HOSTNAME", default_value = "weirkeeper")]
    pub(super) identity: String,
    /// Set in every pod; says whether this is one.
    #[arg(long, env = "KUBERNETES_SERVICE_HOST", hide = true)]
    service_host: Option<String>,
    /// The form of log lines.
    #[arg(long, env = "WEIRKEEPER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    /// What is logged, as directives of tracing-subscriber, for example `info,weirkeeper=debug`.
    #[arg(long, env = "WEIRKEEPER_LOG", default_value = "info")]
    pub(super) log: String,
}

/// Whether replicas elect a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LeaderElect {
    /// In a cluster.
    Auto,
    /// Always.
    On,
    /// Never: for a single process, such as one that runs on a developer's machine.
    Off,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl OperatorArguments {
    /// Whether this replica has to win the lease before it works.
    pub(super) fn elects(&self) -> bool {
        match self.leader_elect {
            LeaderElect::On => true,
            LeaderElect::Off => false,
            LeaderElect::Auto => self.service_host.is_some(),
        }
    }

    /// What passes need of it.
    pub(super) fn controller(&self, permit: WritePermit) -> controller::Settings {
        controller::Settings {
            allow_loopback: self.allow_loopback,
            deletion_bound: self.deletion_bound.get(),
            concurrency: usize::from(self.concurrency),
            selector: self.watch_label_selector.clone(),
            permit,
        }
    }
}

/// Whether people asked for output without colour (<https://no-color.org>).
pub(super) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The key of an n8n for commands. It is read here alone, for an argument would show in the list of processes.
pub(super) fn n8n_api_key() -> Option<String> {
    std::env::var("WEIRKEEPER_N8N_API_KEY").ok()
}
