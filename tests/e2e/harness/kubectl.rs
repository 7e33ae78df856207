//! The cluster as users access it: with the stack's kubectl.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::world::World;

/// Output of a program.
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
    let text = in_world(world, &["create", "--dry-run=client", "--output=json", "--filename=-"], manifests).text();
    // Several objects come as one JSON document after the other.
    serde_json::Deserializer::from_str(&text).into_iter::<Value>().map(|item| item.expect("kubectl prints JSON")).collect()
}

/// Runs kubectl as an admin in the namespace of a world; `input` goes to its standard input.
pub fn kubectl(world: &World, arguments: &[&str], input: Option<&Value>) -> Output {
    in_world(world, arguments, &input.map(Value::to_string).unwrap_or_default())
}

fn in_world(world: &World, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(world.stack.kubectl());
    command.arg("--kubeconfig").arg(world.stack.kubeconfig("admin")).args(["-n", &world.namespace]).args(arguments);
    run(command, input)
}

/// Runs a program; `input` goes to its standard input.
pub fn run(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    // A program that ends early reads no more.
    let writing = std::thread::spawn(move || drop(pipe.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("the program ends");
    writing.join().expect("no panic");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output { ok: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }
}
