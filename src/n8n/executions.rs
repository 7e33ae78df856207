//! Executions of published workflows.

use std::sync::atomic::Ordering;

use reqwest::Method;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::client::N8nClient;
use super::error::{N8nError, present};
use super::item::UnreadLog;
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

/// Maximum number of items of a failed node's input that are read.
const MOST_ITEMS: usize = 5;

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
    /// Lists executions, newest first, up to the limit of the query. Their start is given by the local clock.
    ///
    /// # Errors
    /// Any error that prevents a complete list.
    pub async fn executions(&self, query: &ExecutionQuery) -> Result<Vec<RemoteExecution>, N8nError> {
        let operation = Operation::ListExecutions;
        let mut found: Vec<RemoteExecution> = Vec::new();
        let mut cursor: Option<String> = None;
        let mut unread = UnreadLog::default();
        // n8n compares with its own clock.
        let ahead = jiff::SignedDuration::from_secs(self.inner.clock_ahead.load(Ordering::Relaxed));
        let there = |time: jiff::Timestamp| time.saturating_add(ahead).unwrap_or(time);
        let here = |time: jiff::Timestamp| time.saturating_sub(ahead).unwrap_or(time);
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
            for mut execution in page.items.into_iter().filter_map(|item| unread.note(operation, item.read())) {
                execution.started_at = execution.started_at.map(here);
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
        let detail = match self.execution::<IgnoredAny>(id).await {
            Err(N8nError::AnswerTooLarge { .. }) => return Ok(Some(self.too_large(id))),
            detail => detail?,
        };
        Ok(detail.and_then(|detail| self.failure(id, detail.status, detail.result())))
    }

    /// Returns the failure of an execution with the items that the failed node was given, as far as n8n kept them. `None` if it does not exist or
    /// did not fail. The items are data of users: they must not be stored.
    ///
    /// # Errors
    /// Any error that prevents an answer.
    pub async fn failed_run(&self, id: &str) -> Result<Option<FailedRun>, N8nError> {
        let detail = match self.execution::<Runs>(id).await {
            Err(N8nError::AnswerTooLarge { .. }) => return Ok(Some(FailedRun { failure: self.too_large(id), input: None })),
            detail => detail?,
        };
        let Some(detail) = detail else { return Ok(None) };
        let result = detail.result();
        let input = result.and_then(|result| input_of(&result.run_data.0, result.node()?));
        Ok(self.failure(id, detail.status, result).map(|failure| FailedRun { failure, input }))
    }

    async fn execution<R: Default + DeserializeOwned + Send + 'static>(&self, id: &str) -> Result<Option<Detail<R>>, N8nError> {
        let mut request = self.api(Operation::GetExecution, Method::GET, &["executions", id])?.query("includeData", "true");
        request.http.limit = LARGEST_EXECUTION;
        present(self.send_json::<Detail<R>>(request).await)
    }

    fn too_large(&self, id: &str) -> ExecutionFailure {
        self.failed_at(id, None, "the execution's data is too large to read; open the execution in n8n")
    }

    fn failed_at(&self, id: &str, node: Option<&str>, message: &str) -> ExecutionFailure {
        let key = &self.inner.settings.api_key;
        ExecutionFailure {
            execution_id: id.to_owned(),
            node: node.map(|name| one_line(&key.hide_in(name), FAILURE_CHARS)),
            message: one_line(&key.hide_in(message), FAILURE_CHARS),
        }
    }

    fn failure<R>(&self, id: &str, status: ExecutionStatus, result: Option<&ResultData<R>>) -> Option<ExecutionFailure> {
        let message = match result.and_then(|result| result.error.as_ref()) {
            Some(error) => {
                let texts = [&error.message, &error.description, &error.name];
                texts.into_iter().flatten().find(|text| !text.trim().is_empty()).map_or("n8n gives no message", String::as_str)
            }
            None if status == ExecutionStatus::Crashed => "n8n stopped while the workflow was running",
            None if status.failed() => "n8n kept no details of the failure",
            None => return None,
        };
        Some(self.failed_at(id, result.and_then(ResultData::node), message))
    }
}

/// A failed execution.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedRun {
    /// The failure.
    pub failure: ExecutionFailure,
    /// Items that the failed node was given; None if n8n did not keep them.
    pub input: Option<Vec<Value>>,
}

/// Returns the items that a node was given in its last run: n8n keeps the outputs of the nodes before it.
fn input_of(runs: &Value, node: &str) -> Option<Vec<Value>> {
    let last = runs[node].as_array()?.last()?;
    let source = last["source"].as_array()?.iter().find(|source| source.is_object())?;
    let number = |key: &str| usize::try_from(source[key].as_u64().unwrap_or(0)).unwrap_or(0);
    let before = &runs[source["previousNode"].as_str()?][number("previousNodeRun")];
    let items = before["data"]["main"][number("previousNodeOutput")].as_array()?;
    Some(items.iter().take(MOST_ITEMS).map(|item| item["json"].clone()).collect())
}

/// The fields of an execution's data that are read; the rest, which is most of it, is skipped.
#[derive(Deserialize)]
#[serde(bound = "R: Default + DeserializeOwned")]
struct Detail<R> {
    #[serde(default)]
    status: ExecutionStatus,
    #[serde(default)]
    data: Option<Data<R>>,
}

impl<R> Detail<R> {
    fn result(&self) -> Option<&ResultData<R>> {
        self.data.as_ref()?.result_data.as_ref()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "R: Default + DeserializeOwned")]
struct Data<R> {
    #[serde(default)]
    result_data: Option<ResultData<R>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "R: Default + DeserializeOwned")]
struct ResultData<R> {
    #[serde(default)]
    last_node_executed: Option<String>,
    #[serde(default)]
    error: Option<Failure>,
    #[serde(default)]
    run_data: R,
}

impl<R> ResultData<R> {
    /// Returns the name of the node that failed, which n8n reports as the whole node or as the name only.
    fn node(&self) -> Option<&str> {
        let named = self.error.as_ref().and_then(|error| error.node.as_str().or_else(|| error.node["name"].as_str()));
        named.or(self.last_node_executed.as_deref())
    }
}

/// Runs of the nodes by their names.
#[derive(Default, Deserialize)]
struct Runs(#[serde(deserialize_with = "value")] Value);

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
