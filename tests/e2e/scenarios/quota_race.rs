//! Quotas while two hundred changes arrive at once, with two replicas of the operator: behind the admission webhook, without it, and with a
//! leader that is killed in the middle. Never more than the limit in n8n, and no place left empty.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use crate::harness::admission::{Admission, free_port, until_ready};
use crate::harness::balancer::Balancer;
use crate::harness::n8n::{N8n, answering};
use crate::harness::world::{Operator, World, condition, current, ready};
use crate::standin::{Options, StandIn};

const WORKFLOWS: usize = 200;
const LIMIT: usize = 50;
/// Number of places that are given up in the end.
const LEAVING: usize = 10;
/// Timeout of a step: the real n8n creates two hundred workflows on a shared machine.
const LONG: Duration = Duration::from_secs(400);

/// Limited resource of a race.
#[derive(Clone, Copy, PartialEq)]
enum Limited {
    Workflows,
    Active,
}

/// The n8n of a test, and the most that it ever had.
enum Site {
    StandIn(StandIn),
    Real(Census),
}

/// Counts the workflows of a namespace in the real n8n all the time.
struct Census {
    n8n: N8n,
    part: String,
    seen: Arc<Mutex<Seen>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    most: (usize, usize),
    looks: usize,
}

impl Seen {
    fn note(&mut self, (all, active): (usize, usize)) {
        *self = Self { most: (self.most.0.max(all), self.most.1.max(active)), looks: self.looks + 1 };
    }
}

impl Census {
    fn of(world: &World) -> Self {
        let (n8n, part, seen) = (world.n8n.clone(), format!("/{}/", world.namespace), Arc::<Mutex<Seen>>::default());
        let (asked, of, noted) = (n8n.clone(), part.clone(), seen.clone());
        let task = tokio::spawn(async move {
            loop {
                let counts = counted(&asked, &of).await;
                noted.lock().expect("no thread panicked").note(counts);
                // A workflow in n8n stays until the end, so that a look sees it; without a pause looks are most of what n8n does.
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        });
        Self { n8n, part, seen, task }
    }
}

impl Drop for Census {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns how many workflows n8n has whose mark has a part, and how many of them are published. They are on one page, which is a state of a
/// single moment: between two pages one may leave and another come, and both would be counted.
async fn counted(n8n: &N8n, part: &str) -> (usize, usize) {
    let name = part.trim_start_matches('/');
    let page = n8n.api("GET", &format!("/workflows?limit=250&name={name}"), None).await.json();
    assert!(page["nextCursor"].is_null(), "one page holds them all");
    let all = page["data"].as_array().cloned().unwrap_or_default();
    let ours = all.iter().filter(|workflow| {
        let tags = workflow["settings"]["customTelemetryTags"].as_array();
        tags.into_iter().flatten().any(|tag| tag["value"].as_str().is_some_and(|value| value.contains(part)))
    });
    ours.fold((0, 0), |(all, active), workflow| (all + 1, active + usize::from(workflow["active"] == true)))
}

impl Site {
    /// Returns the number of workflows, or of published ones.
    async fn count(&self, of: Limited) -> usize {
        let counts = match self {
            Self::StandIn(standin) => standin.counts(),
            Self::Real(census) => counted(&census.n8n, &census.part).await,
        };
        if of == Limited::Workflows { counts.0 } else { counts.1 }
    }

    /// Returns the maximum so far: of every moment in the stand-in, of every look at the real n8n.
    fn most(&self, of: Limited) -> usize {
        let most = match self {
            Self::StandIn(standin) => standin.most_at_once(),
            Self::Real(census) => {
                assert!(!census.task.is_finished(), "the census has ended");
                census.seen.lock().expect("no thread panicked").most
            }
        };
        if of == Limited::Workflows { most.0 } else { most.1 }
    }

    fn looks(&self) -> String {
        match self {
            Self::StandIn(_) => "every moment was seen".to_owned(),
            Self::Real(census) => format!("{} looks at the real n8n", census.seen.lock().expect("no thread panicked").looks),
        }
    }
}

/// Two replicas of one installation: the world's own operator leads, the other one stands by.
struct Replicas {
    world: World,
    standby: Operator,
    webhook: Option<(Admission, Balancer)>,
}

impl Replicas {
    /// Starts the replicas. With the webhook, a balancer leads the API server to both.
    async fn of(mut world: World, webhook: bool) -> Self {
        world.until_kind("N8nInstance", "main", "Ready", ready).await;
        if !webhook {
            let lease = world.namespace.clone();
            let flags = ["--leader-elect", "on", "--lease-namespace", "weirkeeper-system", "--lease-name", lease.as_str()];
            world.operator.restart_with(&flags);
            until_metric(&world.operator, "weirkeeper_leading 1").await;
            let standby = world.another_operator("standby", &flags);
            until_metric(&standby, "weirkeeper_leading 0").await;
            return Self { world, standby, webhook: None };
        }
        let admission = Admission::in_front(&mut world, "Ignore", &[]).await;
        until_metric(&world.operator, "weirkeeper_leading 1").await;
        let port = free_port();
        let flags = admission.flags(port);
        let standby = world.another_operator("standby", &flags.iter().map(String::as_str).collect::<Vec<_>>());
        until_ready(&standby).await;
        until_metric(&standby, "weirkeeper_leading 0").await;
        let balancer = Balancer::between(&[admission.port, port]).await;
        admission.direct_to(&world, balancer.port).await;
        Self { world, standby, webhook: Some((admission, balancer)) }
    }

    async fn on_stand_in(name: &str, webhook: bool) -> (Self, Site) {
        let standin = StandIn::start(Options { latency: Duration::from_millis(15), ..Options::default() });
        let world = World::at(&standin.url(), standin.api_key(), name, json!({})).await;
        (Self::of(world, webhook).await, Site::StandIn(standin))
    }

    async fn on_real_n8n(name: &str, webhook: bool) -> (Self, Site) {
        let replicas = Self::of(World::on_real_n8n(name).await, webhook).await;
        let census = Census::of(&replicas.world);
        (replicas, Site::Real(census))
    }

    /// Asks for a place. Returns the denial of the webhook, if it denies.
    async fn ask(&self, name: &str, active: bool) -> Option<String> {
        let definition = answering(&format!("{}/{name}", self.world.namespace), "1");
        // No interval helps: a place that becomes free must be given at once.
        let asked = self.world.try_workflow(name, json!({ "interval": "1h", "active": active, "definition": definition })).await;
        match asked {
            Ok(_) => None,
            Err(kube::Error::Api(status)) if status.message.contains("denied the request: exceeded quota: team-a") => {
                Some(status.message.clone())
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

/// Waits until an operator's metrics have a line.
async fn until_metric(operator: &Operator, wanted: &str) {
    let started = Instant::now();
    while !operator.get("/metrics").await.1.lines().any(|line| line == wanted) {
        assert!(started.elapsed() < LONG, "timed out waiting for {wanted}:\n{}", operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The Workflows that ask for a place: those that have it and those that wait, with their generations.
#[derive(Default)]
struct Tally {
    inside: BTreeMap<String, i64>,
    waiting: BTreeMap<String, i64>,
    undecided: usize,
}

async fn tally(world: &World, of: Limited) -> Tally {
    let mut tally = Tally::default();
    for object in world.api("Workflow").list(&ListParams::default()).await.expect("the API server lists") {
        let object = serde_json::to_value(object).expect("an object is JSON");
        if !object["metadata"]["deletionTimestamp"].is_null() || of == Limited::Active && object["spec"]["active"] != true {
            continue;
        }
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let generation = object["metadata"]["generation"].as_i64().expect("a generation");
        if ready(&object) {
            tally.inside.insert(name, generation);
        } else if current(&object) && condition(&object, "Ready")["reason"] == "QuotaExceeded" {
            tally.waiting.insert(name, generation);
        } else {
            tally.undecided += 1;
        }
    }
    tally
}

/// Waits until every Workflow that asks for a place has it or waits, and as many have it as expected.
async fn until_decided(replicas: &Replicas, site: &Site, of: Limited, inside: usize) -> Tally {
    let started = Instant::now();
    loop {
        let now = tally(&replicas.world, of).await;
        if now.undecided == 0 && now.inside.len() == inside && site.count(of).await == inside {
            return now;
        }
        assert!(
            started.elapsed() < LONG,
            "{} have a place of {inside}, {} wait, {} are undecided, {} are in n8n\n{}\n--- standby\n{}",
            now.inside.len(),
            now.waiting.len(),
            now.undecided,
            site.count(of).await,
            replicas.world.operator.tail(),
            replicas.standby.tail()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Two hundred ask for fifty places at once; then ten of those that got one leave. With `crash` the leader is killed in the middle.
async fn race((replicas, site): (Replicas, Site), of: Limited, crash: bool) -> Replicas {
    let world = &replicas.world;
    let resource = if of == Limited::Workflows { "workflows" } else { "activeWorkflows" };
    let names: Vec<String> = (0..WORKFLOWS).map(|number| format!("w{number:03}")).collect();
    let active = of == Limited::Active;
    if active {
        let denied = join_all(names.iter().map(|name| replicas.ask(name, false))).await;
        assert!(denied.iter().all(Option::is_none), "{denied:?}");
        until_decided(&replicas, &site, Limited::Workflows, WORKFLOWS).await;
    }
    world.quota("team-a", json!({ resource: LIMIT })).await;
    world.until_kind("WorkflowQuota", "team-a", "it is in force", |quota| quota["status"]["observedGeneration"] == 1).await;
    let killed = async {
        while crash && site.count(of).await < LIMIT / 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if crash {
            world.operator.signal("KILL");
        }
    };
    let asking = join_all(names.iter().map(|name| replicas.ask(name, active)));
    let (answers, ()) = tokio::join!(asking, killed);
    let denied: Vec<&String> = names.iter().zip(&answers).filter(|(_, denial)| denial.is_some()).map(|(name, _)| name).collect();
    assert!(replicas.webhook.is_some() || denied.is_empty(), "nobody denies without a webhook");
    let stored = WORKFLOWS - denied.len();
    let first = until_decided(&replicas, &site, of, LIMIT).await;
    assert_eq!(first.inside.len() + first.waiting.len(), stored);
    let exact = format!("exceeded quota: team-a, requested: {resource}=1, used: {LIMIT}, limited: {LIMIT}; ");
    for name in first.waiting.keys().take(1) {
        let message = condition(&world.get(name).await, "Ready")["message"].clone();
        assert!(message.as_str().is_some_and(|message| message.starts_with(&exact)), "{message}");
    }

    // Ten leave. Others get their places although nobody touches them.
    let leaving: Vec<&String> = first.inside.keys().step_by(LIMIT / LEAVING).collect();
    assert_eq!(leaving.len(), LEAVING);
    join_all(leaving.iter().map(|name| async {
        if active {
            assert_eq!(replicas.ask(name, false).await, None, "giving up a place is always allowed");
        } else {
            world.api("Workflow").delete(name, &DeleteParams::default()).await.expect("the API server deletes");
        }
    }))
    .await;
    let expected = LIMIT.min(stored - LEAVING);
    let second = until_decided(&replicas, &site, of, expected).await;
    let new: Vec<&String> = second.inside.keys().filter(|name| !first.inside.contains_key(*name)).collect();
    assert_eq!(new.len(), LEAVING.min(first.waiting.len()), "{new:?}");
    for name in &new {
        assert_eq!(first.waiting.get(*name), second.inside.get(*name), "{name} waited, and was not touched");
    }
    // With the webhook, those that it denied are applied again.
    for name in denied.iter().take(LIMIT - expected) {
        let started = Instant::now();
        while let Some(denial) = replicas.ask(name, active).await {
            assert!(started.elapsed() < LONG, "a place is free, and the webhook says {denial}");
        }
    }
    until_decided(&replicas, &site, of, LIMIT).await;
    let most = site.most(of);
    println!(
        "{resource}: of {WORKFLOWS} at once {stored} were stored, {} denied by the webhook; at most {most} in n8n of {LIMIT} ({}); {} took the places of {LEAVING}",
        denied.len(),
        site.looks(),
        new.len()
    );
    assert_eq!(most, LIMIT);
    check_replicas(&replicas, resource, active, crash).await;
    replicas
}

/// Checks that the replicas did what they are for: the webhook answered on both, and only the leader reconciled.
async fn check_replicas(replicas: &Replicas, resource: &str, active: bool, crash: bool) {
    assert_eq!(replicas.standby.log().contains("reconciled"), crash, "only the leader reconciles");
    let Some((_admission, _balancer)) = &replicas.webhook else { return };
    let alive = [Some(&replicas.standby), (!crash).then_some(&replicas.world.operator)];
    for operator in alive.into_iter().flatten() {
        let metrics = operator.get("/metrics").await.1;
        let reviews: Vec<&str> =
            metrics.lines().filter(|line| line.starts_with("weirkeeper_webhook_reviews_total") && line.contains("\"Workflow\"")).collect();
        println!("{}", reviews.join("\n"));
        assert!(!reviews.is_empty(), "this replica was not asked:\n{metrics}");
    }
    if active {
        return;
    }
    let started = Instant::now();
    let exact = format!(
        "denied the request: exceeded quota: team-a, requested: {resource}=1, used: {LIMIT}, limited: {LIMIT}; delete a Workflow of this namespace, or ask for a higher limit"
    );
    loop {
        let denial = replicas.ask("one-more", active).await.unwrap_or_default();
        if denial.ends_with(&exact) {
            return;
        }
        assert!(started.elapsed() < LONG, "{denial}");
    }
}

/// Removes what a test left in the n8n that others share.
async fn leave(world: &World) {
    world.api("Workflow").delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("the API server deletes");
    let started = Instant::now();
    while !world.api("Workflow").list(&ListParams::default()).await.expect("the API server lists").items.is_empty() {
        assert!(started.elapsed() < LONG, "they are not deleted\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_creates_behind_the_webhook_fifty_get_in() {
    race(Replicas::on_stand_in("race-hook", true).await, Limited::Workflows, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_creates_without_a_webhook_fifty_get_in() {
    race(Replicas::on_stand_in("race-bare", false).await, Limited::Workflows, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_creates_fifty_get_in_although_the_leader_is_killed_in_the_middle() {
    race(Replicas::on_stand_in("race-kill", false).await, Limited::Workflows, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_activations_behind_the_webhook_fifty_are_published() {
    race(Replicas::on_stand_in("flip-hook", true).await, Limited::Active, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_activations_without_a_webhook_fifty_are_published() {
    race(Replicas::on_stand_in("flip-bare", false).await, Limited::Active, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_activations_behind_the_webhook_fifty_are_published_although_the_leader_is_killed_in_the_middle() {
    race(Replicas::on_stand_in("flip-kill", true).await, Limited::Active, true).await;
}

/// A race behind the webhook, and then one without it, in the n8n that others share.
async fn race_on_the_real_n8n(name: &str, of: Limited) {
    for webhook in [true, false] {
        let replicas = race(Replicas::on_real_n8n(&format!("{name}-{webhook}"), webhook).await, of, false).await;
        leave(&replicas.world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_real_n8n_of_two_hundred_creates_fifty_get_in_behind_the_webhook_and_without_it() {
    race_on_the_real_n8n("race-real", Limited::Workflows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_real_n8n_of_two_hundred_activations_fifty_are_published_behind_the_webhook_and_without_it() {
    race_on_the_real_n8n("flip-real", Limited::Active).await;
}
