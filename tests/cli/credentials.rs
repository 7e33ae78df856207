//! `weirkeeper credentials`, and what `validate` says about N8nCredentials among the files.

use serde_json::{Value, json};

use crate::Folder;

fn ask(name: &str, credential: &str) -> Value {
    json!({ "name": name, "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [200, 0],
        "parameters": { "url": "https://crm.example", "authentication": "genericCredentialType", "genericAuthType": "httpHeaderAuth", "options": {} },
        "credentials": { "httpHeaderAuth": { "id": "7", "name": credential } } })
}

/// A workflow that starts every so many seconds.
fn definition(seconds: u32, nodes: &[Value]) -> Value {
    let rule = json!({ "rule": { "interval": [{ "field": "seconds", "secondsInterval": seconds }] } });
    let tick =
        json!({ "name": "Tick", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "position": [0, 0], "parameters": rule });
    let next: Vec<Value> = nodes.iter().map(|node| json!({ "node": node["name"], "type": "main", "index": 0 })).collect();
    let all: Vec<Value> = std::iter::once(tick).chain(nodes.iter().cloned()).collect();
    json!({ "name": "Orders", "nodes": all, "connections": { "Tick": { "main": [next] } }, "settings": {} })
}

fn workflow(name: &str, mapping: Value, definition: Value) -> String {
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": name, "namespace": "team-a" },
        "spec": { "instanceRef": { "name": "main", "namespace": "n8n" }, "active": true, "credentials": mapping, "definition": definition } })
    .to_string()
}

fn credential(kind: &str, more: Value) -> String {
    let mut spec = json!({ "instanceRef": { "name": "main", "namespace": "n8n" }, "type": kind, "secretRef": { "name": "crm" } });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nCredential", "metadata": { "name": "crm", "namespace": "team-a" }, "spec": spec }).to_string()
}

#[test]
fn an_export_gets_one_pair_of_manifests_for_each_credential() {
    let one = definition(60, &[ask("A", "Our CRM"), ask("B", "Our CRM")]).to_string();
    let two = definition(60, &[ask("C", "Our CRM"), ask("D", "Other")]).to_string();
    let folder = Folder::new("credentials-export", &[("one.json", &one), ("two.json", &two)]);
    let (code, out, stderr) = folder.run(&["credentials", "one.json"], "");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(stderr.contains("one.json: this is an export of n8n, which names no N8nInstance; name it with --instance"), "{stderr}");
    let (code, out, stderr) = folder.run(&["credentials", ".", "--instance", "main/n8n", "--namespace", "team-a"], "");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!((out.matches("kind: N8nCredential").count(), out.matches("kind: Secret").count()), (2, 2), "{out}");
    for line in [
        "# Used by node \"A\" of the workflow in ./one.json.\n",
        "# Used by node \"C\" of the workflow in ./two.json.\n",
        "{name: \"Our CRM\", type: httpHeaderAuth, credentialRef: {name: our-crm}}\n",
        "\n  name: our-crm\n  namespace: team-a\n",
        "\n  displayName: Our CRM\n",
        "\n  name: REPLACE-ME\n  value: REPLACE-ME\n",
    ] {
        assert!(out.contains(line), "{line:?} is not in {out}");
    }
    let (code, out, _) = folder.run(&["validate", "-", "--output", "concise"], &out);
    assert_eq!((code, out.as_str()), (0, ""), "they are valid");
}

#[test]
fn what_the_files_or_n8n_have_is_not_written() {
    let asking = || definition(60, &[ask("A", "CRM")]);
    let reference = json!([{ "name": "CRM", "credentialRef": { "name": "crm" } }]);
    let files = [
        ("named.json", workflow("named", reference.clone(), asking())),
        ("existing.json", workflow("existing", json!([{ "name": "CRM", "existing": { "id": "7" } }]), asking())),
        ("crm.json", credential("httpHeaderAuth", json!({}))),
        ("missing.json", workflow("missing", json!([{ "name": "CRM", "credentialRef": { "name": "other" } }]), asking())),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let folder = Folder::new("credentials-there", &files);
    let (code, out, stderr) = folder.run(&["credentials", "named.json", "existing.json", "crm.json"], "");
    assert_eq!((code, out.as_str(), stderr.as_str()), (0, "", "weirkeeper: the workflows need no credential that is not there\n"));
    let (code, out, stderr) = folder.run(&["credentials", "."], "");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(out.contains("\n  name: other\n") && out.matches("kind: N8nCredential").count() == 1, "{out}");
}

#[test]
fn a_credential_of_the_files_has_to_fit_its_workflows() {
    let reference = json!([{ "name": "CRM", "credentialRef": { "name": "crm" } }]);
    let text = workflow("a", reference, definition(60, &[ask("A", "CRM")]));
    for (kind, more, wanted) in [
        ("httpHeaderAuth", json!({}), ""),
        ("httpBasicAuth", json!({}), "has another type"),
        ("httpHeaderAuth", json!({ "instanceRef": { "name": "other" } }), "is on another N8nInstance"),
    ] {
        let folder = Folder::new("credentials-fit", &[("a.json", &text), ("b.json", &credential(kind, more))]);
        let (code, out, _) = folder.run(&["validate", ".", "--output", "concise", "--select", "credential-not-found"], "");
        assert_eq!((code, out.lines().count()), (0, usize::from(!wanted.is_empty())), "{out}");
        assert!(out.contains(wanted), "{out}");
    }
}

#[test]
fn schedules_are_added_up_over_the_workflows_that_share_a_credential() {
    let reference = || json!([{ "name": "CRM", "credentialRef": { "name": "crm" } }]);
    let limited = credential("httpHeaderAuth", json!({ "rateLimit": { "requests": 9 } }));
    let one = workflow("one", reference(), definition(10, &[ask("A", "CRM")]));
    let two = workflow("two", reference(), definition(15, &[ask("A", "CRM")]));
    let fast = workflow("fast", reference(), definition(5, &[ask("A", "CRM")]));
    let said = |files: &[(&str, &str)]| {
        let folder = Folder::new("credentials-rate", files);
        let (code, out, _) = folder.run(&["validate", ".", "--output", "concise", "--select", "rate-limit-exceeded"], "");
        assert_eq!(code, 0, "a warning: {out}");
        out
    };
    assert_eq!(said(&[("a.json", &one), ("c.json", &limited)]), "");
    let together = said(&[("a.json", &one), ("b.json", &two), ("c.json", &limited)]);
    assert!(together.starts_with("c.json:") || together.starts_with("./c.json:"), "it is about the credential: {together}");
    assert!(together.contains("the schedules of 2 Workflows together send one 6 + two 4 = 10 requests in 1m"), "{together}");
    let alone = said(&[("a.json", &fast), ("b.json", &two), ("c.json", &limited)]);
    assert!(alone.lines().count() == 1 && alone.contains("12 x 1 = 12 requests"), "{alone}");
}
