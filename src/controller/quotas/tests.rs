use std::collections::HashMap;
use std::convert::Infallible;

use axum::body::Bytes;
use futures::future::join_all;
use kube::client::Body;
use kube::runtime::reflector;
use prometheus::Opts;
use serde_json::{Value, json};

use super::*;
use crate::domain::merge_patch::merge_patch;

/// The quotas of one namespace, as an API server has them: a write with an old resource version is refused.
#[derive(Clone, Default)]
struct ApiServer(Arc<Mutex<HashMap<String, Value>>>);

impl ApiServer {
    fn put(&self, name: &str, hard: Value) {
        let quota = json!({
            "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowQuota", "spec": { "hard": hard }, "status": { "observedGeneration": -1 },
            "metadata": { "name": name, "namespace": "n", "uid": name, "resourceVersion": "1" },
        });
        self.0.lock().unwrap().insert(name.to_owned(), quota);
    }

    fn status(&self, name: &str) -> WorkflowQuotaStatus {
        serde_json::from_value(self.0.lock().unwrap()[name]["status"].clone()).unwrap()
    }

    fn answer(&self, path: &str, patch: Option<Value>) -> (u16, Value) {
        let mut quotas = self.0.lock().unwrap();
        let mut parts = path.split("/workflowquotas").nth(1).unwrap_or_default().split('/').skip(1);
        let Some(name) = parts.next() else {
            let mut items: Vec<Value> = quotas.values().cloned().collect();
            items.sort_by_key(|quota| quota["metadata"]["name"].to_string());
            return (200, json!({ "apiVersion": "v1", "kind": "List", "metadata": {}, "items": items }));
        };
        let Some(quota) = quotas.get_mut(name) else { return (404, refusal(404, name)) };
        if let Some(patch) = patch {
            if patch["metadata"]["resourceVersion"] != quota["metadata"]["resourceVersion"] {
                return (409, refusal(409, name));
            }
            merge(&mut quota["status"], &patch["status"]);
            let version: u64 = quota["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
            quota["metadata"]["resourceVersion"] = json!((version + 1).to_string());
        }
        (200, quota.clone())
    }

    /// Returns the quotas as a process of its own sees them.
    fn process(&self) -> Quotas {
        let server = self.clone();
        let service = tower::service_fn(move |request: axum::http::Request<Body>| {
            let server = server.clone();
            async move {
                let path = request.uri().path().to_owned();
                let patches = request.method() == axum::http::Method::PATCH;
                let body: Bytes = request.into_body().collect_bytes().await.unwrap();
                // Another process may write in between.
                tokio::task::yield_now().await;
                let (status, answer) = server.answer(&path, patches.then(|| serde_json::from_slice(&body).unwrap()));
                Ok::<_, Infallible>(
                    axum::http::Response::builder().status(status).body(Body::from(serde_json::to_vec(&answer).unwrap())).unwrap(),
                )
            }
        });
        let writes = IntCounterVec::new(Opts::new("writes", "x"), &["kind"]).unwrap();
        Quotas::new(Client::new(service, "n"), reflector::store().0, None, writes)
    }
}

fn refusal(code: u16, name: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "reason": "x", "code": code, "details": { "name": name } })
}

fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name.as_str()], value);
        }
    }
}

fn deployment(key: &str, amount: i64) -> Use<'_> {
    Use { resource: QuotaResource::DeploymentsPerDay, key, amount }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_cannot_use_more_than_the_limit_together() {
    let server = ApiServer::default();
    server.put("a", json!({ "deploymentsPerDay": 7 }));
    let processes = [server.process(), server.process()];
    let uses = (0..20).map(|number| {
        let process = &processes[number % 2];
        async move {
            let key = format!("w{number}/1");
            loop {
                match process.reserve("n", deployment(&key, 1)).await {
                    Err(error) if error.reason == Reason::Progressing => {}
                    other => return other.is_ok(),
                }
            }
        }
    });
    let granted = join_all(uses).await.into_iter().filter(|granted| *granted).count();
    let status = server.status("a");
    assert_eq!((granted, status.used.deployments_per_day, status.remaining.deployments_per_day), (7, Some(7), Some(0)));
    assert_eq!(status.summary.as_deref(), Some("deploymentsPerDay: 7/7"));
}

#[tokio::test]
async fn a_use_that_one_quota_refuses_is_reserved_in_none() {
    let server = ApiServer::default();
    server.put("a", json!({ "deploymentsPerDay": 2 }));
    server.put("b", json!({ "deploymentsPerDay": 1 }));
    server.put("c", json!({ "workflows": 1 }));
    let quotas = server.process();
    quotas.reserve("n", deployment("w/1", 1)).await.unwrap();
    let error = quotas.reserve("n", deployment("w/2", 1)).await.unwrap_err();
    assert!(error.message.starts_with("exceeded quota: b, requested: deploymentsPerDay=1, used: 1, limited: 1; "), "{error}");
    assert!(error.requeue_after.is_some());
    assert_eq!([server.status("a"), server.status("b")].map(|status| status.used.deployments_per_day), [Some(1); 2]);
    assert_eq!(server.status("c").reservations, []);
    // The one that is reserved may be repeated, and is settled in both.
    quotas.reserve("n", deployment("w/1", 1)).await.unwrap();
    quotas.settle("n", deployment("w/1", 1)).await;
    for name in ["a", "b"] {
        assert_eq!((server.status(name).used.deployments_per_day, server.status(name).reservations.len()), (Some(1), 0));
    }
}

#[tokio::test]
async fn a_quota_that_does_not_fit_its_kind_allows_nothing_and_a_kind_that_is_missing_neither() {
    let server = ApiServer::default();
    server.put("a", json!({ "workflows": 1 }));
    assert!(!server.process().limits("n").await.unwrap().is_empty());
    server.put("odd", json!({ "workflows": "many" }));
    for error in [server.process().limits("n").await.unwrap_err(), server.process().reserve("n", deployment("w/1", 1)).await.unwrap_err()] {
        assert_eq!(error.reason, Reason::UnreadableObject);
        assert!(
            error.message.contains("the WorkflowQuota odd does not fit its kind") && error.message.contains("spec.hard.workflows"),
            "{error}"
        );
    }
}

#[test]
fn the_server_of_these_tests_merges_as_the_real_one_does() {
    let (before, after) = (json!({ "a": 1, "b": { "c": 2 } }), json!({ "b": { "c": 3 }, "d": [1] }));
    let mut merged = before.clone();
    merge(&mut merged, &merge_patch(&before, &after).unwrap());
    assert_eq!(merged, after);
}
