//! Time that the admission webhook adds to a request, as a client of the real API server sees it: the same Workflows are created, as a dry run,
//! in a namespace with the webhook and in one without, one after the other.

use std::time::{Duration, Instant};

use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use weirkeeper::api::workflow::Workflow;

use crate::harness::admission::Admission;
use crate::harness::stack::Stack;
use crate::harness::world::World;
use crate::standin::{Options, StandIn};
use crate::validator::workflows;

const CREATES: usize = 1_000;

pub async fn measure() {
    let n8n = StandIn::start(Options::default());
    let mut world = World::bare(Stack::shared(), "added-latency", &n8n.url(), n8n.api_key()).await;
    world.instance("main", &n8n.url(), n8n.api_key(), json!({})).await;
    let _admission = Admission::in_front(&mut world, "Fail", &["--log", "info"]).await;
    let (_, texts) = workflows();
    let objects: Vec<Workflow> = texts.iter().filter_map(|text| object(text)).collect();
    let with: Api<Workflow> = Api::namespaced(world.admin.clone(), &world.namespace);
    let without: Api<Workflow> = Api::namespaced(world.admin.clone(), "default");
    // Connections are open then, and the catalogue is loaded.
    for api in [&with, &without] {
        create(api, &objects[0]).await;
    }
    let (mut reviewed, mut plain) = (Vec::with_capacity(CREATES), Vec::with_capacity(CREATES));
    let mut denied = 0;
    for number in 0..CREATES {
        let object = &objects[number % objects.len()];
        let (time, refused) = create(&with, object).await;
        reviewed.push(time);
        denied += usize::from(refused);
        let (time, refused) = create(&without, object).await;
        assert!(!refused, "nothing reviews that namespace");
        plain.push(time);
    }
    let at = |times: &mut Vec<Duration>, percent: usize| {
        times.sort_unstable();
        times[(times.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1_000.0
    };
    let (p50, p99) = ((at(&mut reviewed, 50), at(&mut plain, 50)), (at(&mut reviewed, 99), at(&mut plain, 99)));
    println!(
        "added latency: {CREATES} creates of {} workflows as a dry run: with the webhook p50 {:.1} ms, p99 {:.1} ms, without {:.1} ms, {:.1} ms; ratio {:.2} and {:.2}; {denied} denied",
        objects.len(),
        p50.0,
        p99.0,
        p50.1,
        p99.1,
        p50.0 / p50.1,
        p99.0 / p99.1
    );
}

/// Returns how long the API server took, and whether it refused the object.
async fn create(api: &Api<Workflow>, object: &Workflow) -> (Duration, bool) {
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let started = Instant::now();
    let created = api.create(&params, object).await;
    (started.elapsed(), created.is_err())
}

fn object(text: &str) -> Option<Workflow> {
    let definition = serde_json::from_str::<Value>(text).ok().filter(Value::is_object)?;
    let object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "a" },
        "spec": { "instanceRef": { "name": "main" }, "definition": definition } });
    // The CRD refuses larger ones in both namespaces.
    serde_json::from_value(object).ok().filter(|_| text.len() < 150_000)
}
