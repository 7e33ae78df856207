//! The permissions of the operator: each rule has its reason above it, and none is wider than necessary.

use serde_json::Value;

use crate::{hold, read, tracked};

fn roles() -> Vec<(String, String)> {
    tracked("config/rbac").into_iter().map(|path| (read(&path), path)).map(|(text, path)| (path, text)).collect()
}

#[test]
fn each_rule_has_its_reason_above_it() {
    let mut rules = 0;
    let mut complaints = Vec::new();
    for (path, text) in roles() {
        let mut above = "";
        for (at, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("- apiGroups:") {
                rules += 1;
                if !above.trim_start().starts_with("# ") {
                    complaints.push(format!("{path}:{}", at + 1));
                }
            }
            above = line;
        }
    }
    assert!(rules > 3, "only {rules} rules were found");
    hold("a rule without a comment above it", &complaints);
}

#[test]
fn no_rule_is_wider_than_it_has_to_be() {
    let mut complaints = Vec::new();
    for (path, text) in roles() {
        let role: Value = serde_saphyr::from_str(&text).expect("a manifest is YAML");
        for rule in role["rules"].as_array().into_iter().flatten() {
            let words = |key: &str| -> Vec<&str> { rule[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect() };
            let (resources, verbs) = (words("resources"), words("verbs"));
            if ["apiGroups", "resources", "verbs"].iter().any(|key| words(key).contains(&"*")) {
                complaints.push(format!("{path}: {resources:?} has a wildcard"));
            }
            // In its own namespace the operator keeps two Secrets: the key of the hashes, and the certificate of the webhook.
            let own = role["kind"] == "Role" && (verbs == ["create"] || (words("resourceNames").len() == 1 && verbs == ["get", "update"]));
            if resources.contains(&"secrets") && verbs != ["get"] && !own {
                complaints.push(format!("{path}: secrets are read by name only, never {verbs:?}"));
            }
            if words("apiGroups").contains(&"admissionregistration.k8s.io")
                && (words("resourceNames").is_empty() || verbs != ["get", "patch"])
            {
                complaints.push(format!("{path}: of the admission configurations only the operator's own is patched"));
            }
            let status_only = resources.iter().all(|resource| resource.contains('/'));
            if words("apiGroups").contains(&"weirkeeper.dev")
                && !status_only
                // A prompt makes a Workflow.
                && !(resources == ["workflows"] && verbs == ["create"])
                && verbs.iter().any(|verb| ["create", "update", "delete"].contains(verb))
            {
                complaints.push(format!("{path}: the operator makes and removes no {resources:?}"));
            }
        }
    }
    hold("too wide", &complaints);
}
