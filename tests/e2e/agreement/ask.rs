//! Asks n8n about one workflow after the other, and leaves nothing behind.

use serde_json::{Value, json};
use weirkeeper::catalog::Catalog;
use weirkeeper::document::definition::Definition;
use weirkeeper::manifest::Report;

use super::compare::compare;
use super::scratch::{Scratch, fence, scratch};
use super::table::Table;
use super::words::{Said, read_creation, read_publication};
use crate::harness::n8n::{Answer, N8n};

/// n8n's answer to a scratch workflow.
enum N8nAnswer {
    NotCreated(String),
    NotPublished(u16, String),
    Published,
    /// n8n failed on this workflow.
    Failed(String),
}

/// Asks about all workflows that could be read. `run` names the scratch workflows of this run.
pub(crate) async fn ask(n8n: &N8n, run: &str, reports: &[Report], catalog: &Catalog) -> Table {
    test_fence(n8n, run).await;
    let mut table = Table::default();
    for (number, report) in reports.iter().enumerate() {
        let Some(definition) = &report.definition else {
            table.unread(report);
            continue;
        };
        let said = said(n8n, definition, &scratch(definition, catalog, run, number + 1)).await;
        table.compared(report, &said, &compare(definition, &said, catalog));
    }
    table
}

/// Checks that n8n refuses the fence. An n8n that would publish scratch workflows is not asked about any.
async fn test_fence(n8n: &N8n, run: &str) {
    let fence = fence(run);
    let fenced = match ask_n8n(n8n, &fence).await {
        N8nAnswer::NotPublished(status, message) => {
            read_publication(status, &message, &Definition::default(), &fence.fence) == Said::Passed
        }
        _ => false,
    };
    assert!(fenced, "this n8n publishes a workflow that calls one which does not exist, so a scratch workflow could be published");
}

async fn said(n8n: &N8n, definition: &Definition, scratch: &Scratch) -> Said {
    match ask_n8n(n8n, scratch).await {
        N8nAnswer::NotCreated(message) => read_creation(&message),
        N8nAnswer::NotPublished(status, message) => read_publication(status, &message, definition, &scratch.fence),
        N8nAnswer::Published => panic!("a scratch workflow was published and deleted at once"),
        N8nAnswer::Failed(words) => Said::Unclear(words),
    }
}

/// Creates the workflow, asks n8n to publish it, and deletes it.
async fn ask_n8n(n8n: &N8n, scratch: &Scratch) -> N8nAnswer {
    let created = n8n.api("POST", "/workflows", Some(json!(scratch.write))).await;
    let id = match (created.status, refusal(&created)) {
        (200, _) => created.json()["id"].as_str().expect("an id").to_owned(),
        (_, Some(message)) => return N8nAnswer::NotCreated(message),
        (status, None) => return N8nAnswer::Failed(format!("create workflow: HTTP {status}")),
    };
    let published = n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await;
    // Deleting it unpublishes it, too.
    n8n.delete(&id).await;
    match (published.status, refusal(&published)) {
        (200, _) => N8nAnswer::Published,
        (status, Some(message)) => N8nAnswer::NotPublished(status, message),
        (status, None) => N8nAnswer::Failed(format!("publish workflow: HTTP {status}")),
    }
}

/// Returns n8n's message, if it refuses a request.
fn refusal(answer: &Answer) -> Option<String> {
    let refused = matches!(answer.status, 400 | 409 | 422);
    refused.then(|| answer.json().get("message").and_then(Value::as_str).map(str::to_owned)).flatten()
}
