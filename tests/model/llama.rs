//! A real model server: llama.cpp with a small model. It speaks the protocol as real servers do, obeys a schema, and writes nonsense that fits it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Name of the model.
pub const LLAMA_MODEL: &str = "smollm2";

/// A running server; it ends with its standard input, so with the test, however that ends.
pub struct LlamaServer {
    base_url: String,
    key: String,
    child: Child,
    _input: Option<ChildStdin>,
}

impl LlamaServer {
    /// Returns the folder of the Python packages; None if the stack was built without them.
    pub fn packages() -> Option<PathBuf> {
        std::env::var_os("WEIRKEEPER_MODEL_PACKAGES").map(PathBuf::from)
    }

    /// Starts a server, and waits until it is ready.
    pub fn start(packages: &Path) -> Self {
        let key = ["llama", &format!("{:08}", std::process::id()), "abcdefghijklmnopqrstuvwx"].join("-");
        let mut child = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/model/server.py"))
            .arg(packages)
            .env("PYTHONPATH", packages)
            .env("WEIRKEEPER_MODEL_KEY", &key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 starts");
        let input = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("it prints its address");
        assert!(line.starts_with("http://127.0.0.1:"), "the model server does not start: {line:?}");
        Self { base_url: line.trim().to_owned(), key, child, _input: input }
    }

    /// Returns the base URL, as providers are configured with.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns the key that it accepts.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl Drop for LlamaServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
