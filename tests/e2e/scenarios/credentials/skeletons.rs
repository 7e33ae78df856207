//! `weirkeeper credentials` for every credential type of the catalogue, compared with the schemas of the real n8n.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use serde_json::Value;
use weirkeeper::api::workflow::InstanceRef;
use weirkeeper::catalog::Catalog;
use weirkeeper::manifest::skeleton::Skeleton;

use crate::harness::n8n::N8n;
use crate::harness::stack::Stack;

/// A key of a Secret in the text of a skeleton.
#[derive(Debug)]
struct Key {
    name: String,
    /// It is written out, not a comment.
    written: bool,
    /// It is marked as required.
    required: bool,
}

fn skeleton(kind: &str) -> String {
    let instance = InstanceRef { name: "main".to_owned(), namespace: None };
    let (name, kind) = ("one".to_owned(), kind.to_owned());
    let skeleton = Skeleton { name, namespace: None, instance, kind, display_name: None, adopt: None, comments: Vec::new() };
    skeleton.text(Catalog::embedded())
}

/// Returns the keys of the Secret.
fn keys(text: &str) -> Vec<Key> {
    let lines = text.split("\nstringData:").nth(1).expect("a Secret").lines().skip(1);
    let key = |line: &str| {
        let line = line.trim_start();
        let written = !line.starts_with('#');
        let (name, rest) = line.trim_start_matches("# ").split_once(": ")?;
        let required = rest.split("  # ").nth(1).is_some_and(|hint| hint.split(", ").any(|part| part == "required"));
        (!name.contains(' ')).then(|| Key { name: name.to_owned(), written, required })
    };
    lines.filter_map(key).collect()
}

/// Returns what is wrong with the skeleton of a type.
async fn faults(n8n: &N8n, kind: &str) -> Vec<String> {
    let answer = n8n.api("GET", &format!("/credentials/schema/{kind}"), None).await;
    if answer.status != 200 {
        return vec![format!("{kind}: n8n has no schema: {} {}", answer.status, answer.text)];
    }
    let (schema, text) = (answer.json(), skeleton(kind));
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let keys = keys(&text);
    let mut faults: Vec<String> = keys
        .iter()
        .filter(|key| !properties.contains_key(&key.name))
        .map(|key| format!("{kind}: n8n has no field {}\n{text}", key.name))
        .collect();
    let required: BTreeSet<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for wanted in &required {
        if !keys.iter().any(|key| key.name == *wanted && key.written && key.required) {
            faults.push(format!("{kind}: field {wanted} is required, and not marked\n{text}"));
        }
    }
    // A field may be required by its form alone; n8n's schema says that with a condition.
    let conditional = schema["allOf"].to_string();
    for key in keys.iter().filter(|key| key.required) {
        if !required.contains(key.name.as_str()) && !conditional.contains(&format!("{:?}", key.name)) {
            faults.push(format!("{kind}: field {} is marked, and n8n does not require it\n{text}", key.name));
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn the_skeleton_of_every_type_names_fields_that_n8n_has_and_marks_those_that_it_requires() {
    let stack = Stack::shared();
    let n8n = N8n::new(&stack.n8n_url(), &stack.n8n_key());
    let kinds: Vec<&str> = Catalog::embedded().index().credentials.iter().map(|entry| entry.name.as_str()).collect();
    let all: Vec<Vec<String>> = stream::iter(&kinds).map(|kind| faults(&n8n, kind)).buffer_unordered(8).collect().await;
    let faults: Vec<String> = all.into_iter().flatten().collect();
    println!("{} credential types, {} faults of their skeletons", kinds.len(), faults.len());
    assert!(kinds.len() > 300, "only {} types", kinds.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
