//! The operator's arguments; the environment is read here and nowhere else.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};

use crate::api::duration::Span;
use crate::controller;

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
    /// The form of log lines.
    #[arg(long, env = "WEIRKEEPER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    /// What is logged, as directives of tracing-subscriber, for example `info,weirkeeper=debug`.
    #[arg(long, env = "WEIRKEEPER_LOG", default_value = "info")]
    pub(super) log: String,
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
    /// What passes need of it.
    pub(super) fn controller(&self) -> controller::Settings {
        controller::Settings {
            allow_loopback: self.allow_loopback,
            deletion_bound: self.deletion_bound.get(),
            concurrency: usize::from(self.concurrency),
            selector: self.watch_label_selector.clone(),
        }
    }
}
