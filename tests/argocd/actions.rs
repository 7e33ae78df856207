//! Actions: each changes what it says and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use weirkeeper::api::crds;
use weirkeeper::domain::annotations::known;

use crate::lua::Customizations;

/// Kinds with actions.
const ACTING: [&str; 5] = ["Workflow", "N8nInstance", "N8nCredential", "ModelProvider", "WorkflowPrompt"];

/// Returns the objects of the examples whose kind has actions, with a status.
fn examples() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.extend(text.split("\n---\n").map(|document| serde_saphyr::from_str::<Value>(document).unwrap()));
        }
    }
    found.retain(|object| ACTING.iter().any(|kind| object["kind"] == *kind));
    for object in &mut found {
        object["metadata"]["generation"] = json!(1);
        object["status"] = json!({ "observedGeneration": 1, "activeVersion": 2, "history": [{ "version": 2 }, { "version": 1 }],
            "stage": "WaitingForApproval", "proposal": { "digest": "0a1b" },
            "conditions": [{ "type": "Ready", "status": "True", "reason": "Succeeded", "message": "" }] });
    }
    assert!(found.len() >= 6, "only {} examples were found", found.len());
    found
}

fn example(kind: &str) -> Value {
    examples().into_iter().find(|object| object["kind"] == kind).unwrap()
}

fn workflow() -> Value {
    example("Workflow")
}

#[test]
fn the_config_map_has_a_health_check_for_each_kind_and_actions_where_a_kind_has_any() {
    let keys = Customizations::installed().keys();
    for crd in crds::all() {
        let kind = crd.spec.names.kind;
        assert!(keys.contains(&format!("resource.customizations.health.weirkeeper.dev_{kind}")), "{kind}");
        let acts = keys.contains(&format!("resource.customizations.actions.weirkeeper.dev_{kind}"));
        // The operator reads no annotation of the other kinds.
        assert_eq!(acts, ACTING.contains(&&*kind), "{kind}");
    }
}

#[test]
fn an_action_changes_one_annotation_that_the_operator_knows_and_nothing_of_the_definition() {
    let customizations = Customizations::installed();
    for object in examples() {
        let known = known(object["kind"].as_str().unwrap());
        for action in customizations.actions(&object).into_keys().filter(|action| !["suspend", "resume", "unpin"].contains(&&**action)) {
            let patch = customizations.act(&object, &action, &[]).unwrap().expect("a change");
            let annotations = patch["metadata"]["annotations"].as_object().expect("annotations");
            assert_eq!(annotations.len(), 1, "{patch}");
            assert!(annotations.keys().all(|key| known.contains(&&**key)), "{patch}");
            assert_eq!(patch, json!({ "metadata": { "annotations": annotations } }));
        }
    }
}

#[test]
fn a_version_is_pinned_by_its_number_or_as_it_is_published_and_unpinned() {
    let (customizations, mut object) = (Customizations::installed(), workflow());
    let pin = |patch: &Value| patch["metadata"]["annotations"]["weirkeeper.dev/pinned-version"].clone();
    assert_eq!(pin(&customizations.act(&object, "pin", &[]).unwrap().unwrap()), "2");
    let chosen = customizations.act(&object, "pin", &[("version", "1")]).unwrap().unwrap();
    assert_eq!(pin(&chosen), "1");
    for refused in ["7", "newest"] {
        let error = customizations.act(&object, "pin", &[("version", refused)]).unwrap_err();
        assert!(error.contains("there is no such version; stored versions: 2, 1"), "{error}");
    }
    object["metadata"]["annotations"] = json!({ "weirkeeper.dev/pinned-version": "1", "team": "shop" });
    let unpinned = customizations.act(&object, "unpin", &[]).unwrap().unwrap();
    assert_eq!(unpinned, json!({ "metadata": { "annotations": { "weirkeeper.dev/pinned-version": null } } }));
}

#[test]
fn a_workflow_is_suspended_and_resumed_without_a_trace() {
    let (customizations, mut object) = (Customizations::installed(), workflow());
    assert_eq!(customizations.act(&object, "suspend", &[]).unwrap(), Some(json!({ "spec": { "suspend": true } })));
    object["spec"]["suspend"] = json!(true);
    assert_eq!(customizations.act(&object, "resume", &[]).unwrap(), Some(json!({ "spec": { "suspend": null } })));
}

#[test]
fn actions_without_effect_are_disabled() {
    let customizations = Customizations::installed();
    let enabled = |object: &Value| -> Vec<String> {
        let all: BTreeMap<String, bool> = customizations.actions(object);
        all.into_iter().filter(|(_, enabled)| *enabled).map(|(name, _)| name).collect()
    };
    let mut object = workflow();
    assert_eq!(enabled(&object), ["pin", "retry", "suspend"]);
    object["status"]["conditions"] = json!([{ "type": "Stalled", "status": "True", "reason": "RolledBack", "message": "" }]);
    object["metadata"]["annotations"] = json!({ "weirkeeper.dev/pinned-version": "1" });
    object["spec"]["suspend"] = json!(true);
    assert_eq!(enabled(&object), ["pin", "reset", "resume", "unpin"]);
    object["status"] = json!({ "observedGeneration": -1 });
    assert_eq!(enabled(&object), ["resume", "unpin"]);

    let mut prompt = example("WorkflowPrompt");
    assert_eq!(enabled(&prompt), ["approve", "retry", "suspend"]);
    prompt["metadata"]["annotations"] = json!({ "weirkeeper.dev/approved-digest": "0a1b" });
    assert_eq!(enabled(&prompt), ["retry", "suspend"]);
    prompt["status"] =
        json!({ "stage": "Failed", "conditions": [{ "type": "Stalled", "status": "True", "reason": "GenerationFailed", "message": "" }] });
    assert_eq!(enabled(&prompt), ["reset", "retry", "suspend"]);
}

#[test]
fn a_proposal_is_approved_by_the_digest_that_was_read() {
    let (customizations, mut prompt) = (Customizations::installed(), example("WorkflowPrompt"));
    let approved = json!({ "metadata": { "annotations": { "weirkeeper.dev/approved-digest": "0a1b" } } });
    for parameters in [&[][..], &[("digest", "0a1b")]] {
        assert_eq!(customizations.act(&prompt, "approve", parameters).unwrap(), Some(approved.clone()));
    }
    let error = customizations.act(&prompt, "approve", &[("digest", "ffff")]).unwrap_err();
    assert!(error.contains("the proposal has changed since; its digest is now 0a1b"), "{error}");
    prompt["status"]["proposal"] = Value::Null;
    let error = customizations.act(&prompt, "approve", &[]).unwrap_err();
    assert!(error.contains("there is no proposal to approve"), "{error}");
}

#[test]
fn the_limit_of_argo_cd_is_documented_a_null_in_a_definition_is_lost_by_an_action() {
    let (customizations, mut object) = (Customizations::installed(), workflow());
    object["spec"]["definition"]["nodes"][0]["parameters"]["note"] = Value::Null;
    let patch = customizations.act(&object, "retry", &[]).unwrap().unwrap();
    assert!(patch["spec"]["definition"]["nodes"].is_array(), "Argo CD keeps nulls now: docs/argocd.md can say so: {patch}");
}
