//! Tests of the client against a scripted n8n. The scenarios in `tests/e2e` check it against a real one.

mod answers;
mod hostile;
mod lists;
mod pacing;
mod pages;
mod safety;
mod webhooks;

use super::N8nClient;
use crate::domain::remote::WorkflowWrite;

fn write() -> WorkflowWrite {
    WorkflowWrite { name: "x".into(), nodes: vec![], connections: serde_json::json!({}), settings: Default::default(), node_groups: None }
}

/// Controllers spawn their calls, so every call must be `Send`.
#[test]
fn every_call_can_be_spawned() {
    fn send<T: Send>(_: T) {}
    fn all(n8n: &N8nClient) {
        send(n8n.get_workflow("a"));
        send(n8n.create_workflow(&write()));
        send(n8n.list_workflows());
        send(n8n.list_summaries(Some("a")));
        send(n8n.scan_workflows(None, |w| w.ok().map(|w| w.id)));
        send(n8n.list_credentials());
        send(n8n.executions(&Default::default()));
        send(n8n.execution_failure("1"));
        send(n8n.check_webhook("webhook", "a"));
        send(n8n.create_tag("a"));
        send(n8n.version());
    }
    let _ = all;
}
