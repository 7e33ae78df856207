//! Executions of all workflows of an instance, by time. Where several Workflows have their executions evaluated, one list serves all of them
//! for a few seconds, in place of a list for each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::runtime::shared_read::SharedRead;
use crate::domain::remote::RemoteExecution;
use crate::n8n::{ExecutionQuery, N8nClient, N8nError};

/// Maximum number of executions of a list.
const MOST: usize = 1_000;
/// Maximum age of a list for anybody.
const FRESH: Duration = Duration::from_secs(5);
/// Time after which a list that was too long is tried again.
const TOO_LONG: Duration = Duration::from_secs(60);

/// Finished executions of an instance.
#[derive(Debug)]
pub struct Executions {
    /// When the list was requested.
    began: Timestamp,
    /// Each finished execution that started after this time is in the list.
    since: Timestamp,
    /// Executions by workflow, the newest first.
    by_workflow: HashMap<String, Vec<RemoteExecution>>,
}

impl Executions {
    /// Returns the executions of a workflow that started within a period, the newest first; None if some may be missing.
    pub fn of(&self, workflow: &str, (from, to): (Timestamp, Option<Timestamp>)) -> Option<Vec<&RemoteExecution>> {
        if from < self.since || to.is_some_and(|to| to > self.began) {
            return None;
        }
        let within = |one: &&RemoteExecution| one.started_at.is_some_and(|at| at >= from && to.is_none_or(|to| at < to));
        Some(self.by_workflow.get(workflow).into_iter().flatten().filter(within).collect())
    }

    fn is_too_long(&self) -> bool {
        self.by_workflow.values().map(Vec::len).sum::<usize>() >= MOST
    }
}

/// The last list of an instance.
#[derive(Debug, Default)]
pub struct ExecutionLists(SharedRead<Executions, N8nError>);

impl ExecutionLists {
    /// Returns the executions of the last `longest`, unless there were too many a moment ago. The list is a few seconds old at most, and not
    /// older than a tenth of `window`, the time whose executions the caller evaluates. Concurrent callers share one.
    pub async fn recent(&self, client: &N8nClient, longest: Duration, window: Duration) -> Result<Option<Arc<Executions>>, N8nError> {
        let last = self.0.recent(FRESH.min(window / 10));
        if last.is_some() || self.0.recent(TOO_LONG).is_some_and(|list| list.is_too_long()) {
            return Ok(last);
        }
        self.0.read(list(client, longest)).await.map(Some)
    }
}

async fn list(client: &N8nClient, longest: Duration) -> Result<Executions, N8nError> {
    let began = Timestamp::now();
    let since = SignedDuration::try_from(longest).ok().and_then(|longest| began.checked_sub(longest).ok()).unwrap_or(Timestamp::MIN);
    let query = ExecutionQuery { started_after: Some(since), limit: MOST, ..ExecutionQuery::default() };
    Ok(collect(client.executions(&query).await?, began, since))
}

fn collect(found: Vec<RemoteExecution>, began: Timestamp, since: Timestamp) -> Executions {
    // Of a list that is too long, the oldest are missing.
    let cut = found.last().filter(|_| found.len() >= MOST);
    let since = cut.map_or(since, |oldest| oldest.started_at.unwrap_or(began));
    let mut by_workflow: HashMap<String, Vec<RemoteExecution>> = HashMap::new();
    for execution in found {
        by_workflow.entry(execution.workflow_id.clone()).or_default().push(execution);
    }
    Executions { began, since, by_workflow }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn execution(id: usize, workflow: &str, second: i64) -> RemoteExecution {
        let at = Timestamp::from_second(second).unwrap();
        serde_json::from_value(json!({ "id": id, "status": "success", "workflowId": workflow, "startedAt": at })).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_list_tells_the_executions_of_a_workflow_in_a_period_that_it_covers() {
        let list = collect(vec![execution(3, "a", 80), execution(2, "b", 70), execution(1, "a", 60)], at(100), at(50));
        let ids = |workflow: &str, from, to| -> Option<Vec<String>> {
            Some(list.of(workflow, (at(from), to))?.iter().map(|one| one.id.clone()).collect())
        };
        assert_eq!(ids("a", 50, None), Some(vec!["3".to_owned(), "1".to_owned()]));
        assert_eq!(ids("a", 61, None), Some(vec!["3".to_owned()]));
        assert_eq!(ids("a", 50, Some(at(80))), Some(vec!["1".to_owned()]));
        assert_eq!(ids("c", 50, None), Some(vec![]));
        assert_eq!(ids("a", 49, None), None, "earlier ones may be missing");
        assert_eq!(ids("a", 50, Some(at(101))), None, "later ones are missing");
    }

    #[test]
    fn a_list_that_was_cut_covers_the_time_since_its_last_execution() {
        let newest_first =
            |count: i64| (0..count).map(|age| execution(usize::try_from(age).unwrap() + 1, "a", 2_000 - age)).collect::<Vec<_>>();
        let cut = collect(newest_first(i64::try_from(MOST).unwrap()), at(2_001), at(0));
        assert!(cut.is_too_long());
        assert!(cut.of("b", (at(1_000), None)).is_none());
        assert_eq!(cut.of("a", (at(1_990), None)).map(|found| found.len()), Some(11));
        assert!(!collect(newest_first(3), at(2_001), at(0)).is_too_long());
    }
}
