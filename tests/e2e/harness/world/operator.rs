//! The operator as a process of its own, with its own identity.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{PATIENCE, SHARD};
use crate::harness::stack::Stack;

/// The operator as a process with its own identity.
pub struct Operator {
    child: Option<Child>,
    kubeconfig: PathBuf,
    shard: String,
    log: PathBuf,
    flags: Vec<String>,
    http: reqwest::Client,
    /// Address of its endpoints, once it is in the log.
    address: OnceLock<String>,
    /// Length of the log at the last start, in bytes.
    logged: usize,
}

impl Operator {
    pub(super) fn new(stack: &Stack, shard: &str) -> Self {
        let mut operator = Self::stopped(stack, shard, shard);
        operator.start();
        operator
    }

    pub(super) fn stopped(stack: &Stack, shard: &str, name: &str) -> Self {
        let log = stack.dir.join("logs").join(format!("operator-{name}.log"));
        Self {
            child: None,
            kubeconfig: stack.kubeconfig("operator"),
            shard: shard.to_owned(),
            log,
            flags: Vec::new(),
            // A restarted operator has another address.
            http: reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("an HTTP client"),
            address: OnceLock::new(),
            logged: 0,
        }
    }

    /// Starts the operator unless it is running.
    pub fn start(&mut self) {
        if self.child.is_some() {
            return;
        }
        let log = std::fs::File::options().create(true).append(true).open(&self.log).expect("a log file");
        self.logged = log.metadata().expect("a log file").len() as usize;
        self.address = OnceLock::new();
        let child = Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
            .args(["operator", "--listen", "127.0.0.1:0", "--allow-loopback", "--watch-label-selector"])
            .arg(format!("{SHARD}={}", self.shard))
            .args(if self.elects() { &[][..] } else { &["--leader-elect", "off"] })
            .args(&self.flags)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("WEIRKEEPER_LOG", "info,weirkeeper=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the operator starts");
        self.child = Some(child);
    }

    /// Reports whether its flags configure a lease; by default tests run without one, and some run two operators at once.
    fn elects(&self) -> bool {
        self.flags.iter().any(|flag| flag.starts_with("--leader-elect") || flag.starts_with("--lease"))
    }

    /// Kills the operator with SIGKILL: without a chance to clean up.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the operator is killed");
            child.wait().expect("the operator is gone");
        }
    }

    /// Terminates the operator as Kubernetes does, and waits until it has exited.
    pub fn terminate(&mut self) {
        if let Some(mut child) = self.child.take() {
            let sent = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
            assert!(sent.success(), "the operator takes a signal");
            child.wait().expect("the operator is gone");
        }
    }

    /// Sends it a signal by name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success(), "the operator takes a signal");
    }

    /// Restarts it with other flags.
    pub fn restart_with(&mut self, flags: &[&str]) {
        self.kill();
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.start();
    }

    /// Returns the response of one of its endpoints, which answer a moment after its start.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let started = Instant::now();
        loop {
            if let Some(answer) = self.try_get(path).await {
                return answer;
            }
            assert!(started.elapsed() < PATIENCE, "the operator does not answer:\n{}", self.tail());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns the response of one of its endpoints, if there is one.
    pub async fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let answer = self.http.get(format!("http://{}{path}", self.address())).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// Reports whether its metrics have a line.
    pub async fn shows(&self, line: &str) -> bool {
        self.get("/metrics").await.1.lines().any(|one| one == line)
    }

    /// Waits until its metrics have a line.
    pub async fn until_shows(&self, line: &str) {
        let started = Instant::now();
        while !self.shows(line).await {
            assert!(started.elapsed() < PATIENCE, "timed out waiting for {line}:\n{}", self.tail());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Restarts it with another kubeconfig, for example one that leads through a relay.
    pub fn restart_through(&mut self, kubeconfig: &std::path::Path) {
        self.kill();
        self.kubeconfig = kubeconfig.to_owned();
        self.start();
    }

    /// Returns the address of its health and metrics endpoints, from its log.
    pub fn address(&self) -> &str {
        self.address.get_or_init(|| {
            let started = Instant::now();
            loop {
                let log = self.log();
                let after = log.get(self.logged..).and_then(|log| log.split_once("weirkeeper starts"));
                if let Some(line) = after.and_then(|(_, after)| after.lines().next().filter(|_| after.contains('\n'))) {
                    let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
                    return address.expect("an address").to_owned();
                }
                assert!(started.elapsed() < PATIENCE, "the operator does not start: {log}");
                std::thread::sleep(Duration::from_millis(20));
            }
        })
    }

    /// Returns its process id.
    #[allow(dead_code, reason = "the benchmarks, which share this file, ask for it")]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running operator").id()
    }

    /// Returns the processor time that it has used, in seconds.
    #[allow(dead_code, reason = "the benchmarks, which share this file, ask for it")]
    pub fn processor_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the operator runs");
        // After the name in parentheses: utime and stime are the 12th and 13th, in hundredths of a second.
        let after = stat.rsplit(") ").next().expect("a line of the kernel");
        let ticks: u64 = after.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        ticks as f64 / 100.0
    }

    /// Returns its whole log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Returns the end of its log.
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
    }
}
