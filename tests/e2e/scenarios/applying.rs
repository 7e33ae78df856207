//! Objects that are applied repeatedly: tools see no difference unless the object was changed.

use serde_json::json;

use crate::harness::kubectl::kubectl;
use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn client_side_apply_of_the_same_manifest_changes_nothing_the_second_time() {
    let world = World::bare(Stack::shared(), "apply-again", "http://127.0.0.1:1", "none").await;
    let instance = json!({
        "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": "main" },
        "spec": { "url": "https://n8n.example.com", "apiKeySecretRef": { "name": "key" },
            "grants": [{ "namespaces": ["team-a"] }], "allowedNamespaces": { "from": "All" } },
    });
    let workflow = json!({
        "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "a" },
        "spec": {
            "instanceRef": { "name": "main" },
            "definition": answering(&world.namespace, "1"),
            "tags": ["shop"],
            "credentials": [{ "name": "crm", "existing": { "name": "CRM" } }],
            "references": [{ "id": "shipping", "workflowRef": { "name": "shipping" } }],
            "healthCheck": { "probes": [{ "node": "Webhook" }, { "node": "Webhook", "headers": [{ "name": "X-A", "value": "1" }] }] },
        },
    });
    for object in [instance, workflow] {
        let first = kubectl(&world, &["apply", "-f", "-"], Some(&object)).text();
        assert!(first.trim_end().ends_with(" created"), "{first}");
        let second = kubectl(&world, &["apply", "-f", "-"], Some(&object)).text();
        assert!(second.trim_end().ends_with(" unchanged"), "{second}");
        let difference = kubectl(&world, &["diff", "-f", "-"], Some(&object));
        assert!(difference.ok && difference.out.is_empty(), "{difference:?}");
    }
}
