//! Lifecycle of the stack: it starts in the folder of an earlier one, however that one ended.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::stack::{Stack, rand};

/// A folder for stacks, ended and removed when dropped. Its name has a space, as a user's may.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("weirkeeper stack {}-{:x}", std::process::id(), rand())))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a readable path")
    }

    fn facts(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.0.join("stack.json")).expect("stack.json")).expect("JSON")
    }

    fn pid(&self, part: &str) -> String {
        self.facts()["processes"][part]["pid"].to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.0.exists() {
            script(&["down", "--dir", self.path()]);
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn script(arguments: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/stack.mjs");
    Command::new("node").arg(program).args(arguments).output().expect("node runs")
}

/// Runs a command of the stack's program that must succeed, and returns its output.
fn succeeds(arguments: &[&str]) -> String {
    let output = script(arguments);
    let message = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {message}");
    message
}

fn kubectl(folder: &Folder, arguments: &[&str]) -> String {
    let output = Command::new(folder.0.join("bin/kubectl"))
        .arg("--kubeconfig")
        .arg(folder.0.join("kubeconfig-admin"))
        .args(arguments)
        .output()
        .expect("kubectl runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn kill(pid: &str) {
    let sent = Command::new("kill").args(["-KILL", "--", &format!("-{pid}")]).status().expect("kill runs");
    assert!(sent.success(), "{pid} takes a signal");
}

#[test]
fn a_stack_starts_in_the_folder_of_one_that_was_stopped() {
    let folder = Folder::new();
    succeeds(&["up", "--dir", folder.path(), "--name", "first"]);
    kubectl(&folder, &["create", "configmap", "of-the-first"]);
    let refused = script(&["up", "--dir", folder.path()]);
    assert!(!refused.status.success(), "a running stack is not touched");
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("a stack is running in") && message.contains("stack.mjs down --dir '"), "{message}");
    assert!(kubectl(&folder, &["get", "configmap", "of-the-first", "-o", "name"]).ends_with("of-the-first"));
    succeeds(&["down", "--dir", folder.path()]);

    // `run` replaces a stack that has ended, and so does `up`; neither sees the data of the previous one.
    let run = succeeds(&["run", "--dir", folder.path(), "--without-n8n", "--", "kubectl", "get", "configmaps", "-o", "name"]);
    assert!(!run.contains("of-the-first"), "{run}");
    succeeds(&["up", "--dir", folder.path(), "--name", "third"]);
    assert!(!kubectl(&folder, &["get", "configmaps", "-o", "name"]).contains("of-the-first"));
    assert_eq!(folder.facts()["name"], "third");
    let key = succeeds(&["apikey", "--dir", folder.path()]);
    assert!(key.trim().len() > 20, "the new n8n has an owner of its own: {key}");
}

#[test]
fn a_stack_starts_after_its_processes_were_killed() {
    let folder = Folder::new();
    succeeds(&["up", "--dir", folder.path(), "--without-n8n"]);
    for part in ["kube-controller-manager", "kube-apiserver", "etcd"] {
        kill(&folder.pid(part));
    }
    let started = Instant::now();
    while folder.facts()["processes"].as_object().is_some_and(|all| all.values().any(|one| alive(&one["pid"]))) {
        assert!(started.elapsed() < Duration::from_secs(60), "the processes end");
        std::thread::sleep(Duration::from_millis(50));
    }
    let message = succeeds(&["up", "--dir", folder.path(), "--without-n8n"]);
    assert!(message.contains("has ended without `down`"), "{message}");
    assert!(kubectl(&folder, &["get", "namespaces", "-o", "name"]).contains("namespace/default"));
}

fn alive(pid: &Value) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_stopped_component_starts_again_with_its_data() {
    let stack = Stack::own(&["--without-n8n"]);
    let folder = Folder(stack.dir.clone());
    kubectl(&folder, &["create", "configmap", "kept"]);
    let before = json!([folder.facts()["kubernetes"]["port"], folder.facts()["kubernetes"]["etcdPort"]]);
    for part in ["apiserver", "etcd"] {
        stack.tell(&["stop", part]);
    }
    for part in ["etcd", "apiserver"] {
        stack.tell(&["start", part]);
    }
    assert_eq!(json!([folder.facts()["kubernetes"]["port"], folder.facts()["kubernetes"]["etcdPort"]]), before, "the ports stay");
    assert!(kubectl(&folder, &["get", "configmap", "kept", "-o", "name"]).ends_with("kept"));
    std::mem::forget(folder); // the stack ends itself
}
