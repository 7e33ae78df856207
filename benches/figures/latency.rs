//! Edit to synced: from the moment that the API server accepts an edit to the moment that a watcher sees it Ready, on the
//! real n8n with an idle operator.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::n8n::answering;
use crate::harness::world::{PATIENCE, World};
use crate::progress::Progress;

const EDITS: usize = 100;

pub async fn measure() {
    let mut world = World::on_real_n8n("latency").await;
    world.operator.restart_with(&["--log", "info"]);
    let progress = Progress::of(&world);
    let path = format!("{}/a", world.namespace);
    let mut taken: Vec<Duration> = Vec::with_capacity(EDITS);
    for edit in 0..=EDITS {
        let spec = json!({ "active": true, "interval": "1h", "definition": answering(&path, &edit.to_string()) });
        let applied = world.try_workflow("a", spec).await.expect("the API server takes the edit");
        let accepted = Instant::now();
        let wanted = HashMap::from([("a".to_owned(), applied.metadata.generation.unwrap_or(0))]);
        progress.until_ready(&wanted, PATIENCE).await;
        // The first is the creation.
        if edit > 0 {
            taken.push(accepted.elapsed());
        }
    }
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], EDITS.to_string());
    taken.sort_unstable();
    let at = |percent: usize| taken[(EDITS * percent).div_ceil(100) - 1].as_millis();
    println!(
        "latency: {EDITS} edits, one after the other, real n8n: p50 {} ms (<= 1000), p99 {} ms (<= 3000), longest {} ms",
        at(50),
        at(99),
        at(100)
    );
    world.delete("a").await;
}
