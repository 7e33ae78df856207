//! The n8n installation of the stack, and the program that runs n8n's own code on nodes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// Returns the folder in which n8n is installed.
pub fn folder() -> PathBuf {
    let n8n = program("n8n");
    let modules = n8n.ancestors().find(|above| above.ends_with("node_modules")).expect("n8n lies in node_modules");
    modules.parent().expect("a folder around node_modules").to_owned()
}

/// Returns the path of one of the stack's programs.
pub fn program(name: &str) -> PathBuf {
    let dir = std::env::var("WEIRKEEPER_STACK")
        .expect("WEIRKEEPER_STACK is not set: run `make test`, or `node tests/stack/stack.mjs run -- cargo test`");
    let text = std::fs::read_to_string(Path::new(&dir).join("stack.json")).expect("the stack's stack.json");
    let facts: Value = serde_json::from_str(&text).expect("stack.json is JSON");
    PathBuf::from(facts["programs"][name].as_str().expect("the stack names its programs"))
}

/// A node, and n8n's result for it.
pub struct Answer {
    /// File that it is from.
    pub file: String,
    /// The node as it was given to n8n.
    pub node: Value,
    /// n8n's result.
    pub said: Value,
}

impl Answer {
    /// Describes where to find the node.
    pub fn place(&self) -> String {
        format!("{} {} {} v{}", self.file, self.node["name"], self.node["type"], self.node["typeVersion"])
    }
}

/// Returns n8n's results for every node of the test workflows, or of those in the folder that WEIRKEEPER_WORKFLOWS names, and for
/// variations of all nodes with computed ports.
pub fn answers() -> &'static [Answer] {
    static ANSWERS: OnceLock<Vec<Answer>> = OnceLock::new();
    ANSWERS.get_or_init(|| {
        let own = std::env::var_os("WEIRKEEPER_WORKFLOWS").map(PathBuf::from);
        let corpora = own.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/dev"));
        let mut files: Vec<PathBuf> = std::fs::read_dir(&corpora)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
            .collect();
        files.sort();
        let run = Command::new(program("node"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalog/truth.mjs"))
            .arg(folder())
            .args(files)
            .output()
            .expect("node runs");
        assert!(run.status.success(), "truth.mjs failed: {}", String::from_utf8_lossy(&run.stderr));
        let line = |line: &str| {
            let mut said: Value = serde_json::from_str(line).expect("a line of JSON");
            Answer { file: said["file"].as_str().unwrap_or_default().to_owned(), node: said["node"].take(), said }
        };
        String::from_utf8(run.stdout).expect("text").lines().map(line).collect()
    })
}
