//! The rights of the operator: everything that it does is granted, and nothing that it does not do.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bad_input::install;
use super::helm::{apply, documents, get, helm, kubectl};
use super::lifecycle::{connect, ready, values, workflow};
use super::pod::{Replica, identity};
use crate::harness::n8n::answering;
use crate::harness::relay::{Passed, Relay};
use crate::harness::stack::Stack;
use crate::harness::world::PATIENCE;
use crate::model::{Asked, ModelServer, complete};
use crate::scenarios::prompts::{answering as compact_answering, for_a_model, said};
use crate::standin::{Options, StandIn};

const NAMESPACE: &str = "weirkeeper-system";

/// Rights that no request shows: the API server asks for them itself if OwnerReferencesPermissionEnforcement is enabled.
const UNSEEN: &[&str] = &["weirkeeper.dev/workflows/finalizers update", "weirkeeper.dev/workflowprompts/finalizers update"];

/// Returns the rights that the rules of a release grant to the operator, as `group/resource verb`.
fn granted(stack: &Stack) -> BTreeSet<String> {
    let manifest =
        super::helm::run(super::helm::program(stack, "helm", &["get", "manifest", "weirkeeper", "--namespace", NAMESPACE]), "").text();
    let objects = documents(&manifest);
    let bound = objects.iter().filter(|one| one.object["kind"].as_str().is_some_and(|kind| kind.ends_with("Binding")));
    let bound: BTreeSet<_> = bound.map(|one| one.object["roleRef"]["name"].clone().to_string()).collect();
    let roles = objects.iter().filter(|one| ["Role", "ClusterRole"].iter().any(|kind| one.object["kind"] == *kind));
    let roles = roles.filter(|one| bound.contains(&one.object["metadata"]["name"].to_string()));
    let mut rights = BTreeSet::new();
    for rule in roles.flat_map(|one| one.object["rules"].as_array().cloned().unwrap_or_default()) {
        let words = |key: &str| rule[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
        for group in words("apiGroups") {
            for resource in words("resources") {
                rights.extend(words("verbs").iter().map(|verb| format!("{group}/{resource} {verb}")));
            }
        }
    }
    rights
}

/// Returns the right that a request needs.
fn needed(request: &Passed) -> Option<String> {
    let mut parts = request.path.trim_start_matches('/').split('/');
    let group = match parts.next()? {
        "api" => "",
        "apis" => parts.next()?,
        _ => return None,
    };
    parts.next()?;
    let mut rest: Vec<&str> = parts.collect();
    if rest.len() > 2 && rest[0] == "namespaces" {
        rest.drain(..2);
    }
    let (resource, name, subresource) = (rest.first()?, rest.get(1), rest.get(2));
    let verb = match (request.method.as_str(), name) {
        ("GET", None) if request.watches => "watch",
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", _) => "delete",
        (other, _) => panic!("{other} {}", request.path),
    };
    let resource = subresource.map_or((*resource).to_owned(), |sub| format!("{resource}/{sub}"));
    Some(format!("{group}/{resource} {verb}"))
}

/// Installs a release with values, has its operator do everything that it can do, and compares its rights with its requests.
async fn rights_of(mut more: Value, name: &str) {
    // A certificate that is written again is renewed after a thirtieth of its lifetime, which is an update of the Secret.
    more["webhook"] = json!({ "certificates": { "lifetime": "10m" } });
    let stack = Stack::own(&["--without-n8n"]);
    let n8n = StandIn::start(Options::default());
    kubectl(&stack, &["create", "namespace", "team-b"]).text();
    if more["scope"]["namespaces"].is_array() {
        kubectl(&stack, &["create", "namespace", "team-a"]).text();
    }
    let (installed, message) = install(&stack, "weirkeeper", NAMESPACE, &values(&more), &[]);
    assert!(installed, "{message}");
    std::fs::write(stack.kubeconfig("chart"), identity(&stack, NAMESPACE, "weirkeeper")).expect("a kubeconfig");
    let (relay, kubeconfig) = Relay::to_api_server(&stack, "chart");
    let mut replica = Replica::start(&stack, NAMESPACE, "weirkeeper", Some(&kubeconfig));
    replica.until_ready().await;
    connect(&stack, "team-a", &n8n);

    // Rules and limits, a definition in a ConfigMap, versions beyond the limit, a pinned one, a Workflow that goes.
    let policy = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPolicy", "metadata": { "name": "rules" },
        "spec": { "deniedNodeTypes": ["n8n-nodes-base.executeCommand"] } });
    let quota = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowQuota", "metadata": { "name": "limits" },
        "spec": { "hard": { "workflows": 9, "deploymentsPerDay": 100 } } });
    let provider =
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "ModelProvider", "metadata": { "name": "builtin" }, "spec": {} });
    let stored = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "stored" }, "data": { "workflow.json": answering("team-a/stored", "1").to_string() } });
    let from_stored = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "stored" },
        "spec": { "instanceRef": { "name": "main" }, "active": true, "definitionFrom": { "configMapKeyRef": { "name": "stored", "key": "workflow.json" } } } });
    // A template, and a Workflow that is rendered from it.
    let template = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowTemplate", "metadata": { "name": "template" },
        "spec": { "title": "Answers", "category": "Operations", "description": "Answers at a path.",
            "inputs": [{ "name": "path", "description": "Path of the webhook.", "required": true }],
            "compact": { "compact": 1, "name": "Answers", "nodes": [
                { "id": "n1", "use": "webhook", "as": "Called", "set": { "path": "?path", "responseMode": "lastNode" } },
                { "id": "n2", "use": "set", "as": "Answer", "set": { "assignments": [{ "ok": true }] } } ], "edges": ["n1>n2"] } } });
    let rendered = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "rendered" },
        "spec": { "instanceRef": { "name": "main" }, "active": true, "templateRef": { "name": "template", "inputs": { "path": "team-a/rendered" } } } });
    // A prompt makes a Workflow.
    let prompt = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPrompt", "metadata": { "name": "prompt" },
        "spec": { "prompt": "An endpoint that answers ok so that a monitor can check n8n", "instanceRef": { "name": "main" }, "approval": "Automatic",
            "answers": { "path": "team-a/prompt", "service": "n8n" }, "workflow": { "active": true } } });
    // A credential that is made from a Secret.
    let token =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "token" }, "stringData": { "accessToken": "of a test" } });
    let credential = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nCredential", "metadata": { "name": "slack" },
        "spec": { "instanceRef": { "name": "main" }, "type": "slackApi", "secretRef": { "name": "token" } } });
    // Two prompts ask a model the same: one pays, the other becomes an owner of the answer.
    let made = said(compact_answering("team-a/asked", "x"));
    let models = ModelServer::completing(move |asked: &Asked| complete(asked, &made));
    let server = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "ModelProvider", "metadata": { "name": "models" },
        "spec": { "type": "OpenAI", "baseURL": models.base_url(), "models": { "complex": { "name": "scripted" } } } });
    let asking = |name: &str| {
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPrompt", "metadata": { "name": name },
            "spec": { "prompt": for_a_model("team-a/asked"), "instanceRef": { "name": "main" }, "providerRef": { "name": "models" } } })
    };
    let (asks, follows) = (asking("asks"), asking("follows"));
    for object in [
        &token,
        &credential,
        &policy,
        &quota,
        &provider,
        &stored,
        &from_stored,
        &workflow("team-a", "gone", "1"),
        &template,
        &rendered,
        &prompt,
    ] {
        apply(&stack, "team-a", &[], object).text();
    }
    for object in [&server, &asks, &follows] {
        apply(&stack, "team-a", &[], object).text();
    }
    let waits = |name: &str| get(&stack, &["nwfp", name, "--namespace", "team-a"])["status"]["stage"] == "WaitingForApproval";
    until(|| waits("asks") && waits("follows"), "both prompts have a proposal");
    for version in ["1", "2", "3"] {
        let mut object = workflow("team-a", "a", version);
        object["spec"]["revisionHistoryLimit"] = json!(1);
        apply(&stack, "team-a", &[], &object).text();
        ready(&stack, "team-a", "nwf/a");
    }
    for object in [
        "nwf/stored",
        "nwf/gone",
        "nwft/template",
        "nwf/rendered",
        "nwfp/prompt",
        "workflowpolicy/rules",
        "workflowquota/limits",
        "nmp/builtin",
        "n8nc/slack",
    ] {
        ready(&stack, "team-a", object);
    }
    let kept = get(&stack, &["nwf", "a", "--namespace", "team-a"])["status"]["history"].as_array().expect("a history").clone();
    let earlier = kept.iter().filter_map(|one| one["version"].as_u64()).min().expect("a version");
    kubectl(&stack, &["annotate", "nwf", "a", "--namespace", "team-a", &format!("weirkeeper.dev/pinned-version={earlier}")]).text();
    until(|| get(&stack, &["nwf", "a", "--namespace", "team-a"])["status"]["activeVersion"] == earlier, "the pinned version serves");
    kubectl(&stack, &["delete", "nwf", "gone", "--namespace", "team-a", "--timeout=60s"]).text();
    // The certificate is written again, twice with the same words.
    for _ in 0..2 {
        let uid = || get(&stack, &["secret", "weirkeeper-webhook", "--namespace", NAMESPACE])["metadata"]["uid"].clone();
        let before = uid();
        kubectl(&stack, &["delete", "secret", "weirkeeper-webhook", "--namespace", NAMESPACE]).text();
        until(|| uid().is_string() && uid() != before, "the certificate is written again");
    }

    let grants = granted(&stack);
    let used = || relay.since(0).iter().filter_map(needed).collect::<BTreeSet<_>>();
    let unused =
        || grants.iter().filter(|right| !used().contains(*right) && !UNSEEN.contains(&right.as_str())).cloned().collect::<Vec<_>>();
    let started = Instant::now();
    while !unused().is_empty() && started.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let missing: Vec<_> = used().into_iter().filter(|right| !grants.contains(right)).collect();
    assert!(missing.is_empty(), "{name}: used and not granted: {missing:?}");
    assert!(
        !replica.log().contains("forbidden"),
        "{name}: {}",
        replica.log().lines().filter(|line| line.contains("forbidden")).collect::<Vec<_>>().join("\n")
    );
    assert!(unused().is_empty(), "{name}: granted and not used: {:?}", unused());
    replica.terminate();
}

fn until(holds: impl Fn() -> bool, what: &str) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "timed out: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_of_a_cluster_has_the_rights_that_it_uses_and_no_others() {
    rights_of(json!({}), "cluster").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_of_some_namespaces_has_the_rights_that_it_uses_and_no_others() {
    rights_of(json!({ "scope": { "namespaces": ["team-a", "team-b"] } }), "namespaces").await;
}

#[test]
fn a_service_account_of_a_release_may_do_nothing_else() {
    let stack = Stack::shared();
    let rendered = documents(
        &helm(&stack, &["template", "weirkeeper", &super::helm::chart(), "--namespace", NAMESPACE, "--no-hooks"], &json!({})).text(),
    );
    let accounts: Vec<_> = rendered.iter().filter(|one| one.object["kind"] == "ServiceAccount").map(super::helm::Document::key).collect();
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    let subjects = rendered.iter().flat_map(|one| one.object["subjects"].as_array().cloned().unwrap_or_default()).collect::<Vec<_>>();
    assert!(subjects.len() == 2 && subjects.iter().all(|one| one["name"] == "weirkeeper" && one["namespace"] == NAMESPACE), "{subjects:?}");
}
