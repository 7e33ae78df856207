//! Two replicas with the admission webhook, and one of them leaves: during a constant stream of applies with `failurePolicy: Fail`, each
//! moment without an answer is a refusal.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::harness::admission::{Admission, apply, free_port, until_ready, workflow};
use crate::harness::applies::Stream;
use crate::harness::balancer::Balancer;
use crate::harness::n8n::answering;
use crate::harness::relay::{Relay, page};
use crate::harness::world::{Operator, PATIENCE, World, ready};
use crate::standin::StandIn;

/// Clients that apply at the same time: several need several connections, so that both replicas are asked.
const CLIENTS: usize = 4;
/// Seconds of the chart's `preStopSeconds`: a pod is sent SIGTERM that long after it left the endpoints.
const PRE_STOP: Duration = Duration::from_secs(5);

/// A leader, which is the world's operator, and a standby, behind an address that leads to both.
struct Pair {
    standin: StandIn,
    world: World,
    admission: Admission,
    standby: Operator,
    port: u16,
    balancer: Balancer,
}

impl Pair {
    async fn new(name: &str) -> Self {
        let (standin, world) = World::on_stand_in(name, json!({})).await;
        Self::of(standin, world).await
    }

    /// The same, with a leader that reaches the API server through a relay.
    async fn through_a_relay(name: &str) -> (Relay, Self) {
        let (standin, mut world) = World::on_stand_in(name, json!({})).await;
        let (relay, kubeconfig) = Relay::to_api_server(&world.stack, "operator");
        world.operator.restart_through(&kubeconfig);
        (relay, Self::of(standin, world).await)
    }

    async fn of(standin: StandIn, mut world: World) -> Self {
        world.until_kind("N8nInstance", "main", "Ready", ready).await;
        let admission = Admission::in_front(&mut world, "Fail", &[]).await;
        let port = free_port();
        let flags = admission.flags(port);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let standby = world.another_operator("standby", &flags);
        until_ready(&standby).await;
        assert!(standby.shows("weirkeeper_leading 0").await, "the first replica leads");
        let balancer = Balancer::between(&[admission.port, port]).await;
        admission.direct_to(&world, balancer.port).await;
        Self { standin, world, admission, standby, port, balancer }
    }

    /// Begins a stream of applies by several clients, and waits until both replicas have answered some.
    async fn applies(&self) -> Applies {
        let before = [answers_of(&self.world.operator).await, answers_of(&self.standby).await];
        let applies = Applies((0..CLIENTS).map(|_| Stream::of(&self.world)).collect());
        for (replica, before) in [&self.world.operator, &self.standby].into_iter().zip(before) {
            until_more(replica, before).await;
        }
        applies
    }

    /// Waits until the standby leads, and a change is reconciled.
    async fn until_led(&self) {
        self.standby.until_shows("weirkeeper_leading 1").await;
        self.deploys("a", "1").await;
    }

    /// Applies a Workflow and waits until it is Ready.
    async fn deploys(&self, name: &str, version: &str) {
        let definition = answering(&format!("{}/{name}", self.world.namespace), version);
        let applied = apply(&self.world, &workflow(name, json!({ "definition": definition, "active": true })), &[]);
        assert!(applied.ok, "{applied:?}");
        self.world.until_ready(name).await;
    }

    /// Gives the Lease to another holder, or to nobody.
    async fn give_lease_to(&self, holder: &str) {
        let leases: Api<Lease> = Api::namespaced(self.world.admin.clone(), &self.world.namespace);
        let spec = json!({ "spec": { "holderIdentity": holder, "leaseDurationSeconds": 600 } });
        let found = leases.list(&ListParams::default()).await.expect("the API server lists").items;
        let [lease] = found.as_slice() else { panic!("one lease: {found:?}") };
        leases.patch(&lease.name_any(), &PatchParams::default(), &Patch::Merge(spec)).await.expect("the lease is patched");
    }
}

/// A stream of applies by several clients.
struct Applies(Vec<Stream>);

impl Applies {
    /// Ends it and returns how many were sent, and the refusals.
    async fn end(self) -> (u32, Vec<String>) {
        let (mut sent, mut refused) = (0, Vec::new());
        for stream in self.0 {
            let ended = stream.end().await;
            sent += ended.0;
            refused.extend(ended.1);
        }
        (sent, refused)
    }

    /// Ends it and asserts that none was refused.
    async fn end_without_refusal(self, what: &str) {
        let (sent, refused) = self.end().await;
        println!("failover: {what}: {sent} applies by {CLIENTS} clients with failurePolicy: Fail, {} refused", refused.len());
        assert!(sent > 20 && refused.is_empty(), "{sent} sent, refused: {refused:?}");
    }
}

/// Returns the number of Workflows that a replica has examined.
async fn answers_of(operator: &Operator) -> u64 {
    let metrics = operator.get("/metrics").await.1;
    let counted = |line: &str| line.strip_prefix("weirkeeper_webhook_review_seconds_count{kind=\"Workflow\"} ")?.parse::<u64>().ok();
    metrics.lines().find_map(counted).unwrap_or_default()
}

/// Waits until a replica has examined more than some number of Workflows.
async fn until_more(operator: &Operator, before: u64) {
    let started = Instant::now();
    while answers_of(operator).await <= before {
        assert!(started.elapsed() < PATIENCE, "the replica is not asked\n{}", operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_terminated_as_the_chart_does_costs_no_refusal() {
    let mut pair = Pair::new("terminated").await;
    let applies = pair.applies().await;
    // The endpoint leaves the Service when the pod is deleted; its connections stay open, and SIGTERM follows `preStop`.
    pair.balancer.withdraw(pair.admission.port);
    tokio::time::sleep(PRE_STOP).await;
    let asked = Instant::now();
    pair.world.operator.terminate();
    pair.until_led().await;
    println!("failover: another replica led and worked {:.1} s after SIGTERM", asked.elapsed().as_secs_f64());
    applies.end_without_refusal("SIGTERM after preStop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_endpoint_leaves_only_after_sigterm_costs_no_refusal() {
    let mut pair = Pair::new("abrupt").await;
    let applies = pair.applies().await;
    // Without `preStop`, SIGTERM arrives while nodes still send new connections to the pod.
    pair.world.operator.signal("TERM");
    tokio::time::sleep(Duration::from_secs(1)).await;
    pair.balancer.withdraw(pair.admission.port);
    pair.world.operator.terminate();
    pair.until_led().await;
    applies.end_without_refusal("SIGTERM one second before the endpoint leaves").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_are_replaced_one_after_another_cost_no_refusal() {
    let mut pair = Pair::new("rolled").await;
    let applies = pair.applies().await;
    for round in 1..=2 {
        pair.balancer.withdraw(pair.admission.port);
        tokio::time::sleep(PRE_STOP).await;
        pair.world.operator.terminate();
        pair.world.operator.start();
        until_ready(&pair.world.operator).await;
        pair.balancer.admit(pair.admission.port);
        pair.deploys("a", &round.to_string()).await;
    }
    pair.standby.until_shows("weirkeeper_leading 1").await;
    applies.end_without_refusal("a replica replaced twice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_lease_is_taken_still_answers_reviews_and_writes_nothing() {
    let pair = Pair::new("taken").await;
    pair.deploys("a", "1").await;
    let applies = pair.applies().await;
    pair.give_lease_to("somebody-else").await;
    pair.world.operator.until_shows("weirkeeper_leading 0").await;
    assert!(pair.world.operator.log().contains("the lease is lost"), "{}", pair.world.operator.tail());
    let written = pair.standin.log().writes().len();
    let definition = answering(&format!("{}/a", pair.world.namespace), "2");
    assert!(apply(&pair.world, &workflow("a", json!({ "definition": definition, "active": true })), &[]).ok);
    for replica in [&pair.world.operator, &pair.standby] {
        assert!(replica.shows("weirkeeper_leading 0").await, "nobody leads");
        until_more(replica, answers_of(replica).await).await;
        assert_eq!(replica.get("/readyz").await.0, 200, "{}", replica.tail());
    }
    assert_eq!(pair.standin.log().writes().len(), written, "nobody writes without the lease");
    pair.give_lease_to("").await;
    pair.world.until("a", "version 2 is confirmed", |object| object["status"]["activeVersion"] == 2 && ready(object)).await;
    applies.end_without_refusal("the lease taken by another and given back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_no_longer_reaches_the_api_server_loses_its_lease_and_still_answers_reviews() {
    let (relay, pair) = Pair::through_a_relay("cutoff").await;
    let applies = pair.applies().await;
    let cut = Instant::now();
    relay.gate(|_| Some(page(503, "text/plain", "cut off")));
    pair.until_led().await;
    println!("failover: another replica led and worked {:.1} s after the leader was cut off", cut.elapsed().as_secs_f64());
    pair.world.operator.until_shows("weirkeeper_leading 0").await;
    until_more(&pair.world.operator, answers_of(&pair.world.operator).await).await;
    relay.open();
    applies.end_without_refusal("a leader cut off from the API server until its lease expired").await;
    pair.deploys("b", "1").await;
    assert_eq!(pair.standin.duplicates_seen("weirkeeper.dev/owner").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_sleeps_until_its_lease_expires_costs_the_reviews_on_its_connections_and_writes_nothing_afterwards() {
    let pair = Pair::new("sleeps").await;
    let names: Vec<String> = (0..8).map(|number| format!("w{number}")).collect();
    let applies = pair.applies().await;
    for name in &names {
        let definition = answering(&format!("{}/{name}", pair.world.namespace), "1");
        pair.world.workflow(name, json!({ "active": true, "definition": definition })).await;
    }
    // In the middle of its work.
    pair.world.until("w0", "the first is there", |object| object["status"]["n8nWorkflowId"].is_string()).await;
    pair.world.operator.signal("STOP");
    let connections = pair.balancer.open(pair.admission.port);
    // Readiness fails, so no new connection is sent to it; an open one is given up after the webhook's timeout, with the review on it.
    pair.balancer.withdraw(pair.admission.port);
    pair.standby.until_shows("weirkeeper_leading 1").await;
    for name in &names {
        pair.world.until_ready(name).await;
    }
    let (sent, refused) = applies.end().await;
    println!("failover: a sleeping leader: {sent} applies, {} refused, {connections} connections to it were open", refused.len());
    assert!(sent > 20 && refused.len() <= connections, "{sent} sent, {connections} connections, refused: {refused:?}");
    assert!(refused.iter().all(|message| message.contains("failed calling webhook")), "{refused:?}");

    // Awake again, it answers reviews and writes nothing.
    let applies = Applies((0..CLIENTS).map(|_| Stream::of(&pair.world)).collect());
    let written = pair.standin.log().writes().len();
    let before = answers_of(&pair.standby).await;
    pair.world.operator.signal("CONT");
    pair.balancer.admit(pair.admission.port);
    pair.world.operator.until_shows("weirkeeper_leading 0").await;
    until_more(&pair.standby, before + 40).await;
    assert!(pair.world.operator.log().contains("the lease is lost"), "{}", pair.world.operator.tail());
    applies.end_without_refusal("the leader that slept is awake again").await;
    let late = pair.standin.log().writes().len() - written;
    assert_eq!(late, 0, "the leader that slept wrote to n8n");
    assert_eq!(pair.standin.duplicates_seen("weirkeeper.dev/owner").len(), 0);
    for name in &names {
        assert_eq!(pair.world.n8n.marked(&pair.world.namespace, name).await.len(), 1, "{name}");
    }
}

/// API servers send a review once: what was on its way to a process that dies is lost, and `failurePolicy` decides. Everything else is
/// answered by the other replica.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_costs_no_more_than_the_reviews_that_it_was_answering() {
    let mut pair = Pair::new("killed").await;
    let applies = pair.applies().await;
    let killed = Instant::now();
    pair.world.operator.kill();
    pair.until_led().await;
    println!("failover: another replica led and worked {:.1} s after the leader was killed", killed.elapsed().as_secs_f64());
    let (sent, refused) = applies.end().await;
    println!("failover: a killed leader: {sent} applies by {CLIENTS} clients, {} refused: {refused:?}", refused.len());
    assert!(sent > 20 && refused.len() <= CLIENTS, "{sent} sent, refused: {refused:?}");
    assert!(refused.iter().all(|message| message.contains("failed calling webhook")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_while_the_standby_is_asked_costs_no_refusal() {
    let mut pair = Pair::new("failover").await;
    pair.admission.direct_to(&pair.world, pair.port).await;
    until_asked(&pair).await;
    let stream = Stream::of(&pair.world);
    pair.world.operator.kill();
    pair.until_led().await;
    Applies(vec![stream]).end_without_refusal("the leader killed, the standby asked").await;
}

/// Waits until the API server asks the standby alone.
async fn until_asked(pair: &Pair) {
    let started = Instant::now();
    let denied = workflow("a", json!({ "definition": { "nodes": 7 } }));
    let before = answers_of(&pair.standby).await;
    while answers_of(&pair.standby).await < before + 3 {
        let tried = apply(&pair.world, &denied, &["--dry-run=server"]);
        assert!(tried.err.contains("denied the request"), "{tried:?}");
        assert!(started.elapsed() < PATIENCE, "the replica is not asked");
    }
}
