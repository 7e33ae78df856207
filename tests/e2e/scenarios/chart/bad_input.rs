//! Mistakes of users, each with the message that names it.

use serde_json::{Value, json};

use super::helm::{apply, chart, get, helm, kubectl, project};
use crate::harness::stack::Stack;

const NAMESPACE: &str = "weirkeeper-system";

/// Renders the chart, which must fail, and returns the message.
fn refused(stack: &Stack, values: &Value, flags: &[&str]) -> String {
    let chart = chart();
    let output = helm(stack, &[&["template", "weirkeeper", &chart, "--namespace", NAMESPACE], flags].concat(), values);
    assert!(!output.ok, "{values} is accepted");
    output.err
}

/// Installs a release, and returns whether that succeeded, and the message.
pub fn install(stack: &Stack, release: &str, namespace: &str, values: &Value, flags: &[&str]) -> (bool, String) {
    let chart = chart();
    let arguments = [&["install", release, &chart, "--namespace", namespace, "--create-namespace"], flags].concat();
    let output = helm(stack, &arguments, values);
    (output.ok, format!("{}{}", output.out, output.err))
}

#[test]
fn a_typo_in_the_values_is_named() {
    let stack = Stack::shared();
    for (values, named) in [
        (json!({ "replica": 3 }), "replica"),
        (json!({ "webhok": {} }), "webhok"),
        (json!({ "webhook": { "failurepolicy": "Fail" } }), "failurepolicy"),
        (json!({ "webhook": { "certificates": { "certManager": { "issuerref": {} } } } }), "issuerref"),
        (json!({ "webhook": { "failurePolicy": "fail" } }), "failurePolicy"),
        (json!({ "operator": { "deletionBound": "10 minutes" } }), "deletionBound"),
        (json!({ "operator": { "concurrency": 0 } }), "concurrency"),
        (json!({ "scope": { "namespaces": "team-a" } }), "namespaces"),
        (json!({ "resources": { "limit": {} } }), "limit"),
        (json!({ "image": { "digest": "0123" } }), "digest"),
        (json!({ "extraEnv": [{ "nam": "A" }] }), "nam"),
        (json!({ "networkPolicy": { "metricsFrom": [{ "namespaceSelektor": {} }] } }), "namespaceSelektor"),
        (
            json!({ "objects": { "n8nInstances": [{ "name": "main", "spec": { "url": "https://n8n.example.com", "apiKeySecret": {} } }] } }),
            "apiKeySecret",
        ),
        (json!({ "terminationGracePeriodSeconds": 10 }), "terminationGracePeriodSeconds"),
        (json!({ "terminationGracePeriodSeconds": 30, "preStopSeconds": 15 }), "set at least 40"),
        (json!({ "webhook": { "port": 8080 } }), "webhook.port and metrics.port are both 8080"),
        (json!({ "replicas": 2, "podDisruptionBudget": { "minAvailable": 2 } }), "podDisruptionBudget.minAvailable: 2 of 2 replicas"),
        (json!({ "podDisruptionBudget": { "minAvailable": "51%" } }), "podDisruptionBudget.minAvailable: 51% of 2 replicas"),
        (json!({ "leaderElection": { "leaseDuration": "1s" } }), "leaderElection.leaseDuration: 1s is not from 5s to 10m"),
        (json!({ "operator": { "reconcileTimeout": "1h1ms" } }), "operator.reconcileTimeout: 1h1ms is not from 10s to 1h"),
        (json!({ "webhook": { "certificates": { "lifetime": "9s" } } }), "webhook.certificates.lifetime: 9s is not from 10s"),
        (
            json!({ "webhook": { "certificates": { "certManager": { "duration": "24h", "renewBefore": "24h" } } } }),
            "renewBefore: 24h is not shorter than the duration 24h",
        ),
        (json!({ "metrics": { "service": false, "serviceMonitor": { "enabled": true } } }), "metrics.service"),
    ] {
        let message = refused(&stack, &values, &[]);
        assert!(message.contains(named), "{values}: {message}");
    }
}

#[test]
fn an_api_server_that_is_too_old_is_refused() {
    let message = refused(&Stack::shared(), &json!({}), &["--kube-version", "1.29.9"]);
    assert!(message.contains("chart requires kubeVersion: >=1.30.0-0") && message.contains("1.29.9"), "{message}");
}

#[test]
fn kinds_that_are_not_installed_are_named_and_nothing_is_left_behind() {
    let stack = Stack::own(&["--without-n8n"]);
    for (values, kind) in [
        (json!({ "webhook": { "certificates": { "mode": "cert-manager" } } }), "Certificate"),
        (json!({ "metrics": { "serviceMonitor": { "enabled": true } } }), "ServiceMonitor"),
        (json!({ "metrics": { "prometheusRule": { "enabled": true } } }), "PrometheusRule"),
    ] {
        let (installed, message) = install(&stack, "weirkeeper", NAMESPACE, &values, &[]);
        assert!(
            !installed
                && message.contains(&format!("no matches for kind \"{kind}\""))
                && message.contains("ensure CRDs are installed first"),
            "{message}"
        );
        assert!(get(&stack, &["crd"]).is_null(), "a CRD is left behind");
        assert_eq!(get(&stack, &["clusterrole", "weirkeeper"]), Value::Null);
    }

    apply(&stack, "default", &[], &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } })).text();
    // A Secret with the name of the certificate's that somebody else owns is no object of the chart: it is neither refused nor taken over.
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "weirkeeper-webhook" }, "stringData": { "note": "not Helm's" } });
    apply(&stack, NAMESPACE, &[], &secret).text();

    // CRDs that were applied by hand are named, and taken over on request. Nothing is deleted.
    kubectl(&stack, &["apply", "--server-side", "--filename", project("crds").to_str().expect("a path")]).text();
    kubectl(&stack, &["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).text();
    kubectl(&stack, &["create", "namespace", "team-a"]).text();
    apply(&stack, "team-a", &[], &instance("main", "https://n8n.example.com")).text();
    let uids = |of: &[&str]| get(&stack, of)["metadata"]["uid"].clone();
    let before = (uids(&["crd", "workflows.weirkeeper.dev"]), uids(&["n8ni", "main", "--namespace", "team-a"]));
    let (installed, message) = install(&stack, "weirkeeper", NAMESPACE, &json!({}), &[]);
    assert!(!installed && message.contains("weirkeeper.dev") && message.contains("invalid ownership metadata"), "{message}");
    let (installed, message) = install(&stack, "weirkeeper", NAMESPACE, &json!({}), &["--take-ownership"]);
    assert!(installed, "{message}");
    assert_eq!(get(&stack, &["secret", "weirkeeper-webhook", "--namespace", NAMESPACE])["metadata"]["labels"], Value::Null);

    // And back: the chart lets go of them, and kubectl applies them again.
    let chart = chart();
    let away = json!({ "crds": { "install": false } });
    helm(&stack, &["upgrade", "weirkeeper", &chart, "--namespace", NAMESPACE], &away).text();
    kubectl(&stack, &["apply", "--server-side", "--force-conflicts", "--filename", project("crds").to_str().expect("a path")]).text();
    // Left by the release that was there before, they belong to one of another name only on request.
    assert!(kubectl(&stack, &["delete", "secret", "--namespace", NAMESPACE, "--field-selector", "type=helm.sh/release.v1"]).ok);
    let after = (uids(&["crd", "workflows.weirkeeper.dev"]), uids(&["n8ni", "main", "--namespace", "team-a"]));
    assert_eq!(before, after, "an object was deleted on the way");
    assert!(before.1.is_string());
}

/// Returns an N8nInstance.
pub fn instance(name: &str, url: &str) -> Value {
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": name },
        "spec": { "url": url, "apiKeySecretRef": { "name": "n8n-api-key" } } })
}
