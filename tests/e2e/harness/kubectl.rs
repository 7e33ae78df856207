//! The cluster as users access it: with the stack's kubectl.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::world::World;

/// Output of kubectl.
#[derive(Debug)]
pub struct Output {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

impl Output {
    /// Returns the standard output; the command must have succeeded.
    pub fn text(self) -> String {
        assert!(self.ok, "{}", self.err);
        self.out
    }
}

/// Returns the objects of a stream of manifests as kubectl reads them.
pub fn read(world: &World, manifests: &str) -> Vec<Value> {
    let text = run(world, &["create", "--dry-run=client", "--output=json", "--filename=-"], manifests).text();
    // Several objects come as one JSON document after the other.
    serde_json::Deserializer::from_str(&text).into_iter::<Value>().map(|item| item.expect("kubectl prints JSON")).collect()
}

/// Runs kubectl as an admin in the namespace of a world; `input` goes to its standard input.
pub fn kubectl(world: &World, arguments: &[&str], input: Option<&Value>) -> Output {
    run(world, arguments, &input.map(Value::to_string).unwrap_or_default())
}

fn run(world: &World, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(world.stack.kubectl())
        .arg("--kubeconfig")
        .arg(world.stack.kubeconfig("admin"))
        .args(["-n", &world.namespace])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input.as_bytes()).expect("kubectl reads");
    drop(pipe);
    let output = child.wait_with_output().expect("kubectl ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output { ok: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }
}
