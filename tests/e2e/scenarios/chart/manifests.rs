//! The manifests in config/ for those without Helm: made from the chart by `make manifests`, and kept equal by this test.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::helm::{Document, documents, get, kubectl, project, render};
use super::values::prepare;
use crate::harness::stack::Stack;

const NAMESPACE: &str = "weirkeeper-system";
/// Set by `make manifests`: write the files instead of comparing them.
const WRITE: &str = "WEIRKEEPER_WRITE";
const GENERATED: &str = "# Made from charts/weirkeeper by `make manifests`; do not edit.\n";

/// Renders the chart without what belongs to Helm: hooks, its labels, its annotations, and the names of templates.
fn manifests(stack: &Stack, values: &Value) -> Vec<Document> {
    let mut values = values.clone();
    values["namespace"] = json!({ "create": true });
    let text = render(stack, "weirkeeper", NAMESPACE, &values, &["--no-hooks"]);
    let helms = ["helm.sh/", "# Source: ", "app.kubernetes.io/managed-by: "];
    let lines = text.lines().filter(|line| !helms.iter().any(|word| line.trim_start().starts_with(word)));
    let text = lines.flat_map(|line| [line.trim_end(), "\n"]).collect::<String>();
    // Annotations of which nothing is left.
    let text = text.replace("  annotations:\nspec:", "spec:").replace("  annotations:\n---", "---");
    let mut documents = documents(&text);
    // The namespace comes first, and everything in its order of installation after it.
    documents.sort_by_key(|one| one.object["kind"] != "Namespace");
    documents
}

fn joined<'a>(documents: impl IntoIterator<Item = &'a Document>) -> String {
    let parts: Vec<_> = documents.into_iter().map(|one| one.text.trim_end()).collect();
    format!("{GENERATED}{}\n", parts.join("\n---\n"))
}

fn hold(path: &str, wanted: &str, complaints: &mut Vec<String>) {
    let file = project(path);
    if std::env::var_os(WRITE).is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(&file, wanted).expect("a file");
    } else if std::fs::read_to_string(&file).unwrap_or_default() != wanted {
        complaints.push(path.to_owned());
    }
}

/// The overlays, with the values whose rendering each of them equals.
fn overlays() -> Vec<(&'static str, Value)> {
    vec![
        ("namespaced", json!({ "scope": { "namespaces": ["team-a"] } })),
        ("cert-manager", json!({ "webhook": { "certificates": { "mode": "cert-manager" } } })),
        ("monitoring", json!({ "metrics": { "serviceMonitor": { "enabled": true }, "prometheusRule": { "enabled": true } } })),
    ]
}

fn by_key(documents: &[Document]) -> BTreeMap<(String, String, String), &Document> {
    documents.iter().map(|one| (one.key(), one)).collect()
}

#[test]
fn the_manifests_are_those_of_the_chart() {
    let stack = Stack::shared();
    let base = manifests(&stack, &json!({}));
    let mut complaints = Vec::new();
    hold("config/base/install.yaml", &joined(&base), &mut complaints);
    let one = |kind: &str, name: &str| {
        base.iter().filter(|one| one.object["kind"] == kind && one.object["metadata"]["name"] == name).collect::<Vec<_>>()
    };
    let service = base.iter().filter(|one| one.object["kind"] == "Service" && one.object["metadata"]["name"] == "weirkeeper-webhook");
    let users = base.iter().filter(|one| one.object["kind"] == "ClusterRole" && one.object["metadata"]["name"] != "weirkeeper");
    for (path, part) in [
        ("config/rbac/namespace.yaml", one("Namespace", NAMESPACE)),
        ("config/rbac/service_account.yaml", one("ServiceAccount", "weirkeeper")),
        ("config/rbac/role.yaml", one("ClusterRole", "weirkeeper")),
        ("config/rbac/role_binding.yaml", one("ClusterRoleBinding", "weirkeeper")),
        ("config/rbac/role_leader.yaml", one("Role", "weirkeeper-leader")),
        ("config/rbac/role_leader_binding.yaml", one("RoleBinding", "weirkeeper-leader")),
        ("config/webhook/configuration.yaml", one("ValidatingWebhookConfiguration", "weirkeeper")),
        ("config/webhook/service.yaml", service.collect()),
        ("config/users/roles.yaml", users.collect()),
    ] {
        assert!(!part.is_empty(), "nothing is rendered for {path}");
        hold(path, &joined(part), &mut complaints);
    }
    for (name, values) in overlays() {
        let variant = manifests(&stack, &values);
        let (before, after) = (by_key(&base), by_key(&variant));
        let added: Vec<_> = variant.iter().filter(|one| !before.contains_key(&one.key())).collect();
        let changed = variant.iter().filter(|one| before.get(&one.key()).is_some_and(|known| known.object != one.object));
        let removed = base.iter().filter(|one| !after.contains_key(&one.key())).map(|one| {
            let mut object = json!({ "$patch": "delete" });
            for field in ["apiVersion", "kind"] {
                object[field] = one.object[field].clone();
            }
            object["metadata"] = json!({ "name": one.object["metadata"]["name"] });
            if let Some(namespace) = one.object["metadata"]["namespace"].as_str() {
                object["metadata"]["namespace"] = json!(namespace);
            }
            Document { text: serde_saphyr::to_string(&object).expect("YAML"), object }
        });
        let patches: Vec<_> = changed.cloned().chain(removed).collect();
        let folder = format!("config/overlays/{name}");
        let mut kustomization =
            format!("{GENERATED}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - ../../base\n");
        if !added.is_empty() {
            hold(&format!("{folder}/added.yaml"), &joined(added), &mut complaints);
            kustomization.push_str("  - added.yaml\n");
        }
        if !patches.is_empty() {
            kustomization.push_str("patches:\n");
        }
        for patch in &patches {
            let (kind, _, object) = patch.key();
            let file = format!("{}_{object}.yaml", kind.to_lowercase());
            hold(&format!("{folder}/{file}"), &joined([patch]), &mut complaints);
            kustomization.push_str(&format!("  - path: {file}\n"));
        }
        hold(&format!("{folder}/kustomization.yaml"), &kustomization, &mut complaints);

        // kubectl makes of the overlay the same that Helm renders.
        let built = kubectl(&stack, &["kustomize", project(&folder).to_str().expect("a path")]).text();
        let (built, wanted) = (documents(&built), by_key(&variant));
        let built = by_key(&built);
        assert_eq!(built.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{name}");
        for (key, document) in built {
            assert_eq!(document.object, wanted[&key].object, "{name}: {key:?}");
        }
    }
    assert!(complaints.is_empty(), "not what the chart renders; run `make manifests` and read the difference:\n{}", complaints.join("\n"));
}

#[test]
fn install_yaml_is_applied_and_each_overlay_over_it() {
    let stack = Stack::own(&["--without-n8n"]);
    let file = project("config/base/install.yaml");
    let applied = kubectl(&stack, &["apply", "--server-side", "--filename", file.to_str().expect("a path")]);
    assert!(applied.ok, "{}", applied.err);
    let objects = documents(&std::fs::read_to_string(&file).expect("the file")).len();
    assert_eq!(applied.out.lines().filter(|line| line.ends_with("serverside-applied")).count(), objects);
    // A second time it changes nothing.
    let version = || get(&stack, &["deployment", "weirkeeper", "--namespace", NAMESPACE])["metadata"]["resourceVersion"].clone();
    let before = version();
    kubectl(&stack, &["apply", "--server-side", "--filename", file.to_str().expect("a path")]).text();
    assert_eq!(version(), before);
    // The CRDs were applied by hand above; the other kinds of the overlays are somebody else's.
    kubectl(&stack, &["delete", "namespace", NAMESPACE, "--timeout=60s"]).text();
    prepare(&stack);
    for (name, _) in overlays() {
        let folder = project(&format!("config/overlays/{name}"));
        let applied = kubectl(&stack, &["apply", "--server-side", "--force-conflicts", "--kustomize", folder.to_str().expect("a path")]);
        assert!(applied.ok, "{name}: {}", applied.err);
    }
}
