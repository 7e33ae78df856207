//! The command `weirkeeper catalog`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn weirkeeper(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weirkeeper")).arg("catalog").args(arguments).output().expect("weirkeeper runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A small installation in a folder of its own, which is deleted when the value is dropped.
struct Installation(PathBuf);

impl Installation {
    /// `modules` is the folder that holds the packages.
    fn new(name: &str, modules: &str, node: &Value) -> Self {
        let folder = std::env::temp_dir().join(format!("weirkeeper-catalog-{}-{name}", std::process::id()));
        let made = Self(folder);
        for (package, nodes) in [("n8n-nodes-base", json!([node])), ("@n8n/n8n-nodes-langchain", json!([]))] {
            made.package(&format!("{modules}/{package}"), package, &nodes);
        }
        made
    }

    fn package(&self, at: &str, name: &str, nodes: &Value) -> PathBuf {
        let folder = self.0.join(at);
        std::fs::create_dir_all(folder.join("dist/types")).unwrap();
        std::fs::write(folder.join("package.json"), json!({"name": name, "version": "1.0.0"}).to_string()).unwrap();
        std::fs::write(folder.join("dist/types/nodes.json"), nodes.to_string()).unwrap();
        folder
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn node(options: &[&str]) -> Value {
    let options: Vec<Value> = options.iter().map(|value| json!({"name": value, "value": value})).collect();
    json!({"name": "acme", "displayName": "Acme", "version": 1, "inputs": ["main"], "outputs": "={{ strange() }}",
           "properties": [{"name": "mode", "type": "options", "options": options}]})
}

#[test]
fn an_installation_is_found_in_the_layouts_of_npm_and_pnpm_and_with_community_packages() {
    for (name, modules) in
        [("npm", "node_modules"), ("nested", "node_modules/n8n/node_modules"), ("pnpm", "node_modules/.pnpm/x@1/node_modules")]
    {
        let made = Installation::new(name, modules, &node(&["a"]));
        let community = made.package("community", "n8n-nodes-other", &json!([node(&["b"])]));
        let file = made.0.join("out.catalog");
        let output =
            weirkeeper(&["build", "--from", made.path(), "--package", community.to_str().unwrap(), "--output", file.to_str().unwrap()]);
        assert!(output.status.success(), "{name}: {}", said(&output));
        assert!(said(&output).contains("2 ports are computed in an unknown way"), "{}", said(&output));
        let shown = weirkeeper(&["show", "n8n-nodes-other.acme", "--catalog", file.to_str().unwrap(), "--output", "json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(shown["parameters"][0]["options"], json!(["b"]));
        let both = weirkeeper(&["show", "acme", "--catalog", file.to_str().unwrap()]);
        assert!(!both.status.success() && said(&both).contains("is ambiguous"), "{}", said(&both));
    }
}

#[test]
fn bad_input_is_reported_with_the_file_and_the_fix() {
    let refused = |arguments: &[&str], words: &[&str]| {
        let output = weirkeeper(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        words.iter().for_each(|word| assert!(said(&output).contains(word), "{word:?} is not in {:?}", said(&output)));
    };
    let made = Installation::new("bad", "node_modules", &node(&["a"]));
    refused(&["build", "--from", "no/such/folder"], &["no/such/folder", "not a folder"]);
    refused(&["build", "--from", env!("CARGO_MANIFEST_DIR")], &["not an n8n installation", "n8n-nodes-base"]);
    let empty = made.0.join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    refused(&["build", "--from", made.path(), "--package", empty.to_str().unwrap()], &["empty", "n8n-generate-metadata"]);
    std::fs::write(made.0.join("node_modules/n8n-nodes-base/dist/types/nodes.json"), "[{").unwrap();
    refused(&["build", "--from", made.path()], &["nodes.json", "reinstall it"]);
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    refused(&["show", "slack", "--catalog", readme.to_str().unwrap()], &["README.md", "catalog build"]);
    refused(&["show", "slak"], &["did you mean n8n-nodes-base.slack?"]);
    refused(&["show", "slack", "--version", "9"], &["no version 9", "2.2"]);
    refused(&["search", "zzzzzz"], &["no node type matches"]);
}

#[test]
fn the_exit_code_of_a_comparison_tells_whether_something_breaks() {
    let wide = Installation::new("wide", "node_modules", &node(&["a", "b"]));
    let narrow = Installation::new("narrow", "node_modules", &node(&["a"]));
    let same = weirkeeper(&["diff", wide.path(), wide.path()]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    let wider = weirkeeper(&["diff", narrow.path(), wide.path()]);
    assert_eq!(wider.status.code(), Some(0), "{}", said(&wider));
    let narrower = weirkeeper(&["diff", wide.path(), narrow.path(), "--output", "json"]);
    assert_eq!(narrower.status.code(), Some(1), "{}", said(&narrower));
    let line: Value = serde_json::from_slice(&narrower.stdout).unwrap();
    assert_eq!(line["change"], "optionRemoved");
    let unreadable = weirkeeper(&["diff", wide.path(), "no/such/file"]);
    assert_eq!(unreadable.status.code(), Some(2), "{}", said(&unreadable));
}
