//! Helm, and the documents that it renders.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::kubectl::Output;
pub use crate::harness::kubectl::run;
use crate::harness::stack::Stack;

/// Returns the path of a file of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns the folder of the chart.
pub fn chart() -> String {
    project("charts/weirkeeper").to_str().expect("a readable path").to_owned()
}

/// A program of the stack, as an administrator uses it.
pub fn program(stack: &Stack, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(stack.dir.join("bin").join(name));
    command.args(arguments).env("KUBECONFIG", stack.kubeconfig("admin")).env("KUBERC", "off").env("NO_PROXY", "127.0.0.1");
    for kind in ["CACHE", "CONFIG", "DATA"] {
        command.env(format!("HELM_{kind}_HOME"), stack.dir.join("helm"));
    }
    command
}

/// Runs Helm with values.
pub fn helm(stack: &Stack, arguments: &[&str], values: &Value) -> Output {
    let arguments = [arguments, &["--values", "-"]].concat();
    run(program(stack, "helm", &arguments), &values.to_string())
}

/// Runs kubectl.
pub fn kubectl(stack: &Stack, arguments: &[&str]) -> Output {
    run(program(stack, "kubectl", arguments), "")
}

/// Applies objects as a user does.
pub fn apply(stack: &Stack, namespace: &str, flags: &[&str], object: &Value) -> Output {
    let arguments = [&["apply", "--namespace", namespace, "--filename", "-"], flags].concat();
    run(program(stack, "kubectl", &arguments), &object.to_string())
}

/// Returns an object; null if there is none.
pub fn get(stack: &Stack, arguments: &[&str]) -> Value {
    let found = kubectl(stack, &[&["get", "--output=json", "--ignore-not-found"], arguments].concat()).text();
    if found.trim().is_empty() { Value::Null } else { serde_json::from_str(&found).expect("JSON") }
}

/// A rendered object, with its text.
#[derive(Clone, Debug)]
pub struct Document {
    pub text: String,
    pub object: Value,
}

impl Document {
    /// Returns kind, namespace and name.
    pub fn key(&self) -> (String, String, String) {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &self.object["metadata"];
        (word(&self.object["kind"]), word(&metadata["namespace"]), word(&metadata["name"]))
    }
}

/// Splits a stream of documents.
pub fn documents(text: &str) -> Vec<Document> {
    let parts = format!("\n{text}");
    let parts = parts.split("\n---").map(|part| part.trim_matches('\n').to_owned()).filter(|part| !part.trim().is_empty());
    let read =
        parts.map(|text| Document { object: serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}:\n{text}")), text });
    read.filter(|document| !document.object.is_null()).collect()
}

/// Renders the chart.
pub fn render(stack: &Stack, release: &str, namespace: &str, values: &Value, flags: &[&str]) -> String {
    let chart = chart();
    helm(stack, &[&["template", release, &chart, "--namespace", namespace], flags].concat(), values).text()
}

/// Returns a rendered object.
pub fn find<'a>(documents: &'a [Document], kind: &str, name: &str) -> &'a Value {
    let found = documents.iter().find(|one| one.object["kind"] == kind && one.object["metadata"]["name"] == name);
    &found.unwrap_or_else(|| panic!("no {kind} {name} is rendered")).object
}
