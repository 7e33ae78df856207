//! The commands that people and pipelines run. No stack is needed.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod choices;
mod compact;
mod credentials;
mod findings;
mod generate;
mod hostile;
mod import;
mod operator;
mod proxies;
mod rules;
mod template;
mod validate;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A temporary folder of one test, removed when the value is dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// Creates the folder with these files, by path and text.
    pub fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = Self(std::env::temp_dir().join(format!("weirkeeper-cli-{}-{name}", std::process::id())));
        for (file, text) in files {
            let path = folder.0.join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder is made");
            std::fs::write(path, text).expect("a file is written");
        }
        folder
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Runs the binary in this folder.
    pub fn run(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        self.run_with(&[], arguments, input)
    }

    /// Runs the binary in this folder with these environment variables.
    pub fn run_with(&self, environment: &[(&str, &str)], arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
        command.args(arguments).current_dir(&self.0).env_remove("WEIRKEEPER_N8N_API_KEY").env_remove("NO_COLOR");
        command.envs(environment.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("the input is taken");
        let Output { status, stdout, stderr } = child.wait_with_output().expect("the binary ends");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status.code().expect("an exit code"), text(stdout), text(stderr))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
