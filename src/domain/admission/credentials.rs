//! Warnings about the N8nCredentials that a Workflow names.

use crate::api::workflow::WorkflowSpec;
use crate::document::definition::Definition;
use crate::domain::credential_ref::{NamedCredential, use_of};
use crate::domain::render::mapped_types;

/// Returns warnings about the N8nCredentials of a spec that cannot be used, or not yet: they may be applied in whatever order. `instance` is
/// that of the Workflow, as namespace and name; without an inline definition, the types that it uses are not known.
pub fn warnings(
    spec: &WorkflowSpec,
    definition: Option<&Definition>,
    instance: (&str, &str),
    credential_of: &dyn Fn(&str) -> Option<NamedCredential>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (index, mapping) in spec.credentials.iter().enumerate() {
        let Some(name) = mapping.credential_ref.as_ref().map(|reference| reference.name.as_str()) else { continue };
        let credential = credential_of(name);
        let used = definition.map(|definition| mapped_types(spec, definition, index)).unwrap_or_default();
        let mut kinds: Vec<Option<&str>> = used.into_iter().map(Some).collect();
        if kinds.is_empty() {
            kinds.push(mapping.kind.as_deref());
        }
        let uses = kinds.into_iter().map(|kind| use_of(name, kind, instance, credential.as_ref()));
        let waits = uses.filter_map(|used| {
            let unless = if used.only_fails_its_test() { ", unless its published version uses it already" } else { "" };
            Some(format!("{}; the Workflow waits until it is ready{unless}", used.wait?.message))
        });
        found.extend(waits.take(1));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::credential_ref::Standing;
    use crate::validator::check::parse_and_check;

    #[test]
    fn a_credential_that_cannot_be_used_yet_is_reported_and_never_denied() {
        let spec: WorkflowSpec = serde_json::from_value(json!({
            "instanceRef": { "name": "main" }, "credentials": [{ "name": "CRM", "credentialRef": { "name": "crm" } }],
        }))
        .unwrap();
        let raw = json!({ "nodes": [{ "name": "A", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "parameters": { "url": "https://a.example" },
            "credentials": { "httpHeaderAuth": { "name": "CRM" } } }], "connections": {}, "settings": {} });
        let definition = parse_and_check(&raw).unwrap().definition;
        let candidate = |kind: &str, standing| NamedCredential {
            uid: "u".into(),
            instance: ("team-a".into(), "main".into()),
            kind: kind.into(),
            id: None,
            standing,
            message: "its Secret is missing".into(),
            rate_limit: None,
        };
        for (credential, inline, wanted) in [
            (None, true, "create it with type httpHeaderAuth"),
            (None, false, "create it with the type that the definition uses"),
            (Some(candidate("httpBasicAuth", Standing::Ready)), true, "has type httpBasicAuth"),
            (Some(candidate("httpHeaderAuth", Standing::Pending)), true, "is not ready: its Secret is missing"),
            (Some(candidate("httpHeaderAuth", Standing::Ready)), true, ""),
            (Some(candidate("httpBasicAuth", Standing::Ready)), false, ""),
        ] {
            let warnings = warnings(&spec, inline.then_some(&definition), ("team-a", "main"), &|_| credential.clone());
            assert_eq!(warnings.len(), usize::from(!wanted.is_empty()), "{warnings:?}");
            assert!(
                warnings.iter().all(|warning| warning.contains(wanted) && warning.ends_with("; the Workflow waits until it is ready")),
                "{warnings:?}"
            );
        }
        let of_n8n = |kind: &str| NamedCredential { id: Some("C1".into()), ..candidate(kind, Standing::Invalid) };
        let failing = warnings(&spec, Some(&definition), ("team-a", "main"), &|_| Some(of_n8n("httpHeaderAuth")));
        assert!(failing[0].ends_with("until it is ready, unless its published version uses it already"), "{failing:?}");
        let mismatch = warnings(&spec, Some(&definition), ("team-a", "main"), &|_| Some(of_n8n("httpBasicAuth")));
        assert!(mismatch[0].ends_with("; the Workflow waits until it is ready"), "a published version cannot use it: {mismatch:?}");
    }
}
