//! Objects without a definition: what their CRDs cannot express.

use kube::Resource;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::{AdmissionResponse, read};
use crate::api::credential::{CredentialField, N8nCredential, N8nCredentialSpec};
use crate::api::instance::{AllowedFrom, AllowedNamespaces, N8nInstance, N8nInstanceSpec};
use crate::api::policy::{WorkflowPolicy, WorkflowPolicySpec};
use crate::api::provider::{ModelProvider, ModelProviderSpec};
use crate::api::quota::WorkflowQuota;
use crate::catalog::Catalog;
use crate::document::finding::quoted;
use crate::domain::annotations::unknown;
use crate::validator::policy::{contradictions, doubts};

/// A problem of an object: true if it is certain, and so denied at apply, else a warning.
pub type Problem = (bool, String);

/// Examines an N8nInstance.
pub fn instance(object: &Value) -> AdmissionResponse {
    examine::<N8nInstance>(object, |instance| of_instance(&instance.spec))
}

/// Examines an N8nCredential.
pub fn credential(object: &Value) -> AdmissionResponse {
    examine::<N8nCredential>(object, |credential| of_credential(&credential.spec))
}

/// Examines a ModelProvider.
pub fn provider(object: &Value) -> AdmissionResponse {
    examine::<ModelProvider>(object, |provider| of_provider(&provider.spec))
}

/// Examines a WorkflowPolicy.
pub fn policy(object: &Value, catalog: &Catalog) -> AdmissionResponse {
    examine::<WorkflowPolicy>(object, |policy| of_policy(&policy.spec, catalog))
}

/// Examines a WorkflowQuota. One that cannot be read would stop every increase in its namespace.
pub fn quota(object: &Value) -> AdmissionResponse {
    examine::<WorkflowQuota>(object, |_| Vec::new())
}

fn examine<K: Resource<DynamicType = ()> + DeserializeOwned>(
    object: &Value,
    problems: impl FnOnce(&K) -> Vec<Problem>,
) -> AdmissionResponse {
    let read = match read::<K>(object) {
        Ok(read) => read,
        Err(message) => return AdmissionResponse::denied(message),
    };
    let mut problems = problems(&read);
    problems.extend(unknown(read.meta().annotations.as_ref(), &K::kind(&())).map(|message| (false, message)));
    AdmissionResponse::of(problems)
}

/// Returns the problems of an N8nInstance.
pub fn of_instance(spec: &N8nInstanceSpec) -> Vec<Problem> {
    let urls = [
        ("url", Some(&spec.url)),
        ("webhookBaseURL", spec.webhook_base_url.as_ref()),
        ("webhookCheckURL", spec.webhook_check_url.as_ref()),
    ];
    let wrong =
        urls.into_iter().filter_map(|(field, text)| Some((true, format!("spec.{field} is not a URL: {}", Url::parse(text?).err()?))));
    wrong.chain(selects_nothing(&spec.allowed_namespaces)).collect()
}

/// Returns the problems of an N8nCredential.
pub fn of_credential(spec: &N8nCredentialSpec) -> Vec<Problem> {
    spec.data.iter().filter_map(written_secret).map(|message| (false, message)).collect()
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

/// Returns the problems of a ModelProvider.
pub fn of_provider(spec: &ModelProviderSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    match spec.base_url.as_deref().map(Url::parse) {
        Some(Err(error)) => problems.push((true, format!("spec.baseURL is not a URL: {error}"))),
        Some(Ok(url)) => {
            if !url.username().is_empty() || url.password().is_some() {
                let message =
                    "spec.baseURL contains a user name or password; put the key into a Secret and name it in spec.apiKeySecretRef";
                problems.push((true, message.to_owned()));
            }
            if url.query().is_some() || url.fragment().is_some() {
                let message = "spec.baseURL has a query or fragment; it is the part of the URL before /chat/completions";
                problems.push((true, message.to_owned()));
            }
        }
        None => {}
    }
    problems.extend(selects_nothing(&spec.allowed_namespaces));
    problems
}

/// Returns the warning about a selector of namespaces that selects none.
fn selects_nothing(allowed: &AllowedNamespaces) -> Option<Problem> {
    let empty = allowed.selector.as_ref().is_some_and(|selector| selector.match_labels.is_empty());
    let message = "spec.allowedNamespaces.selector has no labels, so it selects no namespace; write from: All to allow every namespace";
    (allowed.from == AllowedFrom::Selector && empty).then(|| (false, message.to_owned()))
}

/// Returns the problems of a WorkflowPolicy: that it contradicts itself, else its doubts.
pub fn of_policy(rules: &WorkflowPolicySpec, catalog: &Catalog) -> Vec<Problem> {
    match contradiction(rules) {
        Some(message) => vec![(true, message)],
        None => doubts(rules, catalog).into_iter().map(|message| (false, message)).collect(),
    }
}

/// Returns how a policy contradicts itself: each type that it allows is denied, too. A list that is empty on purpose is no contradiction.
pub fn contradiction(rules: &WorkflowPolicySpec) -> Option<String> {
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
        assert_eq!(examined(json!({}), json!({})), AdmissionResponse::allowed());
        let with_url = |url: &str| json!({ "type": "OpenAI", "baseURL": url, "models": { "complex": { "name": "m" } } });
        assert_eq!(examined(with_url("https://models.example/v1"), json!({})), AdmissionResponse::allowed());
        for (url, part) in [("http://[", "not a URL"), ("http://a:b@models/v1", "apiKeySecretRef"), ("http://models/v1?key=1", "query")] {
            assert!(examined(with_url(url), json!({})).denied.is_some_and(|message| message.contains(part)), "{url}");
        }
        let selector = json!({ "allowedNamespaces": { "from": "Selector", "selector": { "matchLabels": {} } } });
        let doubtful = examined(selector, json!({ "weirkeeper.dev/rset-at": "1" }));
        assert!(doubtful.denied.is_none() && doubtful.warnings.len() == 2, "{doubtful:?}");
        assert!(examined(json!({ "type": "Other" }), json!({})).denied.is_some());
    }

    fn policy_review(spec: Value) -> AdmissionResponse {
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
            let review = policy_review(spec.clone());
            assert_eq!(review.denied.is_some_and(|message| message.contains("contradicts itself")), denied, "{spec}");
            assert_eq!(review.warnings.len(), usize::from(warned.is_some()), "{spec}: {:?}", review.warnings);
            assert!(review.warnings.iter().zip(warned).all(|(warning, part)| warning.contains(part)), "{:?}", review.warnings);
        }
        assert!(policy_review(json!({ "maximumNodes": "many" })).denied.is_some_and(|message| message.contains("does not fit its kind")));
    }

    /// A newer CRD lets a resource pass that this version does not know.
    #[test]
    fn a_quota_that_cannot_be_read_is_denied() {
        let reviewed = |hard: Value| {
            let metadata = json!({ "name": "team-a", "annotations": { "weirkeeper.dev/limit": "1" } });
            quota(
                &json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowQuota", "metadata": metadata, "spec": { "hard": hard } }),
            )
        };
        let fine = reviewed(json!({ "workflows": 5, "costPerDay": "5.00" }));
        assert!(fine.denied.is_none() && fine.warnings.len() == 1 && fine.warnings[0].contains("weirkeeper.dev/limit"), "{fine:?}");
        let newer = reviewed(json!({ "workflows": 5, "executionsPerDay": 7 })).denied.unwrap();
        assert!(newer.contains("does not fit its kind") && newer.contains("executionsPerDay"), "{newer}");
    }

    #[test]
    fn an_instance_without_a_url_is_denied_and_a_selector_of_nothing_is_a_warning() {
        let reviewed = |change: Value| {
            let mut spec = json!({ "url": "https://n8n.example.com", "apiKeySecretRef": { "name": "key" } });
            spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let metadata = json!({ "name": "main", "annotations": { "weirkeeper.dev/resetAt": "1" } });
            instance(&json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": metadata, "spec": spec }))
        };
        let fine = reviewed(json!({}));
        assert!(fine.denied.is_none() && fine.warnings[0].contains("did you mean weirkeeper.dev/reset-at?"), "{fine:?}");
        let wrong = reviewed(json!({ "url": "https://", "webhookCheckURL": "http://[" }));
        assert!(wrong.denied.is_some_and(|message| message.contains("spec.url") && message.contains("spec.webhookCheckURL")));
        let nothing = reviewed(json!({ "allowedNamespaces": { "from": "Selector", "selector": { "matchLabels": {} } } }));
        assert!(nothing.denied.is_none() && nothing.warnings[0].contains("selects no namespace"));
    }

    #[test]
    fn a_written_secret_is_warned_of_and_its_value_is_not_shown() {
        let reviewed = |field: Value| {
            let spec = json!({ "instanceRef": { "name": "n8n" }, "type": "postgres", "data": [field] });
            credential(
                &json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nCredential", "metadata": { "name": "a" }, "spec": spec }),
            )
        };
        let written = reviewed(json!({ "field": "password", "value": "abc123xyz" }));
        assert!(written.denied.is_none() && written.warnings[0].contains("secretKeyRef"), "{written:?}");
        assert!(!written.warnings[0].contains("abc123xyz"));
        for fine in [json!({ "field": "host", "value": "db" }), json!({ "field": "password", "secretKeyRef": { "name": "a", "key": "b" } })]
        {
            assert!(reviewed(fine).warnings.is_empty());
        }
        assert!(credential(&json!({ "spec": { "type": 7 } })).denied.is_some());
    }
}
