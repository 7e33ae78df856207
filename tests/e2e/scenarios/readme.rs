//! The quick start of the README, executed as written, on an empty cluster and a new n8n.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::stack::Stack;
use crate::scenarios::chart::helm::project;
use crate::scenarios::chart::lifecycle::values;
use crate::scenarios::chart::pod::Replica;

/// Returns the console blocks of the quick start, in order.
fn console_blocks() -> Vec<String> {
    let readme = std::fs::read_to_string(project("README.md")).expect("the README");
    let (_, after) = readme.split_once("\n## Quick start\n").expect("a quick start");
    let section = after.split("\n## ").next().expect("a section");
    section.split("```console\n").skip(1).map(|block| block.split("```").next().expect("a block").to_owned()).collect()
}

/// Replaces a text that must be present.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the quick start has no {from:?} any more:\n{text}");
    text.replace(from, to)
}

/// Runs a block in the folder of the project.
fn run(stack: &Stack, script: &str) -> Output {
    let bin = stack.kubectl().parent().expect("a folder").to_owned();
    Command::new("bash")
        .args(["-c", &format!("set -euo pipefail\n{script}")])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").expect("a PATH")))
        .env("KUBECONFIG", stack.kubeconfig("admin"))
        .env("STACK_N8N_URL", stack.n8n_url())
        .env("STACK_N8N_KEY", stack.n8n_key())
        .env("VALUES", stack.dir.join("values.json"))
        .env("no_proxy", "127.0.0.1")
        .output()
        .expect("bash runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quick_start_of_the_readme_works_as_written() {
    let stack = Stack::own(&[]);
    let blocks = console_blocks();
    assert_eq!(blocks.len(), 4, "install, connect, apply, describe: {blocks:?}");
    // No kubelet runs here: the operator is started from the Deployment, with an n8n on loopback. Its pods are never available.
    std::fs::write(stack.dir.join("values.json"), values(&json!({})).to_string()).expect("a file");
    let install = replaced(&blocks[0], "--create-namespace\n", "--create-namespace --values \"$VALUES\"\n");
    let install = replaced(&install, "kubectl rollout status --namespace weirkeeper-system deployment/weirkeeper\n", "");
    let started = Instant::now();
    let installed = run(&stack, &install);
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let mut replica = Replica::start(&stack, "weirkeeper-system", "weirkeeper", None);
    replica.until_ready().await;
    let ready = started.elapsed();

    // The values that the reader fills in.
    let connect = replaced(&blocks[1], "N8N_URL=https://n8n.example.com ", "N8N_URL=\"$STACK_N8N_URL\" ");
    let connect = replaced(&connect, "YOUR-KEY", "\"$STACK_N8N_KEY\"");
    used(&stack, &replica, &connect);
    let promised = "The workflow answers `{\"greeting\":\"hello\"}`";
    assert!(std::fs::read_to_string(project("README.md")).expect("the README").contains(promised));
    assert_eq!(last_line(&used(&stack, &replica, &blocks[2])), "{\"greeting\":\"hello\"}");
    let answered = started.elapsed();

    let described = used(&stack, &replica, &blocks[3]);
    assert!(described.contains("It is started by"), "{described}");
    let answer: Value = serde_json::from_str(last_line(&described)).expect("JSON");
    assert_eq!(answer["status"], "ok", "{described}");
    println!(
        "readme: the quick start took {:.1} s: {:.1} s until the operator was ready, {:.1} s more until the workflow answered, {:.1} s more for the one that is described",
        started.elapsed().as_secs_f64(),
        ready.as_secs_f64(),
        (answered - ready).as_secs_f64(),
        (started.elapsed() - answered).as_secs_f64()
    );
}

fn last_line(output: &str) -> &str {
    output.trim().lines().last().expect("an answer")
}

/// Returns what a block printed that succeeds.
fn used(stack: &Stack, replica: &Replica, script: &str) -> String {
    let done = run(stack, script);
    let message = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{message}\n{}\n{}", String::from_utf8_lossy(&done.stderr), replica.log());
    message.into_owned()
}
