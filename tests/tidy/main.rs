//! Rules about the source code itself, checked without a stack: layers, generated files, supply chain, style.

// A panic is how a test fails, so preconditions are expected.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod admission;
mod argocd;
mod chart;
mod conditions;
mod examples;
mod generated;
mod imports;
mod layers;
mod locks;
mod mentions;
mod rbac;
mod reference;
mod schema;
mod sources;
mod supply_chain;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the folder of the project.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a file of the project as text.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the paths below a folder that git tracks, or would track if they were added.
fn tracked(folder: &str) -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", folder])
        .current_dir(root())
        .output()
        .expect("git lists files");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    let mut paths: Vec<String> =
        names.split('\0').filter(|path| !path.is_empty() && root().join(path).is_file()).map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    assert!(!paths.is_empty(), "{folder} has files");
    paths
}

/// Returns the Rust files below a folder.
fn rust_files(folder: &str) -> Vec<String> {
    tracked(folder).into_iter().filter(|path| Path::new(path).extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Returns the lines that ship, numbered from 1. Comments are left out, and so are items with `#[cfg(test)]`: the declaration of a module,
/// or the block that ends the file.
fn shipped_lines(text: &str) -> Vec<(usize, &str)> {
    let mut shipped = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            if lines.next().is_some_and(|(_, item)| item.ends_with('{')) {
                break;
            }
        } else if !line.trim_start().starts_with("//") {
            shipped.push((at + 1, line));
        }
    }
    shipped
}

/// Reports whether a file of src is compiled for tests only.
fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path == "src/n8n/scripted.rs"
}

/// Fails with all complaints, one per line.
fn hold(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n  {}", complaints.join("\n  "));
}
