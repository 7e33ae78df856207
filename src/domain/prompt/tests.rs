use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::asked::{asked_hash, base_digest, plain_hash};
use super::made::{is_made_by, ownership, patch, workflow_object};
use super::record::Proposed;
use super::*;
use crate::api::prompt_status::{CallUsage, MOST_GENERATIONS, PendingCall, Proposal, WorkflowPromptStatus};
use crate::api::required_credential::CredentialState;
use crate::api::workflow::LARGEST_INLINE;
use crate::catalog::Catalog;
use crate::validator::check::parse_and_check;

fn prompt(spec: Value, annotations: Value) -> WorkflowPrompt {
    let mut whole = json!({ "prompt": "when the webhook is called, answer", "instanceRef": { "name": "main" } });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPrompt",
        "metadata": { "name": "p", "namespace": "n", "uid": "u", "annotations": annotations, "labels": { "shard": "a" } }, "spec": whole }))
    .unwrap()
}

fn definition(url: &str) -> Definition {
    let value = json!({ "name": "Fetches", "nodes": [
        { "name": "Fetch", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [200, 0], "parameters": { "url": url },
          "credentials": { "httpHeaderAuth": { "name": "httpHeaderAuth" } } },
        { "name": "Daily", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "position": [0, 0], "parameters": {} },
        { "name": "Note", "type": "n8n-nodes-base.stickyNote", "typeVersion": 1, "position": [0, 0], "parameters": { "content": "x" } } ],
        "connections": { "Daily": { "main": [[{ "node": "Fetch", "type": "main", "index": 0 }]] } }, "settings": {} });
    parse_and_check(&value).unwrap().definition
}

#[test]
fn answers_of_the_spec_win_over_those_of_the_annotation() {
    let given = prompt(json!({ "answers": { "a": "spec" } }), json!({ annotation::ANSWERS: r#"{ "a": "annotation", "b": "2" }"# }));
    let wanted = [("a", "spec"), ("b", "2")].map(|(id, answer)| (id.to_owned(), answer.to_owned()));
    assert_eq!(answers(&given).unwrap(), BTreeMap::from(wanted));
    for wrong in ["", "[]", r#"{ "a": 1 }"#, "a=b"] {
        let error = answers(&prompt(json!({}), json!({ annotation::ANSWERS: wrong }))).unwrap_err();
        assert!(error.contains("weirkeeper.dev/answers") && error.contains("\"id\""), "{error}");
    }
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(LARGEST_ANSWERS));
    assert!(answers(&prompt(json!({}), json!({ annotation::ANSWERS: long }))).unwrap_err().contains("at most"));
}

#[test]
fn an_approval_is_required_unless_neither_the_prompt_nor_a_policy_wants_one() {
    let rules = |require_approval| WorkflowPolicySpec { require_approval, ..WorkflowPolicySpec::default() };
    let (lax, strict) = (rules(false), rules(true));
    let automatic = prompt(json!({ "approval": "Automatic" }), json!({}));
    assert_eq!(approval_required(&automatic, [("a", &lax)]), None);
    assert!(approval_required(&automatic, [("a", &lax), ("b", &strict)]).unwrap().contains("WorkflowPolicy b"));
    assert!(approval_required(&prompt(json!({}), json!({})), []).unwrap().contains("spec.approval"));
}

#[test]
fn a_digest_changes_with_whatever_was_approved() {
    let rules = WorkflowPolicySpec { maximum_nodes: Some(3), ..WorkflowPolicySpec::default() };
    let of = |spec: Value, url: &str, policies: Vec<(&str, &WorkflowPolicySpec)>| {
        proposal_digest(&prompt(spec, json!({})), &definition(url), policies)
    };
    let first = of(json!({}), "https://a.example.com", vec![]);
    assert_eq!(first, of(json!({ "prompt": "other words" }), "https://a.example.com", vec![]));
    let ruled = of(json!({}), "https://a.example.com", vec![("p", &rules)]);
    assert!(first != ruled && same_content(&first, &ruled));
    for other in
        [of(json!({}), "https://b.example.com", vec![]), of(json!({ "workflow": { "active": true } }), "https://a.example.com", vec![])]
    {
        assert!(first != other && !same_content(&first, &other));
    }
    assert!(is_approved(&prompt(json!({}), json!({ annotation::APPROVED_DIGEST: format!(" {first}\n") })), &first));
    assert!(!is_approved(&prompt(json!({}), json!({ annotation::APPROVED_DIGEST: first[..63] })), &first));
    assert!(!is_approved(&prompt(json!({}), json!({})), &first));
}

#[test]
fn what_is_asked_for_is_distinguished_from_what_is_done_with_it() {
    let none = WorkflowPromptStatus::default();
    let of = |spec: Value, annotations: Value| asked_hash(&prompt(spec, annotations), &none);
    let first = of(json!({}), json!({}));
    assert_eq!(first, of(json!({ "approval": "Automatic", "workflow": { "active": true }, "suspend": true }), json!({ "other": "x" })));
    let with = |status: WorkflowPromptStatus, spec: Value| asked_hash(&prompt(spec, json!({})), &status);
    let again = WorkflowPromptStatus { begun_again_at: Some("again".into()), ..none.clone() };
    let based = WorkflowPromptStatus { base_digest: Some(base_digest(&definition("https://a.example.com"))), ..none.clone() };
    let base = json!({ "baseWorkflowRef": { "name": "base" } });
    assert_eq!(with(based.clone(), json!({})), first, "a workflow that nothing refers to");
    for other in [
        of(json!({ "prompt": "other words" }), json!({})),
        of(json!({ "answers": { "a": "b" } }), json!({})),
        of(json!({}), json!({ annotation::ANSWERS: r#"{"a":"b"}"# })),
        of(json!({ "tier": "Complex" }), json!({})),
        of(base.clone(), json!({})),
        with(again, json!({})),
    ] {
        assert_ne!(first, other);
    }
    assert_ne!(of(base.clone(), json!({})), with(based, base));
}

#[test]
fn a_failure_that_is_repaired_is_part_of_what_is_asked_for() {
    let prompt = prompt(json!({}), json!({}));
    let mut status = WorkflowPromptStatus { deployed_digest: Some("d".into()), ..WorkflowPromptStatus::default() };
    let plain = plain_hash(&prompt, &status);
    assert_eq!(asked_hash(&prompt, &status), plain);
    let failed = repair::Failed { node: Some("Fetch".into()), message: "404".into(), ..repair::Failed::default() };
    status.record_repair(&plain, failed, at(0));
    let repairing = asked_hash(&prompt, &status);
    assert_ne!(repairing, plain);
    status.repairs[0].execution = Some("7".into());
    assert_eq!(asked_hash(&prompt, &status), repairing, "which execution it was, no model reads");
    assert!(status.withdraw_repair());
    assert_eq!(asked_hash(&prompt, &status), plain);
}

#[test]
fn the_workflow_carries_what_the_prompt_says_of_it() {
    let spec = json!({ "workflow": { "name": "made", "active": true, "labels": { "team": "a" },
        "credentials": [{ "name": "httpHeaderAuth", "existing": { "name": "Shop" } }] } });
    let object = workflow_object(&prompt(spec, json!({})), &definition("https://a.example.com")).unwrap();
    assert_eq!(object["metadata"]["name"], "made");
    assert_eq!(object["metadata"]["labels"], json!({ "team": "a", "shard": "a" }));
    assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "u");
    assert_eq!(object["metadata"]["annotations"][annotation::GENERATED_BY], "p");
    assert_eq!(object["spec"]["credentials"][0]["existing"]["name"], "Shop");
    let whole: crate::api::workflow::Workflow = serde_json::from_value(object).unwrap();
    assert_eq!(
        (whole.spec.active, whole.spec.definition.unwrap()["name"].as_str().map(str::to_owned)),
        (Some(true), Some("Fetches".to_owned()))
    );
    let kept = workflow_object(&prompt(json!({ "deletionPolicy": "Retain" }), json!({})), &definition("https://a.example.com")).unwrap();
    assert!(kept["metadata"]["ownerReferences"].is_null() && kept["metadata"]["name"] == "p");
    let huge = definition(&format!("https://a.example.com/{}", "x".repeat(LARGEST_INLINE)));
    assert!(workflow_object(&prompt(json!({}), json!({})), &huge).unwrap_err().contains("at most 200000"));
}

#[test]
fn only_what_the_prompt_made_is_its_workflow() {
    let mut prompt = prompt(json!({}), json!({}));
    let meta = |value: Value| serde_json::from_value::<kube::api::ObjectMeta>(value).unwrap();
    let marked = json!({ "name": "p", "annotations": { annotation::GENERATED_BY: "p" } });
    let owned = json!({ "name": "p", "ownerReferences": [{ "apiVersion": "v", "kind": "WorkflowPrompt", "name": "p", "uid": "u" }] });
    assert!(!is_made_by(&meta(marked.clone()), &prompt), "the annotation alone proves nothing");
    assert!(is_made_by(&meta(owned), &prompt));
    let mut status = WorkflowPromptStatus::default();
    status.record_deployed("p", "d");
    prompt.status = Some(status);
    assert!(is_made_by(&meta(marked), &prompt));
    assert!(!is_made_by(&meta(json!({ "name": "p" })), &prompt));
}

#[test]
fn people_read_what_a_workflow_does() {
    let catalog = Catalog::embedded();
    let definition = definition("https://shop.example.com/orders");
    let plan = proposal::plan(&definition, catalog);
    assert_eq!(plan, ["Daily (Schedule Trigger)", "Fetch (HTTP Request) at https://shop.example.com/orders"]);
    let credentials = proposal::credentials(&definition, &BTreeSet::from(["other"]), catalog);
    assert_eq!((credentials.len(), credentials[0].kind.as_str(), credentials[0].state), (1, "httpHeaderAuth", CredentialState::Missing));
    assert_eq!(
        proposal::effect(&definition, &credentials),
        "It is started by \"Daily\". It has 2 nodes. It calls shop.example.com. It needs credentials of the types httpHeaderAuth."
    );
    let other = self::definition("https://other.example.com/orders");
    assert_eq!(proposal::changes(&definition, &other), ["node \"Fetch\": parameters.url changed"]);
}

#[test]
fn a_patch_changes_what_the_prompt_decides_and_nothing_else() {
    let object = |spec: Value, url: &str| workflow_object(&prompt(spec, json!({})), &definition(url)).unwrap();
    let mut stored = object(json!({ "workflow": { "active": true, "labels": { "team": "a" } } }), "https://a.example.com");
    stored["metadata"]["uid"] = json!("w");
    stored["metadata"]["resourceVersion"] = json!("7");
    assert_eq!(patch(&stored, &object(json!({ "workflow": { "active": true } }), "https://a.example.com")), None);
    // Somebody else added a tag, a label and an owner.
    stored["spec"]["tags"] = json!(["mine"]);
    stored["metadata"]["labels"]["other"] = json!("x");
    stored["metadata"]["ownerReferences"].as_array_mut().unwrap().push(json!({ "kind": "Other", "uid": "o" }));
    let kept = object(json!({ "deletionPolicy": "Retain", "workflow": { "labels": { "team": "b" } } }), "https://b.example.com");
    let found = patch(&stored, &kept).unwrap();
    assert_eq!(found["metadata"]["uid"], "w");
    assert_eq!(found["metadata"]["resourceVersion"], "7");
    assert_eq!(found["metadata"]["labels"], json!({ "team": "b" }));
    assert_eq!(found["metadata"]["ownerReferences"], json!([{ "kind": "Other", "uid": "o" }]));
    assert_eq!(found["spec"]["active"], Value::Null, "it is no longer decided");
    assert_eq!(found["spec"]["definition"]["nodes"][0]["parameters"]["url"], "https://b.example.com");
    assert!(found["spec"].get("tags").is_none() && found["spec"].get("instanceRef").is_none());
}

#[test]
fn the_owner_follows_the_deletion_policy() {
    let (deleting, keeping) = (prompt(json!({}), json!({})), prompt(json!({ "deletionPolicy": "Retain" }), json!({})));
    let mut stored = workflow_object(&deleting, &definition("https://a.example.com")).unwrap();
    stored["metadata"]["uid"] = json!("w");
    assert_eq!(ownership(&stored, &deleting), None);
    let freed = ownership(&stored, &keeping).unwrap();
    assert_eq!((&freed["metadata"]["ownerReferences"], &freed["metadata"]["uid"]), (&json!([]), &json!("w")));
    let kept = workflow_object(&keeping, &definition("https://a.example.com")).unwrap();
    assert_eq!(ownership(&kept, &keeping), None);
    assert_eq!(ownership(&kept, &deleting).unwrap()["metadata"]["ownerReferences"][0]["uid"], "u");
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn proposed(digest: &str) -> Proposed<'static> {
    let proposal = Proposal { digest: digest.to_owned(), revision: format!("p-{digest}"), ..Proposal::default() };
    Proposed { proposal, prompt: "words" }
}

#[test]
fn usage_is_kept_for_the_life_of_the_object_and_calls_are_bounded() {
    let mut status = WorkflowPromptStatus::default();
    status.begin(Some("one"), "asked");
    for number in 0..40 {
        let key = format!("{number:064}");
        status.record_call(
            PendingCall { key: key.clone(), stage: "plan".into(), tier: "simple".into(), tokens: 9, micros: 9, at: Time(at(number)) },
            at(number),
        );
        status.record_call(
            PendingCall { key: key.clone(), stage: "plan".into(), tier: "simple".into(), tokens: 9, micros: 9, at: Time(at(number)) },
            at(number),
        );
        assert_eq!(status.pending_calls.len(), 1);
        let used = CallUsage {
            key: key.clone(),
            stage: "plan".into(),
            model: "m".into(),
            input: 100,
            output: 10,
            cost: "0.01".into(),
            estimated: false,
            at: Time(at(number)),
        };
        status.record_answer(&key, used);
    }
    assert_eq!((status.usage.tokens, status.usage.cost.as_str(), status.usage.calls.len()), (4400, "0.40", 32));
    assert_eq!((status.pending_calls.len(), status.began_at.clone()), (0, Some(Time(at(0)))));
    status.usage.attempts = 3;
    status.begin(Some("two"), "asked");
    assert_eq!((status.usage.tokens, status.usage.attempts, status.began_at), (4400, 0, None));
}

#[test]
fn the_generation_that_is_deployed_is_never_forgotten() {
    let mut status = WorkflowPromptStatus::default();
    assert!(status.record_proposal(proposed("first"), at(0)).is_empty());
    status.record_deployed("w", "first");
    let mut dropped = Vec::new();
    for number in 0..20 {
        dropped.extend(status.record_proposal(proposed(&format!("d{number}")), at(number)));
        assert!(status.record_proposal(proposed(&format!("d{number}")), at(number)).is_empty(), "the same again");
    }
    assert_eq!((status.history.len(), dropped.len()), (MOST_GENERATIONS, 13));
    assert_eq!(status.deployed_revision(), Some("p-first"));
    assert!(!dropped.contains(&"p-first".to_owned()));
}

#[test]
fn changed_rules_are_no_further_generation() {
    let digest = |content: &str, rules: &str| format!("{}{rules:0>8}", content.repeat(56));
    let mut status = WorkflowPromptStatus::default();
    status.record_proposal(proposed(&digest("a", "0")), at(0));
    status.record_deployed("w", &digest("a", "0"));
    for number in 1..20 {
        assert!(status.record_proposal(proposed(&digest("a", &number.to_string())), at(number)).is_empty());
    }
    assert_eq!(status.history.iter().map(|one| (one.digest.clone(), one.deployed)).collect::<Vec<_>>(), [(digest("a", "19"), true)]);
    assert!(status.deployed_revision().is_some(), "it is what is deployed, whatever the rules");
}
