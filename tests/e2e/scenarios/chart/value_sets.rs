//! Value sets that users may give, each with a name.

use serde_json::{Value, json};

/// Returns the sets. Together they turn each switch of the chart.
pub fn all() -> Vec<(&'static str, Value)> {
    let certificates = |mode: &str, more: Value| {
        let mut certificates = json!({ "mode": mode });
        certificates.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        json!({ "webhook": { "certificates": certificates } })
    };
    let instance = json!({ "name": "main", "namespace": "team-a", "spec": { "url": "https://n8n.example.com", "apiKeySecretRef": { "name": "n8n-api-key" } } });
    let peer = json!([{ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "monitoring" } } }]);
    vec![
        ("defaults", json!({})),
        ("one replica", json!({ "replicas": 1 })),
        ("the templates that ship", json!({ "templates": { "install": true } })),
        (
            "many replicas, spread strictly",
            json!({ "replicas": 5, "podDisruptionBudget": { "minAvailable": "50%" }, "topologySpread": { "whenUnsatisfiable": "DoNotSchedule" } }),
        ),
        ("neither budget nor spread", json!({ "podDisruptionBudget": { "enabled": false }, "topologySpread": { "enabled": false } })),
        ("webhook off", json!({ "webhook": { "enabled": false } })),
        ("webhook fails closed", json!({ "webhook": { "failurePolicy": "Fail", "timeoutSeconds": 10, "ignoredNamespaces": ["legacy"] } })),
        ("webhook by URL", json!({ "webhook": { "url": "https://192.0.2.1:9443/", "port": 10443 } })),
        (
            "certificate of a Secret",
            certificates(
                "secret",
                json!({ "secretName": "own", "caBundle": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" }),
            ),
        ),
        ("certificate of cert-manager", certificates("cert-manager", json!({}))),
        (
            "certificate of an existing issuer",
            certificates("cert-manager", json!({ "certManager": { "issuerRef": { "kind": "ClusterIssuer", "name": "internal" } } })),
        ),
        ("short certificates", certificates("self-signed", json!({ "lifetime": "24h" }))),
        ("two namespaces", json!({ "scope": { "namespaces": ["team-b", "team-a"] } })),
        (
            "two namespaces, cert-manager",
            json!({ "scope": { "namespaces": ["team-a", "team-b"] }, "webhook": { "certificates": { "mode": "cert-manager" } } }),
        ),
        ("a namespace without webhook", json!({ "scope": { "namespaces": ["team-a"] }, "webhook": { "enabled": false } })),
        (
            "a shard",
            json!({ "scope": { "labels": { "shard": "a" } }, "crds": { "install": false }, "admissionPolicies": { "install": false } }),
        ),
        ("CRDs kept elsewhere", json!({ "crds": { "install": false }, "admissionPolicies": { "install": false } })),
        ("CRDs that go with the release", json!({ "crds": { "keep": false } })),
        (
            "monitored",
            json!({ "metrics": { "serviceMonitor": { "enabled": true, "labels": { "release": "prometheus" } }, "prometheusRule": { "enabled": true } } }),
        ),
        ("metrics without Service", json!({ "metrics": { "service": false, "port": 18080 } })),
        (
            "network restricted",
            json!({ "networkPolicy": { "metricsFrom": peer, "webhookFrom": [{ "ipBlock": { "cidr": "10.0.0.0/8" } }], "egress": [{ "to": [{ "ipBlock": { "cidr": "0.0.0.0/0" } }] }] } }),
        ),
        ("no network policy", json!({ "networkPolicy": { "enabled": false } })),
        ("user chosen by the platform", json!({ "runAsUser": null })),
        (
            "private registry",
            json!({ "image": { "repository": "images.example.com/weirkeeper", "digest": format!("sha256:{}", "0".repeat(64)), "pullPolicy": "Always" }, "imagePullSecrets": [{ "name": "pull" }] }),
        ),
        ("service account of the platform", json!({ "serviceAccount": { "create": false, "name": "platform" } })),
        ("permissions of the platform", json!({ "rbac": { "create": false, "userRoles": false } })),
        (
            "everything extra",
            json!({
                "nameOverride": "n8n-operator", "fullnameOverride": "keeper", "commonLabels": { "team": "platform" }, "commonAnnotations": { "owner": "platform" },
                "podLabels": { "mesh": "off" }, "podAnnotations": { "note": "a: b {{ c }}" }, "deploymentLabels": { "tier": "control" },
                "deploymentAnnotations": { "reloader": "auto" }, "serviceAccount": { "annotations": { "role": "none" } },
                "extraArgs": ["--webhook-host=192.0.2.1"], "extraEnv": [{ "name": "TZ", "value": "UTC" }],
                "extraVolumes": [{ "name": "tmp", "emptyDir": {} }], "extraVolumeMounts": [{ "name": "tmp", "mountPath": "/tmp" }],
                "priorityClassName": "system-cluster-critical", "nodeSelector": { "kubernetes.io/os": "linux" },
                "tolerations": [{ "key": "control", "operator": "Exists", "effect": "NoSchedule" }],
                "affinity": { "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [{ "weight": 1, "preference": { "matchExpressions": [{ "key": "arch", "operator": "Exists" }] } }] } },
            }),
        ),
        (
            "timings",
            json!({ "metrics": { "byNamespace": true }, "leaderElection": { "leaseDuration": "1m" }, "terminationGracePeriodSeconds": 120, "preStopSeconds": 0, "probes": { "liveness": { "initialDelaySeconds": 30 } },
            "operator": { "concurrency": 50, "allowLoopback": true, "deletionBound": "1h", "reconcileTimeout": "5m", "livenessBound": "30m", "logFormat": "text", "log": "info,weirkeeper::n8n=debug" } }),
        ),
        ("namespace with its labels", json!({ "namespace": { "create": true } })),
        (
            "first objects",
            json!({ "objects": {
            "n8nInstances": [instance], "modelProviders": [{ "name": "builtin", "namespace": "team-a", "spec": {} }], "workflowQuotas": [{ "name": "team", "namespace": "team-a", "spec": { "hard": { "workflows": 20 } } }],
            "workflowPolicies": [{ "name": "team", "namespace": "team-a", "spec": { "deniedNodeTypes": ["n8n-nodes-base.executeCommand"] } }] } }),
        ),
        ("no hooks", json!({ "tests": { "enabled": false }, "uninstall": { "releaseFinalizers": false } })),
    ]
}
