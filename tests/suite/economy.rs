//! What a change costs n8n, counted on the stand-in: a platform with a thousand workflows pays it a thousand times.

use serde_json::{Value, json};

use crate::n8n::answering;
use crate::stack::Stack;
use crate::standin::{Options, StandIn};
use crate::world::World;

/// The requests since the last time that this was asked, the instance's own checks apart.
fn spent(n8n: &StandIn) -> Vec<String> {
    let entries = n8n.log().entries();
    n8n.log().clear();
    let of_workflows = entries.iter().filter(|entry| entry.path.starts_with("/api/v1/workflows") || entry.path.starts_with("/webhook/"));
    of_workflows.map(|entry| format!("{} {}", entry.method, entry.path)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_workflow_and_a_changed_one_cost_n8n_at_most_five_requests_each() {
    let n8n = StandIn::start(Options::default());
    let world = World::bare(Stack::shared(), "economy", &n8n.url(), n8n.api_key()).await;
    world.instance("main", &n8n.url(), n8n.api_key(), json!({ "interval": "1h" })).await;
    world.until_kind("N8nInstance", "main", "Ready", crate::world::ready).await;
    let spec = |name: &str, version: &str| -> Value {
        json!({ "active": true, "interval": "1h", "definition": answering(&format!("{}/{name}", world.namespace), version) })
    };
    n8n.log().clear();
    world.workflow("a", spec("a", "1")).await;
    world.until_ready("a").await;
    // A pass too many over the first would come before the second is done, for they are worked on in turn.
    world.workflow("b", spec("b", "1")).await;
    world.until_ready("b").await;
    let created = spent(&n8n);
    assert!(created.len() <= 10, "two new workflows cost {created:#?}");

    world.workflow("a", spec("a", "2")).await;
    world.until_ready("a").await;
    world.workflow("b", spec("b", "2")).await;
    world.until_ready("b").await;
    let changed = spent(&n8n);
    assert!(changed.len() <= 10, "two changed workflows cost {changed:#?}");
}
