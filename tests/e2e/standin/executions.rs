//! Executions: how they are recorded, listed, shown, retried, stopped and deleted.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::reply::{Answer, Reply, page};
use super::request::Request;
use super::run::{Outcome, Pause, run};
use super::schema::{RETRY, not_one_of};
use super::store::{Content, World, now};

pub(crate) const STATUSES: [&str; 8] = ["canceled", "crashed", "error", "new", "running", "success", "unknown", "waiting"];

#[derive(Clone, Debug)]
pub(crate) struct Execution {
    pub id: u64,
    pub workflow_id: String,
    pub workflow_name: String,
    pub mode: &'static str,
    pub status: &'static str,
    pub retry_of: Option<u64>,
    pub retry_success_id: Option<u64>,
    pub created_at: String,
    pub started_at: Option<String>,
    pub stopped_at: Option<String>,
    pub wait_till: Option<String>,
    /// The version that n8n records, which for webhooks is the draft's id and not that of the content that ran.
    pub version_id: String,
    /// The content that ran.
    pub content: Arc<Content>,
    pub start: String,
    pub input: Vec<Value>,
    pub outcome: Outcome,
}

/// The execution to start.
pub(crate) struct Start {
    pub workflow_id: String,
    pub mode: &'static str,
    pub content: Arc<Content>,
    pub version_id: String,
    pub start: String,
    pub input: Vec<Value>,
    pub retry_of: Option<u64>,
}

impl World {
    /// Records an execution as running, with its outcome already determined.
    pub(crate) fn begin(&mut self, start: Start) -> u64 {
        let id = self.next_execution();
        let outcome = run(self, &start.content, &start.start, start.input.clone(), 0);
        let name = self.workflows.get(&start.workflow_id);
        let execution = Execution {
            id,
            workflow_name: name.map(|workflow| workflow.name.clone()).unwrap_or_default(),
            workflow_id: start.workflow_id,
            mode: start.mode,
            status: "running",
            retry_of: start.retry_of,
            retry_success_id: None,
            created_at: now(),
            started_at: Some(now()),
            stopped_at: None,
            wait_till: None,
            version_id: start.version_id,
            content: start.content,
            start: start.start,
            input: start.input,
            outcome,
        };
        self.executions.insert(id, execution);
        id
    }

    /// Ends a running execution with its outcome, and deletes it if the settings say so.
    pub(crate) fn finish(&mut self, id: u64) {
        let Some(run) = self.executions.get_mut(&id).filter(|run| run.status == "running") else {
            return;
        };
        run.stopped_at = Some(now());
        run.status = match (&run.outcome.error, &run.outcome.pause) {
            (Some(_), _) => "error",
            (None, Some(Pause::Waiting)) => "waiting",
            (None, _) => "success",
        };
        if run.status == "waiting" {
            run.wait_till = Some("3000-01-01T00:00:00.000Z".to_owned());
        }
        let (status, retry_of, workflow) = (run.status, run.retry_of, run.workflow_id.clone());
        if let Some(failed) = retry_of.filter(|_| status == "success")
            && let Some(failed) = self.executions.get_mut(&failed)
        {
            failed.retry_success_id = Some(id);
        }
        if !self.keeps(&workflow, status) {
            self.executions.remove(&id);
        }
    }

    fn keeps(&self, workflow: &str, status: &str) -> bool {
        let setting = match status {
            "success" => "saveDataSuccessExecution",
            "error" => "saveDataErrorExecution",
            _ => return true,
        };
        let workflow = self.workflows.get(workflow);
        workflow.and_then(|workflow| workflow.settings.get(setting)) != Some(&json!("none"))
    }

    /// Marks running executions as crashed, as n8n does when it starts after a kill.
    pub(crate) fn crash_running(&mut self) {
        for run in self.executions.values_mut() {
            if run.status == "running" || run.status == "new" {
                run.status = "crashed";
                run.stopped_at = Some(now());
            }
        }
    }
}

impl Execution {
    pub(crate) fn is_finished(&self) -> bool {
        self.status == "success"
    }

    fn list_item(&self, with_data: bool) -> String {
        let mut item = json!({
            "id": self.id.to_string(),
            "finished": self.is_finished(),
            "mode": self.mode,
            "retryOf": self.retry_of.map(|id| id.to_string()),
            "retrySuccessId": self.retry_success_id.map(|id| id.to_string()),
            "status": self.status,
            "startedAt": self.started_at,
            "stoppedAt": self.stopped_at,
            "workflowId": self.workflow_id,
            "waitTill": self.wait_till,
        });
        if with_data {
            item["storedAt"] = json!("db");
            item["jsonSizeBytes"] = json!(0);
            item["workflowVersionId"] = json!(self.version_id);
            item["data"] = self.data();
            item["workflowData"] = self.workflow_data();
            item["customData"] = json!({});
        }
        item.to_string()
    }

    fn full(&self, with_data: bool) -> Value {
        let mut shown = json!({
            "id": self.id.to_string(),
            "finished": self.is_finished(),
            "mode": self.mode,
            "retryOf": self.retry_of.map(|id| id.to_string()),
            "retrySuccessId": self.retry_success_id.map(|id| id.to_string()),
            "status": self.status,
            "createdAt": self.created_at,
            "startedAt": self.started_at,
            "stoppedAt": self.stopped_at,
            "deletedAt": null,
            "workflowId": self.workflow_id,
            "waitTill": self.wait_till,
            "storedAt": "db",
            "tracingContext": null,
            "deduplicationKey": null,
            "jsonSizeBytes": 0,
            "binaryDataSizeBytes": 0,
            "workflowVersionId": self.version_id,
            "usedPrivateCredentials": false,
        });
        if with_data {
            shown["data"] = self.data();
            shown["workflowData"] = self.workflow_data();
            shown["customData"] = json!({});
        }
        shown
    }

    fn workflow_data(&self) -> Value {
        json!({
            "id": self.workflow_id,
            "name": self.workflow_name,
            "active": true,
            "nodes": self.content.nodes,
            "connections": self.content.connections,
            "nodeGroups": self.content.groups,
            "settings": {},
        })
    }

    fn data(&self) -> Value {
        let mut runs = Map::new();
        for (node, items) in &self.outcome.outputs {
            let items: Vec<Value> = items.iter().map(|item| json!({ "json": item })).collect();
            runs.insert(
                node.clone(),
                json!([{ "startTime": 0, "executionTime": 0, "executionIndex": runs.len(), "source": [],
                    "executionStatus": "success", "data": { "main": [items] } }]),
            );
        }
        let mut result = json!({ "lastNodeExecuted": self.outcome.last_node });
        if let Some((node, message)) = &self.outcome.error {
            let node = self.content.node_list().iter().find(|other| other["name"] == json!(node));
            let error = json!({ "level": "error", "name": "NodeOperationError", "message": message,
                "description": null, "node": node, "timestamp": 0, "context": {}, "tags": {} });
            runs.insert(
                self.outcome.last_node.clone(),
                json!([{ "startTime": 0, "executionTime": 0, "executionIndex": runs.len(), "source": [],
                    "executionStatus": "error", "error": error }]),
            );
            result["error"] = error;
        }
        result["runData"] = Value::Object(runs);
        json!({ "version": 1, "startData": {}, "resultData": result,
            "executionData": { "contextData": {}, "nodeExecutionStack": [], "waitingExecution": {} } })
    }
}

pub(crate) fn execution_id(text: &str) -> Result<u64, Reply> {
    text.parse()
        .ok()
        .filter(|id| *id > 0 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or_else(|| Reply::message(400, "The execution ID must be a positive integer"))
}

pub(crate) fn list(world: &World, request: &Request) -> Answer {
    let with_data = request.flag("includeData", false)?;
    let status = request.query("status");
    if let Some(status) = status.filter(|status| !STATUSES.contains(status)) {
        let message = format!("request/query/status {}", not_one_of(&STATUSES, status));
        return Err(Reply::message(400, message));
    }
    let (before, limit) = request.keyset()?;
    let workflow = request.query("workflowId");
    let time = |name| request.time(name);
    let (after, until) = (time("startedAfter")?, time("startedBefore")?);
    let fits = |run: &&Execution| {
        let started = run.started_at.as_deref().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        workflow.is_none_or(|id| run.workflow_id == id)
            && match status {
                Some(status) => run.status == status,
                None => run.status != "running" && run.status != "new",
            }
            && after.is_none_or(|after| started.is_some_and(|at| at >= after))
            && until.is_none_or(|until| started.is_some_and(|at| at <= until))
            && before.is_none_or(|before| run.id < before)
            && request.query("projectId").is_none_or(|id| world.workflows.get(&run.workflow_id).is_some_and(|owner| owner.project_id == id))
    };
    let mut found = world.executions.values().rev().filter(fits);
    let shown: Vec<&Execution> = found.by_ref().take(limit).collect();
    let next = shown.last().filter(|_| found.next().is_some());
    let next = next.map(|run| super::request::cursor(&json!({ "lastId": run.id.to_string(), "limit": limit })));
    let items: Vec<String> = shown.iter().map(|run| run.list_item(with_data)).collect();
    Ok(page(&items, next))
}

pub(crate) fn get(world: &World, request: &Request, id: &str) -> Answer {
    let id = execution_id(id)?;
    let with_data = request.flag("includeData", false)?;
    match world.executions.get(&id) {
        Some(run) => Ok(Reply::json(200, &run.full(with_data))),
        None => Err(Reply::message(404, "Not Found")),
    }
}

pub(crate) fn delete(world: &mut World, id: &str) -> Answer {
    let id = execution_id(id)?;
    match world.executions.get(&id) {
        None => Err(Reply::message(404, "Not Found")),
        Some(run) if run.status == "running" => Err(Reply::message(400, "Cannot delete a running execution")),
        Some(run) => {
            let mut shown = run.full(false);
            shown["id"] = json!(id);
            world.executions.remove(&id);
            Ok(Reply::json(200, &shown))
        }
    }
}

pub(crate) fn stop(world: &mut World, id: &str) -> Answer {
    let id = execution_id(id)?;
    let Some(run) = world.executions.get_mut(&id) else {
        // If there is no workflow at all, n8n does not search for executions.
        let message = if world.workflows.is_empty() { "Not Found" } else { "Failed to find execution to stop" };
        return Err(Reply::message(404, message));
    };
    if !["new", "unknown", "waiting", "running"].contains(&run.status) {
        let message = format!("Only running or waiting executions can be stopped and {id} is currently {}", run.status);
        return Err(Reply::message(409, message));
    }
    run.status = "canceled";
    run.stopped_at = Some(now());
    run.wait_till = None;
    let shown = json!({ "mode": run.mode, "startedAt": run.started_at, "stoppedAt": run.stopped_at,
        "finished": false, "status": "canceled" });
    Ok(Reply::json(200, &shown))
}

pub(crate) fn retry(world: &mut World, request: &Request, id: &str) -> Answer {
    let id = execution_id(id)?;
    let body = request.optional_body(&RETRY)?;
    let Some(failed) = world.executions.get(&id).cloned() else {
        let message = match world.workflows.is_empty() {
            true => "Not Found".to_owned(),
            false => format!("The execution with the ID \"{id}\" does not exist."),
        };
        return Err(Reply::message(404, message));
    };
    if failed.status == "new" {
        let message = "Execution is queued to run (not yet started) so it cannot be retried";
        return Err(Reply::message(409, message));
    }
    if failed.is_finished() {
        let message = "The execution succeeded, so it cannot be retried.";
        return Err(Reply::message(409, message));
    }
    let draft = world.workflows.get(&failed.workflow_id);
    let draft = draft.filter(|_| body.get("loadWorkflow") == Some(&json!(true)));
    let content = draft.map_or(failed.content, |workflow| Arc::clone(&workflow.content));
    let new = world.begin(Start {
        workflow_id: failed.workflow_id,
        mode: "retry",
        content,
        version_id: failed.version_id,
        start: failed.start,
        input: failed.input,
        retry_of: Some(id),
    });
    let mut done = world.executions.get(&new).cloned().expect("what was just recorded");
    world.finish(new);
    if let Some(kept) = world.executions.get(&new) {
        done = kept.clone();
    }
    Ok(Reply::json(200, &done.full(true)))
}
