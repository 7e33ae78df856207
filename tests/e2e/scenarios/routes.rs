//! Routes of webhooks and their callers, on the real n8n: the model of its route table compared with the table itself, and attempts of one
//! namespace to take the routes of another.

use serde_json::{Value, json};
use weirkeeper::document::endpoints::kept_routes;
use weirkeeper::document::routes::{Answer, Route, answers};
use weirkeeper::validator::check::parse_and_check;

use crate::harness::n8n::{N8n, answering, id};
use crate::harness::stack::{PUBLICATION_SERVICE, Stack, left_out, rand};
use crate::harness::world::{World, condition, current, ready};
use crate::standin::{Options, StandIn};

/// Returns a definition that answers with a word, whose trigger has another path, method or `webhookId`.
fn webhook_definition(word: &str, path: Value, method: &str, webhook_id: &str) -> Value {
    let mut definition = answering("x", word);
    definition["nodes"][0]["parameters"]["path"] = path;
    definition["nodes"][0]["parameters"]["httpMethod"] = json!(method);
    definition["nodes"][0]["webhookId"] = json!(webhook_id);
    definition
}

/// Publishes a workflow that no object manages.
async fn unmanaged(n8n: &N8n, mut definition: Value) -> Result<String, String> {
    for (at, node) in definition["nodes"].as_array_mut().unwrap().iter_mut().enumerate() {
        node["id"] = json!(format!("node-{at}"));
    }
    let made = n8n.api("POST", "/workflows", Some(definition)).await;
    let id = made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let published = n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await;
    if published.status == 200 { Ok(id) } else { Err(id) }
}

async fn remove(n8n: &N8n, id: &str) {
    n8n.api("POST", &format!("/workflows/{id}/unpublish"), None).await;
    n8n.api("DELETE", &format!("/workflows/{id}"), None).await;
}

async fn executions(n8n: &N8n, id: &str) -> usize {
    n8n.api("GET", &format!("/executions?workflowId={id}"), None).await.json()["data"].as_array().map_or(0, Vec::len)
}

fn encoded(path: &str) -> String {
    path.split('/')
        .map(|part| percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string())
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_of_the_routes_of_n8n_agrees_with_the_real_n8n() {
    if left_out(PUBLICATION_SERVICE, "n8n reports equal paths as published and registers one of them") {
        return;
    }
    let stack = Stack::shared();
    let n8n = N8n::new(&stack.n8n_url(), &stack.n8n_key());
    let r = format!("r{:x}", rand());
    // Path, method, webhookId. With the same id, n8n accepts both routes although they overlap.
    let w = format!("{r}-w");
    let triggers: Vec<(Value, &str, String)> = vec![
        (json!(format!("{r}-user/:id")), "GET", w.clone()),
        (json!(format!("{r}-user/:id/{r}-x/:y")), "GET", w.clone()),
        (json!(format!(":{r}/:b")), "GET", w.clone()),
        (json!(format!("{r}-user/:other")), "POST", w.clone()),
        (json!(format!("/{r}-a/")), "GET", format!("{r}-1")),
        (json!(format!(" {r}-b ")), "GET", format!("{r}-2")),
        (json!(""), "GET", format!("{r}-3")),
        (json!(format!("{r}-A")), "GET", format!("{r}-4")),
        (json!(format!("{r}-c//d")), "GET", format!("{r}-5")),
        (json!(format!("{r}%2Fe")), "GET", format!("{r}-6")),
        (json!(format!("{r}-ü/日 本")), "GET", format!("{r}-7")),
        (json!(format!("{r}-f:g")), "GET", format!("{r}-8")),
        (json!(format!("\u{feff}{r}-h\u{3000}")), "GET", format!("{r}-9")),
        (json!(format!("{r}-i")), "get", format!("{r}-10")),
        (json!(format!("{r}-j")), "PUT,DELETE", format!("{r}-11")),
        (json!(rand() % 1_000_000_000 + 1_000_000_000), "GET", format!("{r}-12")),
    ];
    let mut table: Vec<(Route, String)> = Vec::new();
    let mut made = Vec::new();
    for (at, (path, method, id)) in triggers.iter().enumerate() {
        let word = format!("t{at}");
        let definition = webhook_definition(&word, path.clone(), method, id);
        let kept = kept_routes(&parse_and_check(&definition).unwrap().definition);
        assert!(kept.computed.is_empty() && !kept.routes.is_empty(), "{path}");
        table.extend(kept.routes.into_iter().map(|route| (route, word.clone())));
        made.push(unmanaged(&n8n, definition).await.unwrap_or_else(|id| panic!("{path}: n8n refuses {id}")));
    }
    let routes: Vec<Route> = table.iter().map(|(route, _)| route.clone()).collect();
    let number = triggers[15].0.to_string();
    let calls = [
        format!("{w}/{r}-user/42"),
        format!("{w}/{r}-user/42/"),
        format!("{w}/42/{r}-user"),
        format!("{w}/{r}-user"),
        format!("{w}/{r}-user//"),
        format!("{w}/7/8"),
        format!("{w}/{r}-user/7/{r}-x/8"),
        format!("{w}/{r}-x/7/{r}-user/8"),
        format!("{r}-user/:id"),
        format!("{r}-user/42"),
        w.to_uppercase() + &format!("/{r}-user/42"),
        format!("{r}-a"),
        format!("{r}-a/"),
        format!("{r}-a//"),
        format!("/{r}-a"),
        format!("{r}-b"),
        format!(" {r}-b "),
        format!("{r}-3"),
        format!("{r}-3/x"),
        format!("{r}-A"),
        format!("{r}-a/A"),
        format!("{r}-c/d"),
        format!("{r}-c//d"),
        format!("{r}%2Fe"),
        format!("{r}/e"),
        format!("{r}-ü/日 本"),
        format!("{r}-f:g"),
        format!("{r}-h"),
        format!("{r}-i"),
        format!("{r}-j"),
        number,
    ];
    for (method, path) in ["GET", "POST", "PUT", "HEAD"].iter().flat_map(|method| calls.iter().map(move |path| (*method, path))) {
        let answer = n8n.webhook(method, &encoded(path)).await;
        let message = answer.json()["version"].as_str().map(str::to_owned);
        let of = |route: &Route| table.iter().find(|(known, _)| known == route).map(|(_, word)| word.clone());
        match answers(&routes, method, path) {
            Answer::Nobody => assert!(message.is_none() && answer.status == 404, "{method} {path}: {answer:?}"),
            Answer::One(route) => assert_eq!(message, of(route), "{method} {path}: {answer:?}"),
            Answer::Any(several) => assert!(several.into_iter().any(|route| message == of(route)), "{method} {path}: {answer:?}"),
        }
    }
    // Entries that are equal in the model are refused by n8n the second time.
    for (path, method, id) in
        [(format!("{r}-user/:id"), "GET", "other"), (format!("//{r}-a"), "GET", "x"), (String::new(), "GET", &format!(" /{r}-3/ "))]
    {
        let definition = webhook_definition("again", json!(path), method, id);
        let refused = unmanaged(&n8n, definition).await;
        remove(&n8n, &refused.clone().unwrap_or_else(|id| id)).await;
        assert!(refused.is_err(), "{path}");
    }
    for id in made {
        remove(&n8n, &id).await;
    }
}

/// A namespace beside that of the instance, which every namespace may use.
struct Neighbours {
    world: World,
    other: String,
}

impl Neighbours {
    async fn start(name: &str) -> Self {
        let world = World::bare(Stack::shared(), name, &Stack::shared().n8n_url(), &Stack::shared().n8n_key()).await;
        let other = format!("{}-team", world.namespace);
        world.namespace(&other).await;
        let shared = json!({ "allowedNamespaces": { "from": "All" } });
        world.instance("main", &Stack::shared().n8n_url(), &Stack::shared().n8n_key(), shared).await;
        Self { world, other }
    }

    async fn other(&self, name: &str, definition: Value) {
        let spec = json!({ "instanceRef": { "name": "main", "namespace": self.world.namespace }, "interval": "2s", "active": true, "definition": definition });
        self.world
            .apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow",
                "metadata": { "name": name, "namespace": self.other }, "spec": spec }))
            .await;
    }

    async fn says(&self, name: &str, reason: &str) -> String {
        let holds = |object: &Value| current(object) && condition(object, "Ready")["reason"] == reason;
        let object = self.world.until_in(&self.other, name, &format!("Ready is {reason}"), holds).await;
        condition(&object, "Ready")["message"].as_str().expect("a message").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_and_no_webhook_id_takes_the_calls_of_another_namespace() {
    let both = Neighbours::start("takeover").await;
    let w = both.world.namespace.clone();
    let victim = webhook_definition("victim", json!(format!("{w}-user/:id")), "GET", &w);
    both.world.workflow("victim", json!({ "active": true, "interval": "2s", "definition": victim })).await;
    both.world.until_ready("victim").await;
    let call = format!("{w}/{w}-user/42");
    let attacks = [
        ("template", webhook_definition("thief", json!(format!(":{w}/42")), "GET", &w)),
        ("method", webhook_definition("thief", json!(format!("anything/:{w}/:y")), "POST", &w)),
        ("plain", webhook_definition("thief", json!(format!("{w}/{w}-user/42")), "GET", "thief")),
        ("slashes", webhook_definition("thief", json!(format!(" /{w}/{w}-user/42/ ")), "GET", "thief")),
        ("bare", webhook_definition("thief", json!(""), "PUT", &w)),
        ("same-template", webhook_definition("thief", json!(format!("{w}-user/:id")), "GET", "thief")),
    ];
    for (name, definition) in attacks {
        both.other(name, definition).await;
        let message = both.says(name, "WebhookPathTaken").await;
        assert!(message.starts_with("a Workflow of another namespace serves "), "{name}: {message}");
    }
    for (name, path) in [("computed", json!(format!("={{{{ '{w}' }}}}/{w}-user/42"))), ("list", json!([format!("{w}/{w}-user/42")]))] {
        both.other(name, webhook_definition("thief", path, "GET", "thief")).await;
        let message = both.says(name, "WebhookPathComputed").await;
        assert!(message.contains("\"Webhook\""), "{name}: {message}");
    }
    // A publication of the victim removes its routes for a moment, in which any of them could be taken.
    let again = webhook_definition("again", json!(format!("{w}-user/:id")), "GET", &w);
    both.world.workflow("victim", json!({ "active": true, "interval": "2s", "definition": again })).await;
    both.world.until("victim", "version 2 is published", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
    for _ in 0..20 {
        both.world.n8n.expect_version(&call, "again").await;
    }
    // An id of its own and a derived one are free.
    both.other("own", webhook_definition("own", json!(format!("{w}-own/:id")), "GET", &format!("{w}-own"))).await;
    let mut derived = webhook_definition("derived", json!(format!("{w}-derived/:id")), "GET", "");
    derived["nodes"][0].as_object_mut().unwrap().remove("webhookId");
    both.other("derived", derived).await;
    for name in ["own", "derived"] {
        let object = both.world.until_in(&both.other, name, "Ready", ready).await;
        let url = object["status"]["webhookURLs"][0].as_str().expect("a URL").replace(":id", "7");
        let (_, path) = url.split_once("/webhook/").expect("a production URL");
        both.world.n8n.expect_version(path, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmanaged_workflow_keeps_its_calls() {
    let both = Neighbours::start("unmanagedroutes").await;
    let w = both.world.namespace.clone();
    let owner =
        unmanaged(&both.world.n8n, webhook_definition("owner", json!(format!("{w}-user/:id")), "GET", &w)).await.expect("n8n publishes it");
    both.other("thief", webhook_definition("thief", json!(format!(":{w}/42")), "GET", &w)).await;
    let message = both.says("thief", "WebhookPathTaken").await;
    assert!(message.contains("not managed here") && !message.contains(&owner), "{message}");
    // In the namespace of the instance the message names it.
    both.world
        .workflow(
            "near",
            json!({ "active": true, "interval": "2s", "definition": webhook_definition("near", json!(format!("x/:{w}/42")), "POST", &w) }),
        )
        .await;
    // For a moment the other one that waits has a claim of its own, while it is reconciled.
    let named = |object: &Value| condition(object, "Ready")["message"].as_str().unwrap_or_default().contains(&owner);
    let near = both.world.until("near", "it names the owner", named).await;
    assert_eq!(condition(&near, "Ready")["reason"], "WebhookPathTaken", "{near:#}");
    both.world.n8n.expect_version(&format!("{w}/{w}-user/42"), "owner").await;
    both.world.delete("near").await;
    // It is published without intervention when the owner is gone, with the webhookId of its author.
    remove(&both.world.n8n, &owner).await;
    both.world.until_in(&both.other, "thief", "Ready", ready).await;
    both.world.n8n.expect_version(&format!("{w}/any/42"), "thief").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_of_a_webhook_executes_no_workflow() {
    let world = World::on_real_n8n("checks").await;
    let path = format!("{}/p", world.namespace);
    let mut others = Vec::new();
    for method in ["PATCH", "PUT", "DELETE", "POST", "HEAD"] {
        others.push(
            unmanaged(&world.n8n, webhook_definition(method, json!(path), method, &format!("{path}-{method}")))
                .await
                .expect("n8n publishes it"),
        );
    }
    world.workflow("a", json!({ "active": true, "interval": "1s", "definition": answering(&path, "1") })).await;
    let object = world.until_ready("a").await;
    assert_eq!(condition(&object, "Live")["status"], "True", "each method belongs to another workflow, and Live is True: {object:#}");
    for token in ["1", "2", "3", "4"] {
        world.annotate("Workflow", "a", "requested-at", json!(token)).await;
        world.until("a", "its reconciliation is over", |object| object["status"]["lastHandledRequestedAt"] == token && ready(object)).await;
    }
    for other in others.iter().chain([&id(&object)]) {
        assert_eq!(executions(&world.n8n, other).await, 0, "a check executed {other}");
        assert_eq!(world.n8n.api("GET", &format!("/executions?workflowId={other}&status=running"), None).await.json()["data"], json!([]));
    }
    for other in &others {
        remove(&world.n8n, other).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_does_not_send_its_secret_if_another_workflow_could_receive_the_call() {
    let world = World::on_real_n8n("probesecret").await;
    let w = world.namespace.clone();
    world.secret("token", &format!("{:x}", rand())).await;
    let definition = webhook_definition("1", json!(format!("{w}-user/:id")), "GET", &w);
    world.workflow("a", json!({ "active": true, "interval": "1s", "definition": definition })).await;
    world.until_ready("a").await;
    // A user of n8n adds a template beside it, which n8n accepts.
    let thief = unmanaged(&world.n8n, webhook_definition("2", json!(format!(":{w}/42")), "GET", &w)).await.expect("n8n publishes it");
    let probe = json!({ "node": "Webhook", "pathParameters": { "id": "42" }, "expectedJSON": { "version": "2" },
        "headers": [{ "name": "X-Token", "secretKeyRef": { "name": "token", "key": "apiKey" } }] });
    let next = webhook_definition("2", json!(format!("{w}-user/:id")), "GET", &w);
    let spec = json!({ "active": true, "interval": "1s", "definition": next, "healthCheck": { "probes": [probe] } });
    world.workflow("a", spec).await;
    let observed = world.until_reason("a", "Healthy", "ProbeUnanswered").await;
    assert!(condition(&observed, "Healthy")["message"].as_str().unwrap().contains("could reach another one"), "{observed:#}");
    assert_ne!(condition(&observed, "Ready")["status"], "True", "{observed:#}");
    assert_eq!(executions(&world.n8n, &thief).await, 0, "the Secret went to another workflow");
    remove(&world.n8n, &thief).await;
    world.until_ready("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_and_no_webhook_id_makes_a_check_leave_the_webhook_paths() {
    // The stand-in records the requests at the URL for checks of webhooks.
    let (stack, asked) = (Stack::shared(), StandIn::start(Options::default()));
    let check = json!({ "webhookCheckURL": format!("{}/below", asked.url()) });
    let world = World::at(&stack.n8n_url(), &stack.n8n_key(), "lookout", check).await;
    let w = world.namespace.clone();
    // The parser of URLs drops the tab and resolves the rest.
    let tries = [
        ("id", webhook_definition("1", json!(format!("{w}/:x")), "GET", ".\t.")),
        ("path", webhook_definition("1", json!(format!(".\t./.\t./{w}")), "GET", &w)),
    ];
    for (name, definition) in tries {
        world.workflow(name, json!({ "active": true, "interval": "2s", "definition": definition })).await;
        let strays = || {
            let all = asked.log().entries().into_iter().map(|entry| format!("{} {}", entry.method, entry.path));
            all.filter(|call| !call.contains(" /below/")).collect::<Vec<_>>()
        };
        let refused = |object: &Value| current(object) && condition(object, "Ready")["reason"] == "InvalidDefinition";
        world.until(name, "it is refused", |object| refused(object) || !strays().is_empty()).await;
        assert_eq!(strays(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_id_of_an_unpublished_workflow_is_free_and_a_published_one_keeps_it() {
    let both = Neighbours::start("restingid").await;
    let w = both.world.namespace.clone();
    let spec = |active: bool| json!({ "active": active, "interval": "2s", "definition": webhook_definition("resting", json!(format!("{w}-user/:id")), "GET", &w) });
    both.world.workflow("resting", spec(false)).await;
    both.world.until_ready("resting").await;
    both.other("neighbour", webhook_definition("neighbour", json!(format!("{w}-user/:id")), "GET", &w)).await;
    both.world.until_in(&both.other, "neighbour", "Ready", ready).await;
    // The unpublished Workflow reports the conflict, and does not take the callers in turn.
    both.world.workflow("resting", spec(true)).await;
    let waits = both.world.until_reason("resting", "Ready", "WebhookPathTaken").await;
    assert!(condition(&waits, "Ready")["message"].as_str().unwrap().starts_with("a Workflow of another namespace serves "), "{waits:#}");
    let call = format!("{w}/{w}-user/42");
    both.world.n8n.expect_version(&call, "neighbour").await;
    both.world.api_in(&both.other, "Workflow").delete("neighbour", &Default::default()).await.expect("the API server deletes");
    both.world.until_ready("resting").await;
    both.world.n8n.expect_version(&call, "resting").await;
}
