//! The admission policies: each reference to a Secret is covered by one, and each has a binding.

use serde_json::Value;
use weirkeeper::api::admission::MANIFESTS;

use crate::hold;
use crate::schema::{each_field, kinds};

fn manifests(kind: &str) -> Vec<(String, Value)> {
    let read = |(_, text): &(&str, &str)| ((*text).to_owned(), serde_saphyr::from_str::<Value>(text).expect("a manifest is YAML"));
    MANIFESTS.iter().map(read).filter(|(_, manifest)| manifest["kind"] == kind).collect()
}

#[test]
fn every_reference_to_a_secret_is_held_by_a_policy_of_its_kind() {
    let policies = manifests("ValidatingAdmissionPolicy");
    let mut references = 0;
    let mut complaints = Vec::new();
    for (kind, schema) in kinds() {
        let plural = format!("{}s", kind.to_lowercase());
        let of_kind = |rule: &Value| rule["resources"].as_array().is_some_and(|all| all.iter().any(|one| one == plural.as_str()));
        let asks = |policy: &Value, field: &str| {
            policy["spec"]["matchConstraints"]["resourceRules"].as_array().into_iter().flatten().any(of_kind)
                && policy["spec"].to_string().contains(field)
                && policy["spec"].to_string().contains("resource('secrets')")
        };
        each_field("spec", &schema["properties"]["spec"], &mut |path, value, _| {
            let field = path.rsplit('.').next().unwrap_or(path);
            // A choice of words refers to nothing.
            if field.to_lowercase().contains("secret") && value["enum"].is_null() {
                references += 1;
                if !policies.iter().any(|(_, policy)| asks(policy, field)) {
                    complaints.push(format!("{kind} {path}"));
                }
            }
        });
    }
    assert!(references >= 2, "only {references} references to Secrets were found");
    hold("who may not read a Secret can have it sent through", &complaints);
}

#[test]
fn every_policy_denies_and_fails_closed() {
    let bindings = manifests("ValidatingAdmissionPolicyBinding");
    let mut complaints = Vec::new();
    for (_, policy) in manifests("ValidatingAdmissionPolicy") {
        let name = &policy["metadata"]["name"];
        if policy["spec"]["failurePolicy"] != "Fail" {
            complaints.push(format!("{name}: failurePolicy"));
        }
        let binds = |binding: &Value| binding["spec"]["policyName"] == *name && binding["spec"]["validationActions"][0] == "Deny";
        if !bindings.iter().any(|(_, binding)| binds(binding)) {
            complaints.push(format!("{name}: no binding denies"));
        }
    }
    assert_eq!(bindings.len() * 2, MANIFESTS.len(), "each policy has one binding");
    hold("a policy that does not hold", &complaints);
}
