//! A thousand workflows at once against an n8n that answers each request in 50 ms, with ten passes at a time and no rate
//! cap: how long, and how many requests.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::json;

use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::World;
use crate::progress::Progress;
use crate::standin::{Options, StandIn};

const WORKFLOWS: usize = 1_000;
const LATENCY: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(900);

pub async fn measure() {
    let n8n = StandIn::start(Options { latency: LATENCY, keep_bodies: false, ..Options::default() });
    let mut world = World::bare(Stack::shared(), "thousand", &n8n.url(), n8n.api_key()).await;
    world.operator.restart_with(&["--log", "warn", "--concurrency", "10"]);
    world.instance("main", &n8n.url(), n8n.api_key(), json!({ "interval": "1h" })).await;
    let progress = Progress::of(&world);
    for (round, version) in [("created", "1"), ("changed", "2")] {
        n8n.log().clear();
        let (started, processor) = (Instant::now(), world.operator.processor_seconds());
        let generations: HashMap<String, i64> = stream::iter(0..WORKFLOWS)
            .map(|number| {
                let (world, name) = (&world, format!("w-{number:04}"));
                async move {
                    let path = format!("{}/{number}", world.namespace);
                    let spec = json!({ "active": true, "interval": "1h", "definition": answering(&path, version) });
                    let applied = world.try_workflow(&name, spec).await.expect("the API server takes the Workflow");
                    (name, applied.metadata.generation.unwrap_or(0))
                }
            })
            .buffer_unordered(10)
            .collect()
            .await;
        let applied = started.elapsed();
        progress.until_ready(&generations, LONGEST).await;
        let all = started.elapsed();
        let requests = n8n.log().entries();
        println!(
            "thousand: {WORKFLOWS} {round} in {:.1} s (<= 60), of which the API server took {:.1} s to accept them; {:.2} requests to n8n each (<= 5); {:.1} s of processor time",
            all.as_secs_f64(),
            applied.as_secs_f64(),
            requests.len() as f64 / WORKFLOWS as f64,
            world.operator.processor_seconds() - processor,
        );
        let mut kinds: HashMap<String, usize> = HashMap::new();
        for entry in &requests {
            let path = entry.path.strip_prefix("/api/v1").unwrap_or(&entry.path);
            let part = |at: usize| path.split('/').nth(at).unwrap_or_default();
            let id = if part(2).is_empty() { "" } else { "/*" };
            let last = if part(1) == "workflows" { part(3) } else { "" };
            *kinds.entry(format!("{} /{}{id}/{last}", entry.method, part(1))).or_default() += 1;
        }
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        println!("thousand:   {}", kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", "));
    }
    world.operator.kill();
    crate::idle::sweep(&world, "Workflow").await;
}
