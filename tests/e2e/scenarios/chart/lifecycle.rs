//! A release from its installation to its end, with the operator that its Deployment describes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bad_input::{install, instance};
use super::helm::{apply, chart, get, helm, kubectl, program, run};
use super::pod::{Replica, with_hooks};
use crate::harness::admission::free_port;
use crate::harness::n8n::answering;
use crate::harness::stack::{Stack, say};
use crate::standin::{Options, StandIn};

const NAMESPACE: &str = "weirkeeper-system";
const DEPLOYMENT: &str = "weirkeeper";

/// Returns values for an operator on this machine: free ports, an n8n on loopback, and API servers that call the webhook by URL.
pub fn values(more: &Value) -> Value {
    let port = free_port();
    let mut values = json!({
        "operator": { "allowLoopback": true, "logFormat": "text", "log": "info,weirkeeper=debug" },
        "metrics": { "port": free_port() },
        "webhook": { "port": port, "url": format!("https://127.0.0.1:{port}"), "failurePolicy": "Fail" },
    });
    merge(&mut values, more);
    values
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            more.iter().for_each(|(name, value)| merge(into.entry(name.clone()).or_insert(Value::Null), value))
        }
        (into, more) => *into = more.clone(),
    }
}

/// Returns a Workflow that answers with a version.
pub fn workflow(namespace: &str, name: &str, version: &str) -> Value {
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": name },
        "spec": { "instanceRef": { "name": "main" }, "active": true, "interval": "5s", "definition": answering(&format!("{namespace}/{name}"), version) } })
}

/// Connects an n8n in a namespace that is created for it.
pub fn connect(stack: &Stack, namespace: &str, n8n: &StandIn) {
    apply(stack, "default", &[], &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } })).text();
    let key =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "n8n-api-key" }, "stringData": { "apiKey": n8n.api_key() } });
    apply(stack, namespace, &[], &key).text();
    apply(stack, namespace, &[], &instance("main", &n8n.url())).text();
    ready(stack, namespace, "n8ni/main");
}

/// Waits until an object is Ready at its generation.
pub fn ready(stack: &Stack, namespace: &str, object: &str) {
    let waited = kubectl(stack, &["wait", "--for=condition=Ready", "--timeout=120s", "--namespace", namespace, object]);
    assert!(waited.ok, "{}: {:#}", waited.err, get(stack, &[object, "--namespace", namespace])["status"]);
}

fn upgrade(stack: &Stack, values: &Value) {
    let chart = chart();
    let upgraded = helm(stack, &["upgrade", "weirkeeper", &chart, "--namespace", NAMESPACE], values);
    assert!(upgraded.ok, "{}", upgraded.err);
}

/// Asserts that the `namespaceSelector` of the chart leaves out the namespaces of Kubernetes and of the operator: without a replica and with
/// `failurePolicy: Fail`, everything else is refused.
fn nothing_of_the_system_waits_for_the_webhook(stack: &Stack) {
    let bad = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "bad" },
        "spec": { "instanceRef": { "name": "main" }, "definition": { "nodes": 7 } } });
    let started = Instant::now();
    // A configuration is in force a moment after it is stored.
    while !apply(stack, "default", &["--dry-run=server"], &bad).err.contains("failed calling webhook") {
        assert!(started.elapsed() < Duration::from_secs(60), "the configuration is not in force");
        std::thread::sleep(Duration::from_millis(100));
    }
    for namespace in ["kube-system", "kube-public", "kube-node-lease", NAMESPACE] {
        let stored = apply(stack, namespace, &["--dry-run=server"], &bad);
        assert!(stored.ok, "{namespace}: {}", stored.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_installed_upgraded_rolled_back_and_uninstalled() {
    let stack = Stack::own(&["--without-n8n"]);
    let n8n = StandIn::start(Options::default());
    let values = values(&json!({}));
    let (installed, notes) = install(&stack, "weirkeeper", NAMESPACE, &values, &[]);
    assert!(installed, "{notes}");
    for said in
        ["rollout status --namespace weirkeeper-system deployment/weirkeeper", "create secret generic n8n-api-key", "kind: N8nInstance"]
    {
        assert!(notes.contains(said), "{notes}");
    }
    nothing_of_the_system_waits_for_the_webhook(&stack);
    let mut replica = Replica::start(&stack, NAMESPACE, DEPLOYMENT, None);
    replica.until_ready().await;
    connect(&stack, "team-a", &n8n);

    // The webhook of the rendered configuration answers where that says.
    let denied = apply(
        &stack,
        "team-a",
        &[],
        &json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "bad" },
        "spec": { "instanceRef": { "name": "main" }, "definition": { "nodes": 7 } } }),
    );
    assert!(denied.err.contains("admission webhook \"workflows.weirkeeper.dev\" denied the request"), "{}", denied.err);
    let tested = with_hooks(&stack, NAMESPACE, &["test", "weirkeeper", "--namespace", NAMESPACE], || {});
    assert!(tested.0.ok && tested.1.len() == 1 && tested.1[0].contains("helm-test serverside-applied (server dry run)"), "{tested:?}");
    for at in 0..10 {
        apply(&stack, "team-a", &[], &workflow("team-a", &format!("w{at}"), "1")).text();
    }
    for at in 0..10 {
        ready(&stack, "team-a", &format!("nwf/w{at}"));
    }
    let uids = || {
        let listed = |kinds: &str, more: &[&str]| {
            let items = get(&stack, &[&[kinds], more].concat())["items"].as_array().cloned().unwrap_or_default();
            items.into_iter().map(|one| (one["metadata"]["name"].clone(), one["metadata"]["uid"].clone())).collect::<Vec<_>>()
        };
        [listed("nwf,n8ni", &["--namespace", "team-a"]), listed("crd,validatingwebhookconfiguration", &[])]
    };
    let before = uids();
    assert_eq!(before[0].len(), 11);

    // Two upgrades, with a Workflow right after each: the webhook, which fails closed, still trusts the certificate. The next version of the chart.
    let bundle = || get(&stack, &["validatingwebhookconfiguration", "weirkeeper"])["webhooks"][0]["clientConfig"]["caBundle"].clone();
    let trusted = bundle();
    assert!(trusted.is_string());
    let next = stack.dir.join("next");
    let packed = program(
        &stack,
        "helm",
        &["package", &chart(), "--version", "0.1.1", "--app-version", "0.1.1", "--destination", next.to_str().expect("a path")],
    );
    run(packed, "").text();
    let next = next.join("weirkeeper-0.1.1.tgz");
    upgrade(&stack, &values);
    apply(&stack, "team-a", &[], &workflow("team-a", "after-1", "1")).text();
    let upgraded = helm(&stack, &["upgrade", "weirkeeper", next.to_str().expect("a path"), "--namespace", NAMESPACE], &values);
    assert!(upgraded.ok, "{}", upgraded.err);
    apply(&stack, "team-a", &[], &workflow("team-a", "after-2", "1")).text();
    assert_eq!(bundle(), trusted, "an upgrade overwrote the caBundle");
    // A rolling update: the new replica is ready before the old one ends, and takes the Lease when that releases it.
    let mut values = values;
    merge(&mut values, &json!({ "metrics": { "port": free_port() }, "webhook": { "port": free_port() } }));
    let port = values["webhook"]["port"].clone();
    values["webhook"]["url"] = json!(format!("https://127.0.0.1:{port}"));
    upgrade(&stack, &values);
    let mut second = Replica::start(&stack, NAMESPACE, DEPLOYMENT, None);
    second.until_ready().await;
    let leads = async |replica: &Replica| replica.get("/metrics").await.1.contains("\nweirkeeper_leading 1");
    assert!(leads(&replica).await && !leads(&second).await, "two write at once");
    let grace =
        get(&stack, &["deployment", DEPLOYMENT, "--namespace", NAMESPACE])["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            .clone();
    assert!(replica.terminate() < Duration::from_secs(grace.as_u64().expect("seconds")));
    for name in ["after-1", "after-2"] {
        ready(&stack, "team-a", &format!("nwf/{name}"));
    }
    assert_eq!(uids()[1], before[1], "an upgrade replaced an object");

    let rolled = run(program(&stack, "helm", &["rollback", "weirkeeper", "1", "--namespace", NAMESPACE]), "");
    assert!(rolled.ok, "{}", rolled.err);
    let found = get(&stack, &["deployment", DEPLOYMENT, "--namespace", NAMESPACE]);
    assert_eq!(found["metadata"]["labels"]["app.kubernetes.io/version"], "0.1.0");
    second.terminate();
    let mut third = Replica::start(&stack, NAMESPACE, DEPLOYMENT, None);
    third.until_ready().await;
    let now = uids();
    assert!(before[0].iter().all(|one| now[0].contains(one)) && now[1] == before[1], "a rollback replaced an object");
    apply(&stack, "team-a", &[], &workflow("team-a", "w0", "2")).text();
    ready(&stack, "team-a", "nwf/w0");

    // The end: the Job of the hook runs after the operator, and objects stay, without finalizers.
    n8n.log().clear();
    let (ended, ran) = with_hooks(&stack, NAMESPACE, &["uninstall", "weirkeeper", "--namespace", NAMESPACE], || {
        third.terminate();
    });
    assert!(ended.ok && ran.len() == 1 && ran[0].contains("13 objects released"), "{ended:?} {ran:?}");
    assert!(get(&stack, &["crd", "workflows.weirkeeper.dev"]).is_object() && get(&stack, &["clusterrole", "weirkeeper"]).is_null());
    let left: Vec<_> = get(&stack, &["nwf,n8ni", "--namespace", "team-a"])["items"].as_array().expect("items").clone();
    assert!(left.len() == 13 && left.iter().all(|one| one["metadata"]["finalizers"].is_null()), "{left:?}");
    let started = Instant::now();
    let deleted = kubectl(&stack, &["delete", "namespace", "team-a", "--timeout=60s"]);
    assert!(deleted.ok && started.elapsed() < Duration::from_secs(60), "{}", deleted.err);
    say(&format!("chart: uninstalled with 13 objects; their namespace was deleted in {:.1} s", started.elapsed().as_secs_f64()));
    assert!(n8n.log().writes().is_empty(), "the end changed something in n8n: {:?}", n8n.log().writes());

    // The CRDs of the older release are taken over by one of the same name, and refused to another.
    let (installed, message) = install(&stack, "other", "other", &json!({}), &[]);
    assert!(!installed && message.contains("must equal \"other\": current value is \"weirkeeper\""), "{message}");
    let (installed, message) = install(&stack, "weirkeeper", NAMESPACE, &json!({}), &[]);
    assert!(installed, "{message}");
}
