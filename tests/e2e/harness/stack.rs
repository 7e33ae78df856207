//! The stack that `tests/stack/stack.mjs` started, and further ones for tests that stop and start components.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use serde_json::Value;

const PROGRAM: &str = "tests/stack/stack.mjs";
/// The shape in which n8n sets up a version after it has reported it as published.
pub const PUBLICATION_SERVICE: &str = "publication-service";

/// Reason to leave out scenarios in which a publication takes a workflow offline.
pub const NOTHING_GOES_OFFLINE: &str = "n8n publishes what it can and takes nothing offline: publication.rs";

/// A started stack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Folder of the stack.
    pub dir: PathBuf,
    facts: Value,
}

impl Stack {
    /// Returns the stack that all tests share.
    pub fn shared() -> Self {
        let dir = std::env::var("WEIRKEEPER_STACK")
            .expect("WEIRKEEPER_STACK is not set: run `make test`, or `node tests/stack/stack.mjs run -- cargo test`");
        Self::at(Path::new(&dir))
    }

    fn at(dir: &Path) -> Self {
        let text = std::fs::read_to_string(dir.join("stack.json")).expect("the stack's stack.json");
        let stack = Self { dir: dir.to_owned(), facts: serde_json::from_str(&text).expect("stack.json is JSON") };
        if let (Some(url), Some(webhooks)) = (stack.facts["n8n"]["url"].as_str(), stack.facts["n8n"]["webhookUrl"].as_str()) {
            WEBHOOKS.lock().expect("no thread panicked").insert(url.to_owned(), webhooks.to_owned());
            note_shape(url, stack.shape());
        }
        stack
    }

    /// Returns the shape of its n8n: see tests/stack/shapes.mjs.
    pub fn shape(&self) -> &str {
        self.facts["n8n"]["shape"].as_str().unwrap_or("default")
    }

    /// Returns the URL of n8n.
    pub fn n8n_url(&self) -> String {
        met_n8n();
        self.facts["n8n"]["url"].as_str().expect("the stack has an n8n").to_owned()
    }

    /// Returns the processor time that n8n has used, with its task runner, in seconds.
    #[allow(dead_code, reason = "the benchmarks, which share this file, ask for it")]
    pub fn n8n_processor_seconds(&self) -> f64 {
        let group = self.facts["processes"]["n8n"]["pid"].as_u64().expect("n8n runs").to_string();
        let stats = std::fs::read_dir("/proc").expect("processes").filter_map(|entry| {
            let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
            // After the name in parentheses: the process group is the 3rd, utime and stime are the 12th and 13th, in hundredths of a second.
            let fields: Vec<String> = stat.rsplit(") ").next()?.split(' ').map(str::to_owned).collect();
            (fields.get(2) == Some(&group))
                .then(|| fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>())
        });
        stats.sum::<u64>() as f64 / 100.0
    }

    /// Returns an API key with all scopes.
    pub fn n8n_key(&self) -> String {
        std::fs::read_to_string(self.dir.join("n8n-api-key")).expect("the n8n API key").trim().to_owned()
    }

    /// Returns the kubeconfig of a user: admin, operator or tenant.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.dir.join(format!("kubeconfig-{user}"))
    }

    /// Returns the Node.js that n8n runs on.
    pub fn node(&self) -> PathBuf {
        self.facts["programs"]["node"].as_str().expect("the stack has a Node.js").into()
    }

    /// Returns the kubectl of the stack.
    pub fn kubectl(&self) -> PathBuf {
        self.dir.join("bin/kubectl")
    }

    /// Returns the program that applies manifests as Flux does: tests/stack/flux.
    pub fn flux(&self) -> PathBuf {
        self.facts["programs"]["flux"].as_str().expect("the stack has Flux's libraries").into()
    }

    /// Returns the program with cert-manager's controllers, and the folder of its CRDs: tests/stack/cert-manager.
    pub fn cert_manager(&self) -> (PathBuf, PathBuf) {
        let path = |name: &str| self.facts["programs"][name].as_str().expect("the stack has cert-manager").into();
        (path("certManager"), path("certManagerCrds"))
    }

    /// Starts another stack, for tests that stop its components; it ends when dropped. Its n8n has the shape of the shared one, unless the
    /// flags name one.
    pub fn own(flags: &[&str]) -> OwnStack {
        let dir = std::env::temp_dir().join(format!("weirkeeper-stack-{}-{:x}", std::process::id(), rand()));
        let shape = shape();
        let mut flags = flags.to_vec();
        if !shape.is_empty() && !flags.iter().any(|flag| ["--shape", "--without-n8n"].contains(flag)) {
            flags.extend(["--shape", shape.as_str()]);
        }
        run(&["up", "--dir", dir.to_str().expect("a readable path")], &flags);
        OwnStack { stack: Self::at(&dir), guard: guard(&dir) }
    }

    /// Returns the components that do not run.
    pub fn ended(&self) -> Vec<String> {
        let (dir, program) = (self.dir.to_str().expect("a readable path"), Path::new(env!("CARGO_MANIFEST_DIR")).join(PROGRAM));
        let output = Command::new("node").arg(program).args(["status", "--dir", dir]).output().expect("node runs");
        let message = [output.stdout, output.stderr].concat();
        let lines = String::from_utf8_lossy(&message).into_owned();
        let ended = lines.lines().filter(|line| line.contains(": not running"));
        ended.filter_map(|line| line.split(':').nth(1)).map(|part| part.trim().to_owned()).collect()
    }

    /// Runs a command of the stack's program on this stack, for example `restart n8n`.
    pub fn tell(&self, command: &[&str]) -> String {
        run(command, &["--dir", self.dir.to_str().expect("a readable path")])
    }
}

/// URL of the production webhooks, by the URL of n8n.
static WEBHOOKS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Returns the URL of an n8n's production webhooks: that of its webhook processor, if it has one.
pub fn webhook_url(n8n: &str) -> String {
    WEBHOOKS.lock().expect("no thread panicked").get(n8n).cloned().unwrap_or_else(|| n8n.to_owned())
}

/// Shape of an n8n, by its URL.
static SHAPES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

pub fn note_shape(n8n: &str, shape: &str) {
    SHAPES.lock().expect("no thread panicked").insert(n8n.to_owned(), shape.to_owned());
}

fn has_shape(n8n: &str, shapes: &[&str]) -> bool {
    SHAPES.lock().expect("no thread panicked").get(n8n).is_some_and(|shape| shapes.contains(&shape.as_str()))
}

/// Reports whether an n8n sets up a version after it has reported it as published.
pub fn publishes_later(n8n: &str) -> bool {
    has_shape(n8n, &[PUBLICATION_SERVICE])
}

/// Reports whether workers execute the workflows of an n8n.
pub fn has_workers(n8n: &str) -> bool {
    has_shape(n8n, &["queue", "webhook-processor"])
}

/// Returns the shape of the shared n8n, or nothing for the default one.
pub fn shape() -> String {
    std::env::var("WEIRKEEPER_SHAPE").unwrap_or_default()
}

/// Reports whether a scenario does not apply to the tested shape; then it prints that it is left out: `make test-modes` counts it as left
/// out and not as passed.
pub fn left_out(shape_without: &str, why: &str) -> bool {
    let left_out = shape() == shape_without;
    if left_out {
        say(&format!("left out on {shape_without}: {}: {why}", this_test()));
    }
    left_out
}

/// Records for `make test-modes` that a test uses an n8n of the tested shape: other tests do not count.
pub fn met_n8n() {
    if std::env::var_os("WEIRKEEPER_SAY_WHAT_MET_N8N").is_some() {
        say(&format!("met n8n: {}", this_test()));
    }
}

/// Prints how long a test took, when dropped, if WEIRKEEPER_SAY_TIMES is set: stable Rust prints no time for each test.
pub struct Timer {
    test: String,
    started: Instant,
}

impl Timer {
    pub fn start() -> Self {
        Self { test: this_test(), started: Instant::now() }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if std::env::var_os("WEIRKEEPER_SAY_TIMES").is_some() {
            say(&format!("time: {:6.1} s {}", self.started.elapsed().as_secs_f64(), self.test));
        }
    }
}

/// The harness names the thread of a test after it.
fn this_test() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

/// Standard error itself: the output of a test that passes is captured and not shown.
pub fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).expect("standard error is open");
}

/// A stack that ends when dropped.
pub struct OwnStack {
    stack: Stack,
    guard: Child,
}

impl std::ops::Deref for OwnStack {
    type Target = Stack;
    fn deref(&self) -> &Stack {
        &self.stack
    }
}

impl Drop for OwnStack {
    fn drop(&mut self) {
        self.stack.tell(&["down"]);
        let _ = self.guard.stdin.take().expect("it was piped").write_all(b"released\n");
        let _ = self.guard.wait();
        let _ = std::fs::remove_dir_all(&self.stack.dir);
    }
}

/// Starts a process that ends the stack in a folder if this program is ended before it is dropped: only this program holds the pipe of its
/// standard input open. It has a process group of its own, because an interrupted run ends this program's.
fn guard(dir: &Path) -> Child {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROGRAM);
    let mut command = Command::new("sh");
    command.args(["-c", "read -r word || exec node \"$@\"", "guard"]).arg(program).args(["down", "--dir"]).arg(dir);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().expect("sh runs")
}

fn run(command: &[&str], flags: &[&str]) -> String {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROGRAM);
    let output = Command::new("node").arg(program).args(command).args(flags).output().expect("node runs");
    assert!(
        output.status.success(),
        "stack {command:?} failed:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Returns a number that no other test has.
pub fn rand() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() >> 16
}
