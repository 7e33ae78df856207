use std::convert::Infallible;

use kube::client::Body;
use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::api::quota::QuotaLimits;

const ALL: Places = Places { workflow: true, active: true };
const IN: Places = Places { workflow: true, active: false };
const NONE: Places = Places { workflow: false, active: false };

/// The index of one namespace, fed like the watch feeds it.
struct Cluster {
    writer: reflector::store::Writer<IndexedWorkflow>,
    admissions: Admissions,
    /// Objects that the API server lists.
    listed: Arc<Mutex<Vec<Value>>>,
}

impl Cluster {
    fn new() -> Self {
        let (store, writer) = reflector::store();
        let listed = Arc::new(Mutex::new(Vec::new()));
        let items = listed.clone();
        let service = tower::service_fn(move |_: axum::http::Request<Body>| {
            let list = json!({ "apiVersion": "v1", "kind": "List", "metadata": {}, "items": *items.lock().unwrap() });
            async move { Ok::<_, Infallible>(axum::http::Response::new(Body::from(list.to_string().into_bytes()))) }
        });
        Self { writer, admissions: Admissions::new(Client::new(service, "n"), None, store), listed }
    }

    fn object(number: i64, active: bool, status: Value) -> IndexedWorkflow {
        serde_json::from_value(Self::json(number, active, status)).unwrap()
    }

    fn json(number: i64, active: bool, status: Value) -> Value {
        let name = format!("w{number}");
        json!({
            "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow",
            "metadata": { "name": name, "namespace": "n", "uid": name, "creationTimestamp": format!("2026-11-29T10:00:{number:02}Z") },
            "spec": { "instanceRef": { "name": "main" }, "active": active }, "status": status,
        })
    }

    fn see(&mut self, number: i64, active: bool, status: Value) {
        self.writer.apply_watcher_event(&Event::Apply(Self::object(number, active, status)));
        self.admissions.changed("n");
    }

    fn gone(&mut self, number: i64) {
        self.admissions.forget(&format!("w{number}"));
        self.writer.apply_watcher_event(&Event::Delete(Self::object(number, false, json!({}))));
        self.admissions.changed("n");
    }

    fn ask(&self, number: i64, active: bool, holds: Places, limits: &Limits) -> bool {
        let object = Self::object(number, active, json!({}));
        self.admissions.admit("n", &object.candidate(Some(holds)), limits).is_ok()
    }

    fn admissible(&self, limits: &Limits) -> Vec<String> {
        let mut names: Vec<String> = self.admissions.admissible("n", limits, |_| false).into_iter().map(|one| one.name).collect();
        names.sort();
        names
    }
}

fn limits(workflows: i64, active: i64) -> Limits {
    let hard = QuotaLimits { workflows: Some(workflows), active_workflows: Some(active), ..QuotaLimits::default() };
    Limits::of([("team-a", &hard)])
}

#[tokio::test]
async fn a_place_that_was_given_counts_before_the_index_shows_it() {
    let mut cluster = Cluster::new();
    let limits = limits(1, 1);
    cluster.see(2, true, json!({}));
    assert!(cluster.ask(2, true, NONE, &limits));
    // An older one arrives later, and the index shows neither in n8n.
    cluster.see(1, true, json!({}));
    assert!(!cluster.ask(1, true, NONE, &limits));
    assert!(cluster.ask(2, true, ALL, &limits), "it keeps what it has");
}

#[tokio::test]
async fn a_place_that_was_not_used_is_free_at_the_end_of_the_reconciliation() {
    let mut cluster = Cluster::new();
    let limits = limits(1, 1);
    cluster.see(1, false, json!({}));
    cluster.see(2, false, json!({}));
    assert!(!cluster.ask(2, false, NONE, &limits));
    assert_eq!(cluster.admissible(&limits), [""; 0]);
    assert!(cluster.ask(1, false, NONE, &limits));
    cluster.admissions.note("n", "w1", NONE);
    cluster.gone(1);
    assert_eq!(cluster.admissible(&limits), ["w2"]);
    assert!(cluster.ask(2, false, NONE, &limits));
    assert_eq!(cluster.admissible(&limits), [""; 0], "it waits no longer");
}

#[tokio::test]
async fn an_object_that_is_gone_wakes_those_that_wait_and_only_as_many_as_there_are_places() {
    let mut cluster = Cluster::new();
    for number in 1..=3 {
        cluster.see(number, false, json!({ "n8nWorkflowId": number.to_string() }));
    }
    for number in 4..=6 {
        cluster.see(number, false, json!({}));
        assert!(!cluster.ask(number, false, NONE, &limits(3, 9)));
    }
    cluster.gone(1);
    cluster.gone(3);
    assert_eq!(cluster.admissions.freed().await, HashSet::from(["n".to_owned()]));
    assert_eq!(cluster.admissible(&limits(3, 9)), ["w4", "w5"]);
    assert_eq!(cluster.admissible(&limits(9, 9)), ["w4", "w5", "w6"], "also when the limit is raised");
}

#[tokio::test]
async fn an_unpublished_workflow_frees_its_place_before_the_index_shows_it() {
    let mut cluster = Cluster::new();
    let limits = limits(9, 1);
    cluster.see(1, true, json!({ "n8nWorkflowId": "1", "published": true }));
    cluster.see(2, true, json!({ "n8nWorkflowId": "2" }));
    assert!(!cluster.ask(2, true, IN, &limits));
    // The spec of the first is edited, and n8n has confirmed that it is unpublished.
    cluster.see(1, false, json!({ "n8nWorkflowId": "1", "published": true }));
    assert!(!cluster.ask(2, true, IN, &limits), "it is published until n8n says otherwise");
    cluster.admissions.note("n", "w1", IN);
    assert_eq!(cluster.admissible(&limits), ["w2"]);
    assert!(cluster.ask(2, true, IN, &limits));
    assert!(!cluster.ask(1, true, IN, &limits));
    assert!(cluster.ask(2, true, ALL, &limits));
}

#[tokio::test]
async fn without_limits_places_are_given_and_count_for_a_quota_that_comes_later() {
    let mut cluster = Cluster::new();
    cluster.see(1, true, json!({}));
    cluster.see(2, true, json!({}));
    assert!(cluster.ask(2, true, NONE, &Limits::default()));
    assert!(!cluster.ask(1, true, NONE, &limits(1, 1)));
}

#[tokio::test]
async fn a_new_leader_knows_what_the_one_before_it_did_although_its_index_lags_behind() {
    let mut cluster = Cluster::new();
    let limits = limits(2, 9);
    cluster.see(1, false, json!({}));
    cluster.see(3, false, json!({}));
    // The leader before created both; the index has seen neither the status of the first nor the second at all.
    let created = |number| Cluster::json(number, false, json!({ "n8nWorkflowId": number.to_string() }));
    *cluster.listed.lock().unwrap() = vec![created(1), created(2)];
    cluster.admissions.catch_up("n").await.unwrap();
    assert!(!cluster.ask(3, false, NONE, &limits));
    // The second is deleted before the index ever has it.
    *cluster.listed.lock().unwrap() = vec![created(1)];
    cluster.admissions.catch_up("n").await.unwrap();
    assert!(cluster.ask(3, false, NONE, &limits));
    cluster.see(4, false, json!({}));
    *cluster.listed.lock().unwrap() = Vec::new();
    cluster.admissions.catch_up("n").await.unwrap();
    assert!(!cluster.ask(4, false, NONE, &limits), "it is read once, and what this process did since is newer");
}
