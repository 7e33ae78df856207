//! A value appears nowhere but in the Secret and in the request that creates or updates the credential: not in logs, events, status, metrics,
//! other objects, answers of the webhook and output of the command, and in no other request to n8n, Kubernetes or a language model, even if
//! n8n and the service repeat it in their messages.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::{KIND, credential, id, secret, until_reason, value};
use crate::harness::admission::Admission;
use crate::harness::kubectl::kubectl;
use crate::harness::n8n::answering;
use crate::harness::relay::{Relay, Whole};
use crate::harness::stack::rand;
use crate::harness::world::{World, ready};
use crate::model::{Asked, ModelServer, complete};
use crate::scenarios::prompts::{for_a_model, prompt, provider, said};
use crate::standin::{Fault, Options, Rule, StandIn};

/// Objects that the operator writes or could write to; Secrets are where values belong.
const KINDS: [&str; 9] = ["n8nc", "nwf", "n8ni", "nwfp", "nmp", "events", "controllerrevisions", "configmaps", "leases"];

/// Output that people see, beside objects.
const WEBHOOK: &str = "answer of the webhook";
const COMMAND: &str = "output of the command";
const SEEN: [&str; 4] = ["log", "metrics", WEBHOOK, COMMAND];

fn respond(status: u16, body: &Value) -> Fault {
    Fault::Respond { status, content_type: "application/json".to_owned(), body: body.to_string(), headers: Vec::new() }
}

/// Everything that the operator shows or sends, and where to look for it.
struct Places<'a> {
    world: &'a World,
    n8n: Received<'a>,
    kubernetes: &'a Relay,
    model: Option<&'a ModelServer>,
    values: Vec<String>,
    /// Output of commands and answers of the webhook.
    texts: Vec<(&'static str, String)>,
}

/// Requests that n8n received: the stand-in, or the real one behind a relay.
enum Received<'a> {
    StandIn(&'a StandIn),
    Real(&'a Relay),
}

impl Received<'_> {
    fn all(&self) -> Vec<Whole> {
        match self {
            Self::Real(relay) => relay.whole(),
            Self::StandIn(standin) => {
                let entries = standin.log().entries().into_iter();
                entries
                    .map(|entry| Whole {
                        method: entry.method,
                        target: format!("{}?{}", entry.path, entry.query),
                        text: String::from_utf8_lossy(&entry.body).into_owned(),
                    })
                    .collect()
            }
        }
    }
}

impl Places<'_> {
    fn show(&self, text: &str) -> bool {
        self.values.iter().any(|value| text.contains(value.as_str()) || text.contains(&STANDARD.encode(value)))
    }

    /// Returns the places that show a value, and the number of requests that may carry one and do.
    async fn showing(&self) -> (Vec<String>, usize) {
        let mut texts = self.texts.clone();
        texts.push(("log", self.world.operator.log()));
        texts.push(("metrics", self.world.operator.get("/metrics").await.1));
        for kind in KINDS {
            texts.push((kind, kubectl(self.world, &["get", kind, "-o", "json"], None).text()));
        }
        texts
            .extend(self.model.into_iter().flat_map(ModelServer::asked).map(|asked| ("request to a language model", format!("{asked:?}"))));
        let mut found: Vec<String> = texts.iter().filter(|(_, text)| self.show(text)).map(|(place, _)| (*place).to_owned()).collect();
        for one in self.kubernetes.whole() {
            if self.show(&one.target) || self.show(&one.text) {
                found.push(format!("request to Kubernetes: {} {}", one.method, one.target));
            }
        }
        let mut carried = 0;
        for one in self.n8n.all() {
            if !self.show(&one.text) && !self.show(&one.target) {
                continue;
            }
            let path = one.target.split('?').next().unwrap_or_default();
            let writes = matches!(one.method.as_str(), "POST" | "PATCH");
            if writes && path.starts_with("/api/v1/credentials") && !path.ends_with("/test") && !self.show(&one.target) {
                carried += 1;
            } else {
                found.push(format!("request to n8n: {} {path}", one.method));
            }
        }
        found.sort_unstable();
        found.dedup();
        (found, carried)
    }

    /// Writes a value into each of the places, as a faulty operator would, so that the search is known to look there.
    async fn plant(&self) {
        let value = &self.values[0];
        let encoded = STANDARD.encode(value);
        let namespace = &self.world.namespace;
        let object = |kind: &str, version: &str, more: Value| {
            let mut object = json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "planted", "namespace": namespace } });
            object.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            kubectl(self.world, &["create", "-f", "-"], Some(&object)).text();
        };
        object("ConfigMap", "v1", json!({ "data": { "a": encoded } }));
        object("ControllerRevision", "apps/v1", json!({ "revision": 1, "data": { "a": value } }));
        object("Lease", "coordination.k8s.io/v1", json!({ "spec": { "holderIdentity": value } }));
        let regarding = json!({ "kind": KIND, "name": "token", "namespace": namespace });
        object(
            "Event",
            "v1",
            json!({ "involvedObject": regarding, "message": format!("it is {value}"), "reason": "Planted", "type": "Normal" }),
        );
        for (kind, name) in
            [(KIND, "token"), ("Workflow", "user"), ("N8nInstance", "main"), ("WorkflowPrompt", "ask"), ("ModelProvider", "models")]
        {
            let status = Patch::Merge(json!({ "metadata": { "annotations": { "planted": value } } }));
            self.world.api(kind).patch(name, &PatchParams::default(), &status).await.expect("the API server patches");
        }
        let client = reqwest::Client::new();
        let _ = client.get(format!("{}/api/v1/namespaces?labelSelector={encoded}", self.kubernetes.url)).send().await;
        let _ = client.post(format!("{}/api/v1/namespaces", self.kubernetes.url)).body(value.clone()).send().await;
        let asked = json!({ "model": "scripted", "messages": [{ "role": "user", "content": value }] });
        if let Some(model) = self.model {
            let _ = client.post(format!("{}/chat/completions", model.base_url())).body(asked.to_string()).send().await;
        }
        self.plant_for_n8n().await;
    }

    /// Sends n8n a value where none belongs.
    async fn plant_for_n8n(&self) {
        let value = &self.values[0];
        self.world.n8n.api("POST", "/credentials/x/test", Some(json!({ "a": value }))).await;
        self.world.n8n.api("GET", &format!("/workflows?name={}", STANDARD.encode(value)), None).await;
    }

    /// Gives objects a value for their name, which the operator, its webhook and the commands show, so that the search is known to read
    /// what they show.
    async fn plant_names(&mut self, standin: &StandIn) {
        let value = self.values[0].clone();
        // The metric of keys that expire has the name of the instance.
        let soon = jiff::Timestamp::now() + Duration::from_secs(3 * 24 * 3600);
        self.world.instance(&value, &standin.url(), &standin.add_key(None, Some(soon)), json!({})).await;
        self.world.until_kind("N8nInstance", &value, "it is Ready", ready).await;
        let mut definition = answering(&format!("{}/planted", self.world.namespace), "1");
        definition["nodes"][1]["credentials"] = json!({ "slackApi": { "name": value } });
        let spec = json!({ "instanceRef": { "name": "main" }, "definition": definition });
        let object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": value }, "spec": spec });
        let applied = crate::harness::admission::apply(self.world, &object, &["--dry-run=server"]);
        self.texts.push((WEBHOOK, format!("{}{}", applied.out, applied.err)));
        let file = Scratch::holding(&self.world.namespace, &object.to_string());
        self.texts.push((COMMAND, command(&["credentials", &file.0], &self.world.stack.kubeconfig("admin"))));
    }
}

/// A file that is removed in the end.
struct Scratch(String);

impl Scratch {
    fn holding(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{name}-{:016x}.json", rand()));
        std::fs::write(&path, text).expect("a file is written");
        Self(path.to_str().expect("a path").to_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs the command of users and returns its output.
fn command(arguments: &[&str], kubeconfig: &std::path::Path) -> String {
    let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
    let output = run.args(arguments).env("KUBECONFIG", kubeconfig).output().expect("the binary runs");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_appears_only_in_the_request_that_writes_the_credential() {
    let standin = StandIn::start(Options::default());
    let mut world = World::bare(crate::harness::stack::Stack::shared(), "cred-secrecy", &standin.url(), standin.api_key()).await;
    let (kubernetes, kubeconfig) = Relay::to_api_server(&world.stack, "operator");
    kubernetes.keep_whole();
    world.operator.restart_through(&kubeconfig);
    let lease = world.namespace.clone();
    let admission = Admission::in_front(&mut world, "Ignore", &["--leader-elect", "on", "--lease-name", &lease]).await;
    world.instance("main", &standin.url(), standin.api_key(), json!({})).await;
    let (first, second) = (value("first"), value("second"));
    let keys = |value: &str| json!({ "accessToken": value });

    // The service repeats the value in its message.
    let test = respond(
        200,
        &json!({ "status": "Error", "message": format!("invalid token {first} (Basic {})", STANDARD.encode(format!("u:{first}"))) }),
    );
    standin.faults().add(Rule::on("POST", "/api/v1/credentials/*/test", test));
    secret(&world, "token", keys(&first)).await;
    credential(&world, "token", json!({ "type": "slackApi", "secretRef": { "name": "token" } })).await;
    let object = until_reason(&world, "token", "Tested", "TestFailed").await;
    assert_eq!(object["status"]["test"]["result"], "Failed");

    // n8n repeats the value in its refusal.
    let refusal = respond(400, &json!({ "message": format!("request.body.data {second} is wrong") }));
    standin.faults().add(Rule::on("PATCH", &format!("/api/v1/credentials/{}", id(&object)), refusal));
    secret(&world, "token", keys(&second)).await;
    let refused = until_reason(&world, "token", "Ready", "CredentialRejected").await;
    assert!(refused["status"].to_string().contains("repeats a value"), "{refused}");
    standin.faults().clear();
    world.annotate(KIND, "token", "requested-at", json!("now")).await;
    world.until_kind(KIND, "token", "Ready", ready).await;

    // Wrong fields, a value that is no text, and a Workflow that uses the credential.
    secret(&world, "wrong", json!({ "acessToken": first })).await;
    credential(&world, "wrong", json!({ "type": "slackApi", "secretRef": { "name": "wrong" } })).await;
    until_reason(&world, "wrong", "Ready", "InvalidCredential").await;
    let spec = |name: &str| {
        let mut definition = answering(&format!("{}/user", world.namespace), "1");
        definition["nodes"][1]["credentials"] = json!({ "slackApi": { "name": "Slack" } });
        json!({ "active": true, "definition": definition, "credentials": [{ "name": "Slack", "credentialRef": { "name": name } }] })
    };
    world.workflow("user", spec("token")).await;
    world.until_ready("user").await;

    // A prompt, whose model is asked in the same namespace.
    let path = format!("{}/asked", world.namespace);
    let workflow = crate::scenarios::prompts::answering(&path, "seven");
    let model = ModelServer::completing(move |asked: &Asked| complete(asked, &said(workflow.clone())));
    provider(&world, &model).await;
    prompt(&world, "ask", &for_a_model(&path), json!({ "providerRef": { "name": "models" }, "approval": "Automatic" })).await;
    world.until_kind("WorkflowPrompt", "ask", "it is Ready", ready).await;

    // Answers and warnings of the webhook, and commands that read the cluster or n8n.
    let mut texts = Vec::new();
    let mut waiting =
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "other" }, "spec": spec("wrong") });
    waiting["spec"]["instanceRef"] = json!({ "name": "main" });
    let applied = crate::harness::admission::apply(&world, &waiting, &["--dry-run=server"]);
    assert!(applied.err.contains("N8nCredential wrong"), "a warning: {}", applied.err);
    texts.push((WEBHOOK, format!("{}{}", applied.out, applied.err)));
    let file = Scratch::holding(&world.namespace, &waiting.to_string());
    let key = Scratch::holding(&world.namespace, standin.api_key());
    let (file, key, url) = (&file.0, &key.0, standin.url());
    for (arguments, part) in [
        (vec!["credentials", file], "kind: Secret"),
        (vec!["validate", file], ""),
        (
            vec!["import", "--url", &url, "--instance", "main", "--api-key-file", key, "--with-credentials", "--all", "--managed"],
            "kind: N8nCredential",
        ),
        (vec!["release", "--dry-run", "--namespace", &world.namespace, "--lease-name", "none-such"], "n8ncredential"),
    ] {
        let said = command(&arguments, &world.stack.kubeconfig("admin"));
        println!("{arguments:?}: {said}");
        assert!(said.to_lowercase().contains(&part.to_lowercase()), "{arguments:?}: {said}");
        texts.push((COMMAND, said));
    }

    let mut places = Places {
        world: &world,
        n8n: Received::StandIn(&standin),
        kubernetes: &kubernetes,
        model: Some(&model),
        values: vec![second, first],
        texts,
    };
    let metrics = world.operator.get("/metrics").await.1;
    assert!(metrics.contains(r#"weirkeeper_credential_writes_total{operation="create"} 1"#), "{metrics}");
    let (found, carried) = places.showing().await;
    assert!(found.is_empty(), "a value is shown: {found:?}");
    assert!(carried >= 3, "the create, the refused update and the accepted one carry it: {carried}");
    let seen = places.kubernetes.whole();
    for part in ["/leases", "/events", "/status", "/controllerrevisions"] {
        assert!(seen.iter().any(|one| one.method != "GET" && one.target.contains(part)), "no write to {part} was searched");
    }
    assert!(!model.completions().is_empty(), "the model was asked");

    // The search finds a value in each place that it looks at.
    places.plant().await;
    let (found, _) = places.showing().await;
    println!("planted values are found in: {found:?}");
    let requests = [
        "request to a language model",
        "request to Kubernetes: GET",
        "request to Kubernetes: POST",
        "request to n8n: GET",
        "request to n8n: POST",
    ];
    for place in KINDS.iter().chain(&requests) {
        assert!(found.iter().any(|one| one.starts_with(place)), "a value in {place} is not found: {found:?}");
    }
    assert!(SEEN.iter().all(|place| !found.iter().any(|one| one == place)), "a value is shown: {found:?}");

    // Nor at the end.
    world.api("Workflow").delete("user", &DeleteParams::default()).await.expect("the API server deletes");
    world.api(KIND).delete("token", &DeleteParams::default()).await.expect("the API server deletes");
    world.until_kind(KIND, "token", "it is gone", Value::is_null).await;
    assert!(!places.show(&world.operator.log()), "the log shows a value");

    // The search reads what the operator, its webhook and the commands show.
    places.plant_names(&standin).await;
    let (found, _) = places.showing().await;
    println!("planted names are found in: {found:?}");
    for place in SEEN {
        assert!(found.iter().any(|one| one == place), "a value in the {place} is not found: {found:?}");
    }
    drop(admission);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_n8n_is_sent_a_value_only_in_the_request_that_writes_the_credential() {
    let stack = crate::harness::stack::Stack::shared();
    let (n8n, key) = (Relay::to(&stack.n8n_url()), stack.n8n_key());
    n8n.keep_whole();
    let mut world = World::bare(stack, "cred-secrecy-real", &n8n.url, &key).await;
    let (kubernetes, kubeconfig) = Relay::to_api_server(&world.stack, "operator");
    kubernetes.keep_whole();
    world.operator.restart_through(&kubeconfig);
    world.instance("main", &n8n.url, &key, json!({})).await;
    let (first, second) = (value("first"), value("second"));
    let keys = |value: &str| json!({ "name": "X-Api-Key", "value": value });
    secret(&world, "token", keys(&first)).await;
    credential(&world, "token", json!({ "secretRef": { "name": "token" } })).await;
    let object = world.until_kind(KIND, "token", "Ready", ready).await;
    let mut definition = answering(&format!("{}/user", world.namespace), "1");
    definition["nodes"][1]["credentials"] = json!({ "httpHeaderAuth": { "name": "Any" } });
    let uses = json!([{ "name": "Any", "credentialRef": { "name": "token" } }]);
    world.workflow("user", json!({ "active": true, "definition": definition, "credentials": uses })).await;
    world.until_ready("user").await;

    // A refused one, an edit in the editor, a rotation, and the end.
    secret(&world, "wrong", json!({ "valeu": first })).await;
    credential(&world, "wrong", json!({ "secretRef": { "name": "wrong" } })).await;
    until_reason(&world, "wrong", "Ready", "InvalidCredential").await;
    let edit = json!({ "data": keys("of the editor") });
    assert_eq!(world.n8n.api("PATCH", &format!("/credentials/{}", id(&object)), Some(edit)).await.status, 200);
    until_reason(&world, "token", "Drifted", "DriftReverted").await;
    secret(&world, "token", keys(&second)).await;
    world.annotate(KIND, "token", "requested-at", json!("now")).await;
    let before = object["status"]["valuesHash"].clone();
    let rotated = |object: &Value| ready(object) && object["status"]["valuesHash"] != before;
    world.until_kind(KIND, "token", "the second value is written", rotated).await;
    world.delete("user").await;
    world.api(KIND).delete("token", &DeleteParams::default()).await.expect("the API server deletes");
    world.until_kind(KIND, "token", "it is gone", Value::is_null).await;

    let values = vec![second, first];
    let places = Places { world: &world, n8n: Received::Real(&n8n), kubernetes: &kubernetes, model: None, values, texts: Vec::new() };
    let (found, carried) = places.showing().await;
    println!("the real n8n: {} requests, {carried} of them carry a value; shown elsewhere: {found:?}", n8n.whole().len());
    assert!(found.is_empty() && carried >= 3, "a value is shown: {found:?}, {carried}");
    places.plant_for_n8n().await;
    let (found, _) = places.showing().await;
    for place in ["request to n8n: GET", "request to n8n: POST"] {
        assert!(found.iter().any(|one| one.starts_with(place)), "a value in a {place} is not found: {found:?}");
    }
}
