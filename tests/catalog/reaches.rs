//! The list of node types without capabilities outside their own definition, checked against n8n's own files as they are loaded.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use weirkeeper::catalog::{Capability, Catalog};

use crate::installation::{folder, program};

#[test]
fn no_type_on_the_list_loads_a_file_that_mentions_a_call_past_its_own_definition() {
    let run = Command::new(program("node"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalog/loaded.mjs"))
        .arg(folder())
        .output()
        .expect("node runs");
    assert!(run.status.success(), "loaded.mjs failed: {}", String::from_utf8_lossy(&run.stderr));
    let catalog = Catalog::embedded();
    let (mut types, mut calling, mut files, mut wrong, mut failed) = (0, Vec::new(), 0, Vec::new(), Vec::new());
    for line in String::from_utf8(run.stdout).expect("text").lines().filter(|line| line.starts_with('{')) {
        let said: Value = serde_json::from_str(line).expect("a line of JSON");
        let name = said["type"].as_str().expect("a type");
        if let Some(why) = said["failed"].as_str() {
            failed.push(format!("{name}: {why}"));
            continue;
        }
        let calls = said["calls"].as_object().expect("calls");
        types += 1;
        files += said["files"].as_u64().expect("a count");
        if calls.is_empty() {
            continue;
        }
        calling.push(name.to_owned());
        if catalog.reaches(name) == Some(&[]) {
            wrong.push(format!("{name}: {calls:?}"));
        }
    }
    // n8n cannot run a type that it cannot load.
    println!("cannot be loaded: {failed:?}");
    println!("{types} types load {files} files, {} of them mention such a call: {}", calling.len(), calling.join(", "));
    assert_eq!(types + failed.len(), catalog.index().nodes.len(), "every type was tried");
    assert!(failed.len() <= 5, "{failed:?}");
    assert!(calling.len() >= 15 && files > 3000, "the look finds what is known to be there");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_type_of_the_embedded_catalogue_was_reviewed_and_most_are_harmless() {
    let catalog = Catalog::embedded();
    let reaches = |name: &str| catalog.reaches(name).unwrap_or_else(|| panic!("{name} was not looked at"));
    let off: Vec<&str> = catalog.index().nodes.iter().map(|entry| entry.name.as_str()).filter(|name| !reaches(name).is_empty()).collect();
    println!("{} of {} types are off the list: {}", off.len(), catalog.index().nodes.len(), off.join(", "));
    // Before you change this number, review the types that come or go: docs/threat-model.md says how.
    assert_eq!(off.len(), 30);
    for name in ["n8n-nodes-base.httpRequest", "n8n-nodes-base.set", "n8n-nodes-base.webhook", "n8n-nodes-base.merge", "n8n-nodes-base.if"]
    {
        assert_eq!(reaches(name), []);
    }
    assert_eq!(reaches("@n8n/n8n-nodes-langchain.code"), [Capability::Workflows, Capability::Code]);
    assert_eq!(reaches("n8n-nodes-base.dataTableTool"), [Capability::DataTables], "a tool counts as its node");
    assert!(catalog.reaches("n8n-nodes-acme.send").is_none());
}
