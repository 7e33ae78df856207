//! Ten thousand Workflows of 15 kB with nothing to do: how long a starting operator takes to look at each of them once, how
//! much memory it holds, and that it writes nothing.

use std::collections::{HashMap, HashSet};
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

const SIZE: usize = 15_000;
const LONGEST: Duration = Duration::from_secs(3_600);

pub async fn measure() {
    let objects: usize = std::env::var("WEIRKEEPER_BENCH_OBJECTS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let n8n = StandIn::start(Options { keep_bodies: false, ..Options::default() });
    let mut world = World::bare(Stack::shared(), "idle", &n8n.url(), n8n.api_key()).await;
    world.operator.restart_with(&["--log", "warn", "--concurrency", "50"]);
    world.instance("main", &n8n.url(), n8n.api_key(), json!({ "interval": "1h", "maxConcurrentRequests": 50 })).await;
    prepare(&world, objects).await;
    // The instance counts its workflows; that is its one piece of news, and must not come after the restart.
    world.annotate("N8nInstance", "main", "requested-at", json!("prepared")).await;
    let counted = |instance: &Value| instance["status"]["lastHandledRequestedAt"] == "prepared";
    world.until_kind("N8nInstance", "main", "the workflows are counted", counted).await;
    world.operator.kill();

    n8n.log().clear();
    let (written, started) = (writes(&world).await, Instant::now());
    world.operator.restart_with(&["--log", "warn"]);
    let mut looked = HashSet::new();
    while looked.len() < objects {
        assert!(started.elapsed() < LONGEST, "only {} of {objects} were looked at", looked.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
        looked = n8n.log().requests_per_workflow().into_keys().collect();
    }
    let all = started.elapsed();
    let cold = memory(world.operator.pid());
    // Writes that come late, and memory that is given back, are seen too.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let later = memory(world.operator.pid());
    println!(
        "idle: {objects} objects of {SIZE} bytes observed in {:.1} s (<= 60 for 10000); RSS {} MiB then, {} MiB 10 s later, highest {} MiB (<= 150); {} writes to Kubernetes (0); {} writes to n8n (0); {:.2} requests to n8n each; {:.1} s of processor time",
        all.as_secs_f64(),
        cold.0,
        later.0,
        later.1,
        writes(&world).await - written,
        n8n.log().writes().len(),
        n8n.log().entries().len() as f64 / objects as f64,
        world.operator.processor_seconds(),
    );
    standby(&mut world, objects).await;
    world.operator.kill();
    sweep(&world).await;
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

/// Creates the objects with an operator that runs.
async fn prepare(world: &World, objects: usize) {
    let progress = Progress::of(world);
    let started = Instant::now();
    let generations: HashMap<String, i64> = stream::iter(0..objects)
        .map(|number| async move {
            let name = format!("w-{number:05}");
            let spec = json!({ "active": true, "interval": "6h", "definition": sized(&format!("{}/{number}", world.namespace)) });
            let applied = world.try_workflow(&name, spec).await.expect("the API server takes the Workflow");
            (name, applied.metadata.generation.unwrap_or(0))
        })
        .buffer_unordered(10)
        .collect()
        .await;
    progress.until_ready(&generations, LONGEST).await;
    eprintln!("  {objects} objects are Ready after {:.0} s", started.elapsed().as_secs_f64());
}

/// A workflow of about so many bytes, in nodes as people write them.
fn sized(path: &str) -> Value {
    let mut definition = answering(path, "1");
    let mut number = 0;
    while definition.to_string().len() < SIZE {
        number += 1;
        let fields: Vec<Value> = (0..4)
            .map(|field| json!({ "id": format!("{number}-{field}"), "name": format!("field{field}"), "type": "string", "value": format!("={{{{ $json.step{number}.value{field} }}}}") }))
            .collect();
        let step = json!({ "name": format!("Step {number}"), "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [200 * number, 200],
            "parameters": { "assignments": { "assignments": fields }, "options": {} } });
        definition = with_node(definition, step);
    }
    definition
}

/// The writes that the API server has counted, those of leases and of its own controllers apart.
async fn writes(world: &World) -> u64 {
    let request = axum::http::Request::get("/metrics").body(Vec::new()).expect("a request");
    let metrics = world.admin.request_text(request).await.expect("the API server's metrics");
    let ours = metrics.lines().filter(|line| line.starts_with("apiserver_request_total{")).filter(|line| {
        let label = |name: &str| line.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        matches!(label("verb"), "POST" | "PUT" | "PATCH" | "APPLY" | "DELETE" | "DELETECOLLECTION")
            && matches!(label("resource"), "workflows" | "n8ninstances" | "controllerrevisions" | "events")
    });
    ours.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Resident memory now and at its highest, in MiB.
fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the operator runs");
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("the kernel says so");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    (kib("VmRSS:").div_ceil(1024), kib("VmHWM:").div_ceil(1024))
}

/// Takes away the objects of a world without an operator, so that the next figure starts on an empty cluster.
pub async fn sweep(world: &World) {
    let api = world.api("Workflow");
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
