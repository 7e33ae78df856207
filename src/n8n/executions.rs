//! Executions of published workflows.

use std::sync::atomic::Ordering;

use reqwest::Method;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::client::N8nClient;
use super::error::{N8nError, present};
use super::item::Told;
use super::listing::{IDLE_PAGES, STUCK, protocol};
use super::operation::Operation;
use super::page::{LARGEST_PAGE, Page};
use crate::document::lenient_json;
use crate::domain::remote::{ExecutionFailure, ExecutionStatus, RemoteExecution, RemoteVersion};
use crate::text::one_line;

/// Maximum length of a failure message that is kept, in characters.
const FAILURE_CHARS: usize = 300;

/// Maximum size of an execution's data that is read to determine why it failed.
const LARGEST_EXECUTION: usize = 16 * 1024 * 1024;

/// Maximum page size that n8n allows.
const PAGE: usize = 250;

/// Filter for listing executions.
#[derive(Clone, Debug, Default)]
pub struct ExecutionQuery {
    /// Only executions of this workflow.
    pub workflow_id: Option<String>,
    /// Only executions with this status. Without it, n8n leaves out running and new ones.
    pub status: Option<ExecutionStatus>,
    /// Only executions started after this time of the local clock.
    pub started_after: Option<jiff::Timestamp>,
    /// Only executions started before this time of the local clock.
    pub started_before: Option<jiff::Timestamp>,
    /// Maximum number of executions, newest first.
    pub limit: usize,
}

impl N8nClient {
    /// Lists executions, newest first, up to the limit of the query.
    ///
    /// # Errors
    /// Any error that prevents a complete list.
    pub async fn executions(&self, query: &ExecutionQuery) -> Result<Vec<RemoteExecution>, N8nError> {
        let operation = Operation::ListExecutions;
        let mut found: Vec<RemoteExecution> = Vec::new();
        let mut cursor: Option<String> = None;
        let mut unread = Told::default();
        // n8n compares with its own clock.
        let ahead = jiff::SignedDuration::from_secs(self.inner.clock_ahead.load(Ordering::Relaxed));
        let there = |time: jiff::Timestamp| time.saturating_add(ahead).unwrap_or(time);
        let mut idle = 0;
        while found.len() < query.limit {
            let size = PAGE.min(query.limit - found.len());
            let mut request = self.api(operation, Method::GET, &["executions"])?.query("limit", &size.to_string());
            if let Some(id) = &query.workflow_id {
                request = request.query("workflowId", id);
            }
            if let Some(status) = query.status {
                request = request.query("status", status.as_str());
            }
            if let Some(time) = query.started_after {
                request = request.query("startedAfter", &format!("{:.3}", there(time)));
            }
            if let Some(time) = query.started_before {
                request = request.query("startedBefore", &format!("{:.3}", there(time)));
            }
            if let Some(cursor) = &cursor {
                request = request.query("cursor", cursor);
            }
            request.http.limit = LARGEST_PAGE;
            let page: Page<RemoteExecution> = self.send_json(request).await?;
            let before = found.len();
            let size = page.items.len();
            for execution in page.items.into_iter().filter_map(|item| unread.tell(operation, item.read())) {
                if found.iter().rev().take(PAGE).all(|known| known.id != execution.id) {
                    found.push(execution);
                }
            }
            match page.next_cursor {
                None => break,
                Some(next) => {
                    // A page may be empty although more follow.
                    idle = if found.len() > before { 0 } else { idle + 1 };
                    if cursor.as_ref() == Some(&next) || (found.len() == before && size > 0) || idle > IDLE_PAGES {
                        return Err(protocol(operation, STUCK));
                    }
                    cursor = Some(next);
                }
            }
        }
        found.truncate(query.limit);
        Ok(found)
    }

    /// Returns the content that an execution ran, as it was when the execution started. `None` if the execution does not exist or is too
    /// large to read.
    ///
    /// # Errors
    /// Any error that prevents an answer.
    pub async fn execution_content(&self, id: &str) -> Result<Option<RemoteVersion>, N8nError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Ran {
            #[serde(default)]
            workflow_data: Option<RemoteVersion>,
        }
        let mut request = self.api(Operation::GetExecution, Method::GET, &["executions", id])?.query("includeData", "true");
        request.http.limit = LARGEST_EXECUTION;
        match present(self.send_json::<Ran>(request).await) {
            Err(N8nError::AnswerTooLarge { .. }) => Ok(None),
            answer => {
                let version = answer?.and_then(|ran| ran.workflow_data);
                version.map(|version| self.hold_version(Operation::GetExecution, version)).transpose()
            }
        }
    }

    /// Returns the node at which an execution failed and n8n's message. `None` if it does not exist or did not fail.
    ///
    /// # Errors
    /// Any error that prevents an answer.
    pub async fn execution_failure(&self, id: &str) -> Result<Option<ExecutionFailure>, N8nError> {
        let mut request = self.api(Operation::GetExecution, Method::GET, &["executions", id])?.query("includeData", "true");
        request.http.limit = LARGEST_EXECUTION;
        let key = &self.inner.settings.api_key;
        let failure = |node: Option<String>, message: &str| ExecutionFailure {
            execution_id: id.to_owned(),
            node: node.map(|name| one_line(&key.hide_in(&name), FAILURE_CHARS)),
            message: one_line(&key.hide_in(message), FAILURE_CHARS),
        };
        let detail: Detail = match present(self.send_json(request).await) {
            Err(N8nError::AnswerTooLarge { .. }) => {
                return Ok(Some(failure(None, "the execution's data is too large to read; open the execution in n8n")));
            }
            Ok(None) => return Ok(None),
            answer => match answer? {
                Some(detail) => detail,
                None => return Ok(None),
            },
        };
        let result = detail.data.and_then(|data| data.result_data);
        let (last_node, error) = result.map_or((None, None), |r| (r.last_node_executed, r.error));
        match error {
            Some(error) => {
                let node = node_name(error.node).or(last_node);
                let message = [error.message, error.description, error.name].into_iter().flatten().find(|m| !m.trim().is_empty());
                Ok(Some(failure(node, message.as_deref().unwrap_or("n8n gives no message"))))
            }
            None if detail.status == ExecutionStatus::Crashed => Ok(Some(failure(last_node, "n8n stopped while the workflow was running"))),
            None if detail.status.failed() => Ok(Some(failure(last_node, "n8n kept no details of the failure"))),
            None => Ok(None),
        }
    }
}

/// The fields of an execution's data that are read; the rest, which is most of it, is skipped.
#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    status: ExecutionStatus,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    #[serde(default)]
    result_data: Option<ResultData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultData {
    #[serde(default)]
    last_node_executed: Option<String>,
    #[serde(default)]
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default, deserialize_with = "text")]
    message: Option<String>,
    #[serde(default, deserialize_with = "text")]
    description: Option<String>,
    #[serde(default, deserialize_with = "text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "value")]
    node: Value,
}

/// Deserializes an error leniently, because the author of a Code node decides what it contains.
fn value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    lenient_json::read(deserializer, &[]).map(|read| read.value)
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    value(deserializer).map(|value| value.as_str().map(str::to_owned))
}

/// Returns the name of a node, which n8n reports as the whole node or as the name only.
fn node_name(node: Value) -> Option<String> {
    match node {
        Value::String(name) => Some(name),
        Value::Object(mut node) => match node.remove("name") {
            Some(Value::String(name)) => Some(name),
            _ => None,
        },
        _ => None,
    }
}
