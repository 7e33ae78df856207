//! Objects without a definition: what their CRDs cannot express.

use kube::ResourceExt;
use serde_json::Value;
use url::Url;

use super::Verdict;
use crate::api::credential::{CredentialField, N8nCredential};
use crate::api::instance::{AllowedFrom, AllowedNamespaces, N8nInstance};
use crate::api::policy::{WorkflowPolicy, WorkflowPolicySpec};
use crate::api::provider::ModelProvider;
use crate::catalog::Catalog;
use crate::document::finding::quoted;
use crate::domain::annotations::{OF_CREDENTIAL, OF_INSTANCE, OF_PROVIDER, unknown};
use crate::validator::policy::{contradictions, doubts};

/// Examines an N8nInstance.
pub fn instance(object: &Value) -> Verdict {
    let instance = match serde_json::from_value::<N8nInstance>(object.clone()) {
        Ok(instance) => instance,
        Err(error) => return Verdict::denied(format!("the object does not fit its kind: {error}")),
    };
    let spec = &instance.spec;
    let urls = [
        ("url", Some(&spec.url)),
        ("webhookBaseURL", spec.webhook_base_url.as_ref()),
        ("webhookCheckURL", spec.webhook_check_url.as_ref()),
    ];
    let mut problems: Vec<(bool, String)> = urls
        .into_iter()
        .filter_map(|(field, text)| Some((true, format!("spec.{field} is not a URL: {}", Url::parse(text?).err()?))))
        .collect();
    problems.extend(selects_nothing(&spec.allowed_namespaces).map(|message| (false, message)));
    problems.extend(unknown(Some(instance.annotations()), OF_INSTANCE).map(|message| (false, message)));
    Verdict::of(problems)
}

/// Examines an N8nCredential.
pub fn credential(object: &Value) -> Verdict {
    let credential = match serde_json::from_value::<N8nCredential>(object.clone()) {
        Ok(credential) => credential,
        Err(error) => return Verdict::denied(format!("the object does not fit its kind: {error}")),
    };
    let mut problems: Vec<(bool, String)> =
        credential.spec.data.iter().filter_map(written_secret).map(|message| (false, message)).collect();
    problems.extend(unknown(Some(credential.annotations()), OF_CREDENTIAL).map(|message| (false, message)));
    Verdict::of(problems)
}

/// Returns a warning about a value in the manifest of a field that is confidential by its name.
fn written_secret(field: &CredentialField) -> Option<String> {
    let name = field.field.to_lowercase();
    let confidential = ["password", "secret", "token", "apikey", "privatekey", "passphrase"].iter().any(|word| name.contains(word));
    let written = field.value.as_ref().is_some_and(|value| !value.is_empty());
    (confidential && written).then(|| {
        format!(
            "spec.data[] holds the value of the field {} itself, which everybody who may read the object sees; put it into a Secret and name its key in secretKeyRef",
            quoted(&field.field)
        )
    })
}

/// Examines a ModelProvider.
pub fn provider(object: &Value) -> Verdict {
    let provider = match serde_json::from_value::<ModelProvider>(object.clone()) {
        Ok(provider) => provider,
        Err(error) => return Verdict::denied(format!("the object does not fit its kind: {error}")),
    };
    let spec = &provider.spec;
    let mut problems: Vec<(bool, String)> = Vec::new();
    let parsed = spec.base_url.as_deref().map(Url::parse);
    if let Some(Err(error)) = &parsed {
        problems.push((true, format!("spec.baseURL is not a URL: {error}")));
    }
    if let Some(Ok(url)) = &parsed {
        if !url.username().is_empty() || url.password().is_some() {
            problems.push((
                true,
                "spec.baseURL contains a user name or password; put the key into a Secret and name it in spec.apiKeySecretRef".to_owned(),
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            problems.push((true, "spec.baseURL has a query or fragment; it is the part of the URL before /chat/completions".to_owned()));
        }
    }
    problems.extend(selects_nothing(&spec.allowed_namespaces).map(|message| (false, message)));
    problems.extend(unknown(Some(provider.annotations()), OF_PROVIDER).map(|message| (false, message)));
    Verdict::of(problems)
}

/// Returns the warning about a selector of namespaces that selects none.
fn selects_nothing(allowed: &AllowedNamespaces) -> Option<String> {
    let empty = allowed.selector.as_ref().is_some_and(|selector| selector.match_labels.is_empty());
    (allowed.from == AllowedFrom::Selector && empty).then(|| {
        "spec.allowedNamespaces.selector has no labels, so it selects no namespace; write from: All to allow every namespace".to_owned()
    })
}

/// Examines a WorkflowPolicy.
pub fn policy(object: &Value, catalog: &Catalog) -> Verdict {
    let rules = match serde_json::from_value::<WorkflowPolicy>(object.clone()) {
        Ok(policy) => policy.spec,
        Err(error) => return Verdict::denied(format!("the object does not fit its kind: {error}")),
    };
    if let Some(message) = contradiction(&rules) {
        return Verdict::denied(message);
    }
    Verdict::of(doubts(&rules, catalog).into_iter().map(|message| (false, message)).collect())
}

/// Returns how a policy contradicts itself: each type that it allows is denied, too. A list that is empty on purpose is no contradiction.
fn contradiction(rules: &WorkflowPolicySpec) -> Option<String> {
    let allowed = rules.allowed_node_types.as_ref().filter(|allowed| !allowed.is_empty())?;
    (contradictions(rules).len() == allowed.len()).then(|| {
        "the policy contradicts itself: spec.deniedNodeTypes denies all of spec.allowedNodeTypes, so no node could be used; remove a pattern from one of them"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_base_url_that_cannot_be_used_is_denied_and_doubts_are_warnings() {
        let examined = |spec: Value, annotations: Value| {
            let metadata = json!({ "name": "a", "annotations": annotations });
            provider(&json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "ModelProvider", "metadata": metadata, "spec": spec }))
        };
        assert_eq!(examined(json!({}), json!({})), Verdict::allowed());
        let with_url = |url: &str| json!({ "type": "OpenAI", "baseURL": url, "models": { "complex": { "name": "m" } } });
        assert_eq!(examined(with_url("https://models.example/v1"), json!({})), Verdict::allowed());
        for (url, part) in [("http://[", "not a URL"), ("http://a:b@models/v1", "apiKeySecretRef"), ("http://models/v1?key=1", "query")] {
            assert!(examined(with_url(url), json!({})).denied.is_some_and(|message| message.contains(part)), "{url}");
        }
        let selector = json!({ "allowedNamespaces": { "from": "Selector", "selector": { "matchLabels": {} } } });
        let doubtful = examined(selector, json!({ "weirkeeper.dev/rset-at": "1" }));
        assert!(doubtful.denied.is_none() && doubtful.warnings.len() == 2, "{doubtful:?}");
        assert!(examined(json!({ "type": "Other" }), json!({})).denied.is_some());
    }

    fn judged(spec: Value) -> Verdict {
        let object =
            json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPolicy", "metadata": { "name": "p" }, "spec": spec });
        policy(&object, Catalog::embedded())
    }

    #[test]
    fn a_policy_that_allows_nothing_by_mistake_is_denied() {
        for (spec, denied, warned) in [
            (json!({}), false, None),
            (json!({ "allowedNodeTypes": [] }), false, None),
            (json!({ "allowedNodeTypes": ["n8n-nodes-base.*"], "deniedNodeTypes": ["n8n-nodes-base.code"] }), false, None),
            (json!({ "allowedNodeTypes": ["n8n-nodes-base.code"], "deniedNodeTypes": ["n8n-nodes-base.*"] }), true, None),
            (json!({ "allowedNodeTypes": ["*"], "deniedNodeTypes": ["*"] }), true, None),
            (json!({ "deniedNodeTypes": ["n8n-nodes-base.cod"] }), false, Some("n8n-nodes-base.cod")),
            (json!({ "allowedHosts": ["https://api.example.com"] }), false, Some("matches nothing")),
        ] {
            let verdict = judged(spec.clone());
            assert_eq!(verdict.denied.is_some_and(|message| message.contains("contradicts itself")), denied, "{spec}");
            assert_eq!(verdict.warnings.len(), usize::from(warned.is_some()), "{spec}: {:?}", verdict.warnings);
            assert!(verdict.warnings.iter().zip(warned).all(|(warning, part)| warning.contains(part)), "{:?}", verdict.warnings);
        }
        assert!(judged(json!({ "maximumNodes": "many" })).denied.is_some_and(|message| message.contains("does not fit its kind")));
    }

    #[test]
    fn an_instance_without_a_url_is_denied_and_a_selector_of_nothing_is_a_warning() {
        let judged = |change: Value| {
            let mut spec = json!({ "url": "https://n8n.example.com", "apiKeySecretRef": { "name": "key" } });
            spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let metadata = json!({ "name": "main", "annotations": { "weirkeeper.dev/resetAt": "1" } });
            instance(&json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": metadata, "spec": spec }))
        };
        let fine = judged(json!({}));
        assert!(fine.denied.is_none() && fine.warnings[0].contains("did you mean weirkeeper.dev/reset-at?"), "{fine:?}");
        let wrong = judged(json!({ "url": "https://", "webhookCheckURL": "http://[" }));
        assert!(wrong.denied.is_some_and(|message| message.contains("spec.url") && message.contains("spec.webhookCheckURL")));
        let nothing = judged(json!({ "allowedNamespaces": { "from": "Selector", "selector": { "matchLabels": {} } } }));
        assert!(nothing.denied.is_none() && nothing.warnings[0].contains("selects no namespace"));
    }

    #[test]
    fn a_written_secret_is_warned_of_and_its_value_is_not_shown() {
        let judged = |field: Value| {
            let spec = json!({ "instanceRef": { "name": "n8n" }, "type": "postgres", "data": [field] });
            credential(
                &json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nCredential", "metadata": { "name": "a" }, "spec": spec }),
            )
        };
        let written = judged(json!({ "field": "password", "value": "abc123xyz" }));
        assert!(written.denied.is_none() && written.warnings[0].contains("secretKeyRef"), "{written:?}");
        assert!(!written.warnings[0].contains("abc123xyz"));
        for fine in [json!({ "field": "host", "value": "db" }), json!({ "field": "password", "secretKeyRef": { "name": "a", "key": "b" } })]
        {
            assert!(judged(fine).warnings.is_empty());
        }
        assert!(credential(&json!({ "spec": { "type": 7 } })).denied.is_some());
    }
}
