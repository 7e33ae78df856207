//! Retries with exponential backoff, whichever component refuses and whatever `Retry-After` says.

use std::time::{Duration, Instant};

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use crate::harness::n8n::answering;
use crate::harness::relay::Relay;
use crate::harness::world::{PATIENCE, World, condition, ready};
use crate::standin::{Fault, Rule};

/// The fifth pause: half a second doubled four times, minus a quarter at most.
const FIFTH: Duration = Duration::from_millis(375 * 16);

async fn apply(world: &World, name: &str, version: &str) {
    let definition = answering(&format!("{}/{name}", world.namespace), version);
    world.workflow(name, json!({ "active": true, "interval": "1h", "definition": definition })).await;
}

/// Returns the longest pause between the first `many` increments of a counter.
async fn longest_pause(world: &World, many: usize, count: impl Fn() -> usize) -> Duration {
    let (started, mut seen, mut last, mut longest) = (Instant::now(), 0, None::<Instant>, Duration::ZERO);
    while seen < many {
        let now = count();
        if now > seen {
            seen = now;
            longest = last.map_or(longest, |last| longest.max(last.elapsed()));
            last = Some(Instant::now());
        }
        assert!(started.elapsed() < PATIENCE, "only {seen} tries\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    longest
}

/// Applies a Workflow whose reads are answered with a status and a `Retry-After`, and expects exponential backoff all the same.
async fn backs_off(name: &str, status: u16, header: &str) {
    let (standin, world) = World::on_stand_in(name, json!({ "interval": "1h" })).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    apply(&world, "a", "1").await;
    let id = crate::harness::n8n::id(&world.until_ready("a").await);
    let Fault::Respond { content_type, body, .. } = Fault::retry_after(status, 0) else { unreachable!("a response") };
    let headers = vec![("retry-after".to_owned(), header.to_owned())];
    let at_once = Fault::Respond { status, content_type, body, headers };
    let rule = standin.faults().add(Rule::on("GET", &format!("/api/v1/workflows/{id}"), at_once));
    world.annotate("Workflow", "a", "requested-at", json!("1")).await;
    let longest = longest_pause(&world, 7, || standin.faults().fired(rule)).await;
    assert!(longest >= FIFTH, "the longest pause between seven tries is {longest:?}");
    standin.faults().clear();
    world.until("a", "n8n answers again", |object| condition(object, "Synced")["status"] == "True" && ready(object)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_back_off_although_retry_after_is_zero() {
    backs_off("retryzero", 503, "0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_back_off_although_retry_after_is_in_the_past() {
    backs_off("retrypast", 503, "Sun, 06 Nov 1994 08:49:37 GMT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_back_off_although_a_rate_limit_ends_at_once() {
    backs_off("retrylimited", 429, "0").await;
}

/// Makes the API server refuse every write of a Workflow's status in this namespace.
async fn refuse_status(world: &World, name: &str) -> impl AsyncFnOnce() + use<> {
    let api = |kind: &str| {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind));
        Api::<DynamicObject>::all_with(world.admin.clone(), &resource)
    };
    let (policies, bindings) = (api("ValidatingAdmissionPolicy"), api("ValidatingAdmissionPolicyBinding"));
    let selector = json!({ "matchLabels": { "kubernetes.io/metadata.name": world.namespace } });
    let rule =
        json!({ "apiGroups": ["weirkeeper.dev"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["workflows/status"] });
    let apply = async |api: &Api<DynamicObject>, kind: &str, spec: Value| {
        let object = json!({ "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": { "name": name }, "spec": spec });
        api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await.expect("the API server takes the policy");
    };
    let refuses = json!({ "failurePolicy": "Fail", "validations": [{ "expression": "false", "message": "no status today" }],
        "matchConstraints": { "namespaceSelector": selector, "resourceRules": [rule] } });
    apply(&policies, "ValidatingAdmissionPolicy", refuses).await;
    apply(&bindings, "ValidatingAdmissionPolicyBinding", json!({ "policyName": name, "validationActions": ["Deny"] })).await;
    let name = name.to_owned();
    async move || {
        for api in [&bindings, &policies] {
            api.delete(&name, &DeleteParams::default()).await.expect("the API server deletes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_status_write_is_retried_with_exponential_backoff() {
    let (_standin, mut world) = World::on_stand_in("refusedstatus", json!({ "interval": "1h" })).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    let (relay, kubeconfig) = Relay::to_api_server(&world.stack, "operator");
    world.operator.restart_through(&kubeconfig);
    apply(&world, "before", "1").await;
    world.until_ready("before").await;
    let policy = format!("refuse-{}", world.namespace);
    let allow = refuse_status(&world, &policy).await;
    // The API server applies a policy after a moment.
    let status = format!("/apis/weirkeeper.dev/v1alpha1/namespaces/{}/workflows/before/status", world.namespace);
    let patch = json!({ "status": { "observedGeneration": 1 } });
    let started = Instant::now();
    while world.api("Workflow").patch_status("before", &PatchParams::default(), &Patch::Merge(patch.clone())).await.is_ok() {
        assert!(started.elapsed() < PATIENCE, "the policy refuses nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let from = relay.count();
    apply(&world, "before", "2").await;
    let tries = || relay.writes_since(from).iter().filter(|one| one.path == status).count();
    // Two for each reconciliation: the intent is refused, and so is the final status.
    let longest = longest_pause(&world, 14, tries).await;
    assert!(longest >= FIFTH, "the longest pause between seven attempts is {longest:?}");
    let bodies = || relay.writes_since(from).iter().filter(|one| one.path.ends_with("/controllerrevisions")).count();
    assert_eq!(bodies(), 1, "the body of version 2 is stored once");
    allow().await;
    world.until("before", "version 2 is published", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
}
