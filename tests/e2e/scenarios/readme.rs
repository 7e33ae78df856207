//! The quick start of the README, executed as written, on an empty cluster and a new n8n.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::harness::stack::Stack;

/// Returns the console blocks of the quick start, in order.
fn console_blocks() -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README");
    let (_, after) = readme.split_once("\n## Quick start\n").expect("a quick start");
    let section = after.split("\n## ").next().expect("a section");
    section.split("```console\n").skip(1).map(|block| block.split("```").next().expect("a block").to_owned()).collect()
}

/// Replaces a text that must be present.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the quick start has no {from:?} any more:\n{text}");
    text.replace(from, to)
}

#[test]
fn the_quick_start_of_the_readme_works_as_written() {
    let stack = Stack::own(&[]);
    let blocks = console_blocks();
    assert_eq!(blocks.len(), 3, "install, connect, apply: {blocks:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checkout = stack.dir.join("checkout");
    std::fs::create_dir_all(checkout.join("target/debug")).expect("a folder");
    for name in ["Makefile", "crds", "config", "examples"] {
        symlink(root.join(name), checkout.join(name)).expect("a link");
    }
    symlink(env!("CARGO_BIN_EXE_weirkeeper"), checkout.join("target/debug/weirkeeper")).expect("a link");

    // The program is compiled already; only the existence of the target remains to be checked.
    let install = replaced(&blocks[0], "make build\n", "make --dry-run build\n");
    // n8n is on loopback here. The operator has the first terminal to itself.
    let operator = "target/debug/weirkeeper operator --listen 127.0.0.1:8080\n";
    assert!(install.ends_with(operator), "the operator comes last: {install}");
    let install =
        replaced(&install, operator, "target/debug/weirkeeper operator --listen 127.0.0.1:0 --allow-loopback >operator.log 2>&1 &\n");
    // The values that the reader fills in.
    let connect = replaced(&blocks[1], "N8N_URL=https://n8n.example.com ", "N8N_URL=\"$STACK_N8N_URL\" ");
    let connect = replaced(&connect, "YOUR-KEY", "\"$STACK_N8N_KEY\"");
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n{install}\n{connect}\n{}", blocks[2]);

    let bin = stack.kubectl().parent().expect("a folder").to_owned();
    let run = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&checkout)
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").expect("a PATH")))
        .env("KUBECONFIG", stack.kubeconfig("admin"))
        .env("STACK_N8N_URL", stack.n8n_url())
        .env("STACK_N8N_KEY", stack.n8n_key())
        .env("no_proxy", "127.0.0.1")
        .output()
        .expect("bash runs");
    let message = String::from_utf8_lossy(&run.stdout);
    let log = std::fs::read_to_string(checkout.join("operator.log")).unwrap_or_default();
    assert!(run.status.success(), "{message}\n{}\n{log}", String::from_utf8_lossy(&run.stderr));
    let answer = message.trim().lines().last().expect("an answer");
    let promised = "The workflow answers `{\"greeting\":\"hello\"}`";
    assert!(std::fs::read_to_string(root.join("README.md")).expect("the README").contains(promised));
    assert_eq!(answer, "{\"greeting\":\"hello\"}", "{message}\n{log}");

    // The operator ran with the identity in config/rbac, and no other.
    let whoami = Command::new(stack.kubectl())
        .args(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])
        .env("KUBECONFIG", checkout.join("operator.kubeconfig"))
        .output()
        .expect("kubectl runs");
    assert_eq!(String::from_utf8_lossy(&whoami.stdout), "system:serviceaccount:weirkeeper-system:weirkeeper");
}
