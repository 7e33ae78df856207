//! A real n8n that stops and starts again never makes the client report a missing workflow.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;
use weirkeeper::domain::remote::WorkflowWrite;
use weirkeeper::http::ApiKey;
use weirkeeper::n8n::{ClientSettings, N8nClient, N8nError, N8nMetrics};

use super::wire::calls::delete;
use crate::harness::stack::Stack;

fn client(stack: &Stack) -> N8nClient {
    let settings = ClientSettings {
        url: stack.n8n_url().parse().unwrap(),
        api_key: ApiKey::parse(&stack.n8n_key()).unwrap(),
        ca_bundle: None,
        trust_named_in: "spec.caBundle",
        request_timeout: Duration::from_secs(3),
        requests_per_second: None,
        max_concurrent_requests: NonZeroU32::new(4).unwrap(),
        webhook_check_url: None,
        allow_loopback: true,
    };
    N8nClient::new(settings, N8nMetrics::register(&prometheus::Registry::new()).unwrap()).unwrap()
}

fn restart(stack: &Stack, kill: bool) -> Command {
    let mut command = Command::new("node");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/stack.mjs"))
        .args(["restart", "n8n", "--dir"])
        .arg(&stack.dir)
        .args(kill.then_some("--kill"));
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarting_n8n_loses_no_workflow() {
    let stack = Stack::own(&["--only-n8n"]);
    let n8n = client(&stack);
    let hook = json!({ "id": "h", "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 2,
        "position": [0, 0], "webhookId": "restart", "parameters": { "path": "restart", "options": {} } });
    let write = WorkflowWrite {
        name: "restart".into(),
        nodes: vec![hook],
        connections: json!({}),
        settings: Default::default(),
        node_groups: None,
    };
    let id = n8n.create_workflow(&write).await.unwrap().id;
    n8n.publish(&id, None).await.unwrap();
    for kill in [false, true] {
        let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
        let mut count = |call: &str, outcome: &str| *outcomes.entry(format!("{call} {outcome}")).or_default() += 1;
        let mut restarting = restart(&stack, kill).spawn().unwrap();
        let mut lasts = 20;
        while lasts > 0 {
            match n8n.get_workflow(&id).await {
                Ok(found) => {
                    assert!(found.is_some(), "reported as gone: {outcomes:?}");
                    count("get", "ok");
                }
                Err(error) => count("get", &format!("{} {}", error.outcome(), status(&error))),
            }
            // The only check without a form that also runs before the API is available.
            match n8n.check_webhook("webhook", "restart").await {
                Ok(check) => count("check", &format!("{check:?}")),
                Err(error) => count("check", &format!("{} {}", error.outcome(), status(&error))),
            }
            match n8n.check_form("no-such-form").await {
                Ok(check) => count("form", &format!("{check:?}")),
                Err(error) => count("form", &format!("{} {}", error.outcome(), status(&error))),
            }
            match n8n.list_summaries(None).await {
                Ok(list) => {
                    assert!(list.iter().any(|w| w.id == id), "missing from the list: {outcomes:?}");
                    count("list", "ok");
                }
                Err(error) => count("list", &format!("{} {}", error.outcome(), status(&error))),
            }
            if restarting.try_wait().unwrap().is_some() {
                lasts -= 1;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("kill {kill}: {outcomes:#?}");
        assert!(outcomes.get("get ok").is_some_and(|n| *n > 0));
    }
    assert!(delete(&n8n, &id).await);
}

fn status(error: &N8nError) -> u16 {
    match error {
        N8nError::NotReady { status, .. } | N8nError::Server { status, .. } => *status,
        _ => 0,
    }
}
