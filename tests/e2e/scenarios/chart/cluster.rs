//! Several releases in one cluster.

use serde_json::json;

use super::bad_input::install;
use super::helm::{apply, chart, get, helm, kubectl};
use super::lifecycle::{connect, ready, values, workflow};
use super::pod::Replica;
use crate::harness::stack::Stack;
use crate::standin::{Options, StandIn};

#[test]
fn releases_for_the_same_objects_are_refused_and_others_live_side_by_side() {
    let stack = Stack::own(&["--without-n8n"]);
    for namespace in ["team-a", "team-b"] {
        kubectl(&stack, &["create", "namespace", namespace]).text();
    }
    let elsewhere = json!({ "crds": { "install": false }, "admissionPolicies": { "install": false } });
    let with = |scope: serde_json::Value| {
        let mut values = elsewhere.clone();
        values["scope"] = scope;
        values
    };
    let (installed, message) = install(&stack, "first", "ops", &json!({}), &[]);
    assert!(installed, "{message}");

    // A second one for the whole cluster would write to the same objects. Its CRDs alone are refused too.
    let (installed, message) = install(&stack, "second", "ops-2", &elsewhere, &[]);
    assert!(
        !installed && message.contains("release first in namespace ops manages some of the same objects (all of the cluster)"),
        "{message}"
    );
    let (installed, message) = install(&stack, "second", "ops-2", &with(json!({ "namespaces": ["team-a"] })), &[]);
    assert!(!installed && message.contains("release first in namespace ops manages some of the same objects"), "{message}");
    // Without the look into the cluster, Helm itself refuses the objects that only one release can have.
    let (installed, message) = install(&stack, "second", "ops-2", &json!({ "scope": { "allowOverlap": true } }), &[]);
    assert!(
        !installed
            && message.contains("invalid ownership metadata")
            && message.contains("must equal \"second\": current value is \"first\""),
        "{message}"
    );

    // The first one is restricted; then others for other namespaces or labels may be installed.
    let chart = chart();
    let upgraded = helm(&stack, &["upgrade", "first", &chart, "--namespace", "ops"], &json!({ "scope": { "namespaces": ["team-a"] } }));
    assert!(upgraded.ok, "{}", upgraded.err);
    assert!(get(&stack, &["clusterrole", "weirkeeper"]).is_null(), "the rules for the whole cluster are gone");
    let (installed, message) = install(&stack, "second", "ops-2", &with(json!({ "namespaces": ["team-b", "team-a"] })), &[]);
    assert!(!installed && message.contains("(by namespaces)"), "{message}");
    let (installed, message) = install(&stack, "second", "ops-2", &with(json!({ "namespaces": ["team-b"] })), &[]);
    assert!(installed, "{message}");
    let (installed, message) = install(&stack, "third", "ops-2", &with(json!({ "labels": { "shard": "c" } })), &[]);
    assert!(installed, "{message}");
    for (name, namespace) in [("first-weirkeeper", "ops"), ("second-weirkeeper", "ops-2"), ("third-weirkeeper", "ops-2")] {
        assert!(get(&stack, &["deployment", name, "--namespace", namespace]).is_object(), "{name}");
        let configuration = format!("{name}-{namespace}");
        assert!(get(&stack, &["validatingwebhookconfiguration", &configuration]).is_object(), "{configuration}");
    }
    // One that covers the cluster cannot come beside them, and the first one may be upgraded as before.
    let (installed, message) = install(&stack, "fourth", "ops-4", &elsewhere, &[]);
    assert!(!installed && message.contains("manages some of the same objects (by "), "{message}");
    let again = helm(&stack, &["upgrade", "first", &chart, "--namespace", "ops"], &json!({ "scope": { "namespaces": ["team-a"] } }));
    assert!(again.ok, "{}", again.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_namespace_of_the_scope_does_not_hold_up_the_others() {
    let (stack, n8n) = (Stack::own(&["--without-n8n"]), StandIn::start(Options::default()));
    kubectl(&stack, &["create", "namespace", "team-b"]).text();
    kubectl(&stack, &["create", "namespace", "team-a"]).text();
    let values = values(&json!({ "scope": { "namespaces": ["team-a", "team-b"] } }));
    let (installed, message) = install(&stack, "weirkeeper", "weirkeeper-system", &values, &[]);
    assert!(installed, "{message}");
    let deployment = get(&stack, &["deployment", "--namespace", "weirkeeper-system"])["items"][0]["metadata"]["name"].clone();
    let deployment = deployment.as_str().expect("a Deployment").to_owned();
    let start = || Replica::start(&stack, "weirkeeper-system", &deployment, None);
    let mut replica = start();
    replica.until_ready().await;
    connect(&stack, "team-a", &n8n);

    kubectl(&stack, &["delete", "namespace", "team-b", "--timeout=60s"]).text();
    replica.terminate();
    let mut replica = start();
    replica.until_ready().await;
    assert!(replica.log().contains("the namespace does not exist"), "{}", replica.log());
    apply(&stack, "team-a", &[], &workflow("team-a", "one", "1")).text();
    ready(&stack, "team-a", "nwf/one");

    // It comes back, with the Role that the release has for it.
    kubectl(&stack, &["create", "namespace", "team-b"]).text();
    let chart = chart();
    let upgraded = helm(&stack, &["upgrade", "weirkeeper", &chart, "--namespace", "weirkeeper-system"], &values);
    assert!(upgraded.ok, "{}", upgraded.err);
    connect(&stack, "team-b", &n8n);
    apply(&stack, "team-b", &[], &workflow("team-b", "two", "1")).text();
    ready(&stack, "team-b", "nwf/two");
}
