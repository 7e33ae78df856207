//! Ten thousand Workflows of 15 kB with nothing to do: how long a starting operator takes until each of them is confirmed, how
//! much memory it holds, and that it writes nothing.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::admission::{Admission, free_port, until_ready};
use crate::harness::n8n::{answering, with_node};
use crate::harness::stack::Stack;
use crate::harness::world::World;
use crate::progress::Progress;
use crate::standin::{Options, StandIn};

/// Stands for the path of a workflow's webhook.
const PATH: &str = "path-of-the-webhook";
/// The line with the address of its endpoints, and warnings.
pub const LOG: &str = "warn,weirkeeper::app=info";
pub const LONGEST: Duration = Duration::from_secs(3_600);

pub async fn measure() {
    let objects = number("OBJECTS", 10_000);
    let n8n = StandIn::start(Options { keep_bodies: false, ..Options::default() });
    let mut world = World::bare(Stack::shared(), "idle", &n8n.url(), n8n.api_key()).await;
    world.operator.restart_with(&["--log", LOG, "--concurrency", "50"]);
    world.instance("main", &n8n.url(), n8n.api_key(), json!({ "interval": "1h", "maxConcurrentRequests": 50 })).await;
    made(&mut world, objects, "6h").await;
    cold_start(&mut world, objects, "idle").await;
    standby(&mut world, objects).await;
    world.operator.kill();
    sweep(&world, "Workflow").await;
}

/// Returns a number from the environment, `WEIRKEEPER_BENCH_…`.
pub fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(format!("WEIRKEEPER_BENCH_{name}")).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Waits until a metric has reached a value.
pub async fn until(world: &World, series: &str, wanted: f64) {
    let started = Instant::now();
    while metric(&world.operator.get("/metrics").await.1, series) < wanted {
        assert!(started.elapsed() < LONGEST, "{series} does not reach {wanted}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Starts the operator on objects that need nothing, and waits until it has confirmed each of them.
pub async fn cold_start(world: &mut World, objects: usize, figure: &str) {
    let (before, started) = (Kubernetes::count(world).await, Instant::now());
    world.operator.restart_with(&["--log", LOG]);
    until(world, "weirkeeper_workflows{state=\"ready\"}", objects as f64).await;
    let (all, processor) = (started.elapsed(), world.operator.processor_seconds());
    let asked = requests(world).await;
    let cold = memory(world.operator.pid());
    // Writes that come late, and memory that is given back, are seen too.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let later = memory(world.operator.pid());
    let spent = Kubernetes::count(world).await.since(&before);
    println!(
        "{figure}: cold start of {objects} objects of {} bytes: confirmed in {:.1} s (<= 20 for 10000); {} requests to n8n (<= 100) in {:.1} s of processor time; RSS {} MiB then, {} MiB 10 s later, highest {} MiB (<= 120); {} requests to Kubernetes, {} of them writes (0)",
        size(),
        all.as_secs_f64(),
        asked,
        processor,
        cold.0,
        later.0,
        later.1,
        spent.requests,
        spent.writes,
    );
}

/// Returns the sum of the series of a metric whose names begin like this.
pub fn metric(metrics: &str, name: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).fold(0.0, |sum, value| sum + value)
}

/// Returns the number of requests that the operator has sent to n8n.
pub async fn requests(world: &World) -> u64 {
    metric(&world.operator.get("/metrics").await.1, "weirkeeper_n8n_requests_total") as u64
}

/// Measures a replica that answers admission reviews while another one leads.
async fn standby(world: &mut World, objects: usize) {
    let lease = world.namespace.clone();
    let flags = ["--log", "info", "--leader-elect", "on", "--lease-name", lease.as_str()];
    let admission = Admission::in_front(world, "Ignore", &flags).await;
    let own = admission.flags(free_port());
    let all: Vec<&str> = own.iter().map(String::as_str).chain(flags).collect();
    let standby = world.another_operator("standby", &all);
    until_ready(&standby).await;
    let first = memory(standby.pid());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let later = memory(standby.pid());
    println!(
        "idle: a standby replica with the webhook and {objects} objects: RSS {} MiB when it is ready, {} MiB 10 s later, highest {} MiB (<= 150)",
        first.0, later.0, later.1
    );
}

/// Makes the objects, and stops the operator: as copies of the first one or, with `WEIRKEEPER_BENCH_SEED=0`, by the operator itself, which takes
/// minutes.
pub async fn made(world: &mut World, objects: usize, interval: &str) {
    let seeds = number("SEED", 1) != 0;
    prepare(world, if seeds { 1 } else { objects }, interval).await;
    world.operator.kill();
    if seeds {
        let n8n = world.n8n.clone();
        crate::seed::copies(world, objects, |_| ("main".to_owned(), n8n.clone())).await;
        // The number of workflows in the status of the instance is news to it once.
        world.operator.restart_with(&["--log", LOG]);
        let counted = |instance: &Value| instance["status"]["workflows"] == objects;
        world.until_kind("N8nInstance", "main", "the workflows are counted", counted).await;
        world.operator.kill();
    }
}

/// Creates Workflows of the instances that `instance` names by their number, and waits until they are Ready.
pub async fn create(world: &World, objects: usize, interval: &str, instance: impl Fn(usize) -> String) {
    let progress = Progress::of(world);
    let started = Instant::now();
    let instance = &instance;
    let generations: HashMap<String, i64> = stream::iter(0..objects)
        .map(|number| async move {
            let name = format!("w-{number:05}");
            let spec = json!({ "instanceRef": { "name": instance(number) }, "active": true, "interval": interval, "definition": sized(&path(world, number)) });
            let applied = world.try_workflow(&name, spec).await.expect("the API server takes the Workflow");
            (name, applied.metadata.generation.unwrap_or(0))
        })
        .buffer_unordered(10)
        .collect()
        .await;
    progress.until_ready(&generations, LONGEST).await;
    eprintln!("  {objects} objects are Ready after {:.0} s", started.elapsed().as_secs_f64());
}

/// Creates the objects with an operator that runs, and waits until it has nothing more to say.
pub async fn prepare(world: &World, objects: usize, interval: &str) {
    create(world, objects, interval, |_| "main".to_owned()).await;
    // The instance counts its workflows; that is its one piece of news, and must not come after the restart.
    world.annotate("N8nInstance", "main", "requested-at", json!("prepared")).await;
    let counted = |instance: &Value| instance["status"]["lastHandledRequestedAt"] == "prepared";
    world.until_kind("N8nInstance", "main", "the workflows are counted", counted).await;
}

/// Returns the path of a workflow's webhook.
pub fn path(world: &World, number: usize) -> String {
    format!("{}/{number}", world.namespace)
}

/// Returns the size of a workflow in bytes.
pub fn size() -> usize {
    number("SIZE", 15_000)
}

/// A workflow of that many bytes, in nodes as people write them.
pub fn sized(path: &str) -> Value {
    static MADE: OnceLock<String> = OnceLock::new();
    let made = MADE.get_or_init(|| of_size(PATH, size()).to_string());
    serde_json::from_str(&made.replace(PATH, path)).expect("JSON")
}

fn of_size(path: &str, bytes: usize) -> Value {
    let mut definition = answering(path, "1");
    let (mut number, mut length) = (0, definition.to_string().len());
    while length < bytes {
        number += 1;
        let fields: Vec<Value> = (0..4)
            .map(|field| json!({ "id": format!("{number}-{field}"), "name": format!("field{field}"), "type": "string", "value": format!("={{{{ $json.step{number}.value{field} }}}}") }))
            .collect();
        let step = json!({ "name": format!("Step {number}"), "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [200 * number, 200],
            "parameters": { "assignments": { "assignments": fields }, "options": {} } });
        length += step.to_string().len();
        definition = with_node(definition, step);
    }
    definition
}

/// The requests that the API server has counted, those of leases and of its own controllers apart.
pub struct Kubernetes {
    pub requests: u64,
    pub writes: u64,
}

impl Kubernetes {
    pub async fn count(world: &World) -> Self {
        let request = axum::http::Request::get("/metrics").body(Vec::new()).expect("a request");
        let metrics = world.admin.request_text(request).await.expect("the API server's metrics");
        let mut count = Self { requests: 0, writes: 0 };
        for line in metrics.lines().filter(|line| line.starts_with("apiserver_request_total{")) {
            let label = |name: &str| line.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
            let ours = ["workflows", "n8ncredentials", "n8ninstances", "controllerrevisions", "events", "secrets", "configmaps"]
                .contains(&label("resource"));
            let number = line.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok()).filter(|_| ours).unwrap_or(0);
            count.requests += number;
            if matches!(label("verb"), "POST" | "PUT" | "PATCH" | "APPLY" | "DELETE" | "DELETECOLLECTION") {
                count.writes += number;
            }
        }
        count
    }

    pub fn since(&self, before: &Self) -> Self {
        Self { requests: self.requests - before.requests, writes: self.writes - before.writes }
    }
}

/// Resident memory now and at its highest, in MiB.
pub fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the operator runs");
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("the kernel says so");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    (kib("VmRSS:").div_ceil(1024), kib("VmHWM:").div_ceil(1024))
}

/// Takes away the objects of a kind in a world without an operator, so that the next figure starts on an empty cluster.
pub async fn sweep(world: &World, kind: &str) {
    let api = world.api(kind);
    let none = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    let all = api.list_metadata(&ListParams::default()).await.expect("the API server lists");
    api.delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("the API server deletes");
    stream::iter(all.items)
        .for_each_concurrent(10, |object| {
            let (api, none) = (&api, &none);
            async move { drop(api.patch(&object.metadata.name.unwrap_or_default(), &PatchParams::default(), none).await) }
        })
        .await;
}
