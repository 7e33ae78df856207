//! Measures the figures in docs/benchmarks.md. `make bench` runs all of them, `cargo bench --bench figures -- latency` one; `validator`,
//! `beside` and `admission` need no running stack. They print what they measure and never fail on a wall clock.

// A measurement that cannot be made has nothing better to do than to panic.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod added_latency;
mod admission;
mod beside;
mod callers;
mod credentials;
mod idle;
mod instances;
mod latency;
mod made;
mod progress;
mod seed;
mod steady;
mod thousand;
mod validator;

#[allow(dead_code, unreachable_pub, unused_imports, reason = "the scenarios need more of the harness than the figures do")]
#[path = "../../tests/e2e"]
mod e2e {
    pub mod harness;
    pub mod standin;
}

use e2e::{harness, standin};

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|one| name.contains(one.as_str()));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("machine: {} on {cores} cores, {}", processor(), load());
    // First, while nothing has asked the catalogue yet.
    if runs("validator") {
        validator::measure();
    }
    if runs("beside") {
        beside::measure();
    }
    if runs("admission") {
        admission::measure().await;
    }
    if runs("webhook") {
        added_latency::measure().await;
    }
    if runs("latency") {
        latency::measure().await;
    }
    if runs("thousand") {
        thousand::measure().await;
    }
    if runs("idle") {
        idle::measure().await;
    }
    if runs("instances") {
        instances::measure().await;
    }
    if runs("credentials") {
        credentials::measure().await;
    }
    if runs("steady") {
        steady::measure().await;
    }
    if runs("callers") {
        callers::measure().await;
    }
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    model.unwrap_or("an unnamed processor").to_owned()
}

/// Other work on the machine decides much about seconds, so it is said.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load {} before", load.split(' ').next().unwrap_or("unknown"))
}
