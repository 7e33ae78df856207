//! The rate limit of a credential: warnings with their arithmetic, and requests counted from executions. On the real n8n.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{KIND, credential, secret, value};
use crate::harness::header_server::HeaderServer;
use crate::harness::kubectl::kubectl;
use crate::harness::world::{PATIENCE, World, condition, ready};

/// Returns a workflow that starts every two seconds, and then sends two requests with a credential.
fn definition(name: &str, url: &str) -> Value {
    let ask = |id: &str, name: &str, x: i32| {
        json!({ "id": id, "name": name, "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [x, 0],
            "parameters": { "url": url, "authentication": "genericCredentialType", "genericAuthType": "httpHeaderAuth", "options": {} },
            "credentials": { "httpHeaderAuth": { "name": "CRM" } } })
    };
    let rule = json!({ "rule": { "interval": [{ "field": "seconds", "secondsInterval": 2 }] } });
    let to = |node: &str| json!({ "main": [[{ "node": node, "type": "main", "index": 0 }]] });
    json!({
        "name": name,
        "nodes": [
            { "id": "n0", "name": "Tick", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "position": [0, 200], "parameters": rule },
            ask("n1", "Ask", 200), ask("n2", "Ask again", 400),
        ],
        "connections": { "Tick": to("Ask"), "Ask": to("Ask again") },
        "settings": { "saveDataSuccessExecution": "all" },
    })
}

fn metric(metrics: &str, name: &str, namespace: &str) -> Option<f64> {
    let series = format!("weirkeeper_credential_{name}_per_minute{{credential=\"crm\",namespace=\"{namespace}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_beyond_the_limit_is_reported_with_its_arithmetic_and_counted_from_executions() {
    let world = World::on_real_n8n("cred-rate").await;
    let (server, token) = (HeaderServer::start("x-api-key").await, value("rate"));
    server.accept(&[&token]);
    secret(&world, "crm", json!({ "name": "X-Api-Key", "value": token })).await;
    credential(&world, "crm", json!({ "secretRef": { "name": "crm" }, "rateLimit": { "requests": 40, "per": "1m" } })).await;
    world.until_kind(KIND, "crm", "Ready", ready).await;
    let uses = json!([{ "name": "CRM", "credentialRef": { "name": "crm" } }]);
    let spec = json!({ "active": true, "interval": "3s", "definition": definition(&format!("{}/a", world.namespace), &server.url()),
        "credentials": uses, "healthCheck": { "bakeTime": "10m", "minimumExecutions": 1, "maximumErrorRate": 50 } });
    world.workflow("a", spec).await;
    let arithmetic = "it starts up to 30 times in 1m, and 2 of the nodes that it leads to use the credential: 30 x 2 = 60 requests";
    let object = world.until_ready("a").await;
    let message = condition(&object, "Validated")["message"].as_str().expect("a message");
    assert!(message.contains(arithmetic) && message.contains(r#"N8nCredential "crm" allows 40 in 1m"#), "{message}");

    // `validate` says the same about the same two objects.
    let objects = ["n8nc/crm", "nwf/a"].map(|name| kubectl(&world, &["get", name, "-o", "yaml"], None).text()).join("---\n");
    let file = std::env::temp_dir().join(format!("{}.yaml", world.namespace));
    std::fs::write(&file, objects).expect("a file is written");
    let output = Command::new(env!("CARGO_BIN_EXE_weirkeeper")).args(["validate", "--output", "concise"]).arg(&file).output();
    let _ = std::fs::remove_file(&file);
    let output = String::from_utf8(output.expect("the binary runs").stdout).expect("text");
    assert!(output.contains("warning[rate-limit-exceeded]") && output.contains(arithmetic), "{output}");
    println!("rate limit: {}", output.lines().find(|line| line.contains("rate-limit-exceeded")).unwrap_or_default());

    // Thirty executions a minute with two requests each, as the schedule says. The first minute counts as a whole one.
    let started = Instant::now();
    let limit = loop {
        let metrics = world.operator.get("/metrics").await.1;
        let (requests, limit) = (metric(&metrics, "requests", &world.namespace), metric(&metrics, "rate_limit", &world.namespace));
        if requests.is_some_and(|requests| (55.0..=65.0).contains(&requests)) {
            println!("rate limit: {requests:?} requests a minute counted from executions after {:?}, {limit:?} allowed", started.elapsed());
            break limit;
        }
        assert!(started.elapsed() < PATIENCE, "{requests:?}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    assert_eq!(limit, Some(40.0));

    // A slower schedule, and nobody is warned any more.
    let mut slower = definition(&format!("{}/a", world.namespace), &server.url());
    slower["nodes"][0]["parameters"]["rule"]["interval"][0]["secondsInterval"] = json!(30);
    let spec = json!({ "active": true, "interval": "3s", "definition": slower, "credentials": uses });
    world.workflow("a", spec).await;
    let object = world.until_ready("a").await;
    assert!(!condition(&object, "Validated")["message"].to_string().contains("requests"), "{object}");
    world.delete("a").await;
    let metrics = world.operator.get("/metrics").await.1;
    assert_eq!(metric(&metrics, "requests", &world.namespace), None, "the series goes with its user");
}
